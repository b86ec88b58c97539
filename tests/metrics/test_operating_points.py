"""Rates at the best threshold, judged by a loop over thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import metrics

Array = np.ndarray[Any, Any]

POINTS = [
    (metrics.SensitivityAtSpecificity, "specificity", "sensitivity"),
    (metrics.SpecificityAtSensitivity, "sensitivity", "specificity"),
    (metrics.PrecisionAtRecall, "sensitivity", "precision"),
    (metrics.RecallAtPrecision, "precision", "sensitivity"),
]
each_point = pytest.mark.parametrize(
    ("kind", "bounded", "wanted"), POINTS, ids=[kind.__name__ for kind, _, _ in POINTS]
)


def naive_rates(y_true: Array, y_pred: Array, weights: Array, threshold: float) -> dict[str, float]:
    above = y_pred > threshold
    tp, fp = np.sum(weights[above & (y_true == 1)]), np.sum(weights[above & (y_true == 0)])
    fn, tn = np.sum(weights[~above & (y_true == 1)]), np.sum(weights[~above & (y_true == 0)])
    shares = {"sensitivity": (tp, fn), "specificity": (tn, fp), "precision": (tp, fp)}
    return {name: first / (first + second) if first + second else 0.0 for name, (first, second) in shares.items()}


@each_point
@pytest.mark.parametrize("bound", [0.0, 0.4, 0.75, 1.0])
@pytest.mark.parametrize("num_thresholds", [1, 2, 9, 200])
def test_the_best_rate_agrees_with_a_loop(
    kind: Any, bounded: str, wanted: str, bound: float, num_thresholds: int
) -> None:
    rng = np.random.default_rng(1)
    y_true, y_pred, weights = rng.integers(0, 2, 40), rng.random(40), rng.integers(1, 4, 40)
    thresholds = [0.5] if num_thresholds == 1 else np.arange(num_thresholds) / (num_thresholds - 1)
    rates = [naive_rates(y_true, y_pred, weights, threshold) for threshold in thresholds]
    expected = max([one[wanted] for one in rates if one[bounded] >= bound], default=0.0)
    metric = kind(bound, num_thresholds=num_thresholds)
    for rows in (slice(0, 25), slice(25, 40)):
        metric.update_state(y_true[rows], y_pred[rows], weights[rows])
    assert metric.result() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.SensitivityAtSpecificity(0.5), 0.5),
        (metrics.SpecificityAtSensitivity(0.5), 2 / 3),
        (metrics.PrecisionAtRecall(0.5), 0.5),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_values_are_those_of_the_documentation_of_keras(metric: Any, expected: float) -> None:
    assert metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]) == pytest.approx(expected)


def test_a_bound_that_is_never_reached_gives_zero() -> None:
    assert metrics.RecallAtPrecision(2 / 3)([1, 1, 0, 0, 0, 0], [0.0, 0.1, 0.8, 0.8, 0.8, 0.9]) == 0


@each_point
def test_a_config_builds_an_equal_metric(kind: Any, bounded: str, wanted: str) -> None:
    metric = kind(0.4, num_thresholds=100, class_id=2, name="mine")
    again = metrics.deserialize(metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    assert (again.num_thresholds, again.class_id, len(again.variables)) == (100, 2, 4)


@each_point
@pytest.mark.parametrize(("bound", "error"), [(-0.1, ValueError), (1.5, ValueError), ("0.5", TypeError)])
def test_a_bound_out_of_range_is_refused(kind: Any, bounded: str, wanted: str, bound: Any, error: Any) -> None:
    with pytest.raises(error, match=r"` must be a.* Received: "):
        kind(bound)
