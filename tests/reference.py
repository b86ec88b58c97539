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


def gather_bags(table: Array, ids: Array, offsets: Array, scales: Array | None = None, combiner: str = "sum") -> Array:
    """The sum of the scaled rows of each bag, for ``mean`` over the sum of scales, for ``sqrtn`` over their norm."""
    bags = np.zeros((len(offsets) - 1, table.shape[1]))
    for bag in range(len(bags)):
        divisor = 0.0
        for position in range(offsets[bag], offsets[bag + 1]):
            scale = 1.0 if scales is None else float(scales[position])
            bags[bag] += scale * table[ids[position]].astype(np.float64)
            divisor += {"sum": 0.0, "mean": scale, "sqrtn": scale**2}[combiner]
        if combiner != "sum":
            divisor = divisor if combiner == "mean" else np.sqrt(divisor)
            bags[bag] = bags[bag] / divisor if divisor != 0 else 0.0
    return bags


def offset_ids(ids: Array, columns: Array, row_offsets: Array) -> Array:
    """The rows of the ids of some columns, sample by sample, where the tables of the columns lie under each other."""
    rows = []
    for sample in ids.tolist():
        rows += [sample[column] + offset for column, offset in zip(columns.tolist(), row_offsets.tolist(), strict=True)]
    return np.array(rows, np.int64)


def offset_bags(values: Array, offsets: Array, row_offsets: Array) -> list[list[int]]:
    """The rows of each bag, sample by sample and within a sample table by table."""
    samples = offsets.shape[1] - 1
    return [
        [int(row_id) + int(row_offset) for row_id in values[table_offsets[sample] : table_offsets[sample + 1]]]
        for sample in range(samples)
        for table_offsets, row_offset in zip(offsets, row_offsets, strict=True)
    ]


def gather_max(
    table: Array, ids: Array, offsets: Array, scales: Array | None = None, combiner: str = "max"
) -> tuple[Array, Array]:
    """The largest or smallest scaled value of each column of each bag, and the first place in the bag that has it."""
    shape = len(offsets) - 1, table.shape[1]
    bags, argmax = np.zeros(shape), np.full(shape, -1)
    for bag, column in np.ndindex(*shape):
        for place, position in enumerate(range(offsets[bag], offsets[bag + 1])):
            value = table[ids[position], column] * (1 if scales is None else scales[position])
            best = bags[bag, column]
            if place == 0 or (value > best if combiner == "max" else value < best):
                bags[bag, column], argmax[bag, column] = value, place
    return bags, argmax


def dot_rows(table: Array, ids: Array, vectors: Array) -> Array:
    """Each row times its vector."""
    return np.array([float(table[row_id].astype(np.float64) @ vectors[p]) for p, row_id in enumerate(ids.tolist())])


def group_gradient(ids: Array) -> list[tuple[int, int]]:
    """Ids with their positions: by id and, within an id, by position."""
    return sorted((row_id, position) for position, row_id in enumerate(ids.tolist()))


def gradient_vectors(
    ids: Array,
    values: Array,
    sources: Array | None = None,
    argmax: Array | None = None,
    places: Array | None = None,
) -> Array:
    """The gradient vector of each position before it is scaled."""
    vectors = np.zeros((len(ids), values.shape[1]))
    for position, column in np.ndindex(*vectors.shape):
        source = position if sources is None else sources[position]
        if argmax is None or places is None or argmax[source, column] == places[position]:
            vectors[position, column] = values[source, column]
    return vectors


def sum_duplicates(
    ids: Array, values: Array, sources: Any = None, scales: Any = None, *won: Any
) -> tuple[Array, Array]:
    """Every id once, ascending, with the sum of its scaled gradient vectors; `won` are argmax and places."""
    vectors = gradient_vectors(ids, values, sources, *won)
    sums: dict[int, Array] = {}
    for row_id, position in group_gradient(ids):
        scale = 1.0 if scales is None else float(scales[position])
        sums[row_id] = sums.get(row_id, 0.0) + scale * vectors[position]
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


