"""Checks of arguments, with Keras's words where Keras has some."""

from __future__ import annotations

import math
import re
import sys
import warnings
from typing import Any

import numpy as np


def check_dimension(value: Any, argument: str) -> int:
    """Return a positive integer, or raise in Keras's words."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if is_integer and value > 0:
        return int(value)
    raise (ValueError if is_integer else TypeError)(
        f"`{argument}` must be a positive integer. Received: {argument}={value!r} (of type {type(value).__name__})."
    )


def check_limit(value: Any, argument: str) -> int | None:
    """Return a positive integer, or None where there is no limit, or raise."""
    return None if value is None else check_dimension(value, argument)


def check_count(value: Any, argument: str) -> int:
    """Return an integer that is not negative, or raise."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if is_integer and value >= 0:
        return int(value)
    raise (ValueError if is_integer else TypeError)(
        f"`{argument}` must be an integer that is not negative. "
        f"Received: {argument}={value!r} (of type {type(value).__name__})."
    )


def check_flag(value: Any, argument: str) -> bool:
    """Return a bool, or raise."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(
            f"`{argument}` must be a bool. Received: {argument}={value!r} (of type {type(value).__name__})."
        )
    return bool(value)


def check_choice(value: Any, argument: str, choices: tuple[Any, ...]) -> Any:
    """Return one of `choices`, or raise."""
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise ValueError(f"`{argument}` must be one of {', '.join(map(repr, choices))}. Received: {value!r}.")
    return value


def check_number(value: Any, argument: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return a finite number in ``[low, high]``, or raise."""
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_number:
        raise TypeError(
            f"`{argument}` must be a number. Received: {argument}={value!r} (of type {type(value).__name__})."
        )
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"`{argument}` must be a finite number in [{low}, {high}]. Received: {argument}={value!r}.")
    return float(value)


def check_positive(value: Any, argument: str) -> float:
    """Return a positive finite number, or raise."""
    number = check_number(value, argument, low=0.0)
    if number == 0:
        raise ValueError(f"`{argument}` must be positive. Received: {argument}={value!r}.")
    return number


FLOATS = ("float16", "float32", "float64", "bfloat16")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def check_compute_dtype(dtype: Any, choices: tuple[str, ...] = FLOATS) -> np.dtype[Any] | None:
    """Return the dtype of a computation; None stays None.

    It is a name, a numpy dtype or a dtype policy of Keras; bfloat16 is known where ml_dtypes has been imported.
    """
    name = getattr(dtype, "compute_dtype", dtype)
    if name is None:
        return None
    try:
        found = np.dtype(name)
    except TypeError:
        found = None
    if found is None or found.name not in choices:
        remedy = " numpy knows bfloat16 after `import ml_dtypes`." if name == "bfloat16" else ""
        raise ValueError(f"`dtype` must be one of {', '.join(choices)}. Received: dtype={dtype!r}.{remedy}")
    return found


def warn_caller(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn of what the code that calls the package does: the line outside of it is named, however deep this is."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastembed_layer":
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)


def is_older(version: str, oldest: tuple[int, int]) -> bool:
    """Tell whether a version is older than another; one that begins with no two numbers is not.

    >>> is_older("2.13.0+cpu", (2, 6)), is_older("2.5.1", (2, 6)), is_older("unknown", (2, 6))
    (False, True, False)
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) < oldest
