"""RMSprop, also centered and with momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import combine_rows, decay_first_slot, decay_two_slots, power, scale_row
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def update_row_rmsprop(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """RMSprop without momentum and not centered."""
    row, velocity = state[0][row_id], state[1][row_id]
    rate, rho, one_less_rho, _, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        velocity[column] = rho * velocity[column] + one_less_rho * part * part
        row[column] -= rate * part / np.sqrt(velocity[column] + epsilon)


@inlined
def update_row_rmsprop_momentum(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """RMSprop with momentum."""
    row, velocity, momentum = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, rho, one_less_rho, decay, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        velocity[column] = rho * velocity[column] + one_less_rho * part * part
        momentum[column] = decay * momentum[column] + rate * part / np.sqrt(velocity[column] + epsilon)
        row[column] -= momentum[column]


@inlined
def update_row_rmsprop_centered(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """RMSprop, centered, without momentum."""
    row, velocity, average = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, rho, one_less_rho, _, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        velocity[column] = rho * velocity[column] + one_less_rho * part * part
        average[column] = rho * average[column] + one_less_rho * part
        variance = velocity[column] - average[column] * average[column] + epsilon
        row[column] -= rate * part / np.sqrt(variance)


@inlined
def update_row_rmsprop_centered_momentum(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """RMSprop, centered, with momentum."""
    row, velocity, momentum, average = state[0][row_id], state[1][row_id], state[2][row_id], state[3][row_id]
    rate, rho, one_less_rho, decay, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        velocity[column] = rho * velocity[column] + one_less_rho * part * part
        average[column] = rho * average[column] + one_less_rho * part
        variance = velocity[column] - average[column] * average[column] + epsilon
        momentum[column] = decay * momentum[column] + rate * part / np.sqrt(variance)
        row[column] -= momentum[column]


@inlined
def move_idle_rmsprop_momentum(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The momentum, which is subtracted here, goes on without a gradient."""
    combine_rows(state[0][row_id], gap[3], state[2][row_id], -gap[2] * series[gap[1], 0], target)


@inlined
def decay_three_slots(state: Any, row_id: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The first three slots fade, the third at the pace of the first."""
    decay_two_slots(state, row_id, gap, series, constants)
    scale_row(state[3], row_id, power(constants[0], gap[0], state[3]))


RMSPROP_RULES = {
    "rmsprop": RowRule(update_row_rmsprop, decay_slots=decay_first_slot),
    "rmsprop_momentum": RowRule(update_row_rmsprop_momentum, move_idle_rmsprop_momentum, decay_two_slots),
    "rmsprop_centered": RowRule(update_row_rmsprop_centered, decay_slots=decay_two_slots),
    "rmsprop_centered_momentum": RowRule(
        update_row_rmsprop_centered_momentum, move_idle_rmsprop_momentum, decay_three_slots
    ),
}
