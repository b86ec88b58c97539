"""Lion."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.kernels.idle import decay_first_slot
from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def update_row_lion(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Lion: steps of one size, in the direction of the sign."""
    row, momentum = state[0][row_id], state[1][row_id]
    rate, beta_1, one_less_beta_1, beta_2, one_less_beta_2 = scalars
    for column in range(len(row)):
        part = gradient[column]
        row[column] -= rate * np.sign(beta_1 * momentum[column] + one_less_beta_1 * part)
        momentum[column] = beta_2 * momentum[column] + one_less_beta_2 * part


@inlined
def move_idle_lion(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The momentum keeps its sign, for as many steps as the second constant says; `series` is a running total."""
    row, momentum = state[0][row_id], state[1][row_id]
    kind = target.dtype.type
    end = gap[1] + min(gap[0], int(constants[1]))
    share, path = kind(gap[3]), kind(gap[2] * (series[end, 0] - series[gap[1], 0]))
    for column in range(len(target)):
        target[column] = share * row[column] - path * np.sign(momentum[column])


LION_RULES = {"lion": RowRule(update_row_lion, move_idle_lion, decay_first_slot)}
