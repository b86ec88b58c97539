"""A GPU for tests: arrays that refuse to mix with numpy's, settable memory, allocations that fail on demand.

`FakeArray` behaves like an array of cupy: it is no `numpy.ndarray`, numpy's functions work on it, and a numpy array
beside it, or turning it into one unasked, is an error. So a copy that is missing somewhere shows. The operations are
those of the CPU backend, so results have the same bits as on the CPU and a move may not change them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import CPU
from fastembed_layer.backends.contract import Backend, GroupedGradient, Step
from fastembed_layer.backends.cpu import CpuBackend
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.row_cache.states import CachedTable
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.row_rates import RowRates
from fastembed_layer.tables.table import Table

Array = Any


class FakeArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on a device that does not exist; `bare` is where its numbers really are."""

    __array_priority__ = 100

    def __init__(self, bare: np.ndarray[Any, Any], number: int = 0):
        self.bare = bare
        self.number = number

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "version": 3}

    @property
    def flags(self) -> Any:
        """Those that arrays of cupy have."""
        flags = self.bare.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("Implicit conversion of an array on a device to a NumPy array is not allowed.")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return self._wrap(getattr(ufunc, method)(*self._unwrap(inputs), **self._unwrap(options)))

    def __array_function__(self, function: Callable[..., Any], types: Any, inputs: Any, options: Any) -> Any:
        return self._wrap(function(*self._unwrap(inputs), **self._unwrap(options)))

    def __getattr__(self, name: str) -> Any:
        if name not in FORWARDED:
            raise AttributeError(name)
        found = getattr(self.bare, name)
        if callable(found):
            return lambda *inputs, **options: self._wrap(found(*self._unwrap(inputs), **self._unwrap(options)))
        return found

    def __getitem__(self, key: Any) -> Any:
        return self._wrap(self.bare[self._unwrap(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.bare[self._unwrap(key)] = self._unwrap(value)

    def __len__(self) -> int:
        return len(self.bare)

    def __bool__(self) -> bool:
        return bool(self.bare)

    def __int__(self) -> int:
        return int(self.bare)

    def __float__(self) -> float:
        return float(self.bare)

    def __format__(self, spec: str) -> str:
        return format(self.bare, spec)

    def __repr__(self) -> str:
        return f"<FakeArray on gpu:{self.number}: {self.bare!r}>"

    def _wrap(self, result: Any) -> Any:
        if isinstance(result, tuple):
            return tuple(map(self._wrap, result))
        return FakeArray(np.asarray(result), self.number) if isinstance(result, np.ndarray | np.generic) else result

    def _unwrap(self, thing: Any) -> Any:
        if isinstance(thing, tuple | list):
            return type(thing)(map(self._unwrap, thing))
        if isinstance(thing, dict):
            return {name: self._unwrap(value) for name, value in thing.items()}
        if isinstance(thing, np.ndarray):
            raise TypeError("Unsupported type numpy.ndarray beside an array on a device.")
        if isinstance(thing, FakeArray) and thing.number != self.number:
            raise ValueError(f"Array device must be same as the current device: {thing.number} and {self.number}.")
        return thing.bare if isinstance(thing, FakeArray) else thing


FORWARDED = {
    *("shape", "dtype", "ndim", "size", "nbytes", "itemsize", "strides", "T", "reshape", "flatten", "ravel"),
    *("view", "swapaxes", "copy", "astype", "fill", "sum", "min", "max", "all", "any", "argmax", "argmin", "item"),
}


def bare(thing: Any) -> Any:
    """Return what an operation of the device is given, for the CPU's; a numpy array there is a missing copy."""
    if thing is None or isinstance(thing, int | float | str):
        return thing
    if isinstance(thing, GroupedGradient | Step):
        return type(thing)(*map(bare, thing))
    if isinstance(thing, tuple | list):
        return type(thing)(map(bare, thing))
    if isinstance(thing, FakeArray):
        return thing.bare
    if isinstance(thing, RowGradient):
        ids, values, *others = map(bare, thing._arrays())
        return RowGradient(ids, values, thing.shape, *others)
    if isinstance(thing, Table | CachedTable):
        return _bare_table(thing)
    if isinstance(thing, Parameter):
        return SimpleNamespace(
            array=bare(thing.array), dtype=thing.dtype, shape=thing.shape, ndim=thing.ndim, size=thing.size
        )
    raise TypeError(f"The device was handed a {type(thing).__name__} of the host.")


def _bare_table(table: Table | CachedTable) -> Any:
    known = table.idle
    idle = known and SimpleNamespace(
        rule=known.rule,
        slots=[bare(slot) for slot in known.slots],
        last_steps=bare(known.last_steps),
        clock=known.clock,
        constants=known.constants,
        is_finished=known.is_finished,
        row_rates=_bare_rates(known.row_rates),
    )
    shape = {
        "placement": CPU,
        "input_dim": table.input_dim,
        "output_dim": table.output_dim,
        "shape": table.shape,
        "ndim": 2,
        "size": table.size,
    }
    return SimpleNamespace(
        guard=table.guard,
        array=bare(table.array),
        dtype=table.dtype,
        idle=idle,
        row_rates=_bare_rates(table.row_rates),
        **shape,
    )


def _bare_rates(rates: Any) -> Any:
    """Rates whose factors are on the device; those of the host stay themselves."""
    is_there = rates is not None and isinstance(rates.factors, FakeArray)
    return RowRates(rates.trainable, rates.factors.bare) if is_there else rates


class FakeDevice(Backend):
    """GPUs that compute on the CPU.

    Attributes
    ----------
    operations : Backend
        What computes.
    capacity : int
        Bytes of each device; may be set.
    devices : int
        How many there are.
    reason : str or None
        Why they cannot be used.
    used : int
        Bytes that are allocated.
    allocations : int
        How many there have been, failed ones included.
    failing : list of bool
        Whether the next allocations fail, and so on; emptied from the front.
    releases : int
        How often the pool has been asked for its free blocks.
    lockable : int
        Bytes of the host that each allocation may lock.
    """

    def __init__(self, capacity: int = 1 << 40, devices: int = 2):
        self.operations: Backend = CpuBackend()
        self.capacity = capacity
        self.devices = devices
        self.reason: str | None = None
        self.used = 0
        self.allocations = 0
        self.failing: list[bool] = []
        self.releases = 0
        self.lockable = 1 << 40

    def refusal(self) -> str | None:
        return self.reason

    def count_devices(self) -> int:
        return 0 if self.reason else self.devices

    def device_of(self, array: Any) -> int:
        return int(array.number)

    def empty(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        return self._allocate(np.full(shape, 77, dtype), number)

    def zeros(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        return self._allocate(np.zeros(shape, dtype), number)

    def from_cpu(self, array: Any, number: int = 0) -> Array:
        assert type(array) is np.ndarray
        return self._allocate(np.array(array, order="C"), number)

    def to_cpu(self, array: Any, out: Any = None) -> Any:
        if out is None:
            return np.array(bare(array), order="C")
        assert (out.shape, out.dtype, out.flags.c_contiguous) == (array.shape, array.dtype, True)
        out[...] = bare(array)
        return out

    def adopt(self, array: Any) -> Array:
        return FakeArray(array.numbers)

    def empty_pinned(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Any:
        memory = np.full(shape, 77, dtype)
        if memory.nbytes > self.lockable:
            raise MemoryError(f"Cannot lock {memory.nbytes} bytes")
        return memory

    def copy_into(self, out: Any, source: Any) -> None:
        target, numbers = bare(out), source if type(source) is np.ndarray else bare(source)
        assert (target.shape, target.dtype) == (numbers.shape, numbers.dtype)
        target[...] = numbers

    def available_memory(self, number: int = 0) -> int | None:
        return self.capacity - self.used

    def release_blocks(self) -> int:
        self.releases += 1
        return 0

    def _allocate(self, memory: np.ndarray[Any, Any], number: int) -> FakeArray:
        self.allocations += 1
        if (self.failing and self.failing.pop(0)) or memory.nbytes > self.capacity - self.used:
            raise MemoryError(f"Out of memory allocating {memory.nbytes} bytes")
        self.used += memory.nbytes
        weakref.finalize(memory, self._free, memory.nbytes).atexit = False
        return FakeArray(memory, number)

    def synchronize(self, number: int = 0) -> None:
        pass  # nothing is under way when an operation returns

    def _free(self, nbytes: int) -> None:
        self.used -= nbytes

    def group_gradient(self, gradient: RowGradient) -> GroupedGradient:  # type: ignore[override]
        return GroupedGradient(gradient, like(gradient.ids, self.operations.group_gradient(bare(gradient)).keys))

    def _look_up(self, operation: str, table: Any, **given: Any) -> Any:
        ids = given["gradient"].ids if "gradient" in given else given["ids"]
        there = {name: bare(thing) for name, thing in given.items()}
        return like(ids, getattr(self.operations, operation)(bare(table), **there))

    def _arrange(self, operation: str, *given: Any) -> Any:
        found, first = getattr(self.operations, operation)(*map(bare, given)), given[0]
        ids = getattr(first, "ids", first)
        return tuple(like(ids, each) for each in found) if isinstance(found, tuple) else like(ids, found)

    def _write(self, operation: str, *given: Any) -> Any:
        return getattr(self.operations, operation)(*map(bare, given))


def like(array: FakeArray, result: Any) -> FakeArray:
    """Return a result of the CPU's operations as an array of the device of another."""
    return FakeArray(result, array.number)


BACKEND = FakeDevice()
