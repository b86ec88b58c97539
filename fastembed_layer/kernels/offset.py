"""`offset_ids` and `offset_bags`: ids of many vocabularies become rows of the one table that holds them all."""

from __future__ import annotations

from typing import Any

from fastembed_layer.kernels.jit import kernel


@kernel
def offset_ids(ids: Any, columns: Any, row_offsets: Any, input_dims: Any, out: Any, begin: int, end: int) -> int:
    """Write ``ids[sample, columns[n]] + row_offsets[n]`` to ``out[sample, n]`` for the samples of one range.

    Returns the first position in the flat `ids` whose id is not in its vocabulary, where the writing stops, or -1.
    """
    for sample in range(begin, end):
        for index in range(len(columns)):
            column = columns[index]
            row_id = ids[sample, column]
            if row_id < 0 or row_id >= input_dims[index]:
                return sample * ids.shape[1] + column
            out[sample, index] = row_id + row_offsets[index]
    return -1


@kernel
def offset_bags(
    values: Any, offsets: Any, row_offsets: Any, input_dims: Any, bag_offsets: Any, out: Any, begin: int, end: int
) -> int:
    """Move the bags of the samples of one range to where `bag_offsets` begin, each id with its row offset added.

    Returns the first position in `values` whose id is not in its vocabulary, where the writing stops, or -1.
    """
    features = len(row_offsets)
    for sample in range(begin, end):
        for feature in range(features):
            target = bag_offsets[sample * features + feature]
            for position in range(offsets[feature, sample], offsets[feature, sample + 1]):
                row_id = values[position]
                if row_id < 0 or row_id >= input_dims[feature]:
                    return position
                out[target] = row_id + row_offsets[feature]
                target += 1
    return -1
