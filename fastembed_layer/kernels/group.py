"""Grouping of ids: a parallel radix sort that brings the positions of each id together.

An id and its position travel as one 64-bit key, id in the upper half. The sort moves keys by the digits of the id
only and is stable, so the keys come out ordered by id and, within an id, by position, whatever the ranges were.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.kernels.jit import inlined, kernel

ID_SHIFT = 32
POSITION_MASK = (1 << ID_SHIFT) - 1


@inlined
def key_id(key: Any) -> Any:
    """The id of a sort key."""
    return np.int64(key >> np.uint64(ID_SHIFT))


@inlined
def key_position(key: Any) -> Any:
    """The position of a sort key."""
    return np.int64(key & np.uint64(POSITION_MASK))


@inlined
def source_of(sources: Any, entry: Any) -> Any:
    """The row that belongs to an entry of the batch."""
    if sources is None:
        return entry
    return sources[entry]


@kernel
def count_ids(ids: Any, input_dim: int, counts: Any, begin: int, end: int) -> int:
    """Check the ids of one range and count how often each lowest digit occurs; ``counts`` has one entry per digit.

    Returns the first position whose id is not a row, or -1.
    """
    mask = len(counts) - 1
    counts[:] = 0
    for position in range(begin, end):
        row_id = ids[position]
        if row_id < 0 or row_id >= input_dim:
            return position
        counts[np.int64(row_id) & mask] += 1
    return -1


@kernel
def start_digits(counts: Any) -> None:
    """Turn the counts of all ranges, shape (ranges, digits), into the first slot of each range's digit."""
    total = 0
    for digit in range(counts.shape[1]):
        for part in range(counts.shape[0]):
            count = counts[part, digit]
            counts[part, digit] = total
            total += count


@kernel
def pack_keys(ids: Any, sources: Any, starts: Any, keys: Any, begin: int, end: int) -> None:
    """Write the keys of one range to the slots of their lowest digit, in order; with `sources` instead of positions."""
    mask = len(starts) - 1
    for position in range(begin, end):
        row_id = np.int64(ids[position])
        slot = starts[row_id & mask]
        starts[row_id & mask] = slot + 1
        keys[slot] = (np.uint64(row_id) << np.uint64(ID_SHIFT)) | np.uint64(source_of(sources, position))


@kernel
def count_digits(keys: Any, shift: int, counts: Any, begin: int, end: int) -> None:
    """Count how often each digit occurs in one range."""
    mask = np.uint64(len(counts) - 1)
    counts[:] = 0
    for position in range(begin, end):
        counts[(keys[position] >> np.uint64(shift)) & mask] += 1


@kernel
def move_keys(keys: Any, shift: int, starts: Any, sorted_keys: Any, begin: int, end: int) -> None:
    """Move the keys of one range to the slots of their digit, in order."""
    mask = np.uint64(len(starts) - 1)
    for position in range(begin, end):
        key = keys[position]
        digit = (key >> np.uint64(shift)) & mask
        slot = starts[digit]
        starts[digit] = slot + 1
        sorted_keys[slot] = key


@inlined
def first_segment(keys: Any, begin: Any) -> Any:
    """The first position from `begin` on at which a new id starts: a segment belongs to the range it starts in."""
    while 0 < begin < len(keys) and key_id(keys[begin]) == key_id(keys[begin - 1]):
        begin += 1
    return begin


@inlined
def end_segment(keys: Any, begin: Any) -> Any:
    """The position behind the segment that starts at `begin`."""
    row_id = key_id(keys[begin])
    end = begin + 1
    while end < len(keys) and key_id(keys[end]) == row_id:
        end += 1
    return end


@kernel
def count_segments(keys: Any, begin: int, end: int) -> int:
    """Count the segments that start in one range."""
    count = 0
    for position in range(begin, end):
        if position == 0 or key_id(keys[position]) != key_id(keys[position - 1]):
            count += 1
    return count
