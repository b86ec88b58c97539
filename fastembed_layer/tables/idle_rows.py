"""What a table knows about its idle rows: the step each row is up to date with, and how to go on from there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastembed_layer.backends.arrays import CPU, allocate, move_array

if TYPE_CHECKING:
    from fastembed_layer.tables.row_rates import RowRates

Array = np.ndarray[Any, Any]

NEVER = -1  # the last step of a row that no batch has held: its slots are zero and it stays where it is
FROZEN = -2  # the last step of a row that has been moved and has stopped training: it stays where it is
LONGEST = 1 << 16  # steps; then every row is brought up to date once and the sums start afresh


SMALLEST_SHRINK = 1e-100  # of what weight decay leaves, before the sums divided by it lose digits


class Clock:
    """Counts the steps of a table and keeps, for rows last touched at each of them, the sums their rule needs.

    Entry n of `series` belongs to the rows that were last touched at step ``base + n``. A step that contributes
    `amount` adds ``amount * weights[k - 1]`` to the entry of the rows that have been idle for k steps, or
    ``amount[k - 1]`` if it is a matrix itself; beyond its length an entry is finished. So a step costs the same
    however long the training lasts, and the memory is bounded by `LONGEST` entries. Contributions that never fade
    would have to be added to all entries: with `running` an entry holds the total of all steps up to its own, and the
    sum over a gap is the difference of two entries.

    Weight decay shrinks the weights and all earlier movements with them. `shrink` is the product of what the steps
    have left; contributions are divided by it, so that multiplying a sum by the present shrink gives each
    contribution what the later steps have left of it. The last column of `series` is the shrink at the entry's step.

    Parameters
    ----------
    weights : ndarray of float64, shape (horizon, columns)
        What one step adds, by the number of idle steps.
    running : bool
        Whether entries hold running totals.

    Attributes
    ----------
    reach : int
        The most entries before its own that a step has changed so far.
    """

    def __init__(self, weights: Array, running: bool = False):
        self.weights = weights[:LONGEST]
        self.running = running
        self.base = 0
        self.now = 0
        self.shrink = 1.0
        self.reach = 1
        self.series = np.zeros((1024, weights.shape[1] + 1))
        self.series[0, -1] = 1.0

    @property
    def is_full(self) -> bool:
        """Whether the rows have to be finished and the sums restarted before the next step."""
        return self.now - self.base >= LONGEST or self.shrink < SMALLEST_SHRINK

    def prepare(self, amount: float | Array, decay_factor: float = 1.0) -> Callable[[], None]:
        """Return `advance` as a function that needs no memory any more."""
        if self.now + 1 - self.base >= len(self.series):
            self.series = np.concatenate([self.series, np.zeros_like(self.series)])
        shrink = self.shrink * decay_factor
        added = amount / shrink if isinstance(amount, np.ndarray) else (amount / shrink) * self.weights
        return lambda: self._go_on(shrink, added)

    def advance(self, amount: float | Array, decay_factor: float = 1.0) -> None:
        """Count one step that keeps a share of the weights and then moves idle rows by `amount` times the weights."""
        self.prepare(amount, decay_factor)()

    def _go_on(self, shrink: float, added: Array) -> None:
        self.now += 1
        self.shrink = shrink
        entries = self.now - self.base
        if self.running:
            self.series[entries, :-1] = self.series[entries - 1, :-1] + added[0]
        else:
            reach = min(len(added), entries)
            self.reach = max(self.reach, reach)
            self.series[entries - reach : entries, :-1] += added[reach - 1 :: -1]
        self.series[entries, -1] = self.shrink

    def restart(self) -> None:
        """Forget the sums; only when every row is up to date."""
        self.base = self.now
        self.shrink = 1.0
        self.series[:] = 0
        self.series[0, -1] = 1.0

    def copy(self) -> Clock:
        """Return a clock that goes its own way from here."""
        twin = Clock(self.weights, self.running)
        twin.base, twin.now, twin.shrink, twin.series = self.base, self.now, self.shrink, self.series.copy()
        twin.reach = self.reach
        return twin


class IdleRows:
    """The idle rows of one table under one optimizer.

    Parameters
    ----------
    rule : str
        Name of the idle rule of the kernels.
    slots : dict of str to ndarray
        The optimizer's own dict of the table's slots, in the order of the rule; a move replaces its entries.
    clock : Clock
        Counts the steps; may be shared by tables that are always updated together.
    constants : tuple of float
        The numbers of the rule.
    input_dim : int
        Number of rows.
    shrinks : bool
        Whether weight decay moves rows that have never been in a batch, too.
    placement : str
        Where the table lives.

    Attributes
    ----------
    last_steps : ndarray of int32, shape (input_dim,)
        The step each row is up to date with, where the table lives.
    moves : bool
        Whether idle rows change, and not their slots only.
    row_rates : RowRates or None
        Those of the steps so far; the table's own may have been replaced since.
    """

    def __init__(
        self,
        rule: str,
        slots: dict[str, Array],
        clock: Clock,
        constants: tuple[float, ...],
        input_dim: int,
        shrinks: bool = False,
        placement: str = CPU,
    ):
        self.rule = rule
        self._slots = slots
        self.clock = clock
        self.constants = constants
        self.last_steps = allocate((input_dim,), np.int32, placement, clock.now if shrinks else NEVER)
        self.placement = placement
        self.shrinks = shrinks
        self.finished_at = clock.now
        self.moves = False
        self.row_rates: RowRates | None = None

    @property
    def slots(self) -> list[Array]:
        """The optimizer's slots of the table, in the order of the rule."""
        return list(self._slots.values())

    @property
    def nbytes(self) -> int:
        """Bytes of the slots and of the last steps."""
        return self.last_steps.nbytes + sum(slot.nbytes for slot in self.slots)

    def move(self, placement: str) -> None:
        """Move last steps and slots, the optimizer's own, to where the table goes; all of them or none."""
        moved = {name: move_array(slot, placement) for name, slot in self._slots.items()}
        self.last_steps, self.placement = move_array(self.last_steps, placement), placement
        self._slots.update(moved)

    def load_state(self, touched: Array, shrinks: bool) -> None:
        """Go on from rows that are all up to date, of which some have been in a batch."""
        self.shrinks = shrinks
        self.last_steps[:] = move_array(np.where(touched, self.clock.now, NEVER).astype(np.int32), self.placement)
        self.finished_at = self.clock.now

    @property
    def is_finished(self) -> bool:
        """Whether no step has passed since all rows were brought up to date."""
        return self.finished_at == self.clock.now

    def shrink_fresh_rows(self) -> None:
        """Let decay reach rows that have never been in a batch from now on; only when every row is up to date."""
        rates = self.row_rates
        self.last_steps[self.last_steps == NEVER] = self.clock.now
        if rates is not None and rates.trainable is not None:
            self.last_steps[(self.last_steps >= 0) & ~rates.trainable] = FROZEN
        self.shrinks = True

    def follow(self, row_rates: RowRates | None) -> None:
        """Train other rows, or at other rates, from now on; only when every row is up to date."""
        self.row_rates = row_rates
        trainable: Any = True
        if row_rates is not None and row_rates.trainable is not None:
            trainable = move_array(row_rates.trainable, self.placement)
        self.last_steps[(self.last_steps == FROZEN) & trainable] = self.clock.now
        self.last_steps[(self.last_steps >= 0) & np.logical_not(trainable)] = FROZEN
