"""Gradient descent, also with momentum and with Nesterov's."""

from __future__ import annotations

from typing import Any

from fastembed_layer.kernels.idle import combine_rows, decay_first_slot
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def update_row_sgd(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Plain gradient descent."""
    row = state[0][row_id]
    rate = scalars[0]
    for column in range(len(row)):
        row[column] -= rate * gradient[column]


@inlined
def update_row_momentum(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Gradient descent with momentum."""
    row, velocity = state[0][row_id], state[1][row_id]
    rate, momentum = scalars
    for column in range(len(row)):
        velocity[column] = momentum * velocity[column] - rate * gradient[column]
        row[column] += velocity[column]


@inlined
def update_row_nesterov(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Gradient descent with Nesterov's momentum."""
    row, velocity = state[0][row_id], state[1][row_id]
    rate, momentum = scalars
    for column in range(len(row)):
        velocity[column] = momentum * velocity[column] - rate * gradient[column]
        row[column] += momentum * velocity[column] - rate * gradient[column]


@inlined
def move_idle_momentum(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The velocity goes on without a gradient; its powers have been summed with a factor for Nesterov's."""
    combine_rows(state[0][row_id], gap[3], state[1][row_id], gap[2] * series[gap[1], 0], target)


SGD_RULES = {
    "sgd": RowRule(update_row_sgd),
    "momentum": RowRule(update_row_momentum, move_idle_momentum, decay_first_slot),
    "nesterov": RowRule(update_row_nesterov, move_idle_momentum, decay_first_slot),
}
