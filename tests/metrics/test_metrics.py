"""Metrics, judged by slow float64 versions of Keras's definitions."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fastembed_layer import metrics

Array = np.ndarray[Any, Any]

METRICS = [
    metrics.Mean(),
    metrics.Accuracy(name="exact"),
    metrics.BinaryAccuracy(threshold=0.25),
    metrics.CategoricalAccuracy(),
    metrics.SparseCategoricalAccuracy(),
    metrics.MeanSquaredError(),
    metrics.MeanAbsoluteError(),
    metrics.AUC(num_thresholds=7, curve="PR", from_logits=True),
]


def feed(metric: metrics.Metric, *batches: tuple[Any, ...]) -> float:
    """Return the result of a fresh metric over some batches."""
    metric.reset_state()
    for batch in batches:
        metric.update_state(*batch)
    return metric.result()


def naive_counts(y_true: Array, y_pred: Array, weights: Array, num_thresholds: int) -> tuple[Array, Array]:
    """Count true and false positives one threshold at a time; positive means strictly above."""
    inner = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
    above = [y_pred > threshold for threshold in [-1e-7, *inner, 1 + 1e-7]]
    true_positives = [np.sum(weights[chosen & (y_true == 1)]) for chosen in above]
    return np.array(true_positives), np.array([np.sum(weights[chosen & (y_true == 0)]) for chosen in above])


def naive_roc(true_positives: Array, false_positives: Array) -> float:
    area = 0.0
    for i in range(len(true_positives) - 1):
        width = (false_positives[i] - false_positives[i + 1]) / (false_positives[0] or 1)
        area += width * (true_positives[i] + true_positives[i + 1]) / 2 / (true_positives[0] or 1)
    return area


def naive_pr(true_positives: Array, false_positives: Array) -> float:
    """Integrate the precision over the recall numerically, with TP and FP linear between two thresholds."""
    area = 0.0
    for i in range(len(true_positives) - 1):
        part = (np.arange(20_000) + 0.5) / 20_000
        true = true_positives[i + 1] + part * (true_positives[i] - true_positives[i + 1])
        false = false_positives[i + 1] + part * (false_positives[i] - false_positives[i + 1])
        gained = true_positives[i] - true_positives[i + 1]
        area += gained * np.mean(true / (true + false)) / true_positives[0] if gained else 0.0
    return area


def test_mean_is_weighted_and_survives_batches() -> None:
    mean = metrics.Mean()
    assert mean.result() == 0
    mean.update_state([1, 3])
    mean.update_state([5.0, 7.0], sample_weight=[0, 2])
    assert mean.result() == (1 + 3 + 2 * 7) / 4
    mean.reset_state()
    mean.update_state(4)
    assert mean.result() == 4
    assert type(mean.result()) is float


def test_elements_of_a_sample_are_averaged_before_samples() -> None:
    mean = metrics.Mean()
    mean.update_state([[1, 2, 3, 4]])
    mean.update_state([[8.5, 8.5]])
    assert mean.result() == (2.5 + 8.5) / 2


def test_mean_is_accumulated_in_float64() -> None:
    mean, values = metrics.Mean(), np.full(2**20, 1e-4, "float32")
    values[0] = 4096
    mean.update_state(values)
    assert mean.result() == pytest.approx(values.astype(np.float64).mean(), rel=1e-14)


def test_accuracy_counts_equal_elements() -> None:
    assert feed(metrics.Accuracy(), ([1, 2, 3, 4], [0, 2, 3, 4])) == 0.75
    assert feed(metrics.Accuracy(), ([1, 2, 3, 4], [0, 2, 3, 4], [1, 1, 0, 0])) == 0.5
    assert feed(metrics.Accuracy(), ([0.1], np.array([0.1], "float32"))) == 1


def test_binary_accuracy_is_strict_at_the_threshold() -> None:
    y_true, y_pred = [1, 0, 0, 1], np.array([[0.6], [0.4], [0.5], [0.5]])
    assert feed(metrics.BinaryAccuracy(), (y_true, y_pred)) == 0.75
    assert feed(metrics.BinaryAccuracy(threshold=0.3), (y_true, y_pred)) == 0.5
    assert feed(metrics.BinaryAccuracy(), (y_true, y_pred, [0, 0, 3, 1])) == 0.75


@given(st.integers(1, 6), st.integers(1, 3), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_both_categorical_accuracies_agree_with_a_loop(n: int, length: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, y_pred = rng.integers(0, classes, (n, length)), rng.random((n, length, classes))
    weights = rng.random((n, length)) + 0.1
    right = [weights[i] * (max(range(classes), key=y_pred[i].__getitem__) == labels[i]) for i in np.ndindex(n, length)]
    expected = pytest.approx(sum(right) / weights.sum())
    assert feed(metrics.SparseCategoricalAccuracy(), (labels, y_pred, weights)) == expected
    assert feed(metrics.SparseCategoricalAccuracy(), (labels[..., None], y_pred, weights)) == expected
    assert feed(metrics.CategoricalAccuracy(), (np.eye(classes)[labels], y_pred, weights)) == expected


def test_errors_are_averaged_over_samples_of_all_batches() -> None:
    batches = (np.zeros((2, 2)), np.array([[1, 3], [2, 0]])), (np.zeros((1, 2)), np.array([[4, 4]]))
    assert feed(metrics.MeanAbsoluteError(), *batches) == (2 + 1 + 4) / 3
    assert feed(metrics.MeanSquaredError(), *batches) == (5 + 2 + 16) / 3


def test_masked_values_do_not_count() -> None:
    y_true, y_pred = np.array([[0, 1], [1, 1]]), np.array([[[0.9, 0.1]] * 2, [[0.9, 0.1]] * 2])
    accuracy = metrics.SparseCategoricalAccuracy()
    assert feed(accuracy, (y_true, y_pred, None, [[True, True], [False, False]])) == 0.5
    assert feed(accuracy, (y_true, y_pred, [[1, 3], [1, 1]], [[2, 1], [1, 0]])) == 1 / 5
    auc = metrics.AUC()
    assert feed(auc, ([0, 1, 1], [0.2, 0.7, 0.1], None, [True, True, False])) == 1


@pytest.mark.parametrize("metric", METRICS[1:], ids=lambda metric: metric.name)
def test_no_samples_are_zero_without_a_warning(metric: metrics.Metric) -> None:
    assert feed(metric) == 0
    y_true = np.zeros(0) if metric.name == "sparse_categorical_accuracy" else np.zeros((0, 3))
    assert feed(metric, (y_true, np.zeros((0, 3)))) == 0


@pytest.mark.parametrize("curve", ["ROC", "PR"])
@pytest.mark.parametrize("num_thresholds", [2, 3, 8, 50])
@pytest.mark.parametrize("seed", range(3))
def test_auc_equals_the_naive_area(curve: str, num_thresholds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y_true, y_pred, weights = rng.integers(0, 2, 90), rng.random(90), rng.random(90)
    y_pred[:2] = 0, 1
    auc = metrics.AUC(num_thresholds, curve)
    result = feed(auc, (y_true[:40], y_pred[:40], weights[:40]), (y_true[40:], y_pred[40:], weights[40:]))
    naive = naive_roc if curve == "ROC" else naive_pr
    assert result == pytest.approx(naive(*naive_counts(y_true, y_pred, weights, num_thresholds)), rel=1e-6)


def test_auc_has_the_values_of_keras() -> None:
    y_true, y_pred = [0, 0, 1, 1], [0, 0.5, 0.3, 0.9]
    assert feed(metrics.AUC(num_thresholds=3), (y_true, y_pred)) == 0.75
    assert feed(metrics.AUC(num_thresholds=3), (y_true, y_pred, [1, 0, 0, 1])) == 1


def test_auc_of_a_perfect_and_of_a_reversed_order_are_one_and_zero() -> None:
    y_true, y_pred = np.repeat([0, 1], 50), np.linspace(0, 1, 100)
    assert feed(metrics.AUC(), (y_true, y_pred)) == pytest.approx(1)
    assert feed(metrics.AUC(), (1 - y_true, y_pred)) == pytest.approx(0)
    assert feed(metrics.AUC(curve="PR"), (y_true, y_pred)) == pytest.approx(1)


def test_auc_of_logits_is_the_auc_of_their_probabilities() -> None:
    rng = np.random.default_rng(0)
    y_true, logits = rng.integers(0, 2, (60, 1)), rng.normal(size=(60, 1)) * 4
    logits[:2, 0] = 1e5, -1e5
    with np.errstate(over="ignore"):
        probabilities = 1 / (1 + np.exp(-logits))
    assert feed(metrics.AUC(from_logits=True), (y_true, logits)) == feed(metrics.AUC(), (y_true, probabilities))


def test_auc_clips_predictions_outside_of_the_unit_interval() -> None:
    assert feed(metrics.AUC(), ([0, 1, 1], [-3.0, 0.5, 7.0])) == feed(metrics.AUC(), ([0, 1, 1], [0.0, 0.5, 1.0]))


@pytest.mark.parametrize("curve", ["ROC", "PR"])
def test_nan_predictions_make_auc_nan(curve: str) -> None:
    assert np.isnan(feed(metrics.AUC(curve=curve), ([0, 1, 1], [0.1, np.nan, 0.7])))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_config_builds_an_equal_metric(metric: metrics.Metric) -> None:
    again = metrics.get(metrics.serialize(metric))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert metrics.get(metric) is metric
    assert metrics.get(type(metric)).name == type(metric)().name


def test_dtype_in_a_config_of_keras_is_accepted() -> None:
    config = {"class_name": "BinaryAccuracy", "config": {"name": "b", "dtype": "float32", "threshold": 0.1}}
    assert metrics.get(config).get_config() == {"name": "b", "dtype": "float32", "threshold": 0.1}


def test_a_function_is_averaged() -> None:
    def error(y_true: Array, y_pred: Array) -> Array:
        return y_pred[:, 0] - y_true[:, 0]

    metric = metrics.get(error)
    assert feed(metric, ([1, 2], [[3], [3]], [1, 3])) == (2 + 3) / 4
    assert metric.name == "error"
    with pytest.raises(ValueError, match="plain function"):
        metric.get_config()


@pytest.mark.parametrize("identifier", ["accuracy", "acc"])
@pytest.mark.parametrize(
    ("true_shape", "pred_shape", "kind"),
    [
        ((5, 1), (5, 1), metrics.BinaryAccuracy),
        ((5,), (5, 1), metrics.BinaryAccuracy),
        ((5,), (5,), metrics.BinaryAccuracy),
        ((5, 4, 1), (5, 4, 1), metrics.BinaryAccuracy),
        ((5, 3), (5, 3), metrics.CategoricalAccuracy),
        ((5, 4, 3), (5, 4, 3), metrics.CategoricalAccuracy),
        ((5,), (5, 3), metrics.SparseCategoricalAccuracy),
        ((5, 1), (5, 3), metrics.SparseCategoricalAccuracy),
        ((5, 4), (5, 4, 3), metrics.SparseCategoricalAccuracy),
    ],
)
def test_accuracy_is_the_kind_that_fits_the_shapes(
    identifier: str, true_shape: Any, pred_shape: Any, kind: type[metrics.Metric]
) -> None:
    metric = metrics.resolve(identifier, np.zeros(true_shape), np.zeros(pred_shape))
    assert type(metric) is kind
    assert metric.name == identifier


def test_a_metric_made_from_a_string_bears_it_as_its_name() -> None:
    batch = np.zeros((2, 1)), np.zeros((2, 1))
    assert metrics.resolve("mse", *batch).name == "mse"
    assert metrics.resolve(metrics.AUC(name="area"), *batch).name == "area"
    assert metrics.resolve(metrics.MeanSquaredError, *batch).name == "mean_squared_error"


@pytest.mark.parametrize("metric", METRICS[1:], ids=lambda metric: metric.name)
def test_shapes_that_do_not_match_are_named(metric: metrics.Metric) -> None:
    with pytest.raises(ValueError, match=r"y_true of shape \(3, 2\) and y_pred of shape \(3, 4\)"):
        metric.update_state(np.zeros((3, 2)), np.zeros((3, 4)))


@pytest.mark.parametrize("argument", ["sample_weight", "mask"])
def test_weights_that_do_not_fit_are_refused(argument: str) -> None:
    for metric in (metrics.MeanSquaredError(), metrics.AUC()):
        with pytest.raises(ValueError, match=f"`{argument}` must fit"):
            metric.update_state(np.zeros((3, 4)), np.zeros((3, 4)), **{argument: np.ones(2)})


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        (metrics.AUC, {"num_thresholds": 1}, ValueError),
        (metrics.AUC, {"num_thresholds": 0}, ValueError),
        (metrics.AUC, {"num_thresholds": True}, TypeError),
        (metrics.AUC, {"num_thresholds": 5.0}, TypeError),
        (metrics.AUC, {"curve": "ROCK"}, ValueError),
        (metrics.AUC, {"from_logits": None}, TypeError),
        (metrics.BinaryAccuracy, {"threshold": "half"}, TypeError),
        (metrics.BinaryAccuracy, {"threshold": False}, TypeError),
        (metrics.BinaryAccuracy, {"threshold": float("nan")}, ValueError),
    ],
)
def test_a_wrong_option_is_refused_by_name(kind: Any, arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"`{next(iter(arguments))}`.* Received: "):
        kind(**arguments)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="Did you mean"):
        metrics.get("binary_acuracy")
    with pytest.raises(ValueError, match="must not be None"):
        metrics.resolve(None, [0], [0])
    with pytest.raises(TypeError, match="metric identifier"):
        metrics.get(3)


@pytest.mark.parametrize("argument", ["y_true", "y_pred", "sample_weight", "mask"])
def test_what_are_no_numbers_is_refused(argument: str) -> None:
    arguments = {"y_true": np.zeros(2), "y_pred": np.zeros(2), argument: np.array(["a", "b"])}
    for metric in (metrics.Accuracy(), metrics.AUC()):
        with pytest.raises(TypeError, match=f"`{argument}` must hold real numbers"):
            metric.update_state(**arguments)
