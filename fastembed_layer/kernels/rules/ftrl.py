"""Ftrl."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.kernels.jit import inlined
from fastembed_layer.kernels.rules.row_rule import RowRule


@inlined
def raise_to(base: Any, power: Any) -> Any:
    """A power; the usual one is a root."""
    return np.sqrt(base) if power == 0.5 else base**power


@inlined
def solve_ftrl(linear: Any, curvature: Any, l1: Any) -> Any:
    """The weight that minimizes Ftrl's sum; 0 without curvature, where there has been no gradient."""
    if curvature == 0:
        return linear - linear
    return (min(max(linear, -l1), l1) - linear) / curvature


@inlined
def update_row_ftrl(state: Any, row_id: Any, gradient: Any, scalars: Any) -> Any:
    """Follow the regularized leader."""
    row, accumulator, linear = state[0][row_id], state[1][row_id], state[2][row_id]
    rate, power, l1, twice_l2, beta, twice_shrinkage = scalars
    for column in range(len(row)):
        part = gradient[column]
        root = raise_to(accumulator[column], power)
        accumulator[column] += part * part
        grown = raise_to(accumulator[column], power)
        linear[column] += part + (twice_shrinkage - (grown - root) / rate) * row[column]
        row[column] = solve_ftrl(linear[column], (grown + beta) / rate + twice_l2, l1)


@inlined
def walk_ftrl(weight: Any, linear: Any, accumulator: Any, gap: Any, series: Any, constants: Any) -> Any:
    """One element after its idle steps: the weight and the linear term, in float64.

    Without shrinkage the linear term stays, and the weight depends on the last rate only; with it, every step counts.
    """
    power, l1, twice_l2, beta, twice_shrinkage = constants
    root = raise_to(accumulator, power)
    for step in range(1 if twice_shrinkage > 0 else gap[0], gap[0] + 1):
        before, after = series[gap[1] + step - 1], series[gap[1] + step]
        rate, decay_factor = before[0] * after[-1], after[-1] / before[-1]
        linear += twice_shrinkage * decay_factor * weight
        weight = solve_ftrl(linear, (root + beta) / rate + twice_l2, l1)
    return weight, linear


@inlined
def move_idle_ftrl(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """Weights follow the rate, and shrinkage."""
    row, accumulator, linear = state[0][row_id], state[1][row_id], state[2][row_id]
    for column in range(len(target)):
        moved = walk_ftrl(row[column], linear[column], accumulator[column], gap, series, constants)
        target[column] = moved[0]


@inlined
def move_linear_ftrl(state: Any, row_id: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The linear term, which only shrinkage changes; each step of it needs the weight's."""
    if constants[4] > 0:
        row, accumulator, linear = state[0][row_id], state[1][row_id], state[2][row_id]
        for column in range(len(row)):
            moved = walk_ftrl(row[column], linear[column], accumulator[column], gap, series, constants)
            linear[column] = moved[1]


FTRL_RULES = {"ftrl": RowRule(update_row_ftrl, move_idle_ftrl, move_linear_ftrl)}
