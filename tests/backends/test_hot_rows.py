"""Rows that fill much of a batch are summed in pieces: the same sums, and the same bits for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import gradient_vectors

from fastembed_layer import RowGradient, set_threads
from fastembed_layer.backends import hot_rows
from fastembed_layer.backends.dispatch import backend_for
from fastembed_layer.backends.hot_rows import SortedGradient, sort_gradient, sum_hot_rows
from fastembed_layer.optimizers import SGD, Adam
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

BACKEND = backend_for("cpu:0")
COLUMNS = 3
PIECE = 4


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_rows, "PIECE", PIECE)


def whole_numbers(ids: list[int], form: str) -> SortedGradient:
    """A gradient of whole numbers, whose sums are exact in any order: a vector for each id, or for each bag of two."""
    rng = np.random.default_rng(len(ids))
    if form == "rows":
        vectors, in_bags = rng.integers(-9, 9, (len(ids), COLUMNS)), ()
    else:
        vectors, bags = rng.integers(-9, 9, ((len(ids) + 1) // 2, COLUMNS)), np.arange(len(ids)) // 2
        in_bags = bags, rng.integers(0, 3, len(ids)).astype(np.float32)
    if form == "extremes":
        in_bags += rng.integers(0, 2, vectors.shape), np.arange(len(ids)) % 2
    gradient = RowGradient(np.array(ids, np.int64), vectors.astype(np.float32), (10, COLUMNS), *in_bags)
    return sort_gradient(BACKEND.group_gradient(gradient).keys.copy(), gradient, gradient.dtype)


def sum_by_row(gradient: SortedGradient) -> Array:
    """What a gradient adds up to, as a dense float64 array."""
    keys, values, *in_bags = gradient
    positions = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    count = int(positions.max(initial=-1)) + 1
    sources, scales, argmax, bag_positions = in_bags
    vectors = gradient_vectors(np.zeros(count), values, sources, argmax, bag_positions)
    total = np.zeros((10, COLUMNS))
    for key, position in zip(keys.tolist(), positions.tolist(), strict=True):
        total[key >> 32] += vectors[position] * (1.0 if scales is None else scales[position])
    return total


@given(ids=st.lists(st.integers(0, 9), max_size=8 * PIECE) | st.lists(st.integers(3, 4), max_size=9 * PIECE),
       form=st.sampled_from(["rows", "bags", "extremes"]))  # fmt: skip
def test_parts_add_up_to_the_whole_and_no_row_is_in_two(ids: list[int], form: str) -> None:
    whole = whole_numbers(ids, form)
    parts = sum_hot_rows(whole)
    np.testing.assert_array_equal(sum(sum_by_row(part) for part in parts), sum_by_row(whole))
    rows = [set((part.keys >> np.uint64(32)).tolist()) for part in parts]
    assert not set.intersection(*rows) or len(parts) == 1
    for part in parts:
        assert (np.diff(part.keys.astype(np.int64)) > 0).all()
        _, counts = np.unique(part.keys >> np.uint64(32), return_counts=True)
        assert (counts < 2 * max(PIECE, len(ids) // (2 * hot_rows.HOT_SHARE))).all()


@given(ids=st.lists(st.integers(0, 9), max_size=8 * PIECE), shift=st.integers(1, 9))
def test_which_rows_are_hot_does_not_depend_on_the_numbers_of_rows(ids: list[int], shift: int) -> None:
    """A cache gives rows other numbers, and may not change a bit by that."""
    hot, moved = ({int(key) >> 32 for key in _hot_keys(rows)} for rows in (ids, [(row + shift) % 10 for row in ids]))
    assert {(row + shift) % 10 for row in hot} == moved


def _hot_keys(ids: list[int]) -> list[int]:
    parts = sum_hot_rows(whole_numbers(ids, "rows"))
    return parts[1].keys.tolist() if len(parts) > 1 else []


def test_a_batch_without_hot_rows_is_left_as_it_is() -> None:
    whole = whole_numbers([1, 2, 3, 3, 5, 6, 7, 8, 9, 9], "rows")
    assert sum_hot_rows(whole) == [whole]


@pytest.mark.parametrize("optimizer", [SGD, Adam], ids=["lazy kernels", "exact kernels"])
@pytest.mark.parametrize("hot_only", [False, True])
def test_a_table_has_the_same_bits_for_any_number_of_threads(optimizer: Any, hot_only: bool) -> None:
    rng = np.random.default_rng(0)
    ids = np.full(90, 7) if hot_only else np.where(rng.random(90) < 0.6, 7, rng.integers(0, 10, 90))
    values = rng.normal(size=(90, COLUMNS)).astype(np.float32)
    tables = []
    for threads in (1, 2, 3, 8):
        previous = set_threads(threads)
        table, rule = Table(np.ones((10, COLUMNS), np.float32)), optimizer(0.1)
        for _ in range(2):
            rule.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        tables.append(table.numpy())
        set_threads(previous)
    for table in tables[1:]:
        np.testing.assert_array_equal(table.view(np.uint32), tables[0].view(np.uint32))


def test_the_step_is_that_of_the_summed_gradient() -> None:
    rng = np.random.default_rng(1)
    ids, values = np.full(50, 2), rng.normal(size=(50, COLUMNS))
    table = Table(np.ones((10, COLUMNS)))
    SGD(0.1).apply_gradients([(RowGradient(ids, values, table.shape), table)])
    np.testing.assert_allclose(table.value[2], 1 - 0.1 * values.sum(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(np.delete(table.value, 2, axis=0), 1)
