"""Checks of what is read back: each entry of a store is judged before anything is written."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MOST_STEPS = np.iinfo(np.int32).max  # the last steps of rows are kept as int32


def read_count(value: Any, entry: str, most: int = MOST_STEPS) -> int:
    """Return a whole number in ``[0, most]``."""
    array = _read_scalar(value, entry, "iu", "a whole number")
    if not 0 <= int(array) <= most:
        raise ValueError(f"`{entry}` of a stored state must lie in [0, {most}]. Received: {array}.")
    return int(array)


def read_rate(value: Any, entry: str) -> float:
    """Return a finite number of at least 0."""
    array = _read_scalar(value, entry, "iuf", "a number")
    if not (np.isfinite(array) and array >= 0):
        raise ValueError(f"`{entry}` of a stored state must be finite and at least 0. Received: {array}.")
    return float(array)


def read_flag(value: Any, entry: str) -> bool:
    """Return a bool."""
    return bool(_read_scalar(value, entry, "b", "a bool"))


def check_numbers(array: Array, entry: str, is_non_negative: bool = False) -> None:
    """Raise unless an array holds finite real numbers, and none below 0 where that is asked for."""
    if array.dtype.kind not in "iuf" and array.dtype.name != "bfloat16":
        raise TypeError(f"`{entry}` of a stored state must hold real numbers. Received: dtype {array.dtype}.")
    wrong = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
    if is_non_negative:
        wrong |= array < 0
    if wrong.any():
        rule = "finite numbers of at least 0" if is_non_negative else "finite numbers"
        position = np.unravel_index(int(np.argmax(wrong)), array.shape)
        listed = ",".join(map(str, position))
        raise ValueError(f"`{entry}` of a stored state must hold {rule}. Received: [{listed}] = {array[position]}.")


def check_flags(array: Array, entry: str) -> None:
    """Raise unless an array holds bools."""
    if array.dtype.kind != "b":
        raise TypeError(f"`{entry}` of a stored state must hold bools. Received: dtype {array.dtype}.")


def _read_scalar(value: Any, entry: str, kinds: str, described: str) -> Array:
    array = np.asarray(value)
    if array.shape != () or array.dtype.kind not in kinds:
        raise (TypeError if array.shape == () else ValueError)(
            f"`{entry}` of a stored state must be {described}. Received: dtype {array.dtype}, shape {array.shape}."
        )
    return array
