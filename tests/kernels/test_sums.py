"""Sums by blocks of columns: every width of block, and more rows than one stretch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference

from fastembed_layer.kernels.bags import SUM, gather_bags
from fastembed_layer.kernels.sums import STRETCH

Array = np.ndarray[Any, Any]

OFFSETS = np.array(
    [0, 0, 1, 1 + STRETCH, 3 * STRETCH]
)  # empty, one row, a whole stretch, a stretch and most of another


def sum_bags(table: Array, ids: Array, scales: Array | None) -> Array:
    """The sums of the bags of `OFFSETS`."""
    bags = len(OFFSETS) - 1
    out, divisors = np.full((bags, table.shape[1]), np.nan, table.dtype), np.empty(bags, table.dtype)
    assert gather_bags.at(0)(table, ids, OFFSETS, scales, SUM, out, divisors, 0, bags) == -1
    return out


@pytest.mark.parametrize("columns", [1, 2, 4, 7, 20, 64, 85, 149])  # 149 = 2 * 64 + 16 + 4 + 1
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaled", [False, True])
def test_blocks_of_every_width_sum_their_columns(columns: int, dtype: str, scaled: bool) -> None:
    random = np.random.default_rng(columns)
    table, ids = random.normal(size=(50, columns)).astype(dtype), random.integers(0, 50, OFFSETS[-1])
    scales = random.normal(size=len(ids)).astype(dtype) if scaled else None
    expected = reference.gather_bags(table, ids, OFFSETS, scales)
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(sum_bags(table, ids, scales), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("columns", [1, 4, 16, 64])
def test_rows_scaled_by_zero_do_not_count_even_where_they_are_nan(columns: int) -> None:
    table, ids = np.ones((2, columns), np.float32), np.zeros(OFFSETS[-1], np.int64)
    table[1], ids[5], scales = np.nan, 1, np.ones(len(ids), np.float32)
    scales[5] = 0
    sums = sum_bags(table, ids, scales)
    np.testing.assert_array_equal(sums[:, 0], np.diff(OFFSETS) - [0, 0, 1, 0])


def test_sums_are_made_in_the_order_of_positions() -> None:
    table = np.float32([[1e8] * 64, [1.0] * 64, [-1e8] * 64])
    ids = np.resize([0, 1, 2], OFFSETS[-1])
    in_order = np.float32(0)
    for value in table[ids[1 : 1 + STRETCH], 0]:
        in_order += value
    np.testing.assert_array_equal(sum_bags(table, ids, None)[2], np.full(64, in_order))
