"""What hypothesis draws: ids in every form in which callers have them, and what goes with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

Array = np.ndarray[Any, Any]

INTEGER_TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
KERNEL_TYPES = ("int32", "int64")
LAYOUTS = ("contiguous", "every other", "reversed", "transposed", "broadcast", "read-only", "byte-swapped")
DIMS = (1, 3, 16, 17, 64)


def id_lists(input_dim: int, max_size: int = 40) -> st.SearchStrategy[list[int]]:
    """Ids as a list: empty, all equal, only the first and the last row, few that repeat, or any."""
    row = st.integers(0, input_dim - 1)
    ends = st.sampled_from([0, input_dim - 1])
    equal = st.tuples(row, st.integers(1, max_size)).map(lambda pair: [pair[0]] * pair[1])
    few = st.lists(row, min_size=1, max_size=3).flatmap(lambda some: st.lists(st.sampled_from(some), max_size=max_size))
    return st.one_of(st.just([]), equal, st.lists(ends, max_size=max_size), few, st.lists(row, max_size=max_size))


def flat_ids(input_dim: int, dtype: str = "int64", max_size: int = 40) -> st.SearchStrategy[Array]:
    """Ids as kernels take them: one-dimensional and contiguous."""
    return id_lists(input_dim, max_size).map(lambda ids: np.array(ids, dtype))


def largest_id(dtype: str) -> int:
    """The largest id that an integer type holds."""
    return int(np.iinfo(dtype).max)


@st.composite
def any_ids(draw: st.DrawFn, input_dim: int, max_size: int = 40) -> Array:
    """Ids as callers pass them: of any integer type, rank and memory layout."""
    dtype = draw(st.sampled_from([name for name in INTEGER_TYPES if largest_id(name) >= input_dim - 1]))
    ids = draw(flat_ids(input_dim, dtype, max_size))
    return lay_out(ids.reshape(draw(shapes_of(ids.size))), draw(st.sampled_from(LAYOUTS)))


def shapes_of(size: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of `size` elements with zero to four axes."""
    divisors = [number for number in range(1, size + 1) if size % number == 0] or [1]
    split = st.sampled_from(divisors).flatmap(
        lambda first: st.sampled_from([(first, size // first), (1, first, size // first), (size // first, 1, first, 1)])
    )
    flat = st.sampled_from([(size,), (size, 1)] + [()] * (size == 1))
    return st.one_of(flat, split)


def lay_out(ids: Array, layout: str) -> Array:
    """The same ids in another memory layout."""
    if layout == "every other":
        return np.repeat(ids, 2, axis=0)[::2] if ids.ndim else ids
    if layout == "reversed":
        return np.flip(np.flip(ids).copy())
    if layout == "transposed":
        return ids.T.copy().T
    if layout == "broadcast":
        return np.broadcast_to(ids, (2, *ids.shape))
    if layout == "byte-swapped":
        return ids.astype(ids.dtype.newbyteorder())
    if layout == "read-only":
        ids = ids.copy()
        ids.flags.writeable = False
    return ids


def bag_offsets(count: int, max_bags: int = 8) -> st.SearchStrategy[Array]:
    """Offsets that cut `count` positions into bags, of which some are empty; one bag at least."""
    cuts = st.lists(st.integers(0, count), max_size=max_bags)
    return cuts.map(lambda inner: np.array([0, *sorted(inner), count], np.int64))


def matrices(rows: int, columns: int, dtype: str) -> st.SearchStrategy[Array]:
    """Normal numbers, drawn by numpy from a seed of hypothesis: quick for large arrays."""
    seeds = st.integers(0, 2**32 - 1)
    return seeds.map(lambda seed: np.random.default_rng(seed).standard_normal((rows, columns)).astype(dtype))


@st.composite
def argmax_and_positions(draw: st.DrawFn, bags: int, columns: int, count: int) -> tuple[Array, Array]:
    """Which of three places has won each column of some bags, and the places of `count` ids."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random.integers(0, 3, (bags, columns)).astype(np.int32), random.integers(0, 3, count).astype(np.int32)
