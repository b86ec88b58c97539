"""`Variable`: an array under a name that is read and assigned to as in Keras, wherever its numbers are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from fastembed_layer.backends.arrays import as_array

Array = np.ndarray[Any, Any]


class Variable(NDArrayOperatorsMixin):
    """An array under a name; in arithmetic and for numpy it is its value.

    Parameters
    ----------
    value : array_like
        The first value, which is copied.
    name : str
        Name of the variable.
    """

    def __init__(self, value: Any, name: str = "variable"):
        self._value = np.array(value)
        self.name = name

    @property
    def value(self) -> Array:
        """The value; not to be written to."""
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, which never changes."""
        return self._value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, which never changes."""
        return self._value.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return np.array(self.value)

    def assign(self, value: Any) -> None:
        """Take a new value; a single number fills any shape. ValueError for another shape."""
        given = as_array(value, is_weight=True)
        if given.shape not in ((), self.shape):
            raise ValueError(
                f"`value` for the variable {self.name!r} must have the shape {self.shape}. "
                f"Received: shape {given.shape}."
            )
        self._overwrite(np.broadcast_to(given, self.shape).astype(self.dtype))

    def _overwrite(self, value: Array) -> None:
        """Keep a new value of the right shape and dtype."""
        self._value = value

    def assign_add(self, value: Any) -> None:
        """Add to the value."""
        self._take(self.value + np.asarray(value))

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value."""
        self._take(self.value - np.asarray(value))

    def _take(self, value: Any) -> None:
        """Keep an array that nobody else has."""
        if np.shape(value) != self.shape:
            self.assign(value)  # which says what is wrong
        self._overwrite(np.asarray(value, self.dtype))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [one.value if isinstance(one, Variable) else one for one in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __repr__(self) -> str:
        return f"<Variable {self.name} {self.value!r}>"
