"""The judges: a slow, obvious float64 version of every operation of the backends' contract.

They are written from the formulas, one id and one position after the other, and import nothing of the package. Slots
go by their Keras names, and numbers by the names of the optimizers' arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Slots = dict[str, Array]
Numbers = Mapping[str, float]
Step = Callable[[Array, Slots, Array, Numbers, int], Array]


def gather_rows(table: Array, ids: Array) -> Array:
    """The row of each id."""
    rows = np.zeros((len(ids), table.shape[1]))
    for position, row_id in enumerate(ids.tolist()):
        rows[position] = table[row_id]
    return rows


def gather_bags(table: Array, ids: Array, offsets: Array, scales: Array | None = None) -> Array:
    """The sum of the scaled rows of each bag."""
    bags = np.zeros((len(offsets) - 1, table.shape[1]))
    for bag in range(len(bags)):
        for position in range(offsets[bag], offsets[bag + 1]):
            scale = 1.0 if scales is None else float(scales[position])
            bags[bag] += scale * table[ids[position]].astype(np.float64)
    return bags


def group_gradient(ids: Array) -> list[tuple[int, int]]:
    """Ids with their positions: by id and, within an id, by position."""
    return sorted((row_id, position) for position, row_id in enumerate(ids.tolist()))


def sum_duplicates(
    ids: Array, values: Array, sources: Array | None = None, scales: Array | None = None
) -> tuple[Array, Array]:
    """Every id once, ascending, with the sum of its scaled gradient vectors."""
    sums: dict[int, Array] = {}
    for row_id, position in group_gradient(ids):
        vector = values[position if sources is None else sources[position]].astype(np.float64)
        scale = 1.0 if scales is None else float(scales[position])
        sums[row_id] = sums.get(row_id, 0.0) + scale * vector
    width = values.shape[1]
    return np.array(list(sums), np.int64), np.array(list(sums.values())).reshape(len(sums), width)


def step_sgd(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``w -= lr g``."""
    return weights - numbers["learning_rate"] * gradient


def step_momentum(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``m = mu m - lr g; w += m``."""
    slots["momentum"] = numbers["momentum"] * slots["momentum"] - numbers["learning_rate"] * gradient
    return weights + slots["momentum"]


def step_nesterov(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``m = mu m - lr g; w += mu m - lr g``, with the new m."""
    step_momentum(weights, slots, gradient, numbers, step)
    return weights + numbers["momentum"] * slots["momentum"] - numbers["learning_rate"] * gradient


def step_adagrad(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``a += g^2; w -= lr g / sqrt(a + eps)``."""
    slots["accumulator"] = slots["accumulator"] + gradient**2
    return weights - numbers["learning_rate"] * gradient / np.sqrt(slots["accumulator"] + numbers["epsilon"])


def step_rmsprop(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + eps)``; the slots tell the centered and momentum forms."""
    rho = numbers["rho"]
    slots["velocity"] = rho * slots["velocity"] + (1 - rho) * gradient**2
    denominator = slots["velocity"] + numbers["epsilon"]
    if "average" in slots:
        slots["average"] = rho * slots["average"] + (1 - rho) * gradient
        denominator = denominator - slots["average"] ** 2
    increment = numbers["learning_rate"] * gradient / np.sqrt(denominator)
    if "momentum" in slots:
        slots["momentum"] = increment = numbers["momentum"] * slots["momentum"] + increment
    return weights - increment


def step_adam(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)``; a slot ``velocity_hat`` tells AMSGrad."""
    beta_1, beta_2 = numbers["beta_1"], numbers["beta_2"]
    rate = numbers["learning_rate"] * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    slots["momentum"] = beta_1 * slots["momentum"] + (1 - beta_1) * gradient
    slots["velocity"] = beta_2 * slots["velocity"] + (1 - beta_2) * gradient**2
    size = slots["velocity"]
    if "velocity_hat" in slots:
        slots["velocity_hat"] = size = np.maximum(slots["velocity_hat"], size)
    return weights - rate * slots["momentum"] / (np.sqrt(size) + numbers["epsilon"])


STEPS: dict[str, Step] = {
    "sgd": step_sgd,
    "momentum": step_momentum,
    "nesterov": step_nesterov,
    "adagrad": step_adagrad,
    "rmsprop": step_rmsprop,
    "rmsprop_momentum": step_rmsprop,
    "rmsprop_centered": step_rmsprop,
    "rmsprop_centered_momentum": step_rmsprop,
    "adam": step_adam,
    "amsgrad": step_adam,
}


def update_dense(
    rule: str, weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int
) -> tuple[Array, Slots]:
    """One step of every element, after the weights' decay ``w -= lr wd w``; the arguments stay as they are."""
    after = {name: slot.astype(np.float64) for name, slot in slots.items()}
    decayed = weights.astype(np.float64) * (1 - numbers["learning_rate"] * numbers.get("weight_decay", 0.0))
    return STEPS[rule](decayed, after, gradient.astype(np.float64), numbers, step), after


def update_rows(
    rule: str, table: Array, slots: Slots, summed: tuple[Array, Array], numbers: Numbers, step: int
) -> tuple[Array, Slots]:
    """One step of the rows of a summed gradient; all other rows, and the arguments, stay as they are."""
    weights = table.astype(np.float64)
    after = {name: slot.astype(np.float64) for name, slot in slots.items()}
    for row_id, gradient in zip(*summed, strict=True):
        row_slots = {name: slot[row_id] for name, slot in after.items()}
        weights[row_id], row_slots = update_dense(rule, weights[row_id], row_slots, gradient, numbers, step)
        for name, slot in row_slots.items():
            after[name][row_id] = slot
    return weights, after


def assert_close(actual: Array, expected: Array, tolerance: float) -> None:
    """Check that no element is off by more than `tolerance`, relative to elements above 1."""
    assert actual.shape == expected.shape, f"shapes differ: {actual.shape}, {expected.shape}"
    excess = np.abs(actual - expected) / (1 + np.abs(expected))
    assert not np.isnan(excess).any(), "an element is not a number"
    assert excess.max(initial=0.0) <= tolerance, f"off by {excess.max()}, more than {tolerance}"


def assert_same_bits(actual: Array, expected: Array) -> None:
    """Check that two arrays hold the same bytes: -0.0 is not 0.0 here, and a NaN equals its twin."""
    assert actual.dtype == expected.dtype, f"types differ: {actual.dtype}, {expected.dtype}"
    assert actual.shape == expected.shape, f"shapes differ: {actual.shape}, {expected.shape}"
    assert actual.tobytes() == expected.tobytes(), "bytes differ"
