"""The sum of the squares of a table, kept by the steps that write rows instead of a pass over the table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import to_cpu
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.tables.block_sums import sum_blocks
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

ROWS = 1 << 16  # looked at together
REFRESH = 4096  # steps, after which the table is summed anew, so that rounding does not add up


class RunningSquares:
    """The sum of the squares of all elements of a table, in float64.

    A step takes the touched rows out before it writes them and adds them afterwards; what decay leaves of the others
    is a factor. `Table.value` hands out the array itself, which the caller may write, so it drops the sum.

    Attributes
    ----------
    moving, still : float
        The parts of the rows that train and of those that do not.
    """

    def __init__(self, table: Table):
        table.finish()
        rates = table.row_rates
        frozen = None if rates is None or rates.trainable is None else np.flatnonzero(~rates.trainable)
        self.still = 0.0 if frozen is None else _squares_of(table, frozen)
        self.moving = _squares_of(table, None) - self.still
        self._row_rates = rates
        self._steps = 0

    @property
    def total(self) -> float:
        """The sum."""
        return self.moving + self.still

    def is_valid_for(self, table: Table) -> bool:
        """Tell whether the sum may be used: the same rows train, and it has not been kept for too long."""
        return self._row_rates is table.row_rates and self._steps < REFRESH

    def take_out(self, table: Table, row_ids: Array) -> None:
        """Before a step: leave the rows out that it will write; each is named once."""
        self.moving -= _squares_of(table, row_ids)

    def put_back(self, table: Table, row_ids: Array, decay_factor: float) -> None:
        """After a step that has kept a share of all other rows: add the rows that it has written."""
        self.moving = self.moving * decay_factor**2 + _squares_of(table, row_ids)
        self._steps += 1


def sum_squares(table: Table) -> float:
    """Return the sum of the squares of a table, in a pass over it only where it is not known from the last step."""
    if table.squares is None or not table.squares.is_valid_for(table):
        table.squares = RunningSquares(table)
    return table.squares.total


def _squares_of(table: Table, row_ids: Array | None) -> float:
    """Sum the squares of some rows, as they are after their idle steps, or of a table that is up to date."""
    starts = range(0, table.input_dim if row_ids is None else len(row_ids), ROWS)
    if row_ids is None:
        blocks = (to_cpu(table.write_back()[begin : begin + ROWS]) for begin in starts)
    else:
        blocks = (backend_of(table).gather_rows(table, row_ids[begin : begin + ROWS]) for begin in starts)
    return math.fsum(sum_blocks(np.square, block) for block in blocks)
