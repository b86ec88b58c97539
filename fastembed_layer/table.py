"""The weights of layers: `Parameter`, an array that is trained, and `Table`, the one whose rows ids select."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Parameter:
    """A named array that an optimizer may train.

    Parameters
    ----------
    value : ndarray
        The array itself; it is kept, not copied.
    name : str
        Name of the weight, such as ``"kernel"``.
    trainable : bool
        Whether optimizers are handed this parameter.

    Attributes
    ----------
    value : ndarray
        The current value. Optimizers write it in place, so a reader who needs a snapshot calls `numpy`.
    """

    placement = "cpu:0"
    constraint: Callable[[Array], Array] | None = None

    def __init__(self, value: Array, name: str = "parameter", trainable: bool = True):
        self.value = value
        self.name = name
        self.trainable = trainable

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the array."""
        return self.value.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.value.size

    @property
    def nbytes(self) -> int:
        """Bytes of the array, slots of optimizers not counted."""
        return self.value.nbytes

    def numpy(self) -> Array:
        """Return a copy of the current value."""
        return self.value.copy()

    def assign(self, value: Any) -> None:
        """Overwrite the array in place.

        Raises
        ------
        ValueError
            If the shape of `value` differs.
        """
        value = np.asarray(value)
        if value.shape != self.shape:
            raise ValueError(
                f"`value` for the weight {self.name!r} must have the shape {self.shape}. Received: {value.shape}."
            )
        self.value[...] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.shape} {self.dtype} on {self.placement}>"


class Table(Parameter):
    """The ``(input_dim, output_dim)`` matrix of an embedding layer.

    Parameters
    ----------
    value : ndarray of float32 or float64, shape (input_dim, output_dim)
        C-contiguous and aligned; it is kept, not copied.
    name : str
        Name of the weight.
    trainable : bool
        Whether optimizers are handed this table.
    """

    def __init__(self, value: Array, name: str = "embeddings", trainable: bool = True):
        if value.ndim != 2 or not value.flags.carray:
            raise ValueError(
                "`value` of a table must be a writable C-contiguous matrix. "
                f"Received: shape {value.shape}, strides {value.strides}, writable {value.flags.writeable}."
            )
        super().__init__(value, name, trainable)

    @property
    def input_dim(self) -> int:
        """Number of rows, the size of the vocabulary."""
        return int(self.value.shape[0])

    @property
    def output_dim(self) -> int:
        """Number of columns, the size of a vector."""
        return int(self.value.shape[1])
