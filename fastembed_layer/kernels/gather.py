"""`gather_rows`: the forward pass of an embedding layer."""

from __future__ import annotations

from typing import Any

from fastembed_layer.kernels.jit import kernel
from fastembed_layer.kernels.prefetch import AHEAD, prefetch_rows


@kernel
def gather_rows(table: Any, ids: Any, out: Any, begin: int, end: int) -> int:
    """Copy ``table[ids[p]]`` to ``out[p]`` for the positions of one range.

    Returns the first position whose id is not a row, where the copying stops, or -1.
    """
    input_dim, output_dim = table.shape
    for position in range(begin, end):
        if position + AHEAD < end:
            prefetch_rows((table,), ids[position + AHEAD])
        row_id = ids[position]
        if row_id < 0 or row_id >= input_dim:
            return position
        row = table[row_id]
        target = out[position]
        for column in range(output_dim):
            target[column] = row[column]
    return -1
