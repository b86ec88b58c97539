"""Losses beside those of Keras itself, where it is installed: classes, functions, reductions, weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import losses

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("mean_squared_error", "MeanSquaredError", {}),
    ("mean_absolute_error", "MeanAbsoluteError", {}),
    ("mean_absolute_percentage_error", "MeanAbsolutePercentageError", {}),
    ("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", {}),
    ("huber", "Huber", {"delta": 0.3}),
    ("log_cosh", "LogCosh", {}),
    ("cosine_similarity", "CosineSimilarity", {"axis": 1}),
    ("hinge", "Hinge", {}),
    ("squared_hinge", "SquaredHinge", {}),
    ("categorical_hinge", "CategoricalHinge", {}),
    ("kl_divergence", "KLDivergence", {}),
    ("poisson", "Poisson", {}),
    ("binary_crossentropy", "BinaryCrossentropy", {"label_smoothing": 0.1}),
    ("binary_crossentropy", "BinaryCrossentropy", {"from_logits": True}),
    ("categorical_crossentropy", "CategoricalCrossentropy", {"label_smoothing": 0.1}),
    ("categorical_crossentropy", "CategoricalCrossentropy", {"from_logits": True}),
    ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {}),
    ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {"ignore_class": 1}),
    ("binary_focal_crossentropy", "BinaryFocalCrossentropy", {"apply_class_balancing": True, "gamma": 1.5}),
    ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy", {"alpha": 0.4}),
]
each_case = pytest.mark.parametrize(
    ("function", "cls", "options"), CASES, ids=[f"{cls}-{one}" for _, cls, one in CASES]
)


def make_batch(cls: str) -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 3, (6, 4))
    y_true = classes if cls.startswith("Sparse") else np.eye(3, dtype="float32")[classes]
    return y_true, rng.uniform(0.05, 0.95, (6, 4, 3)).astype("float32")


@each_case
def test_a_function_has_the_values_of_keras_itself(keras: Any, function: str, cls: str, options: Any) -> None:
    y_true, y_pred = make_batch(cls)
    expected = np.asarray(getattr(keras.losses, function)(y_true, y_pred, **options))
    found = getattr(losses, function)(y_true, y_pred, **options)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@each_case
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_class_has_the_values_of_keras_itself(
    keras: Any, function: str, cls: str, options: Any, reduction: str | None, weighted: bool
) -> None:
    y_true, y_pred = make_batch(cls)
    ours, theirs = (getattr(module, cls)(reduction=reduction, **options) for module in (losses, keras.losses))
    shape = theirs.call(y_true, y_pred).shape
    weights = np.random.default_rng(6).random(shape).astype("float32") if weighted else None
    found, expected = (loss(y_true, y_pred, sample_weight=weights) for loss in (ours, theirs))
    np.testing.assert_allclose(found, np.asarray(expected), rtol=2e-5, atol=1e-6)


@each_case
def test_a_config_of_keras_itself_makes_the_same_loss(keras: Any, function: str, cls: str, options: Any) -> None:
    config = keras.losses.serialize(getattr(keras.losses, cls)(**options))
    ours = losses.deserialize(config).get_config()
    expected = getattr(losses, cls)(**options).get_config()
    for key in config["config"]:  # Keras before 3.16 leaves out `delta` and `axis`
        assert ours[key] == expected[key]
