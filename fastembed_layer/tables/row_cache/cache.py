"""`RowCache`: some rows of a table on the host, with all that an optimizer keeps of them, on a GPU.

Rows are looked up and trained there, by the operations of the device, whose ids are locations of the cache. A row that
is missing is copied in, and one that has been trained is copied back when its location is needed. What is asked of the
table as a whole is asked of the host: `write_back` copies everything back first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.arrays import CPU, move_array, to_cpu
from fastembed_layer.backends.contract.types import TableState
from fastembed_layer.checks import check_choice, check_dimension
from fastembed_layer.placement.devices import check_device, format_bytes
from fastembed_layer.placement.memory import MemoryEstimate, estimate_memory
from fastembed_layer.tables.row_cache.columns import STAGED_BYTES, Columns, count_entry_bytes
from fastembed_layer.tables.row_cache.directory import EMPTY, NOWHERE, WAYS, Directory
from fastembed_layer.tables.row_cache.operations import CachedRows
from fastembed_layer.tables.row_cache.states import (
    CachedIdleRows,
    CachedTable,
    NamedTable,
    list_rates,
    list_states,
    rates_of,
)
from fastembed_layer.tables.row_rates import RowRates

Array = np.ndarray[Any, Any]

POLICIES = ("lru", "lfu")
NO_IDS = np.empty(0, np.int64)


class Missing(NamedTuple):
    """The rows of a batch that are not in the cache: each id once, its set, and how often it was named."""

    ids: Array
    sets: Array
    uses: Array


class RowCache:
    """The cache of one table on one device; ``table.cache_rows`` makes it.

    Parameters
    ----------
    table : Table
        On the host.
    placement : str
        The device.
    sets : int
        Number of sets of 32 locations.
    policy : {"lru", "lfu"}
        Which row of a set leaves.

    Attributes
    ----------
    hits, misses : int
        Ids of lookups whose rows were in the cache, and those whose rows were not; penalties and moving averages look
        rows up as well.
    generation : int
        Goes up whenever rows have changed their locations.
    """

    def __init__(self, table: NamedTable, placement: str, sets: int, policy: str):
        self.name = table.name
        self.placement = placement
        self.hits = 0
        self.misses = 0
        self.generation = 0
        self.lock = RLock()
        self.columns = Columns(placement, table.array, sets * WAYS)
        self._directory = Directory(placement, sets, policy)
        self._rows = table.array
        self._states: list[Array] = [table.array]
        self._overflow = NO_IDS

    @property
    def operations(self) -> CachedRows:
        """The operations on the table; made anew, since a circle would keep the memory of a cache that has ended."""
        return CachedRows(self)

    @property
    def capacity(self) -> int:
        """Number of rows that it has locations for."""
        return len(self._directory.ids)

    @property
    def policy(self) -> str:
        """Which row of a set leaves: ``"lru"``, the least recently used, or ``"lfu"``, the least frequently used."""
        return self._directory.policy

    @property
    def hit_rate(self) -> float:
        """Share of the ids of lookups whose rows were in the cache; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows, and of what an optimizer keeps of them, on the device."""
        return self.columns.nbytes

    def flush(self) -> None:
        """Copy back what has been trained; the rows stay in the cache as well."""
        with self.lock:
            locations = self._directory.list_dirty()
            self.columns.store(self._directory.ids[locations], locations, self._states)
            self._directory.clean()

    def write_back(self) -> None:
        """Copy back what has been trained, and empty the cache: the host may be read and written."""
        with self.lock:
            if len(self._overflow) or (self._directory.ids != EMPTY).any():
                self.flush()
                self._directory.clear()
                self._change_locations()

    def follow(self, table: TableState, slots: Sequence[Array] | None = None) -> None:
        """Hold what an operation needs beside the rows: slots, last steps, rates.

        Parameters
        ----------
        table : TableState
            The table.
        slots : sequence of ndarray, optional
            Those of an update; without them, what a lookup needs.

        Raises
        ------
        MemoryError
            If there is no memory for it on the device; the cache is empty then.
        """
        states = list_states(table, slots)
        needed = states + list_rates(table, slots)
        if self.columns.hold(needed):
            return
        self.write_back()
        try:
            self.columns.join(needed)
        except MemoryError as error:
            raise MemoryError(describe_lack(self.name, self._estimate(needed))) from error
        self._states = states

    def admit(self, ids: Array, is_lookup: bool = False) -> Array:
        """Return locations of rows, all of which are in the cache afterwards; without an overflow they stay there.

        Parameters
        ----------
        ids : ndarray, shape (n,)
            On the device.
        is_lookup : bool
            Whether hits and misses are counted.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row; nothing has changed then.
        MemoryError
            If there is no room for the rows of a batch that find no location in their set.
        """
        locations = self._directory.find(ids, len(self._rows))
        positions = np.flatnonzero(locations < 0)
        count = len(positions)
        if count:
            sets = -1 - to_cpu(locations[positions])
            distinct, first, own, uses = np.unique(
                to_cpu(ids[positions]), return_index=True, return_inverse=True, return_counts=True
            )
            found = locations[np.flatnonzero(locations >= 0)]
            new = self._bring(Missing(distinct.astype(np.int64), sets[first], uses), found)
            locations[positions] = move_array(new[own], self.placement)
        self.hits += is_lookup * (len(ids) - count)
        self.misses += is_lookup * count
        return locations

    def stand_in(self, table: TableState, count: int | None = None) -> CachedTable:
        """Return a table on the device whose rows are the locations, or the first of them; with what belongs to it."""
        shares = rates_of(table)
        is_held = shares is not None and self.columns.hold([shares])
        rates = RowRates(None, self.part_of(shares, count)) if shares is not None and is_held else None
        idle = None
        if table.idle is not None and self.columns.hold(list_states(table, ())):
            of_rows = table.idle
            slots = [self.part_of(slot, count) for slot in of_rows.slots]
            last_steps = self.part_of(of_rows.last_steps, count)
            numbers = (of_rows.clock, of_rows.constants, of_rows.is_finished)
            idle = CachedIdleRows(of_rows.rule, slots, last_steps, *numbers, rates)
        return CachedTable(self.part_of(table.array, count), self.placement, rates, idle)

    def part_of(self, host: Array, count: int | None = None) -> Array:
        """Return the part of an array of the host that is on the device."""
        return self.columns.part_of(host)[:count]

    def note_update(self, locations: Array) -> None:
        """After an update: the locations differ from the host now, and rows without a location go back at once."""
        self._directory.soil(locations)
        end = self.capacity + len(self._overflow)
        self.columns.store(self._overflow, range(self.capacity, end), self._states)

    def pass_through(self, operate: Callable[[slice], None]) -> None:
        """Copy all rows to the device, as many at a time as it has locations, operate on them, and copy them back."""
        self.write_back()
        for begin in range(0, len(self._rows), self.capacity):
            ids = range(begin, min(begin + self.capacity, len(self._rows)))
            self.columns.load(ids, range(len(ids)))
            operate(slice(ids.start, ids.stop))
            self.columns.store(ids, range(len(ids)), self._states)

    def _bring(self, missing: Missing, kept: Array) -> Array:
        """Copy rows of the host into locations, after the rows that leave these have been copied back."""
        locations = self._directory.choose(missing.sets, kept)
        fits = locations != NOWHERE
        self._make_room(len(locations) - int(fits.sum()))
        leaving = locations[fits]
        dirty = self._directory.select_dirty(leaving)
        self.columns.store(self._directory.ids[dirty], dirty, self._states)
        self._directory.leave(leaving)
        self._change_locations()
        locations[~fits] = self.capacity + np.arange(len(locations) - len(leaving))
        self.columns.load(missing.ids, locations)
        self._directory.enter(missing.ids[fits], leaving, missing.uses[fits])
        self._overflow = missing.ids[~fits]
        return locations

    def _change_locations(self) -> None:
        """Locations that were handed out before do not count any more."""
        self.generation += 1
        self._overflow = NO_IDS

    def _make_room(self, overflow: int) -> None:
        """Have room behind the locations for the rows of a batch that find none; a new one lasts for twice as many."""
        if self.capacity + overflow <= self.columns.room:
            return
        try:
            self.columns.make_room(self.capacity + 2 * overflow)
        except MemoryError as error:
            needed = 2 * overflow * self.nbytes // max(1, self.columns.room)
            raise MemoryError(
                f"The cache of the weight {self.name!r} on {self.placement} has no room for {overflow} more rows of a "
                f"batch, beside its {self.capacity} locations: {format_bytes(needed)} more could not be allocated. "
                "Fewer ids in a batch need less."
            ) from error

    def _estimate(self, hosts: Sequence[Array]) -> MemoryEstimate:
        slot_bytes = self.capacity * sum(map(count_entry_bytes, hosts[1:]))
        shape = (self.capacity, self._rows.shape[1])
        return estimate_memory(shape, self._rows.dtype, self.placement, slot_bytes, is_there=True)

    def __repr__(self) -> str:
        return (
            f"<RowCache of {self.capacity} rows of {self.name!r} on {self.placement}, {self.policy}, "
            f"{format_bytes(self.nbytes)}: {self.hits} hits, {self.misses} misses, hit rate {self.hit_rate:.3f}>"
        )


def make_cache(table: NamedTable, device: str, n_rows: int, policy: str) -> RowCache:
    """Check the arguments and return a cache, which is empty.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value.
    MemoryError
        If there is not enough memory; the message holds the sum.
    """
    placement = check_device(device)
    check_choice(policy, "policy", POLICIES)
    if placement == CPU or table.placement != CPU:
        raise ValueError(
            "A cache is on a GPU, of a table on the host. "
            f"Received: device={device!r} for a table on {table.placement}; `to('cpu:0')` moves a table."
        )
    if check_dimension(n_rows, "n_rows") > table.input_dim:
        raise ValueError(
            f"`n_rows` must be at most the number of rows of the table, {table.input_dim}. Received: {n_rows}."
        )
    sets = -(-n_rows // WAYS)
    estimate = estimate_memory((sets * WAYS, table.output_dim), table.dtype, placement)
    if not estimate.fits:
        raise MemoryError(describe_lack(table.name, estimate))
    try:
        return RowCache(table, placement, sets, policy)
    except MemoryError as error:
        raise MemoryError(
            f"{describe_lack(table.name, estimate)} Its rows pass through {format_bytes(STAGED_BYTES)} of page-locked "
            "memory of the host; a higher limit of locked memory (`ulimit -l`) may be needed."
        ) from error


def describe_lack(name: str, estimate: MemoryEstimate) -> str:
    """Write that a cache does not fit, with the sum and the remedy."""
    return (
        f"The cache of the weight {name!r} does not fit on {estimate.device}: {estimate}. "
        "Fewer rows (`n_rows`) or an optimizer with fewer slots need less."
    )
