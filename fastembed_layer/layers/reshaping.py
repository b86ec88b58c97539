"""`Flatten` and `Concatenate`: layers that move numbers and compute none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import Shape
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class Flatten(Layer):
    """Flattens all axes but the first.

    Parameters
    ----------
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Flatten
    >>> Flatten()(np.ones((2, 3, 4), "float32")).shape
    (2, 12)
    """

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Reshape; the pullback reshapes back."""
        output = inputs.reshape(len(inputs), math.prod(inputs.shape[1:]))
        return output, lambda d_output: Cotangents([d_output.reshape(inputs.shape)])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return ``(batch_size, product of the other sizes)``, None where one of them is open."""
        sizes = tuple(input_shape)[1:]
        known = [size for size in sizes if size is not None]
        return (input_shape[0], math.prod(known) if len(known) == len(sizes) else None)


class Concatenate(Layer):
    """Joins arrays along one axis.

    Parameters
    ----------
    axis : int
        The axis, counted with the batch axis; negative from the end.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Concatenate
    >>> Concatenate()([np.ones((2, 3), "float32"), np.ones((2, 4), "float32")]).shape
    (2, 7)
    """

    supports_masking = True
    takes_list = True

    def __init__(self, axis: int = -1, **keywords: Any):
        super().__init__(**keywords)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"`axis` must be an integer. Received: {axis!r}.")
        self.axis = axis

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Join; the pullback splits."""
        places = np.cumsum([array.shape[self.axis] for array in inputs])[:-1]
        output = np.concatenate(inputs, axis=self.axis)
        return output, lambda d_output: Cotangents(np.split(d_output, places, axis=self.axis))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Join the masks of the inputs; an input without one counts as unmasked."""
        if mask is None:
            return None
        axis = self.axis % inputs[0].ndim
        steps = [
            np.ones(array.shape[:2], bool) if part is None else part for array, part in zip(inputs, mask, strict=True)
        ]
        return np.concatenate(steps, axis=axis) if axis < 2 else np.logical_and.reduce(steps)

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Tell whether the output carries a mask."""
        return input_is_masked

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape with the sizes of the axis added up.

        Raises
        ------
        ValueError
            If the shapes differ elsewhere.
        """
        axis = self.axis % len(input_shape[0])
        rest = {tuple(size for place, size in enumerate(shape) if place not in (0, axis)) for shape in input_shape}
        if len(rest) > 1:
            raise ValueError(
                f"A Concatenate layer needs inputs that agree except on axis {self.axis}. Received: {input_shape}."
            )
        sizes = [shape[axis] for shape in input_shape]
        total = None if None in sizes else sum(sizes)
        return (*input_shape[0][:axis], total, *input_shape[0][axis + 1 :])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"axis": self.axis}
