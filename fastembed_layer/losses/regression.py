"""Losses of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.losses.base import Loss
from fastembed_layer.losses.comparison import as_targets, mean_last_axis

Array = np.ndarray[Any, Any]


class _RegressionLoss(Loss):
    """The constructor of losses without options, in Keras's order of arguments."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None):
        super().__init__(name, reduction)


class MeanSquaredError(_RegressionLoss):
    """``mean((y_true - y_pred)**2)`` over the last axis."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean squared error of every sample and its gradient."""
        error = y_pred - as_targets(y_true, y_pred)
        return mean_last_axis(np.square(error)), error * (2 / max(error.shape[-1], 1))


class MeanAbsoluteError(_RegressionLoss):
    """``mean(abs(y_true - y_pred))`` over the last axis; the gradient is 0 where the two are equal."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean absolute error of every sample and its gradient."""
        error = y_pred - as_targets(y_true, y_pred)
        return mean_last_axis(np.abs(error)), np.sign(error) / max(error.shape[-1], 1)
