"""Adam, AMSGrad and Adamax."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import decay_two_slots, evaluate_terms, present_terms, walk_idle_steps
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def update_row_adam(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adam; the bias corrections are part of the rate."""
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, one_less_beta_1, one_less_beta_2, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        mean[column] += (part - mean[column]) * one_less_beta_1
        variance[column] += (part * part - variance[column]) * one_less_beta_2
        row[column] -= rate * mean[column] / (np.sqrt(variance[column]) + epsilon)


@inlined
def update_row_amsgrad(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adam with the largest variance seen so far."""
    row, mean, variance, largest = state[0][row_id], state[1][row_id], state[2][row_id], state[3][row_id]
    rate, one_less_beta_1, one_less_beta_2, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        mean[column] += (part - mean[column]) * one_less_beta_1
        variance[column] += (part * part - variance[column]) * one_less_beta_2
        largest[column] = max(largest[column], variance[column])
        row[column] -= rate * mean[column] / (np.sqrt(largest[column]) + epsilon)


@inlined
def update_row_adamax(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adam with the largest faded gradient in place of the second moment."""
    row, mean, norm = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, one_less_beta_1, beta_2, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        mean[column] += (part - mean[column]) * one_less_beta_1
        norm[column] = max(beta_2 * norm[column], abs(part))
        row[column] -= rate * mean[column] / (norm[column] + epsilon)


@inlined
def move_idle_adam(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """Adam's sum over the idle steps as a polynomial in ``epsilon / (sqrt(v) + epsilon)``."""
    row, mean, variance = state[0][row_id], state[1][row_id], state[2][row_id]
    kind = target.dtype.type
    epsilon, one, share = kind(constants[2]), kind(1), kind(gap[3])
    terms = present_terms(series[gap[1]], 0, gap[2], target)
    for column in range(len(target)):
        inverse = one / (np.sqrt(variance[column]) + epsilon)
        total = evaluate_terms(terms, epsilon * inverse)
        target[column] = share * row[column] - mean[column] * inverse * total


@inlined
def move_idle_adamax(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The same with the norm in place of the root."""
    row, mean, norm = state[0][row_id], state[1][row_id], state[2][row_id]
    kind = target.dtype.type
    epsilon, one, share = kind(constants[2]), kind(1), kind(gap[3])
    terms = present_terms(series[gap[1]], 0, gap[2], target)
    for column in range(len(target)):
        inverse = one / (norm[column] + epsilon)
        total = evaluate_terms(terms, epsilon * inverse)
        target[column] = share * row[column] - mean[column] * inverse * total


@inlined
def move_idle_amsgrad(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The largest second moment stays, so one sum serves all elements."""
    row, mean, largest = state[0][row_id], state[1][row_id], state[3][row_id]
    kind = target.dtype.type
    epsilon, total, share = kind(constants[2]), kind(gap[2] * series[gap[1], 0]), kind(gap[3])
    for column in range(len(target)):
        target[column] = share * row[column] - total * mean[column] / (np.sqrt(largest[column]) + epsilon)


ADAM_RULES = {
    "adam": RowRule(update_row_adam, move_idle_adam, decay_two_slots),
    "adam_stepwise": RowRule(update_row_adam, walk_idle_steps, decay_two_slots),
    "amsgrad": RowRule(update_row_amsgrad, move_idle_amsgrad, decay_two_slots),
    "adamax": RowRule(update_row_adamax, move_idle_adamax, decay_two_slots),
    "adamax_stepwise": RowRule(update_row_adamax, walk_idle_steps, decay_two_slots),
}
