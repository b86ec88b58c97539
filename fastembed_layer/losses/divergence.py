"""Losses of distributions and counts, each as a class and as a function that returns the losses of the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.losses.comparison import EPSILON, as_targets, mean_last_axis, sum_last_axis
from fastembed_layer.losses.regression import PlainLoss

Array = np.ndarray[Any, Any]


class KLDivergence(PlainLoss):
    """``sum(y_true * log(y_true / y_pred))`` along the last axis, of probabilities clipped to [1e-7, 1]."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the divergence of every sample and its gradient, 0 for clipped predictions."""
        targets = np.clip(as_targets(y_true, y_pred), EPSILON, 1)
        clipped = np.clip(y_pred, EPSILON, 1)
        return sum_last_axis(targets * np.log(targets / clipped)), -targets / clipped * (clipped == y_pred)


class Poisson(PlainLoss):
    """``mean(y_pred - y_true * log(y_pred + 1e-7))`` over the last axis, for counts and predictions above 0."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean of every sample and its gradient."""
        targets = as_targets(y_true, y_pred)
        shifted = y_pred + EPSILON
        values = y_pred - targets * np.log(shifted)
        return mean_last_axis(values), (1 - targets / shifted) / max(y_pred.shape[-1], 1)


def kl_divergence(y_true: Any, y_pred: Any) -> Array:
    """Return ``sum(y_true * log(y_true / y_pred))`` along the last axis, one loss for each sample.

    Examples
    --------
    >>> kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).round(4)
    array([0.1438])
    """
    return KLDivergence(None)(y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> Array:
    """Return ``mean(y_pred - y_true * log(y_pred + 1e-7))`` over the last axis, one loss for each sample.

    Examples
    --------
    >>> poisson([[0.0, 2.0]], [[1.0, 1.0]]).round(4)
    array([1.])
    """
    return Poisson(None)(y_true, y_pred)
