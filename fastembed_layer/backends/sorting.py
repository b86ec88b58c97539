"""The passes of the parallel radix sort over `kernels.group`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.buffers import lend_array
from fastembed_layer.kernels.group import ID_SHIFT, count_digits, move_keys, start_digits
from fastembed_layer.kernels.threads import get_threads, run_parallel

Array = np.ndarray[Any, Any]

DIGIT_BITS = 11  # 2048 counters fit the first-level cache
SMALL_SORT = 4096  # numpy's own sort is faster below
KEYS_PER_THREAD = 1 << 15


def sort_keys(keys: Array, input_dim: int) -> Array:
    """Return the packed keys ordered by id and, within an id, by position; `keys` is used as work space."""
    if len(keys) < SMALL_SORT:
        keys.sort()
        return keys
    id_bits = max(1, int(input_dim - 1).bit_length())
    passes = -(-id_bits // DIGIT_BITS)
    digit_bits = -(-id_bits // passes)
    other = lend_array(keys.shape, keys.dtype)
    for shift in range(ID_SHIFT, ID_SHIFT + passes * digit_bits, digit_bits):
        _move_by_digit(keys, other, shift, digit_bits)
        keys, other = other, keys
    return keys


def _move_by_digit(keys: Array, out: Array, shift: int, digit_bits: int) -> None:
    parts = max(1, min(get_threads(), len(keys) // KEYS_PER_THREAD))
    bounds = [len(keys) * part // parts for part in range(parts + 1)]
    counts = np.empty((parts, 1 << digit_bits), np.int64)

    def count(first: int, last: int) -> None:
        for part in range(first, last):
            count_digits(keys, shift, counts[part], bounds[part], bounds[part + 1])

    def move(first: int, last: int) -> None:
        for part in range(first, last):
            move_keys(keys, shift, counts[part], out, bounds[part], bounds[part + 1])

    run_parallel(count, parts, 1)
    start_digits(counts)
    run_parallel(move, parts, 1)
