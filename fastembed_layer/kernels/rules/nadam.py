"""Nadam, and Adam with one second moment per row: epsilon is added to a root that is corrected for its start."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import (
    combine_rows,
    decay_two_slots,
    evaluate_terms,
    mean_square,
    present_terms,
    recorded_step,
    walk_idle_steps,
)
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule

HALF = 6  # terms of each half of a polynomial


@inlined
def update_row_nadam(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adam with Nesterov's momentum; the corrections are part of both rates and of epsilon."""
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    mean_rate, gradient_rate, one_less_beta_1, one_less_beta_2, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        mean[column] += (part - mean[column]) * one_less_beta_1
        variance[column] += (part * part - variance[column]) * one_less_beta_2
        push = mean_rate * mean[column] + gradient_rate * part
        row[column] -= push / (np.sqrt(variance[column]) + epsilon)


@inlined
def update_row_rowwise_adam(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adam with the mean square of a row's gradient; the corrections are part of the rate and of epsilon."""
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, one_less_beta_1, one_less_beta_2, epsilon = scalars
    variance[0] += (mean_square(gradient) - variance[0]) * one_less_beta_2
    rate /= np.sqrt(variance[0]) + epsilon
    for column in range(len(row)):
        mean[column] += (gradient[column] - mean[column]) * one_less_beta_1
        row[column] -= rate * mean[column]


@inlined
def move_idle_nadam(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The recorded steps one by one; the sum of the others as a polynomial in ``2 u - 1``.

    The sixth constant is the reference of ``u = reference / (sqrt(v) + reference)``.
    """
    walk_idle_steps(state, row_id, target, gap, series, constants)
    mean, variance, kind = state[1][row_id], state[2][row_id], target.dtype.type
    reference, one = kind(constants[5]), kind(1)
    lower = present_terms(series[gap[1]], 0, gap[2], target)
    upper = present_terms(series[gap[1]], HALF, gap[2], target)
    for column in range(len(target)):
        inverse = one / (np.sqrt(variance[column]) + reference)
        ratio = reference * inverse
        point = ratio + ratio - one
        cube = point * point * point
        total = evaluate_terms(lower, point) + cube * cube * evaluate_terms(upper, point)
        target[column] -= mean[column] * inverse * total


@inlined
def move_idle_rowwise_adam(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The same, but all elements of a row move by one multiple of the mean gradient."""
    size, total = math.sqrt(state[2][row_id, 0]), 0.0
    for step in range(1, min(gap[0], int(constants[4])) + 1):
        rate, fade, epsilon_factor = recorded_step(gap, step, series, constants)
        if epsilon_factor == 0:
            break
        total += rate / (fade * size + constants[2] * epsilon_factor)
    point, polynomial = 2 * constants[5] / (size + constants[5]) - 1, 0.0
    for term in range(2 * HALF - 1, -1, -1):
        polynomial = series[gap[1], term] + point * polynomial
    total += gap[2] * polynomial / (size + constants[5])
    combine_rows(state[0][row_id], gap[3], state[1][row_id], -total, target)


NADAM_RULES = {
    "nadam": RowRule(update_row_nadam, move_idle_nadam, decay_two_slots),
    "rowwise_adam": RowRule(update_row_rowwise_adam, move_idle_rowwise_adam, decay_two_slots),
}
