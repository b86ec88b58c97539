"""The weights of layers: `Parameter`, an array that is trained, and `Table`, the one whose rows ids select."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastembed_layer.dispatch import backend_of
from fastembed_layer.idle_rows import IdleRows

if TYPE_CHECKING:
    from fastembed_layer.row_rates import RowRates
    from fastembed_layer.running_squares import RunningSquares

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
    storage : ndarray
        The memory itself. For a table whose rows have been idle it may be behind `value`.
    """

    placement = "cpu:0"
    constraint: Callable[[Array], Array] | None = None

    def __init__(self, value: Array, name: str = "parameter", trainable: bool = True):
        self.storage = value
        self.name = name
        self.trainable = trainable

    @property
    def value(self) -> Array:
        """The array itself, up to date; optimizers write it in place, so `numpy` gives a snapshot."""
        return self.storage

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.storage.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the array."""
        return self.storage.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.storage.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.storage.size

    @property
    def nbytes(self) -> int:
        """Bytes of the array, slots of optimizers not counted."""
        return self.storage.nbytes

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

    def __getitem__(self, key: Any) -> Any:
        """Return elements of the current value, as numpy indexing does."""
        return self.value[key]

    def __len__(self) -> int:
        return len(self.storage)

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

    Attributes
    ----------
    row_rates : RowRates or None
        Rows that do not train, or not at the full rate. Replaced by another, it takes effect with the next step.
    squares : RunningSquares or None
        The sum of its squares, where an L2 penalty has asked for it.
    """

    def __init__(self, value: Array, name: str = "embeddings", trainable: bool = True):
        if value.ndim != 2 or not value.flags.carray:
            raise ValueError(
                "`value` of a table must be a writable C-contiguous matrix. "
                f"Received: shape {value.shape}, strides {value.strides}, writable {value.flags.writeable}."
            )
        super().__init__(value, name, trainable)
        self.idle: IdleRows | None = None
        self.row_rates: RowRates | None = None
        self.squares: RunningSquares | None = None

    @property
    def value(self) -> Array:
        """The matrix itself, after every idle row has been brought up to date."""
        self.finish()
        self.squares = None  # the caller may write into it
        return self.storage

    def finish(self) -> None:
        """Bring all idle rows up to date, in one parallel pass over the table; without idle rows nothing is done."""
        if self.idle is not None and not self.idle.is_finished:
            backend_of(self).finish_rows(self)
            self.idle.finished_at = self.idle.clock.now

    @property
    def input_dim(self) -> int:
        """Number of rows, the size of the vocabulary."""
        return int(self.storage.shape[0])

    @property
    def output_dim(self) -> int:
        """Number of columns, the size of a vector."""
        return int(self.storage.shape[1])
