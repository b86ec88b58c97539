"""The state arrays of a parameter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fastembed_layer.backends.aligned import zeros_aligned
from fastembed_layer.table import Parameter

Array = np.ndarray[Any, Any]


def make_slots(parameter: Parameter, values: Mapping[str, float], row_wise: Collection[str]) -> dict[str, Array]:
    """Return arrays filled with their first values: shaped like the parameter, or with one number per row.

    Zeros stay unwritten, so that a row's slot takes up memory only once the row is trained.
    """
    slots = {}
    for name, value in values.items():
        shape = (*parameter.shape[:-1], 1) if name in row_wise else parameter.shape
        slots[name] = zeros_aligned(shape, parameter.dtype)
        if value != 0:
            slots[name].fill(value)
    return slots
