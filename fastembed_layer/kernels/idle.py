"""Idle rows: what the dense optimizer would have done to a row while no batch selected it.

A rule has two functions for them. ``move_idle(state, row_id, target, gap, series, constants)`` writes the row as it
is after some steps with gradient 0 to `target`, which may be the row itself; nothing else is written, so a lookup can
use it. ``decay_slots(state, row_id, idle, constants)`` brings the slots up to date afterwards.

`gap` is the tuple (idle steps, entry of the row's last step in `series`, present shrink, share of the row that weight
decay has left). `series` are the sums that the table's clock keeps, `constants` the numbers of the optimizer; both are
float64. The closed forms are derived in the guide, "Exact or lazy?".
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
def combine_rows(row: Any, kept: Any, change: Any, factor: Any, target: Any) -> Any:
    """Write ``kept * row + factor * change``."""
    kind = target.dtype.type
    share, multiple = kind(kept), kind(factor)
    for column in range(len(target)):
        target[column] = share * row[column] + multiple * change[column]


@inlined
def shrink_idle(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """For rules that leave idle rows where they are: only weight decay moves them."""
    row, share = state[0][row_id], target.dtype.type(gap[3])
    for column in range(len(target)):
        target[column] = share * row[column]


@inlined
def keep_slots(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """For rules whose slots stay as they are."""


@inlined
def move_idle_momentum(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The velocity goes on without a gradient; its powers have been summed with a factor for Nesterov's."""
    combine_rows(state[0][row_id], gap[3], state[1][row_id], gap[2] * series[gap[1], 0], target)


@inlined
def decay_first_slot(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """The first slot fades."""
    scale_row(state[1], row_id, power(constants[0], idle, state[1]))


@inlined
def decay_two_slots(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """The first two slots fade, each at its own pace."""
    scale_row(state[1], row_id, power(constants[0], idle, state[1]))
    scale_row(state[2], row_id, power(constants[1], idle, state[2]))


@inlined
def decay_three_slots(state: Any, row_id: Any, idle: Any, constants: Any) -> Any:
    """The first three slots fade, the third at the pace of the first."""
    decay_two_slots(state, row_id, idle, constants)
    scale_row(state[3], row_id, power(constants[0], idle, state[3]))


@inlined
def move_idle_rmsprop_momentum(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The momentum, which is subtracted here, goes on without a gradient."""
    combine_rows(state[0][row_id], gap[3], state[2][row_id], -gap[2] * series[gap[1], 0], target)


@inlined
def move_idle_adam(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """Adam's sum over the idle steps as a polynomial in ``epsilon / (sqrt(v) + epsilon)``, six terms."""
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    kind = target.dtype.type
    sums, scale, share = series[gap[1]], gap[2], kind(gap[3])
    epsilon, one = kind(constants[2]), kind(1)
    term_0, term_1, term_2 = kind(scale * sums[0]), kind(scale * sums[1]), kind(scale * sums[2])
    term_3, term_4, term_5 = kind(scale * sums[3]), kind(scale * sums[4]), kind(scale * sums[5])
    for column in range(len(target)):
        inverse = one / (np.sqrt(variance[column]) + epsilon)
        ratio = epsilon * inverse
        total = term_2 + ratio * (term_3 + ratio * (term_4 + ratio * term_5))
        total = term_0 + ratio * (term_1 + ratio * total)
        target[column] = share * row[column] - mean[column] * inverse * total


@inlined
def move_idle_adam_stepwise(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """Adam step by step, for decays whose sum does not converge; `series` holds what the steps contribute.

    The fourth constant is the number of steps after which nothing is left to move.
    """
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    kind = target.dtype.type
    epsilon, share = kind(constants[2]), kind(gap[3])
    for column in range(len(target)):
        target[column] = share * row[column]
    for step in range(1, min(gap[0], int(constants[3])) + 1):
        push = kind(gap[2] * series[gap[1] + step - 1, 0] * math.exp(constants[0] * step))
        root = kind(math.exp(0.5 * constants[1] * step))
        for column in range(len(target)):
            target[column] -= push * mean[column] / (root * np.sqrt(variance[column]) + epsilon)


@inlined
def move_idle_amsgrad(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The largest second moment stays, so one sum serves all elements."""
    row, mean, largest = state[0][row_id], state[1][row_id], state[3][row_id]
    kind = target.dtype.type
    epsilon, total, share = kind(constants[2]), kind(gap[2] * series[gap[1], 0]), kind(gap[3])
    for column in range(len(target)):
        target[column] = share * row[column] - total * mean[column] / (np.sqrt(largest[column]) + epsilon)
