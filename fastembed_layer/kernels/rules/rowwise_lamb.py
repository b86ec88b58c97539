"""Lamb with a trust ratio per row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import decay_two_slots, power
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def square_norms(row: Any, mean: Any, variance: Any, rate: Any, fade: Any, epsilon: Any) -> Any:
    """Squared norms of a row and of Adam's direction, in float64, where squares of small numbers are not lost."""
    of_row = of_direction = 0.0
    for column in range(len(row)):
        direction = float(rate * mean[column] / (fade * np.sqrt(variance[column]) + epsilon))
        of_row += float(row[column]) * float(row[column])
        of_direction += direction * direction
    return of_row, of_direction


@inlined
def take_step(row: Any, mean: Any, variance: Any, rate: Any, fade: Any, epsilon: Any, length: Any) -> Any:
    """Subtract `length`, in float64, times Adam's direction."""
    for column in range(len(row)):
        row[column] -= length * (rate * mean[column] / (fade * np.sqrt(variance[column]) + epsilon))


@inlined
def scale_vector(vector: Any, factor: Any) -> Any:
    """Multiply every element."""
    for column in range(len(vector)):
        vector[column] *= factor


@inlined
def trust_ratio(of_row: Any, of_direction: Any) -> Any:
    """Norm of the row by norm of the direction; 1 where either is 0."""
    return math.sqrt(of_row / of_direction) if of_row > 0 and of_direction > 0 else 1.0


@inlined
def update_row_rowwise_lamb(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adam's direction at the length of the row; the corrections are part of its rate and of epsilon."""
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    learning_rate, rate, one_less_beta_1, one_less_beta_2, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        mean[column] += (part - mean[column]) * one_less_beta_1
        variance[column] += (part * part - variance[column]) * one_less_beta_2
    fade = state[0].dtype.type(1)
    norms = square_norms(row, mean, variance, rate, fade, epsilon)
    length = float(learning_rate) * trust_ratio(norms[0], norms[1])
    take_step(row, mean, variance, rate, fade, epsilon, length)


@inlined
def move_idle_rowwise_lamb(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """Step by step, as each length depends on the row: until the type of the table has nothing left of the mean.

    Each step has recorded its learning rate, the rate of Adam's direction, and the factor of epsilon.
    """
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    for column in range(len(target)):
        target[column] = row[column]
    shrink = gap[2] / gap[3]
    for step in range(1, gap[0] + 1):
        record, present = series[gap[1] + step - 1], series[gap[1] + step, -1]
        rate, fade = record[1] * present * math.exp(constants[0] * step), math.exp(0.5 * constants[1] * step)
        epsilon, decay_factor = constants[2] * record[2] * present, present / shrink
        norms = square_norms(target, mean, variance, rate, fade, epsilon)
        if norms[1] == 0 or power(constants[0], step, target) == 0:
            break
        scale_vector(target, decay_factor)
        length = record[0] * present * trust_ratio(norms[0] * decay_factor * decay_factor, norms[1])
        take_step(target, mean, variance, rate, fade, epsilon, length)
        shrink = present
    scale_vector(target, gap[2] / shrink)


ROWWISE_LAMB_RULES = {
    "rowwise_lamb": RowRule(update_row_rowwise_lamb, move_idle_rowwise_lamb, decay_two_slots),
}
