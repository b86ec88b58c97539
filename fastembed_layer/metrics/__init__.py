"""Metrics: running averages of how well predictions match, with the names and the rules of Keras.

A metric is called like a function, ``metric(y_true, y_pred)``: it takes the batch into account and returns the value
over all batches. `Metric.update_state` and `Metric.result` do the two separately. All sums are float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastembed_layer.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fastembed_layer.metrics.accuracies import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from fastembed_layer.metrics.auc import AUC
from fastembed_layer.metrics.base import Metric
from fastembed_layer.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from fastembed_layer.metrics.f_score import F1Score, FBetaScore
from fastembed_layer.metrics.from_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from fastembed_layer.metrics.means import FunctionMetric, Mean, MeanMetricWrapper, MeanOfSamples, Sum
from fastembed_layer.metrics.operating_points import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from fastembed_layer.metrics.r2_score import R2Score
from fastembed_layer.named import NamedObjects

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "FunctionMetric",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanOfSamples",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "accuracy",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "resolve",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]

METRICS: NamedObjects[Metric] = NamedObjects("metric", Metric, wrap=MeanMetricWrapper)
METRICS.add(MeanSquaredError, "mse", function=mean_squared_error)
METRICS.add(MeanAbsoluteError, "mae", function=mean_absolute_error)
METRICS.add(MeanAbsolutePercentageError, "mape", function=mean_absolute_percentage_error)
METRICS.add(MeanSquaredLogarithmicError, "msle", function=mean_squared_logarithmic_error)
METRICS.add(LogCoshError, "logcosh", function=log_cosh)
METRICS.add(Hinge, function=hinge)
METRICS.add(SquaredHinge, function=squared_hinge)
METRICS.add(CategoricalHinge, function=categorical_hinge)
METRICS.add(KLDivergence, "kld", function=kl_divergence)
METRICS.add(Poisson, function=poisson)
METRICS.add(BinaryCrossentropy, "bce", function=binary_crossentropy)
METRICS.add(CategoricalCrossentropy, function=categorical_crossentropy)
METRICS.add(SparseCategoricalCrossentropy, function=sparse_categorical_crossentropy)
METRICS.add(Accuracy, function=accuracy)
METRICS.add(BinaryAccuracy, function=binary_accuracy)
METRICS.add(CategoricalAccuracy, function=categorical_accuracy)
METRICS.add(SparseCategoricalAccuracy, function=sparse_categorical_accuracy)
METRICS.add(TopKCategoricalAccuracy, function=top_k_categorical_accuracy)
METRICS.add(SparseTopKCategoricalAccuracy, function=sparse_top_k_categorical_accuracy)
METRICS.add(RootMeanSquaredError, "rmse")
for _metric in (Mean, Sum, CosineSimilarity, AUC, Precision, Recall, FBetaScore, F1Score, R2Score):
    METRICS.add(_metric)
for _point in (SensitivityAtSpecificity, SpecificityAtSensitivity, PrecisionAtRecall, RecallAtPrecision):
    METRICS.add(_point)
for _count in (TruePositives, FalsePositives, TrueNegatives, FalseNegatives):
    METRICS.add(_count)
METRICS.classes["MeanMetricWrapper"] = MeanMetricWrapper

# The short names of tf.keras.
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh


def get(identifier: Any) -> Metric | None:
    """Return the metric that a name, config, class, instance or function stands for; None stays None.

    The functions of this module stand for their classes. Another function ``function(y_true, y_pred)`` returns values
    per sample, which are averaged; so is a `Loss`.

    Examples
    --------
    >>> get("mse").name, get("AUC").name, get(hinge).name
    ('mean_squared_error', 'auc', 'hinge')
    """
    return METRICS.get(identifier)


def serialize(metric: Any) -> Any:
    """Return the config of a metric, or the name of one of this module's functions; None stays None.

    Examples
    --------
    >>> serialize(BinaryAccuracy(threshold=0.4))["config"]
    {'name': 'binary_accuracy', 'dtype': None, 'threshold': 0.4}
    """
    return METRICS.serialize(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Metric | None:
    """Return the metric of a config or a name; `custom_objects` holds classes and functions of your own by name.

    Examples
    --------
    >>> deserialize({"class_name": "Precision", "config": {"top_k": 3}}).top_k
    3
    """
    return METRICS.deserialize(config, custom_objects)


def resolve(identifier: Any, y_true: Any, y_pred: Any) -> Metric:
    """Return the metric for a model, given its first batch: ``"accuracy"`` is the kind that fits the shapes.

    By Keras's rule, ``"accuracy"`` and ``"acc"`` are binary where the last axis of `y_pred` has length 1,
    sparse categorical where `y_true` has class numbers instead of rows, and categorical otherwise.
    Predictions of shape ``(n,)`` are binary too. A metric made from a string bears that string as its name.

    Raises
    ------
    ValueError
        If `identifier` is None or an unknown name.
    """
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        return _find_accuracy(np.shape(y_true), np.shape(y_pred))(identifier)
    metric = get(identifier)
    if metric is None:
        raise ValueError("`identifier` of a metric must not be None. Received: None.")
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


def _find_accuracy(true_shape: tuple[int, ...], pred_shape: tuple[int, ...]) -> type[MeanOfSamples]:
    if len(pred_shape) < 2 or pred_shape[-1] == 1:
        return BinaryAccuracy
    if len(true_shape) < len(pred_shape) or true_shape[-1] == 1:
        return SparseCategoricalAccuracy
    return CategoricalAccuracy
