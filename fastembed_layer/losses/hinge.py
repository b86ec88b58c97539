"""Losses of margins, each as a class and as a function that returns the losses of the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.losses.comparison import as_targets, mean_last_axis, sum_last_axis
from fastembed_layer.losses.regression import PlainLoss

Array = np.ndarray[Any, Any]


class Hinge(PlainLoss):
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis; targets 0 and 1 count as -1 and 1."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean hinge of every sample and its gradient, 0 where the margin is kept."""
        signs = _as_signs(as_targets(y_true, y_pred))
        missing = np.maximum(1 - signs * y_pred, 0)
        return mean_last_axis(missing), -signs * (missing > 0) / max(y_pred.shape[-1], 1)


class SquaredHinge(PlainLoss):
    """``mean(max(1 - y_true * y_pred, 0)**2)`` over the last axis; targets as for `Hinge`."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean squared hinge of every sample and its gradient."""
        signs = _as_signs(as_targets(y_true, y_pred))
        missing = np.maximum(1 - signs * y_pred, 0)
        return mean_last_axis(np.square(missing)), -2 * signs * missing / max(y_pred.shape[-1], 1)


class CategoricalHinge(PlainLoss):
    """``max(1 + max((1 - y_true) * y_pred) - sum(y_true * y_pred), 0)`` along the last axis, for one-hot targets."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the hinge of every sample and its gradient; equal largest wrong classes share theirs."""
        targets = as_targets(y_true, y_pred)
        wrong = (1 - targets) * y_pred
        largest = np.max(wrong, axis=-1, keepdims=True, initial=-np.inf)
        losses = np.maximum(largest[..., 0] - sum_last_axis(targets * y_pred) + 1, 0)
        is_largest = wrong == largest
        shares = is_largest / np.maximum(np.sum(is_largest, axis=-1, keepdims=True), 1)
        return losses, ((1 - targets) * shares - targets) * (losses > 0)[..., None]


def _as_signs(targets: Array) -> Array:
    """Return targets as -1 and 1: if all are 0 or 1 they are converted, as in Keras."""
    is_binary = bool(np.all((targets == 0) | (targets == 1)))
    return 2 * targets - 1 if is_binary else targets


def hinge(y_true: Any, y_pred: Any) -> Array:
    """Return ``mean(max(1 - y_true * y_pred, 0))`` over the last axis, one loss for each sample.

    Examples
    --------
    >>> hinge([[0.0, 1.0], [0.0, 0.0]], [[0.6, 0.4], [0.4, 0.6]])
    array([1.1, 1.5])
    """
    return Hinge(None)(y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> Array:
    """Return ``mean(max(1 - y_true * y_pred, 0)**2)`` over the last axis, one loss for each sample.

    Examples
    --------
    >>> squared_hinge([[0.0, 1.0], [0.0, 0.0]], [[0.6, 0.4], [0.4, 0.6]])
    array([1.46, 2.26])
    """
    return SquaredHinge(None)(y_true, y_pred)


def categorical_hinge(y_true: Any, y_pred: Any) -> Array:
    """Return the categorical hinge of each sample; see `CategoricalHinge`.

    Examples
    --------
    >>> categorical_hinge([[0.0, 1.0], [0.0, 0.0]], [[0.6, 0.4], [0.4, 0.6]])
    array([1.2, 1.6])
    """
    return CategoricalHinge(None)(y_true, y_pred)
