"""`Parameter`: an array that is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import CPU, as_array, copy_blocks, move_array, to_cpu
from fastembed_layer.tables.guard import Guard, change, hold

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
    array : ndarray
        The memory itself. Idle rows of a table, and those in a cache, may be behind `value` there.
    placement : str
        Where it lives.
    """

    placement = CPU
    constraint: Callable[[Array], Array] | None = None

    def __init__(self, value: Array, name: str = "parameter", trainable: bool = True):
        self.array = value
        self.name = name
        self.trainable = trainable
        self.guard = Guard()

    @property
    def is_writable(self) -> bool:
        """Whether the array may be written, and so trained."""
        return bool(getattr(self.array.flags, "writeable", True))

    @property
    def value(self) -> Array:
        """The array itself, up to date; optimizers write it in place, so `numpy` gives a snapshot."""
        return self.array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the array."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.array.size

    @property
    def nbytes(self) -> int:
        """Bytes of the array, slots of optimizers not counted."""
        return self.array.nbytes

    def write_back(self) -> Array:
        """Copy back what a cache holds, which only tables have, and return the array."""
        return self.array

    def numpy(self) -> Array:
        """Return a copy of the current value, as it is between two steps."""
        return hold([self.guard], lambda: np.array(to_cpu(self.value)))

    def assign(self, value: Any) -> None:
        """Overwrite the array in place.

        Raises
        ------
        ValueError
            If the shape of `value` differs.
        """
        value = as_array(value, is_weight=True)
        if value.shape != self.shape:
            raise ValueError(
                f"`value` for the weight {self.name!r} must have the shape {self.shape}. Received: {value.shape}."
            )
        change(self.guard, lambda: self._overwrite(value))

    def _overwrite(self, value: Array) -> None:
        if self.placement == CPU:
            self.value[...] = to_cpu(value)
        else:
            copy_blocks(self.value, value.astype(self.dtype, copy=False))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return hold([self.guard], lambda: np.array(to_cpu(self.value), dtype=dtype, copy=copy))

    def __getitem__(self, key: Any) -> Any:
        """Return elements of the current value, as numpy indexing does; on a device they are copied to the host."""
        if self.placement == CPU:
            return self.value[key]
        return to_cpu(self.value[move_array(key, self.placement) if isinstance(key, np.ndarray) else key])

    def __len__(self) -> int:
        return len(self.array)

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or what is written to a file, has locks of its own."""
        return {name: value for name, value in vars(self).items() if name != "guard"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.guard = Guard()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.shape} {self.dtype} on {self.placement}>"
