"""The parallel radix sort: by id, then by position, for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import flat_ids

from fastembed_layer import set_threads
from fastembed_layer.backends import sorting
from fastembed_layer.backends.sorting import SMALL_SORT, sort_keys
from fastembed_layer.kernels.group import ID_SHIFT, pack_keys

Array = np.ndarray[Any, Any]

INPUT_DIMS = (1, 2, 3, 2047, 2048, 2049, 1 << 22, (1 << 22) + 1, (1 << 32) - 1)


def pack(ids: Array, input_dim: int) -> Array:
    """The keys of ids in the order of their positions."""
    keys = np.empty(len(ids), np.uint64)
    assert pack_keys(ids, input_dim, keys, 0, len(ids)) == -1
    return keys


def assert_sorted(sorted_keys: Array, ids: Array) -> None:
    """Check keys against Python's own sort of (id, position)."""
    pairs = [(int(key) >> ID_SHIFT, int(key) & 0xFFFFFFFF) for key in sorted_keys]
    assert pairs == sorted(zip(ids.tolist(), range(len(ids)), strict=True))


@pytest.mark.parametrize("input_dim", INPUT_DIMS)
@given(data=st.data())
def test_keys_are_ordered_by_id_and_then_by_position(data: st.DataObject, input_dim: int) -> None:
    ids = data.draw(flat_ids(input_dim, "int64"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "SMALL_SORT", data.draw(st.sampled_from([0, SMALL_SORT])))
        patch.setattr(sorting, "KEYS_PER_THREAD", 4)
        set_threads(data.draw(st.sampled_from([1, 2, 3, 8])))
        assert_sorted(sort_keys(pack(ids, input_dim), input_dim), ids)


@pytest.mark.parametrize("count", [SMALL_SORT - 1, SMALL_SORT, 70_000])
@pytest.mark.parametrize("input_dim", [1, 5, 100_000, (1 << 32) - 1])
def test_batches_of_every_size_are_sorted(count: int, input_dim: int) -> None:
    ids = np.random.default_rng(0).integers(0, input_dim, count)
    set_threads(2)  # 70,000 keys are enough for two threads
    assert_sorted(sort_keys(pack(ids, input_dim), input_dim), ids)


def test_sorted_and_reversed_ids_are_sorted() -> None:
    ids = np.arange(SMALL_SORT + 5)
    assert_sorted(sort_keys(pack(ids, len(ids)), len(ids)), ids)
    assert_sorted(sort_keys(pack(ids[::-1].copy(), len(ids)), len(ids)), ids[::-1])


def test_positions_out_of_order_are_noticed() -> None:
    ids = np.array([3, 3])
    with pytest.raises(AssertionError):
        assert_sorted(pack(ids, 4)[::-1], ids)
