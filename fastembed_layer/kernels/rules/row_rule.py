"""`RowRule`: the functions that make up one update rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastembed_layer.kernels.idle import keep_slots, shrink_idle

RowFunction = Callable[..., Any]


class RowRule(NamedTuple):
    """What one optimizer does to one row.

    Attributes
    ----------
    update_row : callable
        ``update_row(state, row_id, gradient, scalars)`` makes one step. `state` is the table followed by its slots, in
        the order in which the optimizer names them: matrices of the table's shape, or of one column for a slot with
        one number per row. `scalars` is a tuple of numbers in the table's type, as the optimizer lists them.
    move_idle, decay_slots : callable
        What `fastembed_layer.kernels.idle` describes.
    """

    update_row: RowFunction
    move_idle: RowFunction = shrink_idle
    decay_slots: RowFunction = keep_slots
