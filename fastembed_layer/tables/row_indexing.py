"""Numpy's indexing of a table, by a lookup of the rows that a key names, so that it costs what it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def read_rows(key: Any, shape: tuple[int, ...], look_up: Callable[[Array], Array]) -> Array | None:
    """Return what ``table[key]`` is, or None where the key is none whose rows can be told.

    Parameters
    ----------
    key : Any
        As numpy takes it.
    shape : tuple of int
        ``(input_dim, output_dim)``.
    look_up : callable
        Returns the rows of a flat array of ids that are rows.

    Raises
    ------
    IndexError
        If an id is not a row, in numpy's words.
    """
    rows, *rest = key if isinstance(key, tuple) and key else (key,)
    if len(rest) > 1 or any(not _is_plain(part) for part in rest):
        return None
    ids = _rows_of(rows, shape[0])
    if ids is None or (rest and isinstance(rest[0], np.ndarray | list) and not isinstance(rows, slice)):
        return None
    found = look_up(ids.reshape(-1)).reshape(*ids.shape, shape[1])
    return found[(..., *rest)] if rest else found


def _is_plain(part: Any) -> bool:
    """Tell whether a key of columns is an integer, a slice or a list or array of integers."""
    if isinstance(part, slice) or _is_integer(part):
        return True
    return isinstance(part, np.ndarray | list) and np.asarray(part).ndim == 1 and np.asarray(part).dtype.kind in "iu"


def _is_integer(part: Any) -> bool:
    return hasattr(part, "__index__") and not isinstance(part, bool | np.bool_ | np.ndarray)


def _rows_of(rows: Any, input_dim: int) -> Array | None:
    """Return ids of the shape that numpy would give the rows; None for keys of other kinds."""
    if isinstance(rows, slice):
        return np.arange(*rows.indices(input_dim))
    if _is_integer(rows):
        return _from_start(np.array(int(rows)), input_dim)
    if not isinstance(rows, np.ndarray | list | range):
        return None
    ids = np.asarray(rows)
    if ids.dtype.kind == "b" and ids.ndim == 1:
        if len(ids) != input_dim:
            raise IndexError(
                f"boolean index did not match indexed array along axis 0; size of axis is {input_dim} but size of "
                f"corresponding boolean axis is {len(ids)}"
            )
        return np.flatnonzero(ids)
    if ids.size == 0 and isinstance(rows, list):
        return ids.astype(np.int64)
    return _from_start(ids, input_dim) if ids.dtype.kind in "iu" else None


def _from_start(ids: Array, input_dim: int) -> Array:
    """Return ids counted from the first row where they count from the end."""
    wrong = (ids < -input_dim) | (ids >= input_dim)
    if wrong.any():
        first = ids[wrong].reshape(-1)[0]
        raise IndexError(f"index {first} is out of bounds for axis 0 with size {input_dim}")
    return np.where(ids < 0, ids.astype(np.int64) + input_dim, ids.astype(np.int64))
