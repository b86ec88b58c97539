"""`Dot`: products of vectors, the score of a factorisation model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.backends.buffers import borrow_array
from fastembed_layer.checks import check_flag
from fastembed_layer.kernels.threads import run_parallel
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import Shape
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]

WORK_PER_THREAD = 1 << 20  # products of two numbers; fewer are done before a second thread has woken up


class Dot(Layer):
    """Multiplies two batches of vectors or matrices and sums over one axis of each, as Keras's ``Dot``.

    Parameters
    ----------
    axes : int or tuple of int
        The axis of each input that is summed over; one number means the same axis of both.
    normalize : bool
        Whether vectors are divided by their norms first, which gives the cosine.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Dot
    >>> target, context = np.ones((2, 4), "float32"), np.ones((2, 5, 4), "float32")
    >>> Dot(axes=(2, 1))([context, target]).shape
    (2, 5)
    """

    supports_masking = True
    takes_list = True

    def __init__(self, axes: int | tuple[int, int] = -1, normalize: bool = False, **keywords: Any):
        super().__init__(**keywords)
        pair = tuple(axes) if isinstance(axes, list | tuple) else (axes, axes)
        if len(pair) != 2 or any(isinstance(axis, bool) or not isinstance(axis, int) for axis in pair):
            raise TypeError(f"`axes` must be an integer or a pair of integers. Received: {axes!r}.")
        self.axes = pair
        self.normalize = check_flag(normalize, "normalize")

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Bring the summed axis last in both, multiply them as batches of matrices, and undo that in the pullback."""
        self.compute_output_shape([array.shape for array in inputs])
        (left, pull_left), (right, pull_right) = (self._prepare(array, index) for index, array in enumerate(inputs))
        lefts, rights = _as_matrices(left), _as_matrices(right)
        output = _multiply(lefts, rights.swapaxes(1, 2))
        shape = (len(left), *left.shape[1:-1], *right.shape[1:-1])

        def pull_back(d_output: Array) -> Cotangents:
            d_scores = d_output.reshape(output.shape)
            d_left = _multiply(d_scores, rights).reshape(left.shape)
            d_right = _multiply(d_scores.swapaxes(1, 2), lefts).reshape(right.shape)
            return Cotangents([pull_left(d_left), pull_right(d_right)])

        return output.reshape(shape if len(shape) > 1 else (*shape, 1)), pull_back

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None, as Keras does."""
        return

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shapes joined without the summed axes; two vectors give ``(batch_size, 1)``.

        Raises
        ------
        ValueError
            If there are not two inputs, the summed axes differ in size, or one of them is the batch axis.
        """
        if len(input_shape) != 2:
            raise ValueError(f"A Dot layer needs two inputs. Received: {len(input_shape)}.")
        left, right = (list(shape) for shape in input_shape)
        for axis, sizes_of_one in zip(self.axes, (left, right), strict=True):
            if axis == 0 or not -len(sizes_of_one) < axis < len(sizes_of_one):
                raise ValueError(
                    "The summed axes of a Dot layer must be axes of its inputs other than the batch axis. "
                    f"Received: axes={self.axes} and inputs of the shapes {input_shape}."
                )
        sizes = left.pop(self.axes[0] % len(left)), right.pop(self.axes[1] % len(right))
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(f"The summed axes of a Dot layer must agree in size. Received: {input_shape}.")
        shape = (*left, *right[1:])
        return shape if len(shape) > 1 else (*shape, 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"axes": self.axes, "normalize": self.normalize}

    def _prepare(self, array: Array, index: int) -> tuple[Array, Any]:
        axis = self.axes[index]
        moved = np.moveaxis(array, axis, -1)
        if not self.normalize:
            return moved, lambda d_moved: np.moveaxis(d_moved, -1, axis)
        norms = np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-12)
        unit = moved / norms

        def pull_back(d_unit: Array) -> Array:
            along = np.sum(d_unit * unit, axis=-1, keepdims=True)
            return np.moveaxis((d_unit - unit * along) / norms, -1, axis)

        return unit, pull_back


def _as_matrices(array: Array) -> Array:
    """View ``(batch, ..., size)`` as ``(batch, vectors, size)``."""
    count = math.prod(array.shape[1:-1])
    return array.reshape(len(array), count, array.shape[-1])


def _multiply(left: Array, right: Array) -> Array:
    """Multiply two batches of matrices, the batch split among the threads."""
    rows, summed, columns = left.shape[1], left.shape[2], right.shape[2]
    output = borrow_array((len(left), rows, columns), np.result_type(left, right))
    product = np.multiply if summed == 1 else np.matmul  # matmul is several times slower at outer products

    def multiply_range(begin: int, end: int) -> None:
        product(left[begin:end], right[begin:end], out=output[begin:end])

    run_parallel(multiply_range, len(output), max(1, WORK_PER_THREAD // max(1, rows * summed * columns)))
    return output


def dot(inputs: Any, axes: int | tuple[int, int] = -1, **keywords: Any) -> Any:
    """Return ``Dot(axes, **keywords)(inputs)``."""
    return Dot(axes, **keywords)(inputs)
