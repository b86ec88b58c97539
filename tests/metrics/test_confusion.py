"""Counts, precision and recall at thresholds, judged by a loop and by the values of Keras."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fastembed_layer import metrics

Array = np.ndarray[Any, Any]

COUNTS = [metrics.TruePositives, metrics.FalsePositives, metrics.TrueNegatives, metrics.FalseNegatives]
ALL = [*COUNTS, metrics.Precision, metrics.Recall]


def naive_counts(y_true: Array, y_pred: Array, weights: Array, threshold: float) -> list[float]:
    """Count one prediction after the other: right above, wrong above, right below, wrong below."""
    counts = [0.0, 0.0, 0.0, 0.0]
    for target, score, weight in zip(y_true.ravel(), y_pred.ravel(), weights.ravel(), strict=True):
        if score > threshold:
            counts[0 if target else 1] += weight
        else:
            counts[3 if target else 2] += weight
    return counts


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 0.75, 1.0]), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_counts_agree_with_a_loop(thresholds: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    y_true, weights = rng.integers(0, 2, (6, 2)), rng.integers(0, 4, (6, 2))
    y_pred = rng.choice([0.0, 0.1, 0.2, 0.25, 0.5, 0.6, 0.75, 1.0], (6, 2))
    expected = np.array([naive_counts(y_true, y_pred, weights, threshold) for threshold in thresholds])
    for position, kind in enumerate(COUNTS):
        metric = kind(thresholds=thresholds)
        metric.update_state(y_true[:4], y_pred[:4], weights[:4])
        metric.update_state(y_true[4:], y_pred[4:], weights[4:])
        np.testing.assert_allclose(np.atleast_1d(metric.result()), expected[:, position])


@pytest.mark.parametrize(
    ("kind", "y_true", "y_pred", "unweighted"),
    [
        (metrics.TruePositives, [0, 1, 1, 1], [1, 0, 1, 1], 2.0),
        (metrics.FalsePositives, [0, 1, 0, 0], [0, 0, 1, 1], 2.0),
        (metrics.TrueNegatives, [0, 1, 0, 0], [1, 1, 0, 0], 2.0),
        (metrics.FalseNegatives, [0, 1, 1, 1], [0, 1, 0, 0], 2.0),
        (metrics.Precision, [0, 1, 1, 1], [1, 0, 1, 1], 2 / 3),
        (metrics.Recall, [0, 1, 1, 1], [1, 0, 1, 1], 2 / 3),
    ],
)
def test_values_are_those_of_the_documentation_of_keras(kind: Any, y_true: Any, y_pred: Any, unweighted: float) -> None:
    metric = kind()
    assert metric(y_true, y_pred) == pytest.approx(unweighted)
    assert type(metric.result()) is float
    metric.reset_state()
    assert metric(y_true, y_pred, sample_weight=[0, 0, 1, 0]) == 1.0


def test_several_thresholds_give_an_array_in_their_order() -> None:
    y_true, y_pred = np.array([[1, 0], [0, 1]]), np.array([[0.3, 0.6], [0.1, 0.8]])
    np.testing.assert_allclose(metrics.Precision([0.7, 0.2])(y_true, y_pred), [1, 2 / 3])
    np.testing.assert_allclose(metrics.Recall([0.7, 0.2])(y_true, y_pred), [0.5, 1])


@pytest.mark.parametrize(
    ("kind", "top_k", "expected"), [(metrics.Precision, 2, 0.0), (metrics.Precision, 4, 0.5), (metrics.Recall, 2, 0.0)]
)
def test_only_the_largest_predictions_are_positive(kind: Any, top_k: int, expected: float) -> None:
    assert kind(top_k=top_k)([0, 0, 1, 1], [1, 1, 1, 1]) == expected


def test_the_largest_predictions_of_a_class_and_above_a_threshold() -> None:
    y_true = np.array([[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]])
    y_pred = np.array([[0.2, 0.1, 0.5, 0.0, 0.2], [0.3, 0.6, 0.1, 0.0, 0.9]])
    assert metrics.Precision(top_k=3)(y_true, y_pred) == pytest.approx(3 / 6)
    assert metrics.Recall(top_k=3)(y_true, y_pred) == pytest.approx(3 / 4)
    assert metrics.Precision(top_k=3, thresholds=0.25)(y_true, y_pred) == pytest.approx(3 / 4)
    assert metrics.Recall(class_id=4, top_k=2)(y_true, y_pred) == 1
    assert metrics.Precision(class_id=1)(y_true, y_pred) == 0


def test_weights_of_samples_hold_for_all_their_classes() -> None:
    y_true, y_pred = np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.9], [0.9, 0.1]])
    assert metrics.Precision()(y_true, y_pred, sample_weight=[3, 1]) == pytest.approx(4 / 7)
    assert metrics.Precision()(y_true, y_pred, mask=[False, True]) == 1
    assert metrics.Recall(class_id=1)(y_true, y_pred, sample_weight=[3, 1]) == 0


@pytest.mark.parametrize("kind", ALL)
def test_nothing_to_count_is_zero(kind: Any) -> None:
    metric = kind()
    assert metric.result() == 0
    assert metric(np.zeros((0, 2)), np.zeros((0, 2))) == 0


@pytest.mark.parametrize("kind", [metrics.Precision, metrics.Recall, metrics.TruePositives])
def test_nan_predictions_make_the_result_nan(kind: Any) -> None:
    assert np.isnan(kind()([1, 1], [np.nan, 0.9]))
    assert np.isnan(kind(thresholds=[0.0, 0.5, 1.0])([1, 1], [np.nan, 0.9])).all()


@pytest.mark.parametrize("kind", ALL)
def test_a_config_builds_an_equal_metric(kind: Any) -> None:
    metric = kind(thresholds=[0.4, 0.6], name="mine", dtype="float32")
    again = metrics.deserialize(metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    assert again.thresholds == [0.4, 0.6]


@pytest.mark.parametrize("thresholds", [-0.1, 1.5, [0.5, 2], [None], "half", []])
@pytest.mark.parametrize("kind", ALL)
def test_a_threshold_out_of_range_is_refused(kind: Any, thresholds: Any) -> None:
    with pytest.raises(ValueError, match=r"Threshold values must be in \[0, 1\]. Received: .* as `thresholds`"):
        kind(thresholds=thresholds)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"top_k": 0}, ValueError), ({"top_k": 1.0}, TypeError), ({"class_id": 1.0}, TypeError)],
)
def test_a_wrong_option_is_refused_by_name(arguments: dict[str, Any], error: Any) -> None:
    with pytest.raises(error, match=f"`{next(iter(arguments))}`.* Received: "):
        metrics.Precision(**arguments)


def test_more_predictions_than_there_are_and_a_class_that_is_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="`top_k` must not exceed"):
        metrics.Recall(top_k=3)([[0, 1]], [[0.1, 0.2]])
    for class_id, shape in ((2, (3, 2)), (0, (3,))):
        with pytest.raises(ValueError, match=r"When class_id is provided, y_pred must be a 2D array"):
            metrics.Recall(class_id=class_id)(np.ones(shape), np.ones(shape))
