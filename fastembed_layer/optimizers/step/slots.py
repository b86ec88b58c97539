"""The state arrays of a parameter."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import CPU, allocate, move_array, placement_of, to_cpu
from fastembed_layer.optimizers.step.owner import Owner
from fastembed_layer.optimizers.step.trained_rows import row_rates_of
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.row_rates import RowRates

Array = np.ndarray[Any, Any]

LAST_STEP_BYTES = 4  # of a row, in exact mode
AVERAGE_STEP_BYTES = 8  # of a row, where averages are brought up to date row by row


def make_slots(parameter: Parameter, values: Mapping[str, float], row_wise: Collection[str]) -> dict[str, Array]:
    """Return arrays filled with their first values: shaped like the parameter, or with one number per row.

    Zeros stay unwritten, so that a row's slot takes up memory only once the row is trained; and so do the rows of a
    table whose rows do not train alike, which `fill_new_rows` is for.
    """
    rates, slots = row_rates_of(parameter), {}
    for name, value in values.items():
        shape = (*parameter.shape[:-1], 1) if name in row_wise else parameter.shape
        slots[name] = allocate(shape, parameter.dtype, parameter.placement, value if rates is None else 0)
    return slots


def move_slots(slots: dict[str, Array], placement: str) -> None:
    """Move slots to where their parameter has gone, all of them or none; those that are there stay as they are."""
    if placement == CPU and set(map(type, slots.values())) <= {np.ndarray}:
        return
    if any(placement_of(slot) != placement for slot in slots.values()):
        slots.update({name: move_array(slot, placement) for name, slot in slots.items()})


def settle_slots(slots: dict[Parameter, dict[str, Array]]) -> dict[Parameter, dict[str, Array]]:
    """Return the slots of all parameters; what caches hold of them has been copied back."""
    for parameter in slots:
        parameter.write_back()
    return slots


def count_state_bytes(optimizer: Owner, shape: tuple[int, int], dtype: Any) -> int:
    """Return the bytes that an optimizer keeps of a table where the table lives: slots, last steps, averages."""
    itemsize, size = np.dtype(dtype).itemsize, math.prod(shape)
    counts = [shape[0] if name in optimizer.row_wise_slots else size for name in optimizer.slot_values()]
    stays = optimizer.update == "lazy" or optimizer.idle_motion() is None
    nbytes = itemsize * sum(counts) + (0 if stays else shape[0] * LAST_STEP_BYTES)
    if optimizer.averages.use_ema:
        nbytes += size * itemsize + (shape[0] * AVERAGE_STEP_BYTES if stays else 0)
    return nbytes


def fill_new_rows(slots: Mapping[str, Array], values: Mapping[str, float], rates: RowRates | None) -> None:
    """Give the slots of rows that have begun to train their first values; those of other rows are not even read.

    A row has not trained yet where its slot is still 0: a slot that begins above 0 sums squares and stays above 0.
    """
    for name, value in values.items():
        if value != 0:
            slot = slots[name]
            trainable: Any = True if rates is None or rates.trainable is None else rates.trainable
            is_new = np.equal(to_cpu(slot[:, :1])[:, 0], 0, where=trainable, out=np.zeros(len(slot), bool))
            slot[move_array(np.flatnonzero(is_new), placement_of(slot))] = value
