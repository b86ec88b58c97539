"""The bookkeeping of exact mode: which tables go on moving, and one clock for those that are stepped together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.arrays import to_cpu
from fastembed_layer.tables.guard import write
from fastembed_layer.tables.idle_rows import LONGEST, NEVER, Clock, IdleRows
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

NOTHING_LEFT = 1e-13
NO_SUMS = np.zeros((1, 1))


def logarithm(decay: float) -> float:
    """Return the logarithm of a decay in ``[0, 1]``; minus infinity for 0."""
    return math.log(decay) if decay > 0 else -math.inf


def fading_weights(decay: float) -> Array:
    """Return decay, decay^2, ... as a column, until nothing is left or a clock has no room for more."""
    if decay <= NOTHING_LEFT:
        return np.full((1, 1), decay)
    horizon = LONGEST if decay >= 1 else min(LONGEST, math.ceil(math.log(NOTHING_LEFT) / math.log(decay)))
    return decay ** np.arange(1.0, horizon + 1)[:, None]


class IdleMotion(NamedTuple):
    """How the rows of a table change in steps without a gradient.

    Attributes
    ----------
    rule : str
        Name of the idle rule of the kernels.
    constants : tuple of float
        Its numbers; at least one.
    weights : ndarray of float64, shape (horizon, columns)
        What a step adds to the sums of rows that have been idle for 1, 2, ... steps, times its amount. Where amounts
        are matrices themselves, only the number of columns counts.
    running : bool
        Whether the sums are kept as running totals, for contributions that never fade.
    moves_fresh_rows : bool
        Whether weight decay reaches rows that have never been in a batch.
    """

    rule: str
    constants: tuple[float, ...]
    weights: Array = NO_SUMS
    running: bool = False
    moves_fresh_rows: bool = True

    @property
    def moves_rows(self) -> bool:
        """Whether the rows themselves change, and not their slots only."""
        return self.weights is not NO_SUMS


class IdleBook:
    """The idle rows of all tables of one optimizer.

    Tables that have taken part in the same steps share a clock, whose sums are then kept once. A table that misses a
    step stays as it is, as it would in Keras, so its clock parts from the others'.
    """

    def __init__(self) -> None:
        self._entries: dict[Table, IdleRows] = {}

    def open_step(
        self,
        tables: list[Table],
        motion: IdleMotion | None,
        slots: Mapping[Parameter, dict[str, Array]],
        decayed: set[Table],
    ) -> None:
        """Make the tables of a step ready: no other optimizer's steps are outstanding, and their clock has room."""
        for table in tables:
            entry = table.idle
            if entry is not None and (entry is not self._entries.get(table) or entry.row_rates is not table.row_rates):
                table.finish()
                table.idle = None
        if motion is None:
            return
        fresh: dict[bool, Clock] = {}
        for table in tables:
            if table not in self._entries:
                decays = table in decayed
                if decays not in fresh:
                    fresh[decays] = Clock(motion.weights, motion.running)
                self.make_entry(table, motion, slots[table], fresh[decays], decays and motion.moves_fresh_rows)
            if self._entries[table].placement != table.placement:
                self._entries[table].move(table.placement)
            table.idle = self._entries[table]
            if table in decayed and motion.moves_fresh_rows and not table.idle.shrinks:
                table.finish()
                table.idle.shrink_fresh_rows()
            if table.idle.row_rates is not table.row_rates:
                table.idle.follow(table.row_rates)
            table.idle.moves = motion.moves_rows or table in decayed

    def make_entry(
        self, table: Table, motion: IdleMotion, slots: dict[str, Array], clock: Clock, shrinks: bool = False
    ) -> IdleRows:
        """Begin to keep account of the idle rows of a table."""
        entry = IdleRows(
            motion.rule, slots, clock, motion.constants, table.input_dim, shrinks=shrinks, placement=table.placement
        )
        self._entries[table] = entry
        return entry

    def rest(self) -> None:
        """Bring all rows of all tables up to date, and let all sums start afresh."""
        for table, entry in self._entries.items():
            if table.idle is entry:
                table.finish()
        write([table.guard for table in self._entries], self._restart_clocks)

    def _restart_clocks(self) -> None:
        for entry in self._entries.values():
            entry.clock.restart()

    def state_of(self, table: Table) -> dict[str, Array]:
        """Return what has to be kept of the idle rows of a table that is up to date."""
        entry = self._entries.get(table)
        if entry is None:
            return {}
        return {"touched": to_cpu(entry.last_steps) != NEVER, "shrinks": np.array(entry.shrinks)}

    def prepare_clocks(
        self, tables: list[Table], amount: float | Array, decay_factors: Mapping[Parameter, float]
    ) -> list[Callable[[], None]]:
        """Return functions that let the clocks of the tables of a step go on by one step; they need no memory."""
        if not self._entries:
            return []
        clocks = {
            id(table.idle.clock): (table.idle.clock, decay_factors[table]) for table in tables if table.idle is not None
        }
        return [clock.prepare(amount, decay_factor) for clock, decay_factor in clocks.values()]

    def part_clocks(self, tables: list[Table], decay_factors: Mapping[Parameter, float]) -> None:
        """Give clocks of their own to tables that go on otherwise than others, and room to clocks that are full."""
        tables = [table for table in tables if table.idle is not None]
        if not tables:
            return
        present = set(tables)
        taken: dict[int, float | None] = {
            id(entry.clock): None for table, entry in self._entries.items() if table not in present
        }
        twins: dict[tuple[int, float], Clock] = {}
        for table in tables:
            entry, decay_factor = self._entries[table], decay_factors[table]
            if taken.setdefault(id(entry.clock), decay_factor) != decay_factor:
                key = id(entry.clock), decay_factor
                entry.clock = twins.setdefault(key, entry.clock.copy())
        self._restart_full_clocks(tables)

    def _restart_full_clocks(self, tables: list[Table]) -> None:
        full = {id(self._entries[table].clock) for table in tables if self._entries[table].clock.is_full}
        if not full:
            return
        for table in tables:
            if id(self._entries[table].clock) in full:
                table.finish()
        write([table.guard for table in tables], lambda: self._restart_full(tables))

    def _restart_full(self, tables: list[Table]) -> None:
        for table in tables:
            clock = self._entries[table].clock
            if clock.is_full:
                clock.restart()


def touch_all_rows(table: Parameter) -> None:
    """Prepare a table for a dense gradient, which updates every row; other weights need nothing."""
    if not isinstance(table, Table):
        return
    table.finish()
    if table.idle is not None:
        table.idle.last_steps[:] = table.idle.clock.now + 1
