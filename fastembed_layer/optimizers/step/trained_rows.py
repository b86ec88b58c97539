"""Rows that do not train or have rates of their own: out of gradients, and left alone by what writes whole tables."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from fastembed_layer.backends.arrays import move_array, move_like
from fastembed_layer.optimizers.step.gradients import Pairs
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient, PenalisedGradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.row_rates import RowRates
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]


def row_rates_of(parameter: Parameter) -> RowRates | None:
    """Return how the rows of a table train; None where they train alike."""
    return parameter.row_rates if isinstance(parameter, Table) else None


def leave_out_frozen(pairs: Pairs) -> Pairs:
    """Return the pairs without the gradients of rows that do not train; where all do, the same gradients.

    A dense gradient of a table whose rows do not train alike becomes that of the rows that train, one by one.
    """
    return [(parameter, _trained_part(gradient, row_rates_of(parameter))) for parameter, gradient in pairs]


def write_trained(parameter: Parameter, value: Array) -> None:
    """Overwrite a parameter, but not the rows of a table that do not train."""
    rates = row_rates_of(parameter)
    if rates is None or rates.trainable is None:
        parameter.assign(value)
    else:
        where = move_array(rates.trainable, parameter.placement)[:, None]
        np.copyto(parameter.value, move_array(value, parameter.placement), where=where)


def _trained_part(gradient: Gradient, rates: RowRates | None) -> Gradient:
    if rates is None:
        return gradient
    if isinstance(gradient, PenalisedGradient):
        rows = _trained_part(gradient.rows, rates)
        return gradient.with_rows(cast(RowGradient, rows))
    if not isinstance(gradient, RowGradient):
        rows = np.arange(len(gradient)) if rates.trainable is None else np.flatnonzero(rates.trainable)
        rows = move_like(rows, gradient)
        return RowGradient(rows, gradient[rows], (gradient.shape[0], gradient.shape[1]))
    ids = gradient.ids
    if rates.trainable is None or not ids.size or ids.min() < 0 or ids.max() >= gradient.shape[0]:
        return gradient  # ids that are no rows are refused when they are grouped
    trains = move_like(rates.trainable, ids)[ids]
    if trains.all():
        return gradient
    return gradient.select(trains)
