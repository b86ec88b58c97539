"""What an operation needs of a table beside its rows: arrays of the host with an entry for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]


def list_states(table: Table, slots: Sequence[Array] | None) -> list[Array]:
    """Return the arrays that an operation reads and writes: the rows, and what an optimizer keeps of each.

    Parameters
    ----------
    table : Table
        The table.
    slots : sequence of ndarray or None
        Those of an update; None for a lookup.
    """
    if slots is None and not has_moved(table):
        return [table.array]
    if table.idle is None:
        return [table.array, *(slots or ())]
    return [table.array, *table.idle.slots, table.idle.last_steps]


def list_rates(table: Table, slots: Sequence[Array] | None) -> list[Array]:
    """Return the shares of the learning rate that an operation reads, as a list of one array or none."""
    rates = rates_of(table)
    return [] if rates is None or (slots is None and not has_moved(table)) else [rates]


def has_moved(table: Table) -> bool:
    """Tell whether steps have passed since all rows were brought up to date, so that lookups need more than rows."""
    return table.idle is not None and not table.idle.is_finished


def rates_of(table: Table) -> Array | None:
    """Return the share of the learning rate of each row; idle steps were made with the shares of their time."""
    rates = table.row_rates if table.idle is None else table.idle.row_rates
    return None if rates is None else rates.factors
