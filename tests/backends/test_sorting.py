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
from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.backends.sorting import SMALL_SORT, sort_ids
from fastembed_layer.kernels.group import ID_SHIFT

Array = np.ndarray[Any, Any]

INPUT_DIMS = (1, 2, 3, 2047, 2048, 2049, 1 << 22, (1 << 22) + 1, (1 << 32) - 1)


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
        assert_sorted(sort_ids(ids, input_dim), ids)


@pytest.mark.parametrize("count", [SMALL_SORT - 1, SMALL_SORT, 300_000])
@pytest.mark.parametrize("input_dim", [1, 5, 100_000, (1 << 32) - 1])
def test_batches_of_every_size_are_sorted(count: int, input_dim: int) -> None:
    ids = np.random.default_rng(0).integers(0, input_dim, count)
    set_threads(2)  # 300,000 keys are enough for two threads
    assert_sorted(sort_ids(ids, input_dim), ids)


def test_sorted_and_reversed_ids_are_sorted() -> None:
    ids = np.arange(SMALL_SORT + 5)
    assert_sorted(sort_ids(ids, len(ids)), ids)
    assert_sorted(sort_ids(ids[::-1].copy(), len(ids)), ids[::-1])


def test_positions_out_of_order_are_noticed() -> None:
    ids = np.array([3, 3])
    with pytest.raises(AssertionError):
        assert_sorted(sort_ids(ids, 4)[::-1], ids)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_keys_hold_the_sources_of_their_positions(threads: int) -> None:
    rng = np.random.default_rng(0)
    ids, sources = rng.integers(0, 5000, 300_000), rng.integers(0, 1 << 32, 300_000)
    set_threads(threads)
    keys = sort_ids(ids, 5000, sources)
    positions = sort_ids(ids, 5000) & np.uint64(0xFFFFFFFF)
    np.testing.assert_array_equal(keys & np.uint64(0xFFFFFFFF), sources[positions.astype(np.int64)].astype(np.uint64))


@pytest.mark.parametrize("bad_id", [-1, 5000])
def test_the_first_of_several_bad_ids_is_named(bad_id: int) -> None:
    ids = np.zeros(300_000, np.int64)
    ids[[140_000, 270_000]] = bad_id
    set_threads(2)
    with pytest.raises(IdsOutOfRangeError) as caught:
        sort_ids(ids, 5000)
    assert caught.value.position == 140_000
