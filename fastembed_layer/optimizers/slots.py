"""The state arrays of a parameter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fastembed_layer.backends.aligned import zeros_aligned
from fastembed_layer.optimizers.trained_rows import row_rates_of
from fastembed_layer.row_rates import RowRates
from fastembed_layer.table import Parameter

Array = np.ndarray[Any, Any]


def make_slots(parameter: Parameter, values: Mapping[str, float], row_wise: Collection[str]) -> dict[str, Array]:
    """Return arrays filled with their first values: shaped like the parameter, or with one number per row.

    Zeros stay unwritten, so that a row's slot takes up memory only once the row is trained; and so do the rows of a
    table whose rows do not train alike, which `fill_new_rows` is for.
    """
    rates, slots = row_rates_of(parameter), {}
    for name, value in values.items():
        shape = (*parameter.shape[:-1], 1) if name in row_wise else parameter.shape
        slots[name] = zeros_aligned(shape, parameter.dtype)
        if value != 0 and rates is None:
            slots[name].fill(value)
    return slots


def fill_new_rows(slots: Mapping[str, Array], values: Mapping[str, float], rates: RowRates | None) -> None:
    """Give the slots of rows that have begun to train their first values; those of other rows are not even read.

    A row has not trained yet where its slot is still 0: a slot that begins above 0 sums squares and stays above 0.
    """
    for name, value in values.items():
        if value != 0:
            slot = slots[name]
            trainable: Any = True if rates is None or rates.trainable is None else rates.trainable
            is_new = np.equal(slot[:, 0], 0, where=trainable, out=np.zeros(len(slot), bool))
            np.copyto(slot, value, where=is_new[:, None])