def step_adadelta(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``a = rho a + (1 - rho) g^2; D = -sqrt(d + eps) / sqrt(a + eps) g; d = rho d + (1 - rho) D^2; w += lr D``."""
    rho, epsilon = numbers["rho"], numbers["epsilon"]
    slots["accumulated_grad"] = rho * slots["accumulated_grad"] + (1 - rho) * gradient**2
    ratio = np.sqrt(slots["accumulated_delta_var"] + epsilon) / np.sqrt(slots["accumulated_grad"] + epsilon)
    delta = -ratio * gradient
    slots["accumulated_delta_var"] = rho * slots["accumulated_delta_var"] + (1 - rho) * delta**2
    return weights + numbers["learning_rate"] * delta


def step_adamax(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``m += (g - m)(1 - b1); u = max(b2 u, |g|); w -= lr m / ((1 - b1^t)(u + eps))``."""
    beta_1 = numbers["beta_1"]
    slots["momentum"] = beta_1 * slots["momentum"] + (1 - beta_1) * gradient
    slots["norm"] = np.maximum(numbers["beta_2"] * slots["norm"], np.abs(gradient))
    rate = numbers["learning_rate"] / (1 - beta_1**step)
    return weights - rate * slots["momentum"] / (slots["norm"] + numbers["epsilon"])


def step_nadam(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """Dozat's formula: ``u_t = b1 (1 - 0.96^t / 2)``, P their product up to t, and m and v as in Adam.

    ``mh = u_(t+1) m / (1 - P u_(t+1)) + (1 - u_t) g / (1 - P); w -= lr mh / (sqrt(v / (1 - b2^t)) + eps)``.
    """
    beta_1, beta_2 = numbers["beta_1"], numbers["beta_2"]
    momenta = [beta_1 * (1 - 0.5 * 0.96**time) for time in range(1, step + 2)]
    product, product_next = np.prod(momenta[:-1]), np.prod(momenta)
    slots["momentum"] = beta_1 * slots["momentum"] + (1 - beta_1) * gradient
    slots["velocity"] = beta_2 * slots["velocity"] + (1 - beta_2) * gradient**2
    mean = momenta[-1] * slots["momentum"] / (1 - product_next) + (1 - momenta[-2]) * gradient / (1 - product)
    size = np.sqrt(slots["velocity"] / (1 - beta_2**step))
    return weights - numbers["learning_rate"] * mean / (size + numbers["epsilon"])


def step_lion(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``w -= lr sign(b1 m + (1 - b1) g)``, then ``m = b2 m + (1 - b2) g``."""
    beta_1, beta_2, momentum = numbers["beta_1"], numbers["beta_2"], slots["momentum"]
    slots["momentum"] = beta_2 * momentum + (1 - beta_2) * gradient
    return weights - numbers["learning_rate"] * np.sign(beta_1 * momentum + (1 - beta_1) * gradient)


def step_ftrl(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``z += g + 2 s w - (b^-p - a^-p) / lr w``, b = ``a + g^2``; ``w = (clip(z, -l1, l1) - z) / q``.

    ``q = b^-p / lr + 2 (l2 + beta / (2 lr))``; s is the shrinkage and p the power of the learning rate.
    """
    rate, power = numbers["learning_rate"], -numbers["learning_rate_power"]
    before, after = slots["accumulator"], slots["accumulator"] + gradient**2
    shrunk = gradient + 2 * numbers["l2_shrinkage_regularization_strength"] * weights
    linear = slots["linear"] + shrunk - (after**power - before**power) / rate * weights
    l1, l2 = numbers["l1_regularization_strength"], numbers["l2_regularization_strength"]
    slots["accumulator"], slots["linear"] = after, linear
    return (np.clip(linear, -l1, l1) - linear) / (after**power / rate + 2 * (l2 + numbers["beta"] / (2 * rate)))


def step_rowwise_adagrad(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``h += mean(g^2)`` over a row; ``w -= lr g / (sqrt(h) + eps)``."""
    slots["accumulator"] = slots["accumulator"] + np.mean(gradient**2, axis=-1, keepdims=True)
    return weights - numbers["learning_rate"] * gradient / (np.sqrt(slots["accumulator"]) + numbers["epsilon"])


def adam_direction(slots: Slots, gradient: Array, square: Array, numbers: Numbers, step: int) -> Array:
    """``mh / (sqrt(vh) + eps)``, mh and vh Adam's averages of gradient and square, corrected for their start."""
    beta_1, beta_2 = numbers["beta_1"], numbers["beta_2"]
    slots["momentum"] = beta_1 * slots["momentum"] + (1 - beta_1) * gradient
    slots["velocity"] = beta_2 * slots["velocity"] + (1 - beta_2) * square
    size = np.sqrt(slots["velocity"] / (1 - beta_2**step))
    return slots["momentum"] / (1 - beta_1**step) / (size + numbers["epsilon"])


def step_rowwise_adam(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """Adam's direction with the mean square of a row's gradient."""
    square = np.mean(gradient**2, axis=-1, keepdims=True)
    return weights - numbers["learning_rate"] * adam_direction(slots, gradient, square, numbers, step)


def step_rowwise_lamb(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """Adam's direction u times ``|w| / |u|`` of the row; 1 where one of both is 0."""
    direction = adam_direction(slots, gradient, gradient**2, numbers, step)
    of_row, of_direction = (np.linalg.norm(part, axis=-1, keepdims=True) for part in (weights, direction))
    usable = (of_row > 0) & (of_direction > 0)
    ratio = np.where(usable, of_row, 1.0) / np.where(usable, of_direction, 1.0)
    return weights - numbers["learning_rate"] * ratio * direction


def step_outer_sgd(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``b = mu b + (1 - dampening) g; w -= lr b``, Nesterov's ``w -= lr (g + mu b)``; nothing is damped at first."""
    share = 1 if step == 1 else 1 - numbers["dampening"]
    slots["momentum_buffer"] = moved = numbers["momentum"] * slots["momentum_buffer"] + share * gradient
    if numbers["nesterov"]:
        moved = gradient + numbers["momentum"] * moved
    return weights - numbers["learning_rate"] * moved


def step_outer_adagrad(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``a += g^2; w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(a) + eps)``."""
    rate = numbers["learning_rate"] / (1 + (step - 1) * numbers["lr_decay"])
    slots["sum"] = slots["sum"] + gradient**2
    return weights - rate * gradient / (np.sqrt(slots["sum"]) + numbers["eps"])


def step_outer_rmsprop(weights: Array, slots: Slots, gradient: Array, numbers: Numbers, step: int) -> Array:
    """``v = rho v + (1 - rho) g^2; w -= lr g / (sqrt(v) + eps)``; the slots tell the centered and momentum forms."""
    rho = numbers["alpha"]
    slots["square_avg"] = variance = rho * slots["square_avg"] + (1 - rho) * gradient**2
    if "grad_avg" in slots:
        slots["grad_avg"] = rho * slots["grad_avg"] + (1 - rho) * gradient
        variance = variance - slots["grad_avg"] ** 2
    moved = gradient / (np.sqrt(variance) + numbers["eps"])
    if "momentum_buffer" in slots:
        slots["momentum_buffer"] = moved = numbers["momentum"] * slots["momentum_buffer"] + moved
    return weights - numbers["learning_rate"] * moved


def step_floor_adamax(weights: Array, slots: Slots, gradient: Array, numbers: Any, step: int) -> Array:
    """``m += (g - m)(1 - b1); u = max(b2 u, |g| + eps); w -= lr m / ((1 - b1^t) u)``."""
    beta_1, beta_2 = numbers["betas"]
    slots["exp_avg"] = beta_1 * slots["exp_avg"] + (1 - beta_1) * gradient
    slots["exp_inf"] = np.maximum(beta_2 * slots["exp_inf"], np.abs(gradient) + numbers["eps"])
    return weights - numbers["learning_rate"] / (1 - beta_1**step) * slots["exp_avg"] / slots["exp_inf"]


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
    "adadelta": step_adadelta,
    "adamax": step_adamax,
    "nadam": step_nadam,
    "lion": step_lion,
    "ftrl": step_ftrl,
    "rowwise_adagrad": step_rowwise_adagrad,
    "rowwise_adam": step_rowwise_adam,
    "rowwise_lamb": step_rowwise_lamb,
    "outer_momentum": step_outer_sgd,
    "outer_nesterov": step_outer_sgd,
    "outer_adagrad": step_outer_adagrad,
    "outer_rmsprop": step_outer_rmsprop,
    "outer_rmsprop_momentum": step_outer_rmsprop,
    "outer_rmsprop_centered": step_outer_rmsprop,
    "outer_rmsprop_centered_momentum": step_outer_rmsprop,
    "floor_adamax": step_floor_adamax,
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


def find_locations(tags: Array, ids: Array) -> list[int]:
    """For each id the place whose tag it is, or -1 less its set: the upper half of a product, times the sets."""
    sets, flat = len(tags), tags.reshape(-1).tolist()
    own = [(int(row_id) * 0x9E3779B97F4A7C15 % 2**64 // 2**32) * sets // 2**32 for row_id in ids]
    return [flat.index(row_id) if row_id in flat else -1 - place for row_id, place in zip(ids, own, strict=True)]
