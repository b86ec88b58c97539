"""What a step puts back when it fails behind its first write: in a constraint, or in a moving average.

Weights, slots and clocks are written by code that cannot fail. What follows them can: a constraint is a function of the
user, and averages need memory. So a step that has them takes a copy of the rows that it is about to write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import move_array
from fastembed_layer.optimizers.step.averages import MovingAverages
from fastembed_layer.optimizers.step.gradients import Pairs
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]
Restore = Callable[[], None]

ALL = slice(None)


def prepare_undo(
    pairs: Pairs,
    slots: Mapping[Parameter, Mapping[str, Array]],
    averages: MovingAverages,
    visits_all: Callable[[Parameter], bool],
) -> list[Restore]:
    """Return functions that put back what a step may change; empty for a step of which nothing can fail any more.

    Parameters
    ----------
    pairs : list of (parameter, gradient)
        Those of the step.
    slots : mapping
        The optimizer's slots by parameter and name.
    averages : MovingAverages
        Of the optimizer.
    visits_all : callable
        Tells whether the step writes every row of a table, and not those of its gradient alone.
    """
    if not averages.use_ema and all(parameter.constraint is None for parameter, _ in pairs):
        return []
    restores: list[Restore] = [averages.prepare_undo()]
    for parameter, gradient in pairs:
        rows = ALL if visits_all(parameter) else _rows_of(parameter, gradient)
        restores += [_copy_rows(array, rows) for array in (parameter.write_back(), *slots[parameter].values())]
        if isinstance(parameter, Table) and parameter.idle is not None:
            idle = parameter.idle
            restores += [_copy_rows(idle.last_steps, rows), _copy_fields(idle), _copy_fields(idle.clock)]
            restores.append(_copy_rows(idle.clock.series, ALL))
    return restores


def undo(restores: Sequence[Restore]) -> None:
    """Put everything back."""
    for restore in restores:
        restore()


def _rows_of(parameter: Parameter, gradient: Any) -> Any:
    if not isinstance(gradient, RowGradient):
        return ALL
    return move_array(gradient.distinct_ids(), parameter.placement)


def _copy_rows(array: Array, rows: Any) -> Restore:
    kept = array.copy() if array.ndim == 0 or rows is ALL else array[rows].copy()

    def restore() -> None:
        array[... if array.ndim == 0 else rows] = kept

    return restore


def _copy_fields(thing: Any) -> Restore:
    kept = copy(vars(thing))
    return lambda: vars(thing).update(kept)
