"""The memory of the machine itself: the part of the CPU backend that allocates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from fastembed_layer.backends.aligned import empty_aligned, zeros_aligned
from fastembed_layer.backends.buffers import drop_free_memory
from fastembed_layer.backends.contract.memory import Memory

Array = np.ndarray[Any, Any]


class CpuMemory(Memory):
    """Numpy arrays that start at cache lines. The machine is one device."""

    def refusal(self) -> str | None:
        return None

    def count_devices(self) -> int:
        return 1

    def device_of(self, array: Any) -> int:
        return 0

    def empty(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        return empty_aligned(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        return zeros_aligned(shape, dtype)

    def from_cpu(self, array: Array, number: int = 0) -> Array:
        out = empty_aligned(array.shape, array.dtype)
        out[...] = array
        return out

    def to_cpu(self, array: Array, out: Array | None = None) -> Array:
        if out is None:
            return self.from_cpu(array)
        out[...] = array
        return out

    def empty_pinned(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        return empty_aligned(shape, dtype)

    def adopt(self, array: Any) -> Array:
        return np.asarray(array)

    def copy_into(self, out: Array, source: Array) -> None:
        out[...] = source

    def available_memory(self, number: int = 0) -> int | None:
        return available_memory()

    def release_blocks(self) -> int:
        return drop_free_memory()

    def synchronize(self, number: int = 0) -> None:
        pass  # nothing is under way when an operation returns


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
