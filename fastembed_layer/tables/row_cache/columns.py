"""The arrays of a row cache: each array of the host that has an entry for each row, and its part on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import allocate, backend_for, device_number, move_array
from fastembed_layer.kernels.threads import BYTES_PER_THREAD, run_parallel

Array = np.ndarray[Any, Any]
Numbers = Array | range

STAGED_BYTES = 1 << 24  # of page-locked memory, through which all rows pass


class Column:
    """One array of the host, and its part on the device.

    Parameters
    ----------
    host : ndarray, shape (input_dim, ...)
        Weights, a slot, last steps or rates.
    there : ndarray, shape (room, ...)
        An entry for each location.
    """

    def __init__(self, host: Array, there: Array):
        self.host = host
        self.there = there

    @property
    def entry_bytes(self) -> int:
        """Bytes of one entry."""
        return count_entry_bytes(self.host)

    def read(self, ids: Array, out: Array) -> None:
        """Copy entries of the host, on its threads: numpy copies without the lock of Python."""

        def copy(begin: int, end: int) -> None:
            # The mode "raise" would copy twice.
            np.take(self.host, ids[begin:end], axis=0, out=out[begin:end], mode="clip")

        run_parallel(copy, len(ids), self._grain)

    def write(self, ids: Array, source: Array) -> None:
        """Copy entries to the host, on its threads; no id twice."""

        def copy(begin: int, end: int) -> None:
            self.host[ids[begin:end]] = source[begin:end]

        run_parallel(copy, len(ids), self._grain)

    @property
    def _grain(self) -> int:
        """Entries that are worth a thread."""
        return BYTES_PER_THREAD // max(1, self.entry_bytes)


class Columns:
    """What a cache holds of a table: weights, and what an optimizer keeps of each row.

    Parameters
    ----------
    placement : str
        The device.
    rows : ndarray
        The weights, on the host.
    count : int
        Number of locations.

    Raises
    ------
    MemoryError
        If the device has no memory for the rows, or the system no page-locked memory for their way.
    """

    def __init__(self, placement: str, rows: Array, count: int):
        self.placement = placement
        self.room = count
        self._backend = backend_for(placement)
        nbytes = max(STAGED_BYTES, count_entry_bytes(rows))
        self._staged = self._backend.empty_pinned((nbytes,), np.uint8, device_number(placement))
        self._columns: list[Column] = []
        self.join([rows])

    @property
    def nbytes(self) -> int:
        """Bytes on the device."""
        return sum(column.there.nbytes for column in self._columns)

    def hold(self, hosts: Sequence[Array]) -> bool:
        """Tell whether all of these arrays have their part on the device."""
        return all(any(column.host is host for column in self._columns) for host in hosts)

    def join(self, hosts: Sequence[Array]) -> None:
        """Hold these arrays and no others; only when nothing is cached. All have their part afterwards, or none new."""
        known = {id(column.host): column for column in self._columns}
        self._columns = [known.get(id(host)) or Column(host, self._allocate(host, self.room)) for host in hosts]

    def part_of(self, host: Array) -> Array:
        """Return the part of an array on the device."""
        return next(column.there[: self.room] for column in self._columns if column.host is host)

    def make_room(self, count: int) -> None:
        """Let every part have so many entries or more; where memory ends, everything that was there is still there.

        One part is copied after the other, so that only one of them is there twice.
        """
        for column in self._columns:
            if len(column.there) < count:
                larger = self._allocate(column.host, count)
                self._backend.copy_into(larger[: len(column.there)], column.there)
                column.there = larger
        self.room = max(self.room, count)

    def load(self, ids: Numbers, locations: Numbers) -> None:
        """Copy rows of the host to locations."""
        for column, part in self._cut(len(ids)):
            block = self._stage(column, len(ids[part]))
            column.read(np.asarray(ids[part]), block)
            if isinstance(locations, range):
                self._backend.copy_into(column.there[as_slice(locations[part])], block)
            else:
                column.there[move_array(locations[part], self.placement)] = move_array(block, self.placement)

    def store(self, ids: Numbers, locations: Numbers, hosts: Sequence[Array]) -> None:
        """Copy locations back to the rows of some of the arrays of the host."""
        for column, part in self._cut(len(ids), hosts):
            block, own = self._stage(column, len(ids[part])), locations[part]
            chosen = as_slice(own) if isinstance(own, range) else move_array(own, self.placement)
            self._backend.to_cpu(column.there[chosen], block)
            column.write(np.asarray(ids[part]), block)

    def _cut(self, count: int, hosts: Sequence[Array] | None = None) -> list[tuple[Column, slice]]:
        """Every column, or those of some arrays, with each part of its rows for which there is page-locked memory."""
        parts = []
        for column in self._columns:
            if hosts is None or any(column.host is host for host in hosts):
                step = max(1, len(self._staged) // max(1, column.entry_bytes))
                parts += [(column, slice(begin, begin + step)) for begin in range(0, count, step)]
        return parts

    def _stage(self, column: Column, count: int) -> Array:
        """Page-locked memory for some entries of a column."""
        shape = (count, *column.host.shape[1:])
        return self._staged[: count * column.entry_bytes].view(column.host.dtype).reshape(shape)

    def _allocate(self, host: Array, count: int) -> Array:
        return allocate((count, *host.shape[1:]), host.dtype, self.placement)


def count_entry_bytes(host: Array) -> int:
    """Return the bytes of one row of an array."""
    return int(np.prod(host.shape[1:], dtype=np.int64)) * host.itemsize


def as_slice(numbers: range) -> slice:
    """Return the slice that selects a range of consecutive numbers."""
    return slice(numbers.start, numbers.stop)
