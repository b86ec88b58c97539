"""`R2Score`, judged by its formula and by the values of Keras's tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import metrics

Y_TRUE = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
Y_PRED = [[0.4, 0.5, 0.6], [0.1, 0.2, 0.3], [0.5, 0.8, 0.2]]


@pytest.mark.parametrize(
    ("aggregation", "num_regressors", "expected"),
    [
        (None, 0, [0.37, -1.295, 0.565]),
        (None, 1, [-0.26, -3.59, 0.13]),
        ("uniform_average", 0, -0.12),
        ("variance_weighted_average", 0, -0.12),
    ],
)
def test_values_are_those_of_the_tests_of_keras(aggregation: Any, num_regressors: int, expected: Any) -> None:
    metric = metrics.R2Score(aggregation, num_regressors)
    np.testing.assert_allclose(metric(Y_TRUE, Y_PRED), expected, atol=1e-6)


def test_batches_and_weights_add_up() -> None:
    rng = np.random.default_rng(0)
    y_true, weights = rng.normal(size=(30, 2)) * [1, 3], rng.random(30)
    y_pred = y_true + rng.normal(size=(30, 2))
    metric = metrics.R2Score("variance_weighted_average")
    for rows in (slice(0, 20), slice(20, 30)):
        metric.update_state(y_true[rows], y_pred[rows], weights[rows])
    mean = np.average(y_true, axis=0, weights=weights)
    spread, residual = ((weights[:, None] * (y_true - other) ** 2).sum(axis=0) for other in (mean, y_pred))
    assert metric.result() == pytest.approx(np.average(1 - residual / spread, weights=spread))
    assert metric.num_samples.value == 30


def test_nothing_and_equal_targets_are_zero() -> None:
    metric = metrics.R2Score()
    assert metric.result() == 0
    assert metric(np.ones((3, 1)), np.zeros((3, 1))) == 0
    metric.reset_state()
    assert metric.result() == 0


@pytest.mark.parametrize(("num_regressors", "words"), [(2, "Division by zero"), (5, "More independent predictors")])
def test_too_few_samples_for_an_adjusted_score_are_warned_of(num_regressors: int, words: str) -> None:
    metric = metrics.R2Score(None, num_regressors)
    metric.update_state(Y_TRUE, Y_PRED)
    with pytest.warns(UserWarning, match=words):
        np.testing.assert_allclose(metric.result(), [0.37, -1.295, 0.565], atol=1e-6)


def test_a_config_builds_an_equal_metric() -> None:
    metric = metrics.R2Score(None, 2, name="r")
    assert metrics.deserialize(metrics.serialize(metric)).get_config() == metric.get_config()


@pytest.mark.parametrize(
    "arguments",
    [{"class_aggregation": "mean"}, {"num_regressors": -1}, {"num_regressors": 1.5}, {"num_regressors": True}],
)
def test_a_wrong_option_is_refused_by_name(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}`.* Received: "):
        metrics.R2Score(**arguments)


def test_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="R2Score expects 2D inputs with shape"):
        metrics.R2Score()([0.0, 1.0], [0.0, 1.0])
