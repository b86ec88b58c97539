"""`Merge`: the base of layers that join several arrays element by element, with Keras's broadcasting and masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.masks import check_mask_list
from fastembed_layer.layers.symbolic import LISTS, Shape
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]
Masks = Sequence[Array | None]
PullParts = Callable[[Array], list[Array]]


class Merge(Layer):
    """Joins a list of arrays element by element; subclasses implement `combine`.

    Arrays of fewer axes get axes of size 1 behind the batch axis, and axes of size 1 are repeated. The output is masked
    where all inputs are, if all of them carry a mask.

    Parameters
    ----------
    **keywords
        Those of `Layer`.
    """

    supports_masking = True
    takes_list = True
    exact_count: int | None = None

    def combine(self, arrays: list[Array], masks: Masks) -> tuple[Array, PullParts]:
        """Join arrays of one rank; the pullback returns a gradient for each, which may still be broadcast."""
        raise NotImplementedError(f"{type(self).__name__} must implement `combine`.")

    def prepare(self, inputs: Any) -> Any:
        """Turn a list of array_likes into arrays.

        Raises
        ------
        ValueError
            If `inputs` is no list.
        """
        if not isinstance(inputs, LISTS):
            raise ValueError(f"{self._rule()} Received: {type(inputs).__name__}.")
        return super().prepare(inputs)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Bring the arrays to one rank and combine them; gradients are summed over repeated axes."""
        self.compute_output_shape([array.shape for array in inputs])
        rank = max(array.ndim for array in inputs)
        output, pull_parts = self.combine([_with_rank(array, rank) for array in inputs], _usable(mask, inputs, rank))

        def pull_back(d_output: Array) -> Cotangents:
            parts = zip(pull_parts(d_output), inputs, strict=True)
            return Cotangents([_summed_to(np.broadcast_to(part, d_output.shape), array) for part, array in parts])

        return output, pull_back

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where at least one input counts; None where an input carries no mask."""
        if mask is None:
            return None
        check_mask_list(inputs, mask)
        if any(part is None for part in mask):
            return None
        return reduce(np.logical_or, mask)

    def input_is_masked(self, flags: list[bool]) -> bool:
        """Tell whether all inputs carry a mask."""
        return all(flags)

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Tell whether the output carries a mask."""
        return input_is_masked

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the broadcast shape.

        Raises
        ------
        ValueError
            If there is no list of shapes, their number is wrong, or they cannot be broadcast.
        """
        shapes = list(input_shape) if isinstance(input_shape, LISTS) else []
        wrong_count = self.exact_count is not None and len(shapes) != self.exact_count
        if not shapes or wrong_count or not all(isinstance(shape, LISTS) for shape in shapes):
            raise ValueError(f"{self._rule()} Received: shapes {input_shape}.")
        sizes = {shape[0] for shape in shapes if shape} - {None}
        if len(sizes) > 1:
            raise ValueError(f"A {type(self).__name__} layer needs inputs of one batch size. Received: {shapes}.")
        batch = (sizes.pop() if sizes else None,) if any(shapes) else ()
        return (*batch, *reduce(self._broadcast, (tuple(shape[1:]) for shape in shapes)))

    def _broadcast(self, left: Shape, right: Shape) -> Shape:
        rank = max(len(left), len(right))
        pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
        sizes: list[int | None] = []
        for one, other in pairs:
            if None not in (one, other) and one != other and 1 not in (one, other):
                raise ValueError(
                    f"A {type(self).__name__} layer needs inputs whose sizes agree, or are 1, on every axis behind the "
                    f"batch axis. Received: shapes {left} and {right}."
                )
            sizes.append(None if None in (one, other) else other if one == 1 else one)
        return tuple(sizes)

    def _rule(self) -> str:
        count = "a list of at least 1 input" if self.exact_count is None else f"a list of {self.exact_count} inputs"
        return f"A {type(self).__name__} layer needs {count}, in one argument."


def _with_rank(array: Array, rank: int) -> Array:
    return array.reshape(array.shape[:1] + (1,) * (rank - array.ndim) + array.shape[1:])


def _summed_to(gradient: Array, array: Array) -> Array:
    """Sum over the axes along which `array` was repeated."""
    aligned = _with_rank(array, gradient.ndim).shape
    repeated = tuple(axis for axis, size in enumerate(aligned) if size == 1 and gradient.shape[axis] != 1)
    return np.sum(gradient, axis=repeated).reshape(array.shape) if repeated else gradient.reshape(array.shape)


def _usable(mask: Any, inputs: list[Array], rank: int) -> Masks:
    """Masks with an axis for the features; as in Keras, an array that gets new axes counts without its mask."""
    if mask is None:
        return [None] * len(inputs)
    return [
        None if part is None or array.ndim < rank else np.asarray(part, bool)[..., None]
        for part, array in zip(mask, inputs, strict=True)
    ]
