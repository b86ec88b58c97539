"""Adadelta."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import decay_two_slots
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def update_row_adadelta(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Adadelta: the sizes of the gradients and of the steps themselves set the rate."""
    row, gradients, steps = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, rho, one_less_rho, epsilon = scalars
    for column in range(len(row)):
        part = gradient[column]
        gradients[column] = rho * gradients[column] + one_less_rho * part * part
        step = part * np.sqrt(steps[column] + epsilon) / np.sqrt(gradients[column] + epsilon)
        steps[column] = rho * steps[column] + one_less_rho * step * step
        row[column] -= rate * step


ADADELTA_RULES = {"adadelta": RowRule(update_row_adadelta, decay_slots=decay_two_slots)}
