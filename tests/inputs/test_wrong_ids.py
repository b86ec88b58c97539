"""Ids of a wrong kind: the error says what was received and what to do."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from fastembed_layer import Embedding, EmbeddingBag, EmbeddingGroup, Ragged
from fastembed_layer.inputs.ids import normalise_ids

Array = np.ndarray[Any, Any]


def objects(*values: Any) -> Array:
    """A one-dimensional array of objects, whatever they are."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


class NAType:
    """Looks like the missing value of pandas."""

    def __repr__(self) -> str:
        return "<NA>"


class Kind:
    """Looks like the dtype of a column of pandas."""

    def __init__(self, name: str):
        self.name = name


class Column:
    """Looks like a column of pandas: the name of its dtype, and the array that numpy makes of it."""

    def __init__(self, name: str, values: Array):
        self.dtype = Kind(name)
        self.values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.values


RAGGED = objects(np.array([1, 2]), np.array([3]))
KINDS: dict[str, tuple[Any, str, str]] = {  # what is passed, what the message says of it, the remedy
    "integers as objects": (objects(1, np.int64(2)), "dtype object that holds integers", r"ids\.astype\('int64'\)"),
    "no objects": (objects(), "dtype object that holds integers", r"ids\.astype\('int64'\)"),
    "too large": ([1, 2**70], r"beyond 64 bits \(indices\[1\] = 1180591620717411303424\)", "hash such keys"),
    "words": (["a", "b"], r"dtype <U1, which holds text \(indices\[0\] = 'a'\)", r"enumerate\(vocabulary\)"),
    "bytes": (np.array([b"a"]), r"dtype \|S1, which holds text \(indices\[0\] = b'a'\)", "number_of"),
    "words as objects": (objects(3, "b"), r"holds text \(indices\[1\] = 'b'\)", "number_of"),
    "a single word": ("word", r"holds text \(indices = 'word'\)", "number_of"),
    "a long word": (["x" * 90], r"indices\[0\] = 'x{36}\.\.\.\)", "number_of"),
    "booleans": ([True, False], "Received: an array of dtype bool", r"np\.flatnonzero\(mask\)"),
    "booleans as objects": (objects(True), r"holds a bool \(indices\[0\] = True\)", r"ids\.astype\('int64'\)"),
    "fractions as objects": (objects(1, 2.5), r"holds a float \(indices\[1\] = 2\.5\)", "whole numbers"),
    "None": (None, r"a missing value \(indices = None\)", r"fillna\(0\)"),
    "a list with None": ([[1, None]], r"a missing value \(indices\[0,1\] = None\)", "mask_zero=True"),
    "NaN as an object": (objects(1, float("nan")), r"a missing value \(indices\[1\] = nan\)", r"fillna\(0\)"),
    "a nullable column": (objects(1, NAType()), r"a missing value \(indices\[1\] = <NA>\)", r"fillna\(0\)"),
    "ragged objects": (RAGGED, r"holds sequences \(indices\[0\] = array\(\[1, 2\]\)\)", r"Ragged\.from_lists\(ids\)"),
    "lists as objects": (objects([1], [2, 3]), r"holds sequences \(indices\[0\] = \[1\]\)", r"ids\.tolist\(\)"),
    "another object": (objects(object), "holds a type", ""),
    "dates": (np.array(["2020-01-01"], "datetime64[D]"), r"dtype datetime64\[D\]\.$", ""),
    "complex": (np.array([1j]), r"dtype complex128\.$", ""),
    "lists beside numbers": ([[1, 2], 3], "nested lists of which numpy makes no array", "a list of lists of integers"),
    "three uneven levels": ([[[1], [2, 3]], [[4], [5]]], "nested lists of which numpy makes no array", "one length on"),
    "uneven lists in uneven lists": ([[1, [2, 3]], [4]], "nested lists of which numpy makes no array", "or a Ragged"),
    "text in uneven lists": ([["a", "b"], ["c"]], r"holds text \(indices\[0\] = 'a'\)", "number_of"),
    "a missing id in uneven lists": ([[1, None], [2]], r"missing value \(indices\[1\] = None\)", r"fillna\(0\)"),
    "a categorical column": (Column("category", objects("a")), "a categorical column of object", r"column\.cat\.codes"),
    "categories that are numbers": (Column("category", np.array([5, 7])), "a categorical column of int64", "codes"),
}


@pytest.mark.parametrize(("inputs", "received", "remedy"), KINDS.values(), ids=KINDS)
def test_the_error_names_what_was_received_and_what_to_do(inputs: Any, received: str, remedy: str) -> None:
    with pytest.raises(TypeError, match=r"^The ids of the layer 'words' must be integers.*Received: ") as caught:
        normalise_ids(inputs, "words")
    message = str(caught.value)
    assert_found(received, message)
    assert_found(remedy, message)


def assert_found(pattern: str, message: str) -> None:
    """Fail unless the message holds the pattern."""
    assert re.search(pattern, message), message


def test_the_helper_fails_where_nothing_is_found() -> None:
    with pytest.raises(AssertionError, match="the message"):
        assert_found("absent", "the message")


def test_a_missing_value_among_floats_is_told_from_a_fraction() -> None:
    with pytest.raises(TypeError, match=r"Received: indices\[1\] = nan\. Give missing ids a number of their own"):
        normalise_ids([1.0, np.nan], "words")
    with pytest.raises(TypeError, match=r"Received: indices\[1\] = 2\.5\.$"):
        normalise_ids([1.0, 2.5], "words")


def test_a_column_of_integers_is_taken() -> None:
    assert normalise_ids(Column("int64", np.array([5, 7])), "words").tolist() == [5, 7]


@pytest.mark.parametrize(
    "layer", [Embedding(4, 2), EmbeddingBag(4, 2), EmbeddingGroup({"a": 4}, 2)], ids=["rows", "bags", "features"]
)
def test_every_embedding_layer_says_it(layer: Any) -> None:
    words: Any = np.array([["a", "b"]])
    with pytest.raises(TypeError, match=r"must be integers\. Received: .* which holds text"):
        layer({"a": words} if isinstance(layer, EmbeddingGroup) else words)


def test_what_the_remedies_say_works() -> None:
    layer = Embedding(9, 2)
    assert layer(objects(1, 2).astype("int64")).shape == (2, 2)
    assert layer(np.unique(np.array(["b", "a", "b"]), return_inverse=True)[1]).shape == (3, 2)
    assert layer(RAGGED.tolist()).shape == (2, None, 2)
    assert layer(Ragged.from_lists(RAGGED)).shape == (2, None, 2)
