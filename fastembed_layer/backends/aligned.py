"""Arrays that start at a cache line, so that a row of 64 bytes lies in one line and not in two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CACHE_LINE = 64  # bytes


def empty_aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an uninitialised C-contiguous array at a multiple of 64 bytes; numpy's lie at multiples of 16."""
    return _align(np.empty(_count_bytes(shape, dtype) + CACHE_LINE, np.uint8), shape, np.dtype(dtype))


def zeros_aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return zeros at a multiple of 64 bytes; pages of them that nobody writes take up no memory."""
    return _align(np.zeros(_count_bytes(shape, dtype) + CACHE_LINE, np.uint8), shape, np.dtype(dtype))


def _count_bytes(shape: tuple[int, ...], dtype: Any) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize


def _align(memory: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + _count_bytes(shape, dtype)].view(dtype).reshape(shape)
