"""Ids of several features: every form that callers write is one form, and what could mean two things is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Ragged
from fastembed_layer.inputs.feature_ids import read_bags, read_ids

COLUMNS = [np.array([1, 2, 3], "int32"), np.array([4, 5, 6], "uint8")]


@pytest.mark.parametrize(
    "inputs",
    [
        np.stack(COLUMNS, axis=1),
        np.stack(COLUMNS, axis=1).astype("float64"),
        np.asfortranarray(np.stack(COLUMNS, axis=1)),
        COLUMNS,
        tuple(COLUMNS),
        [column[:, None] for column in COLUMNS],
        {"b": [4, 5, 6], "a": [1, 2, 3]},
    ],
    ids=["array", "whole floats", "by columns", "list", "tuple", "columns", "dict of lists"],
)
def test_every_form_of_ids_is_one_array(inputs: Any) -> None:
    ids = read_ids(inputs, ("a", "b"), "group")
    assert ids.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert ids.flags.c_contiguous
    assert ids.dtype in (np.int32, np.int64)


@pytest.mark.parametrize(
    "inputs",
    [
        [Ragged.from_lists([[1], [], [2, 3]]), Ragged.from_lists([[4], [5], []])],
        [(np.array([1, 2, 3]), [0, 1, 1, 3]), (np.array([4, 5]), [0, 1, 2, 2])],
        {"a": [[1], [], [2, 3]], "b": [[4], [5], []]},
    ],
    ids=["ragged", "values and offsets", "dict of lists"],
)
def test_every_form_of_bags_is_values_and_offsets(inputs: Any) -> None:
    bags = read_bags(inputs, ("a", "b"), "group")
    assert bags.values.tolist() == [1, 2, 3, 4, 5]
    assert bags.offsets.tolist() == [[0, 1, 1, 3], [3, 4, 5, 5]]
    assert len(bags) == 3


@pytest.mark.parametrize(
    ("inputs", "length"),
    [(np.arange(6).reshape(3, 2), 1), (np.arange(12).reshape(3, 2, 2), 2), (np.zeros((3, 2, 0), int), 0)],
)
def test_an_array_is_bags_of_one_length(inputs: Any, length: int) -> None:
    bags = read_bags(inputs, (0, 1), "group")
    assert bags.values.tolist() == inputs.swapaxes(0, 1).reshape(-1).tolist()
    assert np.diff(bags.offsets, axis=1).tolist() == [[length] * 3] * 2


@pytest.mark.parametrize("read", [read_ids, read_bags])
@pytest.mark.parametrize(
    ("inputs", "error", "text"),
    [
        ([[1, 2], [3, 4]], TypeError, r"Lists in lists could also hold the ids of each sample: pass an array"),
        ([[1, 2], [3]], TypeError, "Lists in lists"),
        ([1, 2], TypeError, "must hold an array for each feature"),
        ([np.array([1])], ValueError, r"an array for each of its 2 features\. Received: 1"),
        ([], ValueError, r"Received: 0\."),
        ({"a": [1]}, ValueError, r"must be a dict with the keys \['a', 'b'\]\. Received: the keys \['a'\]"),
        ({"a": [1], "b": [2], "c": [3]}, ValueError, r"Received: the keys \['a', 'b', 'c'\]"),
        ({"a": [1], "b": [2, 3]}, ValueError, r"the same number of samples\. Received: \{'a': 1, 'b': 2\}"),
        ({"a": [1], "b": [0.5]}, TypeError, "must be integers"),
        ({"a": [1], "b": np.ones((1, 2, 2), int)}, ValueError, "feature 'b' of the layer 'group' must"),
        ({"a": [1], "b": np.int64(1)}, ValueError, "feature 'b' of the layer 'group' must"),
        ({"a": [1], "b": (1, 2, 3)}, ValueError, "Received: a tuple of 3"),
        (np.ones((4, 3), int), ValueError, r"must have the shape \(batch_size, 2\).* Received: shape \(4, 3\)"),
        (np.ones(2, int), ValueError, r"Received: shape \(2,\)"),
        (np.ones((1, 2, 2, 2), int), ValueError, r"Received: shape \(1, 2, 2, 2\)"),
        (3, ValueError, r"Received: shape \(\)"),
        (Ragged.from_lists([[1], [2, 3]]), ValueError, r"Received: shape \(2, None\)"),
        ("ab", TypeError, "must be integers"),
    ],
)
def test_what_is_no_ids_of_two_features_is_refused(read: Any, inputs: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        read(inputs, ("a", "b"), "group")


@pytest.mark.parametrize("several", [np.ones((2, 2), int), Ragged.from_lists([[1], [2, 3]]), [[1], [2, 3]]])
def test_several_ids_without_a_combiner_are_refused_with_the_remedy(several: Any) -> None:
    with pytest.raises(ValueError, match="several ids per sample need a `combiner`"):
        read_ids({"a": [1, 2], "b": several}, ("a", "b"), "group")


def test_bags_of_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="must be an array of shape"):
        read_bags({"a": [1, 2], "b": Ragged(np.ones((2, 2), int), [0, 1, 2])}, ("a", "b"), "group")
