"""Metrics that are means of losses: the numbers of the losses, and those of Keras's documentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import losses, metrics

Array = np.ndarray[Any, Any]

OF_LOSSES = {
    metrics.MeanSquaredError: losses.MeanSquaredError,
    metrics.MeanAbsoluteError: losses.MeanAbsoluteError,
    metrics.MeanAbsolutePercentageError: losses.MeanAbsolutePercentageError,
    metrics.MeanSquaredLogarithmicError: losses.MeanSquaredLogarithmicError,
    metrics.LogCoshError: losses.LogCosh,
    metrics.Hinge: losses.Hinge,
    metrics.SquaredHinge: losses.SquaredHinge,
    metrics.CategoricalHinge: losses.CategoricalHinge,
    metrics.KLDivergence: losses.KLDivergence,
    metrics.Poisson: losses.Poisson,
    metrics.BinaryCrossentropy: losses.BinaryCrossentropy,
    metrics.CategoricalCrossentropy: losses.CategoricalCrossentropy,
    metrics.SparseCategoricalCrossentropy: losses.SparseCategoricalCrossentropy,
}


@pytest.mark.parametrize(("kind", "loss_kind"), OF_LOSSES.items(), ids=lambda one: one.__name__)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_metric_over_batches_is_the_weighted_mean_of_the_losses(kind: Any, loss_kind: Any, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 9)
    y_true = classes if kind is metrics.SparseCategoricalCrossentropy else np.eye(3)[classes]
    y_pred, weights = rng.uniform(0.05, 0.95, (9, 3)), rng.random(9) if weighted else np.ones(9)
    metric = kind()
    for rows in (slice(0, 4), slice(4, 9)):
        metric.update_state(y_true[rows], y_pred[rows], sample_weight=weights[rows] if weighted else None)
    expected = np.average(loss_kind(reduction=None)(y_true, y_pred), weights=weights)
    assert metric.result() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "unweighted", "weighted"),
    [
        (metrics.MeanSquaredError(), 0.25, 0.5),
        (metrics.MeanAbsoluteError(), 0.25, 0.5),
        (metrics.RootMeanSquaredError(), 0.5, 0.70710677),
        (metrics.MeanSquaredLogarithmicError(), 0.12011322, 0.24022643),
        (metrics.MeanAbsolutePercentageError(), 250000000.0, 500000000.0),
        (metrics.LogCoshError(), 0.10844523, 0.21689045),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_errors_have_the_values_of_the_documentation_of_keras(metric: Any, unweighted: float, weighted: float) -> None:
    y_true, y_pred = [[0, 1], [0, 0]], [[1, 1], [0, 0]]
    assert metric(y_true, y_pred) == pytest.approx(unweighted, rel=1e-6)
    metric.reset_state()
    assert metric(y_true, y_pred, sample_weight=[1, 0]) == pytest.approx(weighted, rel=1e-6)


@pytest.mark.parametrize(
    ("metric", "unweighted", "weighted"),
    [
        (metrics.Hinge(), 1.3, 1.1),
        (metrics.SquaredHinge(), 1.86, 1.46),
        (metrics.CategoricalHinge(), 1.4, 1.2),
        (metrics.KLDivergence(), 0.45814306, 0.9162892),
        (metrics.BinaryCrossentropy(), 0.81492424, 0.9162905),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_classes_have_the_values_of_the_documentation_of_keras(metric: Any, unweighted: float, weighted: float) -> None:
    y_true, y_pred = [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]
    assert metric(y_true, y_pred) == pytest.approx(unweighted, rel=1e-5)
    metric.reset_state()
    assert metric(y_true, y_pred, sample_weight=[1, 0]) == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize(
    ("metric", "y_true"),
    [(metrics.CategoricalCrossentropy(), [[0, 1, 0], [0, 0, 1]]), (metrics.SparseCategoricalCrossentropy(), [1, 2])],
)
def test_crossentropies_have_the_values_of_the_documentation_of_keras(metric: Any, y_true: Any) -> None:
    y_pred = [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
    assert metric(y_true, y_pred) == pytest.approx(1.1769392, rel=1e-6)
    metric.reset_state()
    assert metric(y_true, y_pred, sample_weight=np.array([0.3, 0.7])) == pytest.approx(1.6271976, rel=1e-6)


def test_cosine_similarity_is_positive_and_follows_its_axis() -> None:
    metric, y_true, y_pred = metrics.CosineSimilarity(axis=1), [[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]
    assert metric(y_true, y_pred) == pytest.approx(0.5)
    metric.reset_state()
    assert metric(y_true, y_pred, sample_weight=[0.3, 0.7]) == pytest.approx(0.7)
    columns = metrics.CosineSimilarity(axis=0)
    assert columns(np.transpose(y_true), np.transpose(y_pred)) == pytest.approx(0.5)


def test_an_ignored_class_counts_as_zero() -> None:
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=0)
    y_pred = np.array([[0.8, 0.1, 0.1], [0.05, 0.95, 0], [0.1, 0.8, 0.1]])
    assert metric([0, 1, 2], y_pred) == pytest.approx(0.78462, abs=1e-5)


def test_an_ignored_class_does_not_count_where_there_are_weights() -> None:
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=0)
    y_pred = np.array([[0.8, 0.1, 0.1], [0.05, 0.95, 0], [0.1, 0.8, 0.1]])
    assert metric([0, 1, 2], y_pred, sample_weight=[0.5, 1.5, 2.0]) == pytest.approx(1.33774646, abs=1e-5)
    metric.reset_state()
    assert metric([[0], [1], [2]], y_pred, 2.0, [True, True, False]) == pytest.approx(-np.log(0.95), abs=1e-6)


def test_options_reach_the_loss_and_the_config() -> None:
    metric = metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.2, name="ce", dtype="float64")
    expected = losses.BinaryCrossentropy(True, 0.2)([[1.0]], [[0.3]])
    assert metric([[1.0]], [[0.3]]) == pytest.approx(float(expected))
    assert metric.get_config() == {"name": "ce", "dtype": "float64", "from_logits": True, "label_smoothing": 0.2}
    assert metrics.SparseCategoricalCrossentropy(axis=1).get_config()["axis"] == 1


def test_a_dtype_rounds_the_predictions() -> None:
    exact, rounded = metrics.MeanAbsoluteError(), metrics.MeanAbsoluteError(dtype="float16")
    y_pred = np.array([[0.1]])
    assert exact([[0.0]], y_pred) == 0.1
    assert rounded([[0.0]], y_pred) == np.float16(0.1)
    assert (exact.dtype, rounded.dtype) == (None, "float16")


def test_an_integer_dtype_is_kept_and_rounds_nothing() -> None:
    metric = metrics.MeanAbsoluteError(dtype="int32")
    assert metric([[0.0]], [[0.25]]) == 0.25
    assert metrics.deserialize(metrics.serialize(metric)).dtype == "int32"
    with pytest.raises(ValueError, match=r"`dtype` must be one of float16, .*Received: dtype='complex64'"):
        metrics.Mean(dtype="complex64")


def test_functions_of_losses_are_the_same_objects_in_both_modules() -> None:
    for name in ("mean_squared_error", "hinge", "huber", "poisson", "mse", "KLD", "binary_crossentropy"):
        assert getattr(metrics, name) is getattr(losses, name)


def test_a_loss_is_a_metric_of_its_samples() -> None:
    loss = losses.Huber(delta=0.5)
    metric = metrics.get(loss)
    y_true, y_pred = np.zeros((3, 2)), np.array([[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]])
    assert metric(y_true, y_pred, sample_weight=[1, 1, 0]) == pytest.approx(0.375 / 2)
    again = metrics.get(metrics.serialize(metric))
    assert again.fn.get_config() == loss.get_config()


def test_a_wrapped_function_of_the_package_has_a_config() -> None:
    metric = metrics.MeanMetricWrapper(losses.huber, name="h", delta=0.5)
    again = metrics.deserialize(metrics.serialize(metric))
    assert again.get_config() == {"name": "h", "dtype": None, "fn": "huber", "delta": 0.5}
    assert again([[0.0]], [[2.0]]) == metric([[0.0]], [[2.0]]) == 0.875
