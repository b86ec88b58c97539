"""Symbolic tensors: what `Input` returns and what layers return when they are called on one."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.layers.module import unique_name

Shape = tuple[int | None, ...]
LISTS = (list, tuple)  # `list | tuple` is built anew at every call, and small batches feel it


def require_first(name: str) -> None:
    """Raise the error of an embedding layer that is not the first layer."""
    raise ValueError(
        f"The layer {name!r} can only be used as the first layer in a model: its input is integer ids, "
        "and the output of another layer is not."
    )


class SymbolicTensor:
    """A value that a functional model will compute: its shape, and the layer call it comes from.

    Attributes
    ----------
    shape : tuple of int or None
        The first entry is the batch size, None where it is open.
    dtype : str
        Name of the element type.
    layer, inputs
        The layer that computes the value and its symbolic arguments; None and empty for an `Input`.
    masked : bool
        Whether the value will carry a mask.
    """

    def __init__(
        self,
        shape: Shape,
        dtype: str,
        name: str,
        layer: Any = None,
        inputs: Any = (),
        masked: bool = False,
    ):
        self.shape = shape
        self.dtype = dtype
        self.name = name
        self.layer = layer
        self.inputs = inputs
        self.masked = masked

    @property
    def ndim(self) -> int:
        """Number of dimensions, the batch included."""
        return len(self.shape)

    @property
    def is_input(self) -> bool:
        """Whether this is an `Input`."""
        return self.layer is None

    def __repr__(self) -> str:
        return f"<SymbolicTensor {self.name!r} {self.shape} {self.dtype}>"


def Input(  # noqa: N802 - Keras's name
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
    batch_shape: Any = None,
) -> SymbolicTensor:
    """Declare an input of a functional model.

    Parameters
    ----------
    shape : tuple of int or None, or int
        Shape of one sample, without the batch dimension; None entries are open.
    batch_size : int, optional
        Size of the batch where it is fixed.
    dtype : str or dtype, optional
        Element type; float32 by default.
    name : str, optional
        Name of the input.
    batch_shape : tuple of int or None, optional
        The shape with the size of the batch before it, in place of `shape` and `batch_size`.

    Returns
    -------
    SymbolicTensor
        To be passed to layers.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not a shape.

    Examples
    --------
    >>> from fastembed_layer import Embedding, Input, Model
    >>> ids = Input(shape=(10,), dtype="int64")
    >>> Model(ids, Embedding(1000, 64)(ids)).output_shape
    (None, 10, 64)
    """
    if batch_shape is not None:
        if shape is not None or batch_size is not None:
            raise ValueError(
                "You cannot pass both `shape` or `batch_size` and `batch_shape` to an Input. "
                f"Received: shape={shape}, batch_size={batch_size}, batch_shape={batch_shape}."
            )
        batch_size, *shape = check_shape(batch_shape, "batch_shape")
    elif shape is None:
        raise ValueError(
            "You must pass a `shape` argument to an Input, without the size of the batch, or `batch_shape`."
        )
    sample_shape, (batch_size,) = check_shape(shape, "shape"), check_shape(batch_size, "batch_size")
    return SymbolicTensor((batch_size, *sample_shape), np.dtype(dtype or "float32").name, name or unique_name("input"))


def check_shape(shape: Any, argument: str) -> Shape:
    """Return a shape as a tuple of positive integers and None."""
    sizes = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    for size in sizes:
        if size is not None and (isinstance(size, bool) or not isinstance(size, int | np.integer)):
            raise TypeError(f"`{argument}` must be a tuple of integers and None. Received: {shape!r}.")
        if size is not None and size < 1:
            raise ValueError(f"`{argument}` must hold positive sizes. Received: {shape!r}.")
    return tuple(None if size is None else int(size) for size in sizes)


def declared_shape(keywords: dict[str, Any]) -> Shape | None:
    """Return the shape that the keywords of a layer declare for its input, the batch size first."""
    if keywords.get("batch_input_shape") is not None:
        return check_shape(keywords["batch_input_shape"], "batch_input_shape")
    if keywords.get("input_shape") is not None:
        return (keywords.get("batch_size"), *check_shape(keywords["input_shape"], "input_shape"))
    return None


def is_symbolic(inputs: Any) -> bool:
    """Tell whether a layer is being called on symbolic tensors."""
    if isinstance(inputs, LISTS):
        return any(isinstance(tensor, SymbolicTensor) for tensor in inputs)
    if isinstance(inputs, dict):
        return any(isinstance(tensor, SymbolicTensor) for tensor in inputs.values())
    return isinstance(inputs, SymbolicTensor)


def as_list(inputs: Any) -> list[Any]:
    """Return one argument or several as a list."""
    if isinstance(inputs, dict):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, LISTS) else [inputs]
