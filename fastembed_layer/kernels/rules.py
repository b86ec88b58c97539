"""The update rules: what one optimizer does to one row. A new optimizer is one function here and one file above.

Every function has the arguments ``(state, row_id, gradient, scalars)``: `state` is the table followed by its slots,
matrices of one shape, in the order in which the optimizer names them; `scalars` is a tuple of numbers in the table's
type, in the order in which the optimizer lists them. Formulas and sources stand in the optimizers' docstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.update import make_update_dense, make_update_rows


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
def update_row_adagrad(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adagrad, epsilon inside the root."""
    row, accumulator = state[0][row_id], state[1][row_id]
    rate, epsilon = scalars
    for column in range(len(row)):
        accumulator[column] += gradient[column] * gradient[column]
        row[column] -= rate * gradient[column] / np.sqrt(accumulator[column] + epsilon)


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


class Rule(NamedTuple):
    """The two kernels of one update rule."""

    update_rows: Callable[..., Any]
    update_dense: Callable[..., Any]


def _rules(*row_functions: Callable[..., None]) -> dict[str, Rule]:
    return {
        function.__name__.removeprefix("update_row_"): Rule(make_update_rows(function), make_update_dense(function))
        for function in row_functions
    }


RULES = _rules(
    update_row_sgd,
    update_row_momentum,
    update_row_nesterov,
    update_row_adagrad,
    update_row_rmsprop,
    update_row_rmsprop_momentum,
    update_row_rmsprop_centered,
    update_row_rmsprop_centered_momentum,
    update_row_adam,
    update_row_amsgrad,
)
