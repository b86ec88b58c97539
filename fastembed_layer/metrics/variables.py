"""What a metric remembers: arrays that are assigned to, as Keras's metrics of one's own expect them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

Array = np.ndarray[Any, Any]


class Variable(NDArrayOperatorsMixin):
    """An array of a metric; in arithmetic and for numpy it is its value.

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

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return self._value.copy()

    def assign(self, value: Any) -> None:
        """Take a new value; a single number fills any shape. ValueError for another shape."""
        given = np.asarray(value)
        if given.shape not in ((), self.shape):
            raise ValueError(f"`value` must have the shape {self.shape}. Received: shape {given.shape}.")
        self._value = np.broadcast_to(given, self.shape).astype(self.dtype)

    def assign_add(self, value: Any) -> None:
        """Add to the value."""
        self.assign(self._value + np.asarray(value))

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value."""
        self.assign(self._value - np.asarray(value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self._value, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [one.value if isinstance(one, Variable) else one for one in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    def __float__(self) -> float:
        return float(self._value)

    def __int__(self) -> int:
        return int(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __getitem__(self, key: Any) -> Any:
        return self._value[key]

    def __repr__(self) -> str:
        return f"<Variable {self.name} {self._value!r}>"


def find_kinds(thing: Any, *kinds: type) -> Iterator[Any]:
    """Yield the objects of some kinds in a value of an attribute: itself, or what lists and dicts in it hold."""
    if isinstance(thing, kinds):
        yield thing
    elif isinstance(thing, list | tuple):
        for one in thing:
            yield from find_kinds(one, *kinds)
    elif isinstance(thing, Mapping):
        for one in thing.values():
            yield from find_kinds(one, *kinds)
