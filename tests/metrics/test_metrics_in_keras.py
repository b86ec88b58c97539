"""Metrics beside those of Keras itself, where it is installed: over batches, with weights, and their configs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import metrics

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


ONE_HOT: list[tuple[str, dict[str, Any]]] = [
    ("MeanSquaredError", {}),
    ("RootMeanSquaredError", {}),
    ("MeanAbsoluteError", {}),
    ("MeanSquaredLogarithmicError", {}),
    ("LogCoshError", {}),
    ("CosineSimilarity", {}),
    ("Hinge", {}),
    ("SquaredHinge", {}),
    ("CategoricalHinge", {}),
    ("KLDivergence", {}),
    ("Poisson", {}),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}),
    ("CategoricalCrossentropy", {"from_logits": True}),
    ("BinaryAccuracy", {"threshold": 0.4}),
    ("CategoricalAccuracy", {}),
    ("TopKCategoricalAccuracy", {"k": 2}),
    ("TruePositives", {"thresholds": [0.3, 0.6]}),
    ("FalseNegatives", {}),
    ("Precision", {"thresholds": [0.2, 0.5, 0.9]}),
    ("Precision", {"top_k": 2, "class_id": 1}),
    ("Recall", {"class_id": 2}),
    ("AUC", {}),
    ("AUC", {"curve": "PR", "num_thresholds": 21}),
    ("AUC", {"curve": "PR", "summation_method": "majoring", "thresholds": [0.2, 0.35, 0.8]}),
    ("AUC", {"multi_label": True, "label_weights": [0.2, 1.0, 0.5]}),
    ("SensitivityAtSpecificity", {"specificity": 0.6}),
    ("PrecisionAtRecall", {"recall": 0.5}),
    ("F1Score", {"average": "macro"}),
    ("FBetaScore", {"beta": 0.5, "threshold": 0.4, "average": "weighted"}),
    ("R2Score", {"class_aggregation": None}),
]
SPARSE: list[tuple[str, dict[str, Any]]] = [
    ("SparseCategoricalAccuracy", {}),
    ("SparseTopKCategoricalAccuracy", {"k": 2}),
    ("SparseCategoricalCrossentropy", {}),
]
CASES = ONE_HOT + SPARSE
each_case = pytest.mark.parametrize(("cls", "options"), CASES, ids=[f"{cls}-{options}" for cls, options in CASES])


def make_batches(cls: str) -> list[tuple[Array, Array, Array]]:
    rng = np.random.default_rng(8)
    classes, y_pred = rng.integers(0, 3, 60), rng.uniform(0.05, 0.95, (60, 3)).astype("float32")
    y_true = classes if cls.startswith("Sparse") else np.eye(3, dtype="float32")[classes]
    weights = rng.random(60).astype("float32")
    return [(y_true[rows], y_pred[rows], weights[rows]) for rows in (slice(0, 25), slice(25, 60))]


@each_case
@pytest.mark.parametrize("weighted", [False, True])
def test_results_over_batches_are_those_of_keras_itself(
    keras: Any, cls: str, options: dict[str, Any], weighted: bool
) -> None:
    ours, theirs = (getattr(module, cls)(**options) for module in (metrics, keras.metrics))
    for y_true, y_pred, weights in make_batches(cls):
        for metric in (ours, theirs):
            metric.update_state(y_true, y_pred, weights if weighted else None)
    np.testing.assert_allclose(ours.result(), np.asarray(theirs.result()), rtol=2e-5, atol=1e-6)


@each_case
def test_a_config_of_keras_itself_makes_the_same_metric(keras: Any, cls: str, options: dict[str, Any]) -> None:
    config = keras.metrics.serialize(getattr(keras.metrics, cls)(name="mine", **options))
    found, expected = (
        metrics.deserialize(config).get_config(),
        getattr(metrics, cls)(name="mine", **options).get_config(),
    )
    assert found.pop("dtype") == "float32"
    for key, value in found.items():
        assert value == (pytest.approx(expected[key]) if isinstance(value, list) else expected[key])


@pytest.mark.parametrize(
    "name", ["bce", "MSE", "mean_absolute_error", "AUC", "KLDivergence", "root_mean_squared_error"]
)
def test_a_name_is_that_of_the_same_metric_in_keras_itself(keras: Any, name: str) -> None:
    found, expected = (module.get(name).__class__.__name__ for module in (metrics, keras.metrics))
    assert found == expected
