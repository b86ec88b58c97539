"""`gather_rows`: the forward pass of an embedding layer."""

from __future__ import annotations

from typing import Any

from fastembed_layer.kernels.idle import copy_row
from fastembed_layer.kernels.jit import kernel
from fastembed_layer.kernels.prefetch import AHEAD, prefetch_rows
from fastembed_layer.kernels.rows import by_width, copy_known_row


@by_width
def gather_rows(width: int) -> Any:
    """Build the lookup of rows of one width."""

    @kernel
    def gather_rows(table: Any, ids: Any, out: Any, begin: int, end: int) -> int:
        """Copy ``table[ids[p]]`` to ``out[p]`` for the positions of one range.

        Returns the first position whose id is not a row, where the copying stops, or -1.
        """
        for position in range(begin, end):
            if position + AHEAD < end:
                prefetch_rows((table,), ids[position + AHEAD], width)
            row_id = ids[position]
            if row_id < 0 or row_id >= table.shape[0]:
                return position
            if width:
                copy_known_row(table, row_id, out, position, width)
            else:
                copy_row(table[row_id], out[position])
        return -1

    return gather_rows
