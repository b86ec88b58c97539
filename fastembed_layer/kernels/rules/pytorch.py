"""Rules in PyTorch's form, where it differs: the rate outside the momentum, epsilon outside the root or as a floor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import combine_rows, decay_first_slot, decay_two_slots, power, scale_row
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def update_row_outer_momentum(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Gradient descent with momentum; `share` is what dampening leaves of the gradient."""
    row, velocity = state[0][row_id], state[1][row_id]
    rate, momentum, share = scalars
    for column in range(len(row)):
        velocity[column] = momentum * velocity[column] + share * gradient[column]
        row[column] -= rate * velocity[column]


@inlined
def update_row_outer_nesterov(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Gradient descent with Nesterov's momentum."""
    row, velocity = state[0][row_id], state[1][row_id]
    rate, momentum, share = scalars
    for column in range(len(row)):
        velocity[column] = momentum * velocity[column] + share * gradient[column]
        row[column] -= rate * (gradient[column] + momentum * velocity[column])


@inlined
def move_idle_outer_momentum(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The velocity fades; each step goes on by it at its own rate."""
    combine_rows(state[0][row_id], gap[3], state[1][row_id], -gap[2] * series[gap[1], 0], target)


@inlined
def update_row_outer_adagrad(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adagrad, epsilon outside the root."""
    row, accumulator = state[0][row_id], state[1][row_id]
    rate, epsilon = scalars
    for column in range(len(row)):
        accumulator[column] += gradient[column] * gradient[column]
        row[column] -= rate * gradient[column] / (np.sqrt(accumulator[column]) + epsilon)


@inlined
def update_row_outer_rmsprop(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """RMSprop without momentum and not centered."""
    row, velocity = state[0][row_id], state[1][row_id]
    rate, rho, one_less_rho, _, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        velocity[column] = rho * velocity[column] + one_less_rho * part * part
        row[column] -= rate * part / (np.sqrt(velocity[column]) + epsilon)


@inlined
def update_row_outer_rmsprop_momentum(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """RMSprop with momentum."""
    row, velocity, momentum = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, rho, one_less_rho, decay, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        velocity[column] = rho * velocity[column] + one_less_rho * part * part
        momentum[column] = decay * momentum[column] + part / (np.sqrt(velocity[column]) + epsilon)
        row[column] -= rate * momentum[column]


@inlined
def update_row_outer_rmsprop_centered(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """RMSprop, centered, without momentum."""
    row, velocity, average = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, rho, one_less_rho, _, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        velocity[column] = rho * velocity[column] + one_less_rho * part * part
        average[column] += (part - average[column]) * one_less_rho
        variance = velocity[column] - average[column] * average[column]
        row[column] -= rate * part / (np.sqrt(variance) + epsilon)


@inlined
def update_row_outer_rmsprop_centered_momentum(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """RMSprop, centered, with momentum."""
    row, velocity, momentum, average = state[0][row_id], state[1][row_id], state[2][row_id], state[3][row_id]
    rate, rho, one_less_rho, decay, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        velocity[column] = rho * velocity[column] + one_less_rho * part * part
        average[column] += (part - average[column]) * one_less_rho
        variance = velocity[column] - average[column] * average[column]
        momentum[column] = decay * momentum[column] + part / (np.sqrt(variance) + epsilon)
        row[column] -= rate * momentum[column]


@inlined
def move_idle_outer_rmsprop(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The momentum, the second slot, goes on without a gradient."""
    combine_rows(state[0][row_id], gap[3], state[2][row_id], -gap[2] * series[gap[1], 0], target)


@inlined
def decay_outer_rmsprop(state: Any, row_id: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The three slots fade, the third at the pace of the first."""
    decay_two_slots(state, row_id, gap, series, constants)
    scale_row(state[3], row_id, power(constants[0], gap[0], state[3]))


@inlined
def update_row_floor_adamax(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adamax; epsilon is added to the size of the gradient, so the norm is never below it."""
    row, mean, norm = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, one_less_beta_1, beta_2, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        mean[column] += (part - mean[column]) * one_less_beta_1
        norm[column] = max(beta_2 * norm[column], abs(part) + epsilon)
        row[column] -= rate * mean[column] / norm[column]


@inlined
def walk_to_floor(norm: Any, gap: Any, series: Any, constants: Any) -> Any:
    """What the mean of one element is multiplied with over its idle steps, in float64."""
    total = 0.0
    for step in range(1, min(gap[0], int(constants[3])) + 1):
        size = max(float(norm) * math.exp(constants[1] * step), constants[2])
        total += gap[2] * series[gap[1] + step - 1, 1] * math.exp(constants[0] * step) / size
    return total


@inlined
def move_idle_floor_adamax(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """One sum serves all elements whose norm stays above epsilon while their mean fades; the others walk.

    The constants are the logarithms of both decays, epsilon, the steps after which nothing is left to move, and whether
    the sums converge. The second column of `series` records the rate of each step.
    """
    row, mean, norm = state[0][row_id], state[1][row_id], state[2][row_id]
    kind = target.dtype.type
    share, total = kind(gap[3]), kind(gap[2] * series[gap[1], 0])
    floor = kind(constants[2] / math.exp(constants[1] * min(gap[0], constants[3])))
    for column in range(len(target)):
        target[column] = share * row[column] - mean[column] / norm[column] * total
    for column in range(len(target)):
        if constants[4] == 0 or norm[column] < floor:
            walked = walk_to_floor(norm[column], gap, series, constants) if mean[column] != 0 else 0.0
            target[column] = share * row[column] - mean[column] * kind(walked)


@inlined
def decay_floor_adamax(state: Any, row_id: Any, gap: Any, series: Any, constants: Any) -> Any:
    """Both slots fade, the norm down to epsilon."""
    decay_two_slots(state, row_id, gap, series, constants)
    norm = state[2][row_id]
    for column in range(len(norm)):
        norm[column] = max(norm[column], norm.dtype.type(constants[2]))


PYTORCH_RULES = {
    "outer_momentum": RowRule(update_row_outer_momentum, move_idle_outer_momentum, decay_first_slot),
    "outer_nesterov": RowRule(update_row_outer_nesterov, move_idle_outer_momentum, decay_first_slot),
    "outer_adagrad": RowRule(update_row_outer_adagrad),
    "outer_rmsprop": RowRule(update_row_outer_rmsprop, decay_slots=decay_first_slot),
    "outer_rmsprop_momentum": RowRule(update_row_outer_rmsprop_momentum, move_idle_outer_rmsprop, decay_two_slots),
    "outer_rmsprop_centered": RowRule(update_row_outer_rmsprop_centered, decay_slots=decay_two_slots),
    "outer_rmsprop_centered_momentum": RowRule(
        update_row_outer_rmsprop_centered_momentum, move_idle_outer_rmsprop, decay_outer_rmsprop
    ),
    "floor_adamax": RowRule(update_row_floor_adamax, move_idle_floor_adamax, decay_floor_adamax),
}
