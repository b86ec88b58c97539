"""Nadam, and Adam with one second moment per row: epsilon is added to a root that is corrected for its start."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import decay_two_slots, evaluate_terms, mean_square, present_terms, walk_idle_steps
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
        place = ratio + ratio - one
        cube = place * place * place
        total = evaluate_terms(lower, place) + cube * cube * evaluate_terms(upper, place)
        target[column] -= mean[column] * inverse * total


@inlined
def move_idle_rowwise_adam(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The same, but the polynomial has one value per row."""
    walk_idle_steps(state, row_id, target, gap, series, constants)
    mean, sums, kind = state[1][row_id], series[gap[1]], target.dtype.type
    inverse = 1 / (math.sqrt(state[2][row_id, 0]) + constants[5])
    place = 2 * constants[5] * inverse - 1
    total = 0.0
    for term in range(2 * HALF - 1, -1, -1):
        total = sums[term] + place * total
    push = kind(gap[2] * inverse * total)
    for column in range(len(target)):
        target[column] -= push * mean[column]


NADAM_RULES = {
    "nadam": RowRule(update_row_nadam, move_idle_nadam, decay_two_slots),
    "rowwise_adam": RowRule(update_row_rowwise_adam, move_idle_rowwise_adam, decay_two_slots),
}
