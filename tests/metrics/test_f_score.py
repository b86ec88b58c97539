"""`FBetaScore` and `F1Score`, judged by a loop over classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import metrics

Array = np.ndarray[Any, Any]

Y_TRUE = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]])
Y_PRED = np.array([[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])


def naive_scores(y_true: Array, positive: Array, weights: Array, beta: float) -> list[float]:
    """The score of each column, from precision and recall."""
    scores = []
    for targets, found in zip(y_true.T, positive.T, strict=True):
        right = np.sum(weights * targets * found)
        precision, recall = right / max(np.sum(weights * found), 1e-30), right / max(np.sum(weights * targets), 1e-30)
        scores.append((1 + beta**2) * precision * recall / max(beta**2 * precision + recall, 1e-30))
    return scores


@pytest.mark.parametrize("threshold", [None, 0.3, 0.5])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_classes_agree_with_a_loop(threshold: float | None, beta: float, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 2, (20, 3)), rng.random((20, 3))
    weights = rng.random(20) if weighted else np.ones(20)
    positive = y_pred == y_pred.max(axis=1, keepdims=True) if threshold is None else y_pred > threshold
    metric = metrics.FBetaScore(beta=beta, threshold=threshold)
    for rows in (slice(0, 12), slice(12, 20)):
        metric.update_state(y_true[rows], y_pred[rows], weights[rows])
    expected = naive_scores(y_true, positive, weights, beta)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)
    macro = metrics.FBetaScore("macro", beta, threshold)
    assert macro(y_true, y_pred, weights) == pytest.approx(np.mean(expected), rel=1e-5)
    sizes = (y_true * weights[:, None]).sum(axis=0)
    by_size = metrics.FBetaScore("weighted", beta, threshold)
    assert by_size(y_true, y_pred, weights) == pytest.approx(np.average(expected, weights=sizes), rel=1e-5)
    micro = metrics.FBetaScore("micro", beta, threshold)
    flat = naive_scores(y_true.reshape(-1, 1), positive.reshape(-1, 1), np.repeat(weights, 3), beta)
    assert micro(y_true, y_pred, weights) == pytest.approx(flat[0], rel=1e-5)


def test_values_are_those_of_the_documentation_of_keras() -> None:
    np.testing.assert_allclose(
        metrics.FBetaScore(beta=2.0, threshold=0.5)(Y_TRUE, Y_PRED), [0.3846154, 0.90909094, 0.8333334], rtol=1e-6
    )
    np.testing.assert_allclose(metrics.F1Score(threshold=0.5)(Y_TRUE, Y_PRED), [0.5, 0.8, 0.6666667], rtol=1e-6)


def test_a_sample_of_zeros_has_no_largest_prediction() -> None:
    metric = metrics.F1Score("micro")
    assert metric(np.ones((2, 3)), np.zeros((2, 3))) == 0
    assert metric.false_positives.value == 0


def test_nothing_to_count_is_zero_and_a_reset_forgets() -> None:
    metric = metrics.F1Score("macro")
    assert metric.result() == 0
    metric.update_state(Y_TRUE, Y_PRED)
    metric.reset_state()
    assert metric.result() == 0


def test_a_config_builds_an_equal_metric() -> None:
    for metric in (metrics.F1Score("macro", 0.4, name="f"), metrics.FBetaScore("micro", 0.5)):
        again = metrics.deserialize(metrics.serialize(metric))
        assert type(again) is type(metric)
        assert again.get_config() == metric.get_config()
    assert "beta" not in metrics.F1Score().get_config()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"average": "mean"}, ValueError),
        ({"beta": 0.0}, ValueError),
        ({"beta": "1"}, TypeError),
        ({"threshold": 1.5}, ValueError),
        ({"threshold": 0.0}, ValueError),
    ],
)
def test_a_wrong_option_is_refused_by_name(arguments: dict[str, Any], error: Any) -> None:
    with pytest.raises(error, match=f"`{next(iter(arguments))}`.* Received: "):
        metrics.FBetaScore(**arguments)


def test_targets_of_one_class_need_no_axis_of_their_own() -> None:
    metric = metrics.F1Score("micro", threshold=0.5)
    assert metric([1, 0, 1], [[0.9], [0.8], [0.7]]) == pytest.approx(0.8, rel=1e-5)


def test_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="F1Score expects 2D inputs with shape"):
        metrics.F1Score()([0, 1], [0.1, 0.9])
