"""Sums of rows: what the lookup of bags and the update of tables share.

Both add rows of a matrix that is not read in its order, each with a number of its own or without. `entry_of` tells
which entry of `sources` and `scales` belongs to a position: the position itself, or the one that a sorted key holds.
"""

from __future__ import annotations

from typing import Any

from fastembed_layer.kernels.blocks import (
    NARROW,
    SHORT,
    WIDE,
    add_scaled_to_block,
    add_to_block,
    load_narrow,
    load_one,
    load_short,
    load_wide,
    store_block,
)
from fastembed_layer.kernels.group import key_position, source_of
from fastembed_layer.kernels.jit import inlined

STRETCH = 64  # rows that are added at a time; a sum is loaded and stored once for them, and they stay in the cache


@inlined
def entry_of(keys: Any, position: Any) -> Any:
    """The entry of `sources` and `scales` that belongs to a position."""
    if keys is None:
        return position
    return key_position(keys[position])


@inlined
def scale_at(scales: Any, entry: Any, like: Any) -> Any:
    """The scale of an entry; where there are no scales 1, in the type of an array."""
    if scales is None:
        return like.dtype.type(1)
    return scales[entry]


@inlined
def add_scaled(total: Any, vector: Any, scales: Any, entry: Any) -> Any:
    """Add one vector, times its scale where there are scales."""
    if scales is None:
        for column in range(len(total)):
            total[column] += vector[column]
    else:
        scale = scales[entry]
        if scale != 0:  # what is left out counts for nothing, even where it is NaN
            for column in range(len(total)):
                total[column] += scale * vector[column]


@inlined
def sum_block(block: Any, matrix: Any, keys: Any, sources: Any, scales: Any, column: Any, begin: Any, end: Any) -> Any:
    """Add to a block the columns from `column` on of the rows of some positions, one after the other."""
    for position in range(begin, end):
        entry = entry_of(keys, position)
        if scales is None:
            block = add_to_block(block, matrix, source_of(sources, entry), column)
        else:
            scale = scales[entry]
            if scale != 0:  # what is left out counts for nothing, even where it is NaN
                block = add_scaled_to_block(block, matrix, source_of(sources, entry), column, scale)
    return block


@inlined
def add_rows(total: Any, matrix: Any, keys: Any, sources: Any, scales: Any, begin: Any, end: Any) -> Any:
    """Add the rows of some positions in their order, by blocks of columns whose sums stay in registers meanwhile."""
    rows = matrix, keys, sources, scales
    size, nbytes, column = len(total), total.itemsize, 0
    while column + WIDE // nbytes <= size:
        store_block(sum_block(load_wide(total, column), *rows, column, begin, end), total, column)
        column += WIDE // nbytes
    while column + NARROW // nbytes <= size:
        store_block(sum_block(load_narrow(total, column), *rows, column, begin, end), total, column)
        column += NARROW // nbytes
    while column + SHORT // nbytes <= size:
        store_block(sum_block(load_short(total, column), *rows, column, begin, end), total, column)
        column += SHORT // nbytes
    while column < size:
        store_block(sum_block(load_one(total, column), *rows, column, begin, end), total, column)
        column += 1
