"""What an operation needs of a table beside its rows: arrays of the host with an entry for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastembed_layer.backends.contract.types import ClockState, GuardState, RateState, TableState
from fastembed_layer.tables.guard import Guard

Array = np.ndarray[Any, Any]

NO_STEPS_BESIDE = Guard()  # the lock of the cache keeps steps and lookups apart


class NamedTable(TableState, Protocol):
    """A table that errors can name."""

    @property
    def name(self) -> str: ...


class CachedIdleRows(NamedTuple):
    """How far the rows in a cache are behind; an `IdleState`."""

    rule: str
    slots: list[Array]
    last_steps: Array
    clock: ClockState
    constants: tuple[float, ...]
    is_finished: bool
    row_rates: RateState | None


class CachedTable:
    """The rows in a cache as the operations of the device see them; a `TableState`.

    Parameters
    ----------
    array : ndarray, shape (n, output_dim)
        The rows, on the device.
    placement : str
        The device.
    row_rates : RateState, optional
        Their rates.
    idle : CachedIdleRows, optional
        How far they are behind.
    """

    def __init__(
        self, array: Array, placement: str, row_rates: RateState | None = None, idle: CachedIdleRows | None = None
    ):
        self.array, self.placement, self.row_rates, self.idle = array, placement, row_rates, idle
        self.shape, self.dtype, self.ndim, self.size = array.shape, array.dtype, array.ndim, array.size
        self.input_dim, self.output_dim = array.shape
        self.guard: GuardState = NO_STEPS_BESIDE


def list_states(table: TableState, slots: Sequence[Array] | None) -> list[Array]:
    """Return the arrays that an operation reads and writes: the rows, and what an optimizer keeps of each.

    Parameters
    ----------
    table : TableState
        The table.
    slots : sequence of ndarray or None
        Those of an update; None for a lookup.
    """
    if slots is None and not has_moved(table):
        return [table.array]
    if table.idle is None:
        return [table.array, *(slots or ())]
    return [table.array, *table.idle.slots, table.idle.last_steps]


def list_rates(table: TableState, slots: Sequence[Array] | None) -> list[Array]:
    """Return the shares of the learning rate that an operation reads, as a list of one array or none."""
    rates = rates_of(table)
    return [] if rates is None or (slots is None and not has_moved(table)) else [rates]


def has_moved(table: TableState) -> bool:
    """Tell whether steps have passed since all rows were brought up to date, so that lookups need more than rows."""
    return table.idle is not None and not table.idle.is_finished


def rates_of(table: TableState) -> Array | None:
    """Return the share of the learning rate of each row; idle steps were made with the shares of their time."""
    rates = table.row_rates if table.idle is None else table.idle.row_rates
    return None if rates is None else rates.factors
