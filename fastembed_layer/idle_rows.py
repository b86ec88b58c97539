"""What a table knows about its idle rows: the step each row is up to date with, and how to go on from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fastembed_layer.row_rates import RowRates

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

    def advance(self, amount: float | Array, keep: float = 1.0) -> None:
        """Count one step that keeps a share of the weights and then moves idle rows by `amount` times the weights."""
        self.now += 1
        self.shrink *= keep
        entries = self.now - self.base
        if entries >= len(self.series):
            self.series = np.concatenate([self.series, np.zeros_like(self.series)])
        added = amount / self.shrink if isinstance(amount, np.ndarray) else (amount / self.shrink) * self.weights
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
    slots : sequence of ndarray
        The optimizer's slots of the table, in the order of the rule.
    clock : Clock
        Counts the steps; may be shared by tables that are always updated together.
    constants : tuple of float
        The numbers of the rule.
    input_dim : int
        Number of rows.
    shrinks : bool
        Whether weight decay moves rows that have never been in a batch, too.

    Attributes
    ----------
    moves : bool
        Whether idle rows change, and not their slots only.
    row_rates : RowRates or None
        Those of the steps so far; the table's own may have been replaced since.
    """

    def __init__(
        self,
        rule: str,
        slots: Sequence[Array],
        clock: Clock,
        constants: tuple[float, ...],
        input_dim: int,
        shrinks: bool = False,
    ):
        self.rule = rule
        self.slots = list(slots)
        self.clock = clock
        self.constants = constants
        self.last_steps = np.full(input_dim, clock.now if shrinks else NEVER, np.int32)
        self.finished_at = clock.now
        self.moves = False
        self.row_rates: RowRates | None = None

    @property
    def is_finished(self) -> bool:
        """Whether no step has passed since all rows were brought up to date."""
        return self.finished_at == self.clock.now

    def follow(self, row_rates: RowRates | None) -> None:
        """Train other rows, or at other rates, from now on; only when every row is up to date."""
        self.row_rates = row_rates
        trainable = True if row_rates is None or row_rates.trainable is None else row_rates.trainable
        self.last_steps[(self.last_steps == FROZEN) & trainable] = self.clock.now
        self.last_steps[(self.last_steps >= 0) & np.logical_not(trainable)] = FROZEN
