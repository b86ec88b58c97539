"""Adagrad, with one accumulator per element or per row."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import mean_square
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def update_row_adagrad(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adagrad, epsilon inside the root."""
    row, accumulator = state[0][row_id], state[1][row_id]
    rate, epsilon = scalars
    for column in range(len(row)):
        accumulator[column] += gradient[column] * gradient[column]
        row[column] -= rate * gradient[column] / np.sqrt(accumulator[column] + epsilon)


@inlined
def update_row_rowwise_adagrad(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adagrad with the mean square of a row's gradient."""
    row, accumulator = state[0][row_id], state[1][row_id]
    rate, epsilon = scalars
    accumulator[0] += mean_square(gradient)
    rate /= np.sqrt(accumulator[0]) + epsilon
    for column in range(len(row)):
        row[column] -= rate * gradient[column]


ADAGRAD_RULES = {
    "adagrad": RowRule(update_row_adagrad),
    "rowwise_adagrad": RowRule(update_row_rowwise_adagrad),
}
