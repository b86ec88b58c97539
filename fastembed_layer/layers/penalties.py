"""Terms that regularizers add to the loss, each with its pullback: of weights, of touched rows, of outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import to_cpu
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.regularizers import Regularizer
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import PenalisedGradient, warn_of_dense_gradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.running_squares import sum_squares
from fastembed_layer.tables.table import Table
from fastembed_layer.tape import Cotangents, Pullback, is_recording, record

Array = np.ndarray[Any, Any]


def penalise_weight(parameter: Parameter | None, regularizer: Regularizer | None) -> list[Array]:
    """Return the penalty of a weight as a list of one, and record it; an empty list where there is nothing to do."""
    if regularizer is None or parameter is None:
        return []
    value = np.array(regularizer(to_cpu(parameter.value)), parameter.dtype)

    def pull_back(scale: Array) -> Cotangents:
        return Cotangents([], [(parameter, regularizer.gradient(to_cpu(parameter.value)) * scale)])

    record([], value, pull_back)
    return [value]


def penalise_table(table: Table, regularizer: Regularizer | None, layer_name: str) -> list[Array]:
    """Do what `penalise_weight` does for a table; L2 costs no pass over it, others give a warning while recorded."""
    if regularizer is None or regularizer.proportion is None:
        if regularizer is not None and is_recording():
            warn_of_dense_gradient(table, layer_name)
        return penalise_weight(table, regularizer)
    share = regularizer.proportion
    value = np.array(share / 2 * sum_squares(table), table.dtype)

    def pull_back(scale: Array) -> Cotangents:
        return Cotangents([], [(table, PenalisedGradient(table, share * float(scale), None, layer_name))])

    record([], value, pull_back)
    return [value]


def penalise_rows(table: Table, ids: Array, regularizer: Regularizer) -> tuple[Array, Pullback]:
    """Return the penalty of the rows that `ids` select, each counted once, and its pullback."""
    touched = np.unique(to_cpu(ids))
    rows = backend_of(table).gather_rows(table, touched)

    def pull_back(scale: Array) -> Cotangents:
        values = regularizer.gradient(rows) * scale
        return Cotangents([], [(table, RowGradient(touched, values, (table.input_dim, table.output_dim)))])

    return np.array(regularizer(rows), table.dtype), pull_back


def penalise_output(output: Array | Ragged, regularizer: Regularizer) -> tuple[Array, Pullback]:
    """Return the penalty of a layer's output, divided by the batch size as in Keras, and its pullback."""
    values = output.values if isinstance(output, Ragged) else output
    batch_size = max(1, len(output) if values.ndim else 1)

    def pull_back(scale: Array) -> Cotangents:
        return Cotangents([regularizer.gradient(values) * (scale / batch_size)])

    return np.array(regularizer(values) / batch_size, values.dtype), pull_back
