"""Idle rows: what the dense optimizer would have done to a row while no batch selected it.

A rule has two functions for them. ``move_idle(state, row_id, target, gap, series, constants)`` writes the row as it
is after some steps with gradient 0 to `target`, which is never the row itself; nothing else is written, so a lookup can
use it. ``decay_slots(state, row_id, gap, series, constants)`` brings the slots up to date; the row is then still as it
was.

`gap` is the tuple (idle steps, entry of the row's last step in `series`, present shrink, share of the row that weight
decay has left). `series` are the sums that the table's clock keeps, `constants` the numbers of the optimizer; both are
float64. The closed forms are derived in the guide, "Exact or lazy?".

Here stands what several rules share; the rules themselves are in the folder ``rules``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.kernels.jit import inlined

BLOCK = 4  # sums that grow side by side: one sum alone waits for itself


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
def take_share(start: Any, factors: Any, row_id: Any, target: Any) -> Any:
    """Let a row with a rate of its own go that share of the way from `start` to `target`."""
    if factors is not None:
        factor = factors[row_id]
        if factor != 1:
            for column in range(len(target)):
                target[column] = start[column] + factor * (target[column] - start[column])


@inlined
def copy_row(row: Any, target: Any) -> Any:
    """Write a row to `target`."""
    for column in range(len(target)):
        target[column] = row[column]


@inlined
def mean_square(vector: Any) -> Any:
    """Mean of the squares of a vector, in its type."""
    kind = vector.dtype.type
    size = len(vector)
    whole = size - size % BLOCK
    first = second = third = fourth = kind(0)
    for column in range(0, whole, BLOCK):
        first += vector[column] * vector[column]
        second += vector[column + 1] * vector[column + 1]
        third += vector[column + 2] * vector[column + 2]
        fourth += vector[column + 3] * vector[column + 3]
    for column in range(whole, size):
        first += vector[column] * vector[column]
    return ((first + second) + (third + fourth)) / kind(size)


@inlined
def shrink_idle(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """For rules that leave idle rows where they are: only weight decay moves them."""
    row, share = state[0][row_id], target.dtype.type(gap[3])
    for column in range(len(target)):
        target[column] = share * row[column]


@inlined
def keep_slots(state: Any, row_id: Any, gap: Any, series: Any, constants: Any) -> Any:
    """For rules whose slots stay as they are."""


@inlined
def decay_first_slot(state: Any, row_id: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The first slot fades."""
    scale_row(state[1], row_id, power(constants[0], gap[0], state[1]))


@inlined
def decay_two_slots(state: Any, row_id: Any, gap: Any, series: Any, constants: Any) -> Any:
    """The first two slots fade, each at its own pace."""
    scale_row(state[1], row_id, power(constants[0], gap[0], state[1]))
    scale_row(state[2], row_id, power(constants[1], gap[0], state[2]))


@inlined
def present_terms(sums: Any, first: Any, scale: Any, like: Any) -> Any:
    """Six coefficients of a polynomial from the sums of an entry, in the type of an array."""
    kind = like.dtype.type
    return (
        kind(scale * sums[first]), kind(scale * sums[first + 1]), kind(scale * sums[first + 2]),
        kind(scale * sums[first + 3]), kind(scale * sums[first + 4]), kind(scale * sums[first + 5]),
    )  # fmt: skip


@inlined
def evaluate_terms(terms: Any, point: Any) -> Any:
    """The polynomial of `present_terms` at one point."""
    upper = terms[2] + point * (terms[3] + point * (terms[4] + point * terms[5]))
    return terms[0] + point * (terms[1] + point * upper)


@inlined
def recorded_step(gap: Any, step: Any, series: Any, constants: Any) -> Any:
    """Rate, fading and epsilon of one idle step that is recorded instead of summed; epsilon's factor is 0 for others.

    The record stands in the last columns before the shrink. The constants are the logarithms of both decays, epsilon,
    the power that turns the second slot into a size (a half, or one for a norm), and the number of steps after which
    nothing is left to move.
    """
    record, after = series[gap[1] + step - 1], series[gap[1] + step]
    rate = gap[2] * record[-3] * math.exp(constants[0] * step)
    return rate, math.exp(constants[3] * constants[1] * step), record[-2] * after[-1]


@inlined
def walk_idle_steps(state: Any, row_id: Any, target: Any, gap: Any, series: Any, constants: Any) -> Any:
    """Adam and its kin step by step, for as many steps as are recorded."""
    row, mean, moment = state[0][row_id], state[1][row_id], state[2][row_id]
    kind = target.dtype.type
    share = kind(gap[3])
    for column in range(len(target)):
        target[column] = share * row[column]
    for step in range(1, min(gap[0], int(constants[4])) + 1):
        record = recorded_step(gap, step, series, constants)
        if record[2] == 0:
            break
        rate, fade, epsilon = kind(record[0]), kind(record[1]), kind(constants[2] * record[2])
        if constants[3] == 1:
            for column in range(len(target)):
                target[column] -= rate * mean[column] / (fade * moment[column] + epsilon)
        else:
            for column in range(len(target)):
                target[column] -= rate * mean[column] / (fade * np.sqrt(moment[column]) + epsilon)
