"""`InputLayer`: an input declared as a layer, for models that are lists of layers."""

from __future__ import annotations

from typing import Any

from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import Input, SymbolicTensor
from fastembed_layer.tape import Cotangents


class InputLayer(Layer):
    """Declares the shape of an input; it stands first in a `Sequential` model, and hands arrays on.

    Parameters
    ----------
    shape : tuple of int or None, optional
        Shape of one sample.
    batch_size : int, optional
        Size of the batch where it is fixed.
    dtype : str or dtype, optional
        Element type; float32 by default.
    batch_shape : tuple of int or None, optional
        Instead of `shape` and `batch_size`: the whole shape.
    name : str, optional
        Name of the layer.
    **keywords
        ``input_shape`` and ``batch_input_shape``, the older names of `shape` and `batch_shape`.

    Attributes
    ----------
    output : SymbolicTensor
        What `Input` would return.

    Raises
    ------
    ValueError
        If neither shape is given, or both.

    Examples
    --------
    >>> from fastembed_layer import Dense, InputLayer, Sequential
    >>> Sequential([InputLayer((4,)), Dense(2)]).output_shape
    (None, 2)
    """

    supports_masking = True

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: Any = None,
        name: str | None = None,
        **keywords: Any,
    ):
        shape = keywords.pop("input_shape", shape)
        batch_shape = keywords.pop("batch_input_shape", batch_shape)
        super().__init__(name=name, **keywords)
        if (shape is None) == (batch_shape is None) or (batch_size is not None and batch_shape is not None):
            raise ValueError(
                "Pass `shape`, with `batch_size` where it is fixed, or `batch_shape` alone, to an InputLayer. "
                f"Received: shape={shape}, batch_size={batch_size}, batch_shape={batch_shape}."
            )
        if batch_shape is not None:
            batch_size, *shape = batch_shape
        self.output: SymbolicTensor = Input(shape, batch_size, dtype, self.name)

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, the batch size first."""
        return self.output.shape

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Return the input."""
        return inputs, lambda d_output: Cotangents([d_output])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {"batch_shape": self.batch_shape, "dtype": self.output.dtype, "name": self.name}
