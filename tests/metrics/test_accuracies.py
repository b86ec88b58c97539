"""Accuracies of the k largest predictions, and accuracies as functions of one batch."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fastembed_layer import metrics

FUNCTIONS = {
    metrics.accuracy: metrics.Accuracy,
    metrics.binary_accuracy: metrics.BinaryAccuracy,
    metrics.categorical_accuracy: metrics.CategoricalAccuracy,
    metrics.sparse_categorical_accuracy: metrics.SparseCategoricalAccuracy,
    metrics.top_k_categorical_accuracy: metrics.TopKCategoricalAccuracy,
    metrics.sparse_top_k_categorical_accuracy: metrics.SparseTopKCategoricalAccuracy,
}


@given(st.integers(1, 5), st.integers(2, 7), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_top_k_accuracies_agree_with_a_loop(n: int, classes: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, y_pred = rng.integers(0, classes, n), rng.integers(0, 4, (n, classes)) / 4
    right = [sum(other > row[label] for other in row) < k for row, label in zip(y_pred, labels, strict=True)]
    assert metrics.SparseTopKCategoricalAccuracy(k)(labels, y_pred) == pytest.approx(np.mean(right))
    assert metrics.TopKCategoricalAccuracy(k)(np.eye(classes)[labels], y_pred) == pytest.approx(np.mean(right))


def test_top_k_accuracies_have_the_values_of_the_documentation_of_keras() -> None:
    y_pred = [[0.1, 0.9, 0.8], [0.05, 0.95, 0]]
    for metric, y_true in (
        (metrics.TopKCategoricalAccuracy(k=1), [[0, 0, 1], [0, 1, 0]]),
        (metrics.SparseTopKCategoricalAccuracy(k=1), [2, 1]),
    ):
        assert metric(y_true, y_pred) == 0.5
        metric.reset_state()
        assert metric(y_true, y_pred, sample_weight=[0.7, 0.3]) == pytest.approx(0.3)


def test_top_k_of_sequences_and_of_a_label_axis() -> None:
    y_pred = np.array([[[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]]])
    assert metrics.SparseTopKCategoricalAccuracy(k=2)([[2, 1]], y_pred) == 0.5
    assert metrics.SparseTopKCategoricalAccuracy(k=2)([[[2], [1]]], y_pred) == 0.5


def test_a_label_that_does_not_exist_or_a_prediction_that_is_no_number_is_not_among_the_largest() -> None:
    metric = metrics.SparseTopKCategoricalAccuracy(k=5)
    assert metric([-1, 3, 0], np.array([[0.1, 0.2], [0.1, 0.2], [np.nan, 0.2]])) == 0


def test_class_numbers_sorted_by_likelihood_are_taken_as_they_are() -> None:
    metric = metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)
    assert metric([2, 1, 0], np.array([[1, 2, 0], [2, 0, 1], [0, 1, 2]])) == pytest.approx(2 / 3)
    assert metric.get_config() == {"name": "sparse_top_k_categorical_accuracy", "dtype": None, "k": 2} | {
        "from_sorted_ids": True
    }


@pytest.mark.parametrize(("function", "kind"), FUNCTIONS.items(), ids=lambda one: one.__name__)
def test_a_function_gives_the_values_whose_mean_the_metric_is(function: Any, kind: Any) -> None:
    rng = np.random.default_rng(0)
    labels, y_pred = rng.integers(0, 9, 6), rng.random((6, 9))
    y_true = labels if "sparse" in function.__name__ else np.eye(9)[labels]
    values = function(y_true, y_pred)
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(kind()(y_true, y_pred))
    assert type(metrics.get(function)) is type(metrics.get(function.__name__)) is kind


def test_functions_take_the_options_of_the_classes() -> None:
    assert metrics.binary_accuracy([[1]], [[0.4]], threshold=0.3) == 1
    assert metrics.sparse_top_k_categorical_accuracy([0], [[0.1, 0.5, 0.4]], k=3) == 1
    assert metrics.top_k_categorical_accuracy([[1, 0, 0]], [[0.1, 0.5, 0.4]], k=2) == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"k": 0}, ValueError), ({"k": 1.5}, TypeError), ({"from_sorted_ids": 1}, TypeError)],
)
def test_a_wrong_option_is_refused_by_name(arguments: dict[str, Any], error: Any) -> None:
    with pytest.raises(error, match=f"`{next(iter(arguments))}`.* Received: "):
        metrics.SparseTopKCategoricalAccuracy(**arguments)
