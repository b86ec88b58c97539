"""Memory on GPUs: allocations, copies, and what is left."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

Array = np.ndarray[Any, Any]

BLOCK_BYTES = 1 << 26  # of a copy: each block passes through memory of its own on the way


class DeviceMemory:
    """The memory of all GPUs, over the array module `xp`."""

    @property
    def xp(self) -> Any:
        """The array module of the GPU, or what stands in for it."""
        raise NotImplementedError

    def device_of(self, array: Any) -> int:
        return int(array.device.id)

    def empty(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        with self.xp.cuda.Device(number):
            return cast(Array, self.xp.empty(shape, dtype))

    def zeros(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        with self.xp.cuda.Device(number):
            return cast(Array, self.xp.zeros(shape, dtype))

    def from_cpu(self, array: Array, number: int = 0) -> Array:
        out = self.empty(array.shape, array.dtype, number)
        self.copy_into(out, array)
        return out

    def to_cpu(self, array: Array, out: Array | None = None) -> Array:
        if out is not None:
            self.xp.asnumpy(array, out=out)
            return out
        return np.array(self.xp.asnumpy(array, out=self._stage(array)), order="C")

    def empty_pinned(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        cuda = self.xp.cuda
        try:
            with cuda.Device(number):
                memory = cuda.alloc_pinned_memory(max(1, nbytes))
        except cuda.runtime.CUDARuntimeError as error:
            raise MemoryError(f"The system gives no {nbytes} bytes of page-locked memory: {error}") from error
        return np.ndarray(shape, dtype, cast("Any", memory))

    def adopt(self, array: Any) -> Array:
        return cast(Array, self.xp.asarray(array))

    def copy_into(self, out: Array, source: Array) -> None:
        with self.xp.cuda.Device(self.device_of(out)):
            if out.ndim == 0:
                out[...] = self.xp.array(source)
                return
            rows = max(1, BLOCK_BYTES * len(out) // max(1, out.nbytes))
            for begin in range(0, len(out), rows):
                self._copy_block(out[begin : begin + rows], source[begin : begin + rows])
            self.synchronize(self.device_of(out))

    def available_memory(self, number: int = 0) -> int | None:
        with self.xp.cuda.Device(number) as device:
            return int(device.mem_info[0]) + int(self.xp.get_default_memory_pool().free_bytes())

    def release_blocks(self) -> int:
        pool = self.xp.get_default_memory_pool()
        released = int(pool.free_bytes())
        pool.free_all_blocks()
        self.xp.get_default_pinned_memory_pool().free_all_blocks()
        return released

    def synchronize(self, number: int = 0) -> None:
        self.xp.cuda.Device(number).synchronize()

    def _stage(self, array: Array) -> Array | None:
        """Page-locked memory for a copy to the host; None where there is none, or where it would take too much."""
        if array.nbytes > BLOCK_BYTES:
            return None
        try:
            return self.empty_pinned(array.shape, array.dtype, self.device_of(array))
        except MemoryError:
            return None

    def _copy_block(self, out: Array, source: Array) -> None:
        if isinstance(_owner_of(source), self.xp.cuda.PinnedMemoryPointer):
            cast("Any", out).set(source)  # the library would copy it to page-locked memory of its own first
        else:
            # A copy on the right device; plain assignment would need the devices to see each other's memory.
            out[...] = self.xp.array(source, order="C")


def _owner_of(array: Any) -> Any:
    """What holds the memory of a numpy array, or of what it is a view of."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array
