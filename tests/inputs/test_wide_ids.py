"""Ids that int64 does not hold, and ids of the other order of bytes: no wrong row, and the right id in messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastembed_layer import Embedding, EmbeddingBag, EmbeddingGroup, Ragged, RowGradient

ROWS = 10
TABLE = np.arange(ROWS * 2, dtype="float32").reshape(ROWS, 2)
HUGE = [2**63, 2**63 + 7, 2**64 - 1, 2**64 - 3]
TYPES = [f"{order}{kind}" for order in "<>" for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")]


def make_layer(**options: Any) -> Embedding:
    return Embedding(ROWS, 2, weights=[TABLE], name="words", **options)


@given(st.sampled_from(TYPES), st.lists(st.integers(0, ROWS - 1), max_size=20))
def test_rows_do_not_depend_on_the_type_of_ids(dtype: str, ids: list[int]) -> None:
    given_ids = np.array(ids, dtype)
    np.testing.assert_array_equal(make_layer()(given_ids), TABLE[np.array(ids, int)])
    bags = Ragged(given_ids, np.array([0, len(ids)]))
    expected = TABLE[np.array(ids, int)].sum(axis=0, keepdims=True)
    np.testing.assert_array_equal(EmbeddingBag(ROWS, 2, combiner="sum", weights=[TABLE])(bags), expected)
    gradient = RowGradient(given_ids, np.ones((len(ids), 2), "float32"), (ROWS, 2))
    np.testing.assert_array_equal(gradient.ids, ids)


@pytest.mark.parametrize("dtype", ["<u8", ">u8"])
@pytest.mark.parametrize("huge", HUGE)
@pytest.mark.filterwarnings("ignore:indices")
@pytest.mark.parametrize("policy", ["clip", "wrap", "zero", 4])
def test_every_policy_takes_the_id_for_what_it_is(dtype: str, huge: int, policy: Any) -> None:
    expected = {"clip": TABLE[ROWS - 1], "wrap": TABLE[huge % ROWS], "zero": np.zeros(2), 4: TABLE[4]}[policy]
    ids = np.array([3, huge], dtype)
    layer = make_layer(out_of_range=policy)
    np.testing.assert_array_equal(layer(ids), np.stack([TABLE[3], expected]))
    assert layer.out_of_range_count == 1
    bag = EmbeddingBag(ROWS, 2, combiner="sum", weights=[TABLE], out_of_range=policy)
    np.testing.assert_array_equal(bag(ids[None]), [TABLE[3] + expected])


@pytest.mark.parametrize("dtype", ["<u8", ">u8"])
@pytest.mark.parametrize("huge", HUGE)
def test_messages_hold_the_id(dtype: str, huge: int) -> None:
    ids = np.array([[3, huge]], dtype)
    for layer in (make_layer(), EmbeddingBag(ROWS, 2, name="words")):
        with pytest.raises(IndexError, match=rf"indices\[0,1\] = {huge} is not in \[0, 10\) \(layer 'words', 1 of 2"):
            layer(ids)
    for combiner in (None, "sum"):
        group = EmbeddingGroup({"user": ROWS, "item": ROWS}, 2, combiner=combiner)
        for inputs in (ids, {"user": np.array([3]), "item": ids[:, 1]}):
            with pytest.raises(IndexError, match=f"= {huge} is not in .*feature 'item'"):
                group(inputs)
    with pytest.raises(IndexError, match=str(huge)):
        RowGradient(ids[0], np.ones((2, 2), "float32"), (ROWS, 2))


@pytest.mark.parametrize("dtype", ["<u8", ">u8"])
def test_a_large_id_is_not_taken_for_padding_of_a_negative_number(dtype: str) -> None:
    with pytest.raises(IndexError, match=str(2**64 - 3)):
        make_layer(padding_id=-3)(np.array([1, 2**64 - 3], dtype))
