"""Whole trainings by the formulas of `reference`, row by row in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import reference
from keras_vectors import run_touched_rows

from fastembed_layer.optimizers import Optimizer

UNTOUCHED = [0, 7, 8]


def first_slots(optimizer: Optimizer, shape: tuple[int, int]) -> dict[str, np.ndarray[Any, Any]]:
    """The slots of a table before the first step."""
    row_wise = optimizer.row_wise_slots
    return {
        name: np.full((shape[0], 1) if name in row_wise else shape, value)
        for name, value in optimizer.slot_values().items()
    }


def assert_touched_rows_follow_the_formula(optimizer: Optimizer, numbers: dict[str, float], seed: int) -> None:
    """Train with `optimizer` (lazy, so that idle rows keep still) and compare table and slots with the formula."""
    run = run_touched_rows(optimizer, seed)
    weights = run["start"]
    slots = first_slots(optimizer, weights.shape)
    for step, (ids, values) in enumerate(run["steps"], start=1):
        summed = reference.sum_duplicates(ids, values)
        weights, slots = reference.update_rows(optimizer.rule, weights, slots, summed, numbers, step)
    reference.assert_close(run["table"].numpy(), weights, 1e-12)
    for name, slot in optimizer.slots_of(run["table"]).items():
        reference.assert_close(slot, slots[name], 1e-12)


def assert_untouched_rows_keep_their_bits(optimizer: Optimizer) -> None:
    """Train some rows and compare the others, and their slots, byte for byte."""
    run: dict[str, Any] = run_touched_rows(optimizer, seed=3)
    reference.assert_same_bits(run["table"].array[UNTOUCHED], run["start"][UNTOUCHED])
    for name, slot in optimizer.slots_of(run["table"]).items():
        reference.assert_same_bits(slot[UNTOUCHED], first_slots(optimizer, run["start"].shape)[name][UNTOUCHED])
