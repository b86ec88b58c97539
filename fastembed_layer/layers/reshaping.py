"""`Flatten`, `Reshape`, `Permute`, `RepeatVector` and `Concatenate`: layers that move numbers and compute none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.checks import check_dimension
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.masks import check_mask_list
from fastembed_layer.layers.symbolic import LISTS, Shape
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


class Reshape(Layer):
    """Gives every sample another shape.

    Parameters
    ----------
    target_shape : tuple of int
        Shape of a sample, without the batch axis. One entry may be -1, which stands for what is left.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Reshape
    >>> Reshape((3, -1))(np.ones((2, 12), "float32")).shape
    (2, 3, 4)
    """

    def __init__(self, target_shape: Any, **keywords: Any):
        super().__init__(**keywords)
        self.target_shape = _checked_target(target_shape)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Reshape; the pullback reshapes back."""
        output = inputs.reshape(self.compute_output_shape(inputs.shape))
        return output, lambda d_output: Cotangents([d_output.reshape(inputs.shape)])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the batch size and the target shape; -1 is replaced by its size, or None where that is open.

        Raises
        ------
        ValueError
            If a sample has another number of elements.
        """
        sizes, given = tuple(input_shape)[1:], math.prod(size for size in self.target_shape if size != -1)
        if None in sizes:
            return (input_shape[0], *(None if size == -1 else size for size in self.target_shape))
        total = math.prod(sizes)
        rest = total // given if given else 0
        target = tuple(rest if size == -1 else size for size in self.target_shape)
        if math.prod(target) != total:
            raise ValueError(
                f"`target_shape` of the layer {self.name!r} must hold as many elements as a sample of its input. "
                f"Received: target_shape={self.target_shape} and input shape {tuple(input_shape)}."
            )
        return (input_shape[0], *target)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"target_shape": self.target_shape}


class Permute(Layer):
    """Puts the axes of every sample into another order.

    Parameters
    ----------
    dims : tuple of int
        The axes in their new order, without the batch axis and counted from 1.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Permute
    >>> Permute((2, 1))(np.ones((2, 10, 64), "float32")).shape
    (2, 64, 10)
    """

    def __init__(self, dims: Any, **keywords: Any):
        super().__init__(**keywords)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"`dims` must hold each of the numbers from 1 on once. Received: dims={dims!r}.")

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Transpose; the pullback transposes back."""
        self.compute_output_shape(inputs.shape)
        axes = (0, *self.dims)
        return inputs.transpose(axes), lambda d_output: Cotangents([d_output.transpose(np.argsort(axes))])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the sizes in their new order.

        Raises
        ------
        ValueError
            If the input has another number of axes.
        """
        if len(input_shape) != len(self.dims) + 1:
            raise ValueError(
                f"The layer {self.name!r} needs inputs with {len(self.dims)} axes behind the batch axis. "
                f"Received: input shape {tuple(input_shape)}."
            )
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"dims": self.dims}


class RepeatVector(Layer):
    """Repeats each vector of a batch as the steps of a sequence.

    Parameters
    ----------
    n : int
        Number of steps.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import RepeatVector
    >>> RepeatVector(3)(np.ones((2, 32), "float32")).shape
    (2, 3, 32)
    """

    def __init__(self, n: int, **keywords: Any):
        super().__init__(**keywords)
        self.n = check_dimension(n, "n")

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Repeat; the pullback sums over the steps."""
        self.compute_output_shape(inputs.shape)
        return np.repeat(inputs[:, None, :], self.n, axis=1), lambda d_output: Cotangents([d_output.sum(axis=1)])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return ``(batch_size, n, features)``.

        Raises
        ------
        ValueError
            If the input is no batch of vectors.
        """
        if len(input_shape) != 2:
            raise ValueError(
                f"The layer {self.name!r} needs inputs of the shape (batch_size, features). "
                f"Received: input shape {tuple(input_shape)}."
            )
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"n": self.n}


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
        self.compute_output_shape([array.shape for array in inputs])
        indices = np.cumsum([array.shape[self.axis] for array in inputs])[:-1]
        output = np.concatenate(inputs, axis=self.axis)
        return output, lambda d_output: Cotangents(np.split(d_output, indices, axis=self.axis))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Join the masks of the inputs, an input without one counting as unmasked.

        Along the last axis a step counts where it does in one of the inputs, as in Keras 3; Keras 2 asked for all.
        """
        if mask is None:
            return None
        check_mask_list(inputs, mask)
        if all(part is None for part in mask):
            return None
        axis = self.axis % inputs[0].ndim
        steps = [
            np.ones(array.shape[:2], bool) if part is None else part for array, part in zip(inputs, mask, strict=True)
        ]
        return np.concatenate(steps, axis=axis) if axis < 2 else np.logical_or.reduce(steps)

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
        if not isinstance(input_shape, LISTS) or not all(isinstance(shape, LISTS) for shape in input_shape):
            raise ValueError(f"A Concatenate layer needs a list of inputs. Received: shape {input_shape}.")
        ranks = {len(shape) for shape in input_shape}
        rank = min(ranks, default=0)
        if len(ranks) != 1 or not -rank <= self.axis < rank:
            raise ValueError(
                f"A Concatenate layer needs at least one input, and inputs of one number of axes, axis {self.axis} "
                f"among them. Received: {input_shape}."
            )
        joined = [set(sizes) - {None} for sizes in zip(*input_shape, strict=True)]
        axis = self.axis % rank
        if any(len(sizes) > 1 for index, sizes in enumerate(joined) if index not in (0, axis)):
            raise ValueError(
                f"A Concatenate layer needs inputs that agree except on axis {self.axis}. Received: {input_shape}."
            )
        shape: list[int | None] = [min(sizes, default=None) for sizes in joined]
        sizes = [shape[axis] for shape in input_shape]
        shape[axis] = None if None in sizes else sum(sizes)
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"axis": self.axis}


def concatenate(inputs: Any, axis: int = -1, **keywords: Any) -> Any:
    """Return ``Concatenate(axis, **keywords)(inputs)``."""
    return Concatenate(axis, **keywords)(inputs)


def _checked_target(target_shape: Any) -> tuple[int, ...]:
    sizes = tuple(target_shape) if isinstance(target_shape, list | tuple) else (target_shape,)
    if any(isinstance(size, bool) or not isinstance(size, int | np.integer) for size in sizes):
        raise TypeError(f"`target_shape` must be a tuple of integers. Received: {target_shape!r}.")
    if any(size < -1 for size in sizes) or sizes.count(-1) > 1:
        raise ValueError(f"`target_shape` must hold sizes, and -1 at most once. Received: {target_shape!r}.")
    return tuple(int(size) for size in sizes)
