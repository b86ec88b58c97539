"""Ids as callers pass them: taken exactly as they are, or refused with the first value that is no id."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import INTEGER_TYPES, KERNEL_TYPES, any_ids, lay_out

from fastembed_layer import Embedding, Ragged
from fastembed_layer.inputs.ids import normalise_ids

Array = np.ndarray[Any, Any]

INPUT_DIM = 60
NOT_INTEGERS = {
    "bool": True,
    "list of bool": [True, False],
    "string": "3",
    "list of strings": ["3", "4"],
    "None": None,
    "list with None": [1, None],
    "complex": 1j,
    "object": object(),
    "date": np.datetime64("2020-01-01"),
    "beyond 64 bits": [2**70],
    "bytes": b"3",
}


def normalise(inputs: Any) -> Any:
    """Ids of a layer called ``words``."""
    return normalise_ids(inputs, "words")


@given(ids=any_ids(INPUT_DIM))
def test_ids_of_any_type_rank_and_layout_keep_their_values_and_shape(ids: Array) -> None:
    taken = normalise(ids)
    assert isinstance(taken, np.ndarray)
    assert taken.shape == ids.shape
    assert taken.tolist() == ids.tolist()
    assert taken.dtype in KERNEL_TYPES
    assert taken.dtype.isnative
    assert taken.flags.c_contiguous


@given(ids=any_ids(INPUT_DIM))
def test_a_layer_looks_up_ids_of_any_type_rank_and_layout(ids: Array) -> None:
    value = np.arange(INPUT_DIM * 2.0, dtype="float32").reshape(INPUT_DIM, 2)
    layer = Embedding(INPUT_DIM, 2, embeddings_initializer=value)
    rows = layer(ids)
    assert rows.shape == (*ids.shape, 2)
    assert np.array_equal(rows, value[ids.astype("int64")])


@pytest.mark.parametrize("dtype", INTEGER_TYPES)
def test_the_largest_and_smallest_number_of_a_type_keep_their_value(dtype: str) -> None:
    limits = np.iinfo(dtype)
    expected = [int(limits.min), int(limits.max)]
    assert normalise(np.array([limits.min, limits.max], dtype)).tolist() == expected


@pytest.mark.parametrize(
    ("dtype", "taken"),
    [("int8", "int32"), ("uint8", "int32"), ("int16", "int32"), ("uint16", "int32"), ("int32", "int32"),
     ("uint32", "int64"), ("int64", "int64"), ("uint64", "int64")],
)  # fmt: skip
def test_the_smaller_kernel_type_that_holds_a_type_is_chosen(dtype: str, taken: str) -> None:
    assert normalise(np.zeros(2, dtype)).dtype == taken


def test_ids_that_fit_already_are_not_copied() -> None:
    for dtype in KERNEL_TYPES:
        ids = np.zeros((2, 3), dtype)
        assert np.shares_memory(normalise(ids), ids)


def test_ids_beyond_64_bits_with_sign_stay_out_of_range() -> None:
    assert normalise(np.array([2**64 - 1], "uint64")).tolist() == [2**64 - 1]


def test_a_single_id_and_no_ids_are_ids() -> None:
    assert normalise(3).shape == ()
    assert normalise([]).shape == (0,)
    assert normalise([]).dtype == "int64"
    assert normalise([[], []]).shape == (2, 0)


@pytest.mark.parametrize("inputs", NOT_INTEGERS.values(), ids=NOT_INTEGERS)
def test_what_is_no_integer_is_a_type_error_that_names_the_layer(inputs: Any) -> None:
    with pytest.raises(TypeError, match=r"The ids of the layer 'words' must be integers"):
        normalise(inputs)


# ---- Floats


LIMITS = {"float16": 2**11, "float32": 2**24, "float64": 2**53}


@pytest.mark.parametrize(("dtype", "limit"), LIMITS.items())
def test_floats_are_taken_up_to_where_the_type_is_exact(dtype: str, limit: int) -> None:
    assert normalise(np.array([0.0, -1.0, limit - 1], dtype)).tolist() == [0, -1, limit - 1]
    with pytest.raises(TypeError, match=rf"whole numbers below {limit}, .* Received: indices\[1\] = "):
        normalise(np.array([0, limit], dtype))


@given(st.lists(st.integers(0, 2**24 - 1), max_size=20))
def test_exact_floats_give_the_ids_that_integers_give(ids: list[int]) -> None:
    assert normalise(np.array(ids, "float32")).tolist() == ids


@pytest.mark.parametrize("dtype", [*LIMITS, "longdouble"])
@pytest.mark.parametrize("value", [0.5, -1.25, np.nan, np.inf, -np.inf])
def test_the_first_float_that_is_no_id_is_named_with_its_place(dtype: str, value: float) -> None:
    ids = np.array([[1, 2, 3], [4, 5, value], [value, 8, 9]], dtype)
    with pytest.raises(TypeError, match=rf"{np.dtype(dtype)} ids are taken only .*indices\[1,2\] = {value}\."):
        normalise(ids)


def test_a_single_float_that_is_no_id_has_no_place() -> None:
    with pytest.raises(TypeError, match=r"Received: indices = 2\.5\."):
        normalise(2.5)


# ---- Ragged ids


def test_lists_of_different_lengths_become_ragged() -> None:
    taken = normalise([[3, 1], [], [2]])
    assert isinstance(taken, Ragged)
    assert taken.to_list() == [[3, 1], [], [2]]
    assert taken.values.dtype == "int64"


def test_the_values_of_a_ragged_batch_are_judged_like_other_ids() -> None:
    assert normalise(Ragged(np.array([1.0, 2.0]), [0, 2])).values.tolist() == [1, 2]
    assert normalise(Ragged(np.array([1, 2], "uint8"), [0, 2])).values.dtype == "int32"
    with pytest.raises(TypeError, match=r"indices\[0\] = 1\.5"):
        normalise(Ragged(np.array([1.5, 2.0]), [0, 2]))
    with pytest.raises(TypeError, match="must be integers"):
        normalise([["a"], []])


def test_a_list_of_single_numbers_is_not_ragged() -> None:
    assert normalise([np.int32(4), 5]).tolist() == [4, 5]
    assert normalise([np.array(4), np.array(5)]).tolist() == [4, 5]


@given(data=st.data())
def test_every_layout_holds_the_same_ids(data: st.DataObject) -> None:
    """The strategy itself: a layout that changed the ids would make the tests above too easy."""
    ids = np.arange(data.draw(st.integers(1, 4)) * 3, dtype="int16").reshape(-1, 3)
    for layout in ("every other", "reversed", "transposed", "read-only", "byte-swapped"):
        laid_out = lay_out(ids, layout)
        assert laid_out.tolist() == ids.tolist()
        is_plain = laid_out.flags.c_contiguous and laid_out.flags.writeable and laid_out.dtype.isnative
        assert not is_plain or len(ids) == 1
