"""Idle rows: what the dense optimizer would have done to a row while no batch selected it.

A rule has two functions for them. ``move_idle(state, row_id, target, idle, series, first, constants)`` writes the row
as it is after `idle` steps with gradient 0 to `target`, which may be the row itself; nothing else is written, so a
lookup can use it. ``decay_slots(state, row_id, idle, constants)`` brings the slots up to date afterwards. `series` are
the sums that the table's clock keeps, `first` is the entry of the row's last step, and `constants` are the numbers of
the optimizer; both are float64. The closed forms are derived in the guide, "Exact or lazy?".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.kernels.jit import inlined


@inlined
def power(log_base: Any, idle: Any, like: Any) -> Any:
    """``base ** idle`` in the type of an array, from the base's logarithm."""
    return like.dtype.type(math.exp(log_base * idle))


@inlined
def scale_row(matrix: Any, row_id: Any, factor: Any) -> Any:
    """Multiply one row."""
    row = matrix[row_id]
    for column in range(len(row)):
        row[column] *= factor


@inlined
def add_scaled_row(row: Any, change: Any, factor: Any, target: Any) -> Any:
    """Write ``row + factor * change``."""
    for column in range(len(target)):
        target[column] = row[column] + factor * change[column]


@inlined
def geometric_sum(momentum: Any, idle: Any) -> Any:
    """``momentum + momentum^2 + ... + momentum^idle``."""
    if momentum >= 1.0:
        return float(idle)
    return momentum * (1.0 - math.exp(math.log(momentum) * idle)) / (1.0 - momentum)


@inlined
def stay(state: Any, row_id: Any, target: Any, idle: Any, series: Any, first: Any, constants: Any) -> Any:
    """For rules that leave idle rows where they are; `target` is the row itself then."""


@inlined
def move_idle_momentum(state: Any, row_id: Any, target: Any, idle: Any, series: Any, first: Any, constants: Any) -> Any:
    """The velocity goes on without a gradient."""
    factor = target.dtype.type(geometric_sum(constants[0], idle))
    add_scaled_row(state[0][row_id], state[1][row_id], factor, target)


@inlined
def move_idle_nesterov(state: Any, row_id: Any, target: Any, idle: Any, series: Any, first: Any, constants: Any) -> Any:
    """The velocity goes on without a gradient, one step ahead."""
    factor = target.dtype.type(constants[0] * geometric_sum(constants[0], idle))
    add_scaled_row(state[0][row_id], state[1][row_id], factor, target)


@inlined
def decay_slots_momentum(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """The velocity fades."""
    scale_row(state[1], row_id, power(math.log(constants[0]), idle, state[1]))


@inlined
def decay_slots_rmsprop(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """The average of the squares fades."""
    scale_row(state[1], row_id, power(constants[0], idle, state[1]))


@inlined
def decay_slots_rmsprop_centered(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """Both averages fade."""
    factor = power(constants[0], idle, state[1])
    scale_row(state[1], row_id, factor)
    scale_row(state[2], row_id, factor)


@inlined
def move_idle_rmsprop_momentum(
    state: Any, row_id: Any, target: Any, idle: Any, series: Any, first: Any, constants: Any
) -> Any:
    """The momentum goes on without a gradient."""
    factor = target.dtype.type(-geometric_sum(constants[1], idle))
    add_scaled_row(state[0][row_id], state[2][row_id], factor, target)


@inlined
def decay_slots_rmsprop_momentum(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """The average of the squares and the momentum fade."""
    scale_row(state[1], row_id, power(constants[0], idle, state[1]))
    scale_row(state[2], row_id, power(math.log(constants[1]), idle, state[2]))


@inlined
def decay_slots_rmsprop_centered_momentum(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """Both averages and the momentum fade."""
    decay_slots_rmsprop_momentum(state, row_id, idle, constants)
    scale_row(state[3], row_id, power(constants[0], idle, state[3]))


@inlined
def move_idle_adam(state: Any, row_id: Any, target: Any, idle: Any, series: Any, first: Any, constants: Any) -> Any:
    """Adam's sum over the idle steps as a polynomial in ``epsilon / (sqrt(v) + epsilon)``, six terms."""
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    kind = target.dtype.type
    epsilon, one = kind(constants[2]), kind(1)
    term_0, term_1, term_2 = kind(series[first, 0]), kind(series[first, 1]), kind(series[first, 2])
    term_3, term_4, term_5 = kind(series[first, 3]), kind(series[first, 4]), kind(series[first, 5])
    for column in range(len(target)):
        inverse = one / (np.sqrt(variance[column]) + epsilon)
        ratio = epsilon * inverse
        total = term_2 + ratio * (term_3 + ratio * (term_4 + ratio * term_5))
        total = term_0 + ratio * (term_1 + ratio * total)
        target[column] = row[column] - mean[column] * inverse * total


@inlined
def move_idle_adam_stepwise(
    state: Any, row_id: Any, target: Any, idle: Any, series: Any, first: Any, constants: Any
) -> Any:
    """Adam step by step, for decays whose series does not converge; `series` holds the rates of the steps.

    The fourth constant is the number of steps after which nothing is left to move.
    """
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    kind = target.dtype.type
    epsilon = kind(constants[2])
    target[:] = row
    for step in range(1, min(idle, int(constants[3])) + 1):
        push = kind(series[first + step - 1, 0] * math.exp(constants[0] * step))
        root = kind(math.exp(0.5 * constants[1] * step))
        for column in range(len(target)):
            target[column] -= push * mean[column] / (root * np.sqrt(variance[column]) + epsilon)


@inlined
def decay_slots_adam(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """Both averages fade."""
    scale_row(state[1], row_id, power(constants[0], idle, state[1]))
    scale_row(state[2], row_id, power(constants[1], idle, state[2]))


@inlined
def move_idle_amsgrad(state: Any, row_id: Any, target: Any, idle: Any, series: Any, first: Any, constants: Any) -> Any:
    """The largest second moment stays, so one sum serves all elements."""
    row, mean, largest = state[0][row_id], state[1][row_id], state[3][row_id]
    epsilon, total = target.dtype.type(constants[2]), target.dtype.type(series[first, 0])
    for column in range(len(target)):
        target[column] = row[column] - total * mean[column] / (np.sqrt(largest[column]) + epsilon)
