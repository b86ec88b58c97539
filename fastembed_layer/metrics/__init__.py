"""Metrics: running averages of how well predictions match, with the names and the rules of Keras.

A metric is fed batch by batch with `Metric.update_state` and read with `Metric.result`. All sums are float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.metrics.auc import AUC
from fastembed_layer.metrics.base import FunctionMetric, Mean, MeanOfSamples, Metric
from fastembed_layer.metrics.comparisons import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalAccuracy,
)
from fastembed_layer.named import NamedObjects, serialize

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "FunctionMetric",
    "Mean",
    "MeanAbsoluteError",
    "MeanOfSamples",
    "MeanSquaredError",
    "Metric",
    "SparseCategoricalAccuracy",
    "get",
    "resolve",
    "serialize",
]

_metrics: NamedObjects[Metric] = NamedObjects("metric", Metric, wrap=FunctionMetric)
_metrics.add(MeanSquaredError, "mse")
_metrics.add(MeanAbsoluteError, "mae")
for _metric in (Mean, Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, AUC):
    _metrics.add(_metric)


def get(identifier: Any) -> Metric | None:
    """Return the metric that a name, config, class, instance or function stands for; None stays None.

    A plain function ``function(y_true, y_pred)`` returns values per sample, which are averaged.
    """
    return _metrics.get(identifier)


deserialize = get


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
