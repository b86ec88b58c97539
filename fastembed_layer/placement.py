"""Where a table lives, and whether there is memory for it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fastembed_layer.backends.aligned import empty_aligned
from fastembed_layer.dispatch import BACKENDS

Array = np.ndarray[Any, Any]

DEFAULT_DEVICE = "cpu:0"
DEVICE_PATTERN = re.compile(r"^/?(?:device:)?(cpu|gpu|cuda)(?::(\d+))?$", re.IGNORECASE)


class _Scopes(threading.local):
    """The device scopes that are open in this thread, outermost first."""

    def __init__(self) -> None:
        self.stack: list[str] = []


_scopes = _Scopes()


@contextmanager
def device(name: str) -> Iterator[str]:
    """Place the tables of layers that are constructed inside the ``with`` block.

    Parameters
    ----------
    name : str
        ``"cpu:0"`` or ``"cpu"``; TensorFlow's ``"/cpu:0"`` and ``"/device:CPU:0"`` are understood.

    Raises
    ------
    TypeError
        If `name` is not a string.
    ValueError
        If no such device can be used.

    Examples
    --------
    >>> from fastembed_layer import Embedding, device
    >>> with device("cpu:0"):
    ...     embedding_layer = Embedding(1000, 64)
    >>> embedding_layer.placement
    'cpu:0'
    """
    _scopes.stack.append(check_device(name))
    try:
        yield _scopes.stack[-1]
    finally:
        _scopes.stack.pop()


def current_device() -> str:
    """Return the device on which a layer constructed now would be placed."""
    return _scopes.stack[-1] if _scopes.stack else DEFAULT_DEVICE


def check_device(name: Any) -> str:
    """Return the plain spelling of a device that can be used, such as ``"cpu:0"``."""
    if not isinstance(name, str):
        raise TypeError(f"`device` must be a string such as 'cpu:0'. Received: {name!r} ({type(name).__name__}).")
    match = DEVICE_PATTERN.fullmatch(name)
    if match is None:
        raise ValueError(f"`device` must be a device string such as 'cpu:0'. Received: {name!r}.")
    kind, number = match[1].lower(), int(match[2] or 0)
    if kind not in BACKENDS or number != 0:
        raise ValueError(f"`device` must be 'cpu:0', the only device this version computes on. Received: {name!r}.")
    return f"{kind}:{number}"


def allocate_table(shape: tuple[int, int], dtype: Any, layer_name: str) -> Array:
    """Return uninitialised memory for a table.

    Raises
    ------
    MemoryError
        If the machine does not have it; the message holds the estimate. Without this check a system that
        overcommits memory would end the process while the table is filled.
    """
    dtype = np.dtype(dtype)
    needed = shape[0] * shape[1] * dtype.itemsize
    available = available_memory()
    try:
        if available is not None and needed > available:
            raise MemoryError
        return empty_aligned(shape, dtype)
    except (MemoryError, ValueError, OverflowError) as error:
        known = "" if available is None else f", and {format_bytes(available)} are available"
        raise MemoryError(
            f"The table of the layer {layer_name!r} needs {format_bytes(needed)} "
            f"({shape[0]} rows x {shape[1]} columns of {dtype}){known}. "
            "Fewer rows (hash or drop rare ids) or fewer columns need less."
        ) from error


def format_bytes(count: float) -> str:
    """Write a number of bytes for a person.

    >>> format_bytes(1536), format_bytes(4_000_000 * 64 * 4)
    ('1.5 KiB', '976.6 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(count) < 1024 or unit == "TiB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def available_memory() -> int | None:
    """Return the bytes that can be allocated without swapping; None where the system does not say."""
    limits = [limit for limit in (_system_available(), _cgroup_available()) if limit is not None]
    return min(limits) if limits else None


def _system_available(path: Path = Path("/proc/meminfo")) -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _cgroup_available(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What the container may still take: its limit less what it uses, file cache that can be dropped not counted."""
    try:
        limit, used = (int((root / name).read_text()) for name in ("memory.max", "memory.current"))
        cached = re.search(r"^inactive_file (\d+)", (root / "memory.stat").read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return max(0, limit - used + (int(cached[1]) if cached else 0))
