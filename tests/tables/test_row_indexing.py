"""Indexing a table reads the rows that a key names, with numpy's values and errors, and changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import assert_same_bits

from fastembed_layer import Embedding, RowGradient, optimizers
from fastembed_layer.backends.cpu import CpuBackend

ROWS, COLUMNS = 9, 4
KEYS: dict[str, Any] = {
    "integer": 7,
    "negative": -2,
    "numpy integer": np.int32(3),
    "slice": slice(2, 7),
    "steps": slice(8, None, -3),
    "empty slice": slice(5, 2),
    "all": slice(None),
    "list": [3, -1, 3],
    "array": np.array([[0, 8], [-9, 4]]),
    "unsigned": np.array([1, 2], "uint64"),
    "empty list": [],
    "mask": np.arange(ROWS) % 2 == 0,
    "row and column": (3, 1),
    "slice and column": (slice(1, 4), -1),
    "slice and columns": (slice(1, 4), [2, 0]),
    "slices": (slice(1, 4), slice(None, None, 2)),
    "rows and column": ([5, 1], 2),
    "rows and slice": ([5, 1], slice(1, 3)),
    "pairs": ([5, 1], [0, 3]),
    "ellipsis": (..., 1),
    "new axis": (None, 2),
    "matrix of bools": np.eye(ROWS, COLUMNS, dtype=bool),
}


def make_table(moving: bool) -> Any:
    layer = Embedding(ROWS, COLUMNS, weights=[np.arange(ROWS * COLUMNS, dtype="float32").reshape(ROWS, COLUMNS)])
    if moving:
        optimizer = optimizers.Adam(0.1, weight_decay=0.1)
        for step in range(3):
            ids = np.array([step, step + 1])
            gradient = RowGradient(ids, np.ones((2, COLUMNS), "float32"), (ROWS, COLUMNS))
            optimizer.apply_gradients([(gradient, layer.embeddings)])
    return layer.embeddings


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_values_are_those_of_numpy(key: Any, moving: bool) -> None:
    found = make_table(moving)[key]
    expected = make_table(moving).value[key]
    assert np.shape(found) == np.shape(expected)
    assert_same_bits(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("key", [9, -10, [0, 9], np.array([-10]), np.ones(4, bool), (9, 0), (0, 4)])
def test_what_is_out_of_bounds_is_numpys_error(key: Any) -> None:
    table = make_table(moving=True)
    with pytest.raises(IndexError) as ours:
        table[key]
    with pytest.raises(IndexError) as numpys:
        table.value[key]
    assert str(ours.value).split(" for ")[0] == str(numpys.value).split(" for ")[0]


def test_rows_that_are_not_read_stay_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_table(moving=True)
    before = table.array.copy()
    monkeypatch.setattr(CpuBackend, "finish_rows", lambda *_: pytest.fail("all rows were visited"))
    for key in (7, slice(2, 5), [1, 3], np.arange(ROWS) > 4, ([1], 2)):
        table[key]
    assert_same_bits(table.array, before)


def test_what_is_returned_is_a_copy() -> None:
    table = make_table(moving=False)
    table[2:4][...] = -1
    assert (table.value >= 0).all()
