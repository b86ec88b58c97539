"""Memory that is lent, and used again once nobody looks at it.

A fresh large array costs a page fault for every page that is touched, often more than filling it. `borrow_array` hands
out an array over memory kept from earlier; the memory comes back when the array and every view of it are gone, so
what a caller keeps is never overwritten.
"""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections import deque
from typing import Any

import numpy as np

from fastembed_layer.backends.aligned import empty_aligned

Array = np.ndarray[Any, Any]

SMALLEST = 1 << 19  # bytes; the C library recycles smaller blocks well, and lending takes 5 microseconds
LARGEST_TOTAL = 1 << 29  # bytes kept while nobody uses them
GRANULE = 1 << 16  # sizes are rounded up, so that batches of nearly one size share memory


class _FreeBlocks:
    """Blocks of memory that nobody uses, the most recently returned last.

    Blocks are returned by finalizers, which may run in the middle of any other code, `take` included. So they only
    append to `returned`, which is safe at any time, and whoever holds the lock sorts that out.
    """

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Forget everything; in a forked child the lock may be held by a thread that does not exist there."""
        self.lock = threading.Lock()
        self.returned: deque[Array] = deque()
        self.blocks: list[Array] = []

    def take(self, nbytes: int) -> Array:
        """Return a free block of `nbytes` to twice that, or a new one."""
        with self.lock:
            self._sort_out()
            for index in reversed(range(len(self.blocks))):
                if nbytes <= self.blocks[index].nbytes <= 2 * nbytes:
                    return self.blocks.pop(index)
        return empty_aligned((-(-nbytes // GRANULE) * GRANULE,), np.uint8)

    def give_back(self, block: Array) -> None:
        """Keep a block for later."""
        self.returned.append(block)
        if self.lock.acquire(blocking=False):
            try:
                self._sort_out()
            finally:
                self.lock.release()

    def drop(self) -> int:
        """Forget all free blocks; returns their bytes."""
        with self.lock:
            self._sort_out()
            nbytes = sum(block.nbytes for block in self.blocks)
            self.blocks.clear()
        return nbytes

    def _sort_out(self) -> None:
        while self.returned:
            self.blocks.append(self.returned.popleft())
        while sum(block.nbytes for block in self.blocks) > LARGEST_TOTAL:
            self.blocks.pop(0)


_free = _FreeBlocks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free.start_afresh)


def borrow_array(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an uninitialised C-contiguous array; its memory may have served an earlier, forgotten array."""
    dtype = np.dtype(dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes < SMALLEST:
        return np.empty(shape, dtype)
    block = _free.take(nbytes)
    # An array over a memoryview is the one all later views refer to, so its end is the end of every view.
    lease = np.frombuffer(block.data, np.uint8)
    weakref.finalize(lease, _free.give_back, block).atexit = False
    return lease[:nbytes].view(dtype).reshape(shape)


def drop_free_memory() -> int:
    """Give the memory that is kept for later back to the system; returns its bytes."""
    return _free.drop()
