"""The passes of the parallel radix sort over `kernels.group`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from fastembed_layer.backends.buffers import borrow_array
from fastembed_layer.backends.launch import raise_for_bad_id
from fastembed_layer.kernels.group import ID_SHIFT, count_digits, count_ids, move_keys, pack_keys, start_digits
from fastembed_layer.kernels.threads import get_threads, run_parallel

Array = np.ndarray[Any, Any]

DIGIT_BITS = 11  # 2048 counters fit the first-level cache
SMALL_SORT = 4096  # numpy's own sort is faster below
KEYS_PER_THREAD = 1 << 17  # with 200,000 keys two threads were no faster than one, with 400,000 they were


def sort_ids(ids: Array, input_dim: int, sources: Array | None = None) -> Array:
    """Return packed keys ordered by id and, within an id, by position.

    Parameters
    ----------
    ids : ndarray of int32 or int64, shape (n,)
        Rows of a table.
    input_dim : int
        Number of its rows.
    sources : ndarray of int64, shape (n,), optional
        What keys hold instead of their positions, unless the batch `is_small`.

    Raises
    ------
    IdsOutOfRangeError
        If an id is not a row.
    """
    keys = borrow_array((len(ids),), np.uint64)
    if is_small(len(ids)):
        start = np.zeros(1, np.int64)
        raise_for_bad_id([count_ids(ids, input_dim, start, 0, len(ids))], ids, input_dim)
        start[0] = 0
        pack_keys(ids, None, start, keys, 0, len(ids))
        keys.sort()
        return keys
    return _sort_many(ids, input_dim, sources, keys)


def is_small(size: int) -> bool:
    """Tell whether so few keys are sorted by numpy, as numbers, so that each has to hold its position."""
    return size < SMALL_SORT


def _sort_many(ids: Array, input_dim: int, sources: Array | None, keys: Array) -> Array:
    """Sort by one digit of the id after the other, the lowest first; `keys` are used as work space."""
    id_bits = max(1, int(input_dim - 1).bit_length())
    passes = -(-id_bits // DIGIT_BITS)
    digit_bits = -(-id_bits // passes)
    parts = _cut(len(ids))
    counts = np.empty((len(parts), 1 << digit_bits), np.int64)
    bad = _run(parts, lambda part, begin, end: count_ids(ids, input_dim, counts[part], begin, end))
    raise_for_bad_id(bad, ids, input_dim)
    start_digits(counts)
    _run(parts, lambda part, begin, end: pack_keys(ids, sources, counts[part], keys, begin, end))
    other = borrow_array(keys.shape, keys.dtype)
    for number in range(1, passes):
        _move_by_digit(keys, other, ID_SHIFT + number * digit_bits, counts)
        keys, other = other, keys
    return keys


def _move_by_digit(keys: Array, out: Array, shift: int, counts: Array) -> None:
    """Sort by one digit; `counts` are used as work space."""
    parts = _cut(len(keys))
    _run(parts, lambda part, begin, end: count_digits(keys, shift, counts[part], begin, end))
    start_digits(counts)
    _run(parts, lambda part, begin, end: move_keys(keys, shift, counts[part], out, begin, end))


def _cut(size: int) -> list[tuple[int, int]]:
    """Return where the part of each thread begins and ends."""
    parts = max(1, min(get_threads(), size // KEYS_PER_THREAD))
    return list(pairwise(size * part // parts for part in range(parts + 1)))


def _run(parts: list[tuple[int, int]], task: Callable[[int, int, int], Any]) -> list[Any]:
    """Call ``task(part, begin, end)`` for all parts, each on a thread of its own."""

    def work(first: int, last: int) -> list[Any]:
        return [task(part, *parts[part]) for part in range(first, last)]

    return [result for results in run_parallel(work, len(parts), 1) for result in results]
