"""`gather_bags`: rows looked up and summed by bag in one pass."""

from __future__ import annotations

from typing import Any

from fastembed_layer.kernels.jit import kernel
from fastembed_layer.kernels.prefetch import AHEAD, prefetch_rows
from fastembed_layer.kernels.update import add_scaled


@kernel
def gather_bags(table: Any, ids: Any, offsets: Any, scales: Any, out: Any, begin: int, end: int) -> int:
    """Sum the rows of each bag of one range in the order of their positions.

    Returns the first position whose id is not a row, where the summing stops, or -1.
    """
    input_dim = table.shape[0]
    for bag in range(begin, end):
        total = out[bag]
        total[:] = 0
        for position in range(offsets[bag], offsets[bag + 1]):
            if position + AHEAD < len(ids):
                prefetch_rows((table,), ids[position + AHEAD])
            row_id = ids[position]
            if row_id < 0 or row_id >= input_dim:
                return position
            add_scaled(total, table[row_id], scales, position)
    return -1
