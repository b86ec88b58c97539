"""Metrics that are a mean over samples: accuracies and errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.losses.comparison import check_same_shape, drop_label_axis
from fastembed_layer.metrics.base import MeanOfSamples

Array = np.ndarray[Any, Any]


class Accuracy(MeanOfSamples):
    """How often predictions equal targets, element by element."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return where the two are equal, compared in the precision of floating predictions."""
        check_same_shape(y_true, y_pred)
        return np.equal(y_true.astype(y_pred.dtype) if y_pred.dtype.kind == "f" else y_true, y_pred)


class BinaryAccuracy(MeanOfSamples):
    """How often predictions lie on the side of `threshold` that the targets 0 and 1 name; 1 is above it."""

    def __init__(self, name: str | None = None, threshold: float = 0.5):
        super().__init__(name)
        self.threshold = check_number(threshold, "threshold")

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return where the prediction is on the right side."""
        check_same_shape(y_true, y_pred)
        return np.equal(y_true, y_pred > self.threshold)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(MeanOfSamples):
    """How often the largest prediction stands where the largest target (the 1 of a one-hot row) stands."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return where the positions of the largest values agree."""
        check_same_shape(y_true, y_pred)
        return np.asarray(np.argmax(y_true, axis=-1) == np.argmax(y_pred, axis=-1))


class SparseCategoricalAccuracy(MeanOfSamples):
    """How often the largest prediction stands at the position that the target names."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return where the position of the largest prediction is the class number."""
        return np.asarray(drop_label_axis(y_true, y_pred) == np.argmax(y_pred, axis=-1))


class MeanSquaredError(MeanOfSamples):
    """``mean((y_true - y_pred)**2)``."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return the squared errors, averaged over the last axis."""
        return mean_last_axis(np.square(_subtract(y_true, y_pred)))


class MeanAbsoluteError(MeanOfSamples):
    """``mean(abs(y_true - y_pred))``."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return the absolute errors, averaged over the last axis."""
        return mean_last_axis(np.abs(_subtract(y_true, y_pred)))


def _subtract(y_true: Array, y_pred: Array) -> Array:
    check_same_shape(y_true, y_pred)
    return np.asarray(np.subtract(y_pred, y_true, dtype=np.float64))


def mean_last_axis(values: Array) -> Array:
    return np.asarray(np.sum(values, axis=-1) / max(values.shape[-1], 1))
