"""Ragged batches: values and offsets, and nothing between them gets lost."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastembed_layer import Ragged

LISTS = st.lists(st.lists(st.integers(-5, 5), max_size=4), max_size=6)


def take_lists(rows: list[list[int]], selection: Any) -> list[list[int]]:
    """The lists that a slice or an index array selects."""
    return [rows[index] for index in np.arange(len(rows))[selection].tolist()]


@given(rows=LISTS)
def test_lists_come_back_as_they_went_in(rows: list[list[int]]) -> None:
    batch = Ragged.from_lists(rows)
    assert batch.to_list() == rows
    assert len(batch) == len(rows)
    assert batch.lengths.tolist() == [len(row) for row in rows]
    assert batch.shape == (len(rows), None)
    assert batch.offsets.dtype == "int64"


@given(rows=LISTS, data=st.data())
def test_a_selection_has_the_sequences_that_were_selected(rows: list[list[int]], data: st.DataObject) -> None:
    batch = Ragged.from_lists(rows)
    selection = data.draw(
        st.one_of(
            st.slices(len(rows)),
            st.lists(st.integers(0, max(0, len(rows) - 1)), max_size=5 if rows else 0).map(
                lambda indices: np.array(indices, np.int64)
            ),
            st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)).map(lambda kept: np.array(kept, bool)),
        )
    )
    assert batch[selection].to_list() == take_lists(rows, selection)


@given(parts=st.lists(LISTS, min_size=1, max_size=4))
def test_batches_are_put_one_after_the_other(parts: list[list[list[int]]]) -> None:
    whole = Ragged.concatenate([Ragged.from_lists(part) for part in parts])
    assert whole.to_list() == [row for part in parts for row in part]


def test_values_and_offsets_make_a_batch() -> None:
    batch = Ragged([5, 6, 7], [0, 1, 1, 3])
    assert batch.to_list() == [[5], [], [6, 7]]


@given(rows=LISTS)
def test_lengths_and_beginnings_make_the_same_batch(rows: list[list[int]]) -> None:
    batch = Ragged.from_lists(rows)
    assert Ragged.from_lengths(batch.values, batch.lengths).to_list() == rows
    assert Ragged.from_lengths(batch.values, [len(row) for row in rows]).to_list() == rows
    beginnings = batch.offsets[:-1]
    if rows or not len(batch.values):
        assert Ragged(batch.values, beginnings, include_last_offset=False).to_list() == rows


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([1], "must be one-dimensional and start at 0"),
        ([0, 3], r"must not exceed the number of values, 2\. Received: offsets\[1\] = 3\."),
        ([0, 2, 1], r"must not decrease\. Received: offsets\[1\] = 2, offsets\[2\] = 1\."),
        ([[0, 1]], "must be one-dimensional"),
    ],
    ids=str,
)
def test_beginnings_that_do_not_fit_are_a_value_error(offsets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"`offsets` {message}"):
        Ragged([1, 2], offsets, include_last_offset=False)


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 2], ValueError, r"must add up to the number of values, 2\. Received: 3\."),
        ([], ValueError, r"must add up to the number of values, 2\. Received: 0\."),
        ([3, -1], ValueError, r"must not be negative\. Received: lengths\[1\] = -1\."),
        ([[2]], ValueError, r"must be one-dimensional\. Received: shape \(1, 1\)\."),
        ([2.0], TypeError, r"must be integers\. Received: dtype float64\."),
        ([True, True], TypeError, r"must be integers\. Received: dtype bool\."),
    ],
    ids=str,
)
def test_lengths_that_do_not_fit_are_refused(lengths: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"`lengths` {message}"):
        Ragged.from_lengths([1, 2], lengths)


def test_a_single_value_is_no_batch() -> None:
    for make in (lambda: Ragged(3, [0, 1]), lambda: Ragged.from_lengths(3, [1])):
        with pytest.raises(ValueError, match="`values` must have at least one axis"):
            make()


def test_values_may_have_further_axes() -> None:
    batch = Ragged(np.arange(12.0).reshape(6, 2), [0, 4, 6])
    assert batch.shape == (2, None, 2)
    assert batch.dtype == "float64"
    assert batch[1:].values.tolist() == [[8, 9], [10, 11]]
    assert batch[np.array([1, 0])].to_list()[1] == np.arange(8.0).reshape(4, 2).tolist()


def test_a_batch_of_no_sequences_and_one_of_empty_ones_are_batches() -> None:
    assert Ragged.from_lists([]).to_list() == []
    assert Ragged([], [0]).to_list() == []
    assert Ragged.from_lists([[], []]).to_list() == [[], []]
    assert Ragged.from_lists([[], []]).values.dtype == "int64"


def test_the_offsets_belong_to_the_batch() -> None:
    offsets = np.array([0, 2])
    batch = Ragged([1, 2], offsets)
    offsets[1] = 99
    assert batch.offsets.tolist() == [0, 2]


def test_a_batch_shows_what_it_is_and_can_be_pickled() -> None:
    batch = Ragged.from_lists([[1], [2, 3]])
    assert repr(batch) == "<Ragged of 2 sequences, 3 values of int64>"
    assert pickle.loads(pickle.dumps(batch)).to_list() == [[1], [2, 3]]


@pytest.mark.parametrize("offsets", [[0.0, 2.0], [False, True], ["0", "2"], None, [0, None]], ids=repr)
def test_offsets_that_are_no_integers_are_a_type_error(offsets: Any) -> None:
    with pytest.raises(TypeError, match=r"`offsets` must be integers\. Received: dtype "):
        Ragged([1, 2], offsets)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        (np.zeros(0, int), r"must be one-dimensional and start at 0\. Received: array\(\[\]"),
        (2, "must be one-dimensional and start at 0"),
        ([[0, 2]], "must be one-dimensional and start at 0"),
        ([1, 2], "must be one-dimensional and start at 0"),
        ([-1, 2], "must be one-dimensional and start at 0"),
        ([0, 1], r"must end at the number of values, 2\. Received: 1\."),
        ([0], r"must end at the number of values, 2\. Received: 0\."),
        ([0, 5], r"must end at the number of values, 2\. Received: 5\."),
        ([0, 2, 1, 2], r"must not decrease\. Received: offsets\[1\] = 2, offsets\[2\] = 1\."),
        ([0, -1, 2], r"must not decrease\. Received: offsets\[0\] = 0, offsets\[1\] = -1\."),
        (np.array([0, 5, 2], "uint8"), r"must not decrease\. Received: offsets\[1\] = 5, offsets\[2\] = 2\."),
    ],
    ids=str,
)
def test_offsets_that_do_not_fit_are_a_value_error(offsets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"`offsets` {message}"):
        Ragged([1, 2], offsets)


@pytest.mark.parametrize(
    ("inputs", "is_ragged"),
    [
        ([[1, 2], [3]], True),
        ([[], [3]], True),
        (([1], (2, 3)), True),
        ([np.array([1]), np.array([2, 3])], True),
        ([[1, 2], [3, 4]], False),
        ([[], []], False),
        ([], False),
        ([1, 2], False),
        ([[1], 2], False),
        ("ab", False),
        (np.array([[1, 2]]), False),
        (["ab", "c"], False),
        ([np.array(1), np.array([2])], False),
    ],
    ids=repr,
)
def test_only_sequences_of_different_lengths_are_ragged(inputs: Any, is_ragged: bool) -> None:
    assert Ragged.describes(inputs) is is_ragged
