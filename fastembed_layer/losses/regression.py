"""Losses of numbers, each as a class and as a function that returns the losses of the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_positive
from fastembed_layer.losses.base import Loss
from fastembed_layer.losses.comparison import EPSILON, as_targets, check_axis, mean_last_axis, sum_last_axis

Array = np.ndarray[Any, Any]


class PlainLoss(Loss):
    """The constructor of losses without options, in Keras's order of arguments."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None):
        super().__init__(name, reduction, dtype)


class MeanSquaredError(PlainLoss):
    """``mean((y_true - y_pred)**2)`` over the last axis."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean squared error of every sample and its gradient."""
        error = y_pred - as_targets(y_true, y_pred)
        return mean_last_axis(np.square(error)), error * (2 / max(error.shape[-1], 1))


class MeanAbsoluteError(PlainLoss):
    """``mean(abs(y_true - y_pred))`` over the last axis; the gradient is 0 where the two are equal."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean absolute error of every sample and its gradient."""
        error = y_pred - as_targets(y_true, y_pred)
        return mean_last_axis(np.abs(error)), np.sign(error) / max(error.shape[-1], 1)


class MeanAbsolutePercentageError(PlainLoss):
    """``100 * mean(abs((y_true - y_pred) / y_true))`` over the last axis, with 1e-7 for targets nearer to 0."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean absolute percentage error of every sample and its gradient."""
        targets = as_targets(y_true, y_pred)
        percent = 100 / np.maximum(np.abs(targets), EPSILON)
        error = y_pred - targets
        return mean_last_axis(np.abs(error) * percent), np.sign(error) * percent / max(error.shape[-1], 1)


class MeanSquaredLogarithmicError(PlainLoss):
    """``mean((log(y_true + 1) - log(y_pred + 1))**2)`` over the last axis; numbers below 1e-7 count as 1e-7."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean squared logarithmic error of every sample and its gradient, 0 for predictions below 1e-7."""
        bounded = np.maximum(y_pred, EPSILON)
        error = np.log(bounded + 1) - np.log(np.maximum(as_targets(y_true, y_pred), EPSILON) + 1)
        gradient = 2 * error / (bounded + 1) * (y_pred >= EPSILON) / max(error.shape[-1], 1)
        return mean_last_axis(np.square(error)), gradient


class Huber(Loss):
    """``error**2 / 2`` for errors up to `delta`, ``delta * (abs(error) - delta / 2)`` beyond; mean of the last axis.

    Parameters
    ----------
    delta : float
        Above 0; where the square turns into a straight line.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> import numpy as np
    >>> Huber(delta=0.5, reduction=None)(np.array([[0, 0], [0, 0]]), np.array([[1.0, 1.0], [0.2, 0.2]]))
    array([0.375, 0.02 ])
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.delta = check_positive(delta, "delta")

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean Huber loss of every sample and its gradient."""
        error = y_pred - as_targets(y_true, y_pred)
        size = np.abs(error)
        values = np.where(size <= self.delta, np.square(error) / 2, self.delta * (size - self.delta / 2))
        return mean_last_axis(values), np.clip(error, -self.delta, self.delta) / max(error.shape[-1], 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        return {**super().get_config(), "delta": self.delta}


class LogCosh(PlainLoss):
    """``mean(log(cosh(y_pred - y_true)))`` over the last axis: a square near 0, a straight line far from it."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean of the last axis for every sample and its gradient."""
        error = y_pred - as_targets(y_true, y_pred)
        size = np.abs(error)  # log(cosh(x)) = |x| + log(1 + exp(-2 |x|)) - log(2), in which nothing overflows
        values = size + np.log1p(np.exp(-2 * size)) - np.log(2)
        return mean_last_axis(values), np.tanh(error) / max(error.shape[-1], 1)


class CosineSimilarity(Loss):
    """``-sum(u * v)`` of targets and predictions divided by their lengths: -1 where they point the same way.

    Parameters
    ----------
    axis : int
        Axis of the vectors.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    Vectors shorter than 1e-7 are divided by 1e-7 as in Keras; their gradient is taken as 0.

    Examples
    --------
    >>> import numpy as np
    >>> CosineSimilarity(reduction=None)(np.array([[0, 1], [1, 1]]), np.array([[1.0, 0.0], [3.0, 3.0]])).round(6)
    array([-0., -1.])
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.axis = check_axis(axis)

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the negative cosine for every sample and its gradient."""
        targets, _ = _as_directions(as_targets(y_true, y_pred))
        directions, norms = _as_directions(y_pred)
        cosines = np.sum(targets * directions, axis=-1, keepdims=True)
        gradient = np.where(norms > EPSILON, cosines * directions - targets, 0) / np.maximum(norms, EPSILON)
        return -sum_last_axis(targets * directions), gradient

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        return {**super().get_config(), "axis": self.axis}


def _as_directions(vectors: Array) -> tuple[Array, Array]:
    norms = np.sqrt(np.sum(np.square(vectors), axis=-1, keepdims=True))
    return vectors / np.maximum(norms, EPSILON), norms


def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """Return ``mean((y_true - y_pred)**2)`` over the last axis, one loss for each sample.

    Examples
    --------
    >>> mean_squared_error([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]])
    array([0.5, 0.5])
    """
    return MeanSquaredError(None)(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """Return ``mean(abs(y_true - y_pred))`` over the last axis, one loss for each sample.

    Examples
    --------
    >>> mean_absolute_error([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]])
    array([0.5, 0.5])
    """
    return MeanAbsoluteError(None)(y_true, y_pred)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Array:
    """Return ``100 * mean(abs((y_true - y_pred) / y_true))`` over the last axis, one loss for each sample.

    Examples
    --------
    >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]])
    array([25.])
    """
    return MeanAbsolutePercentageError(None)(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Array:
    """Return ``mean((log(y_true + 1) - log(y_pred + 1))**2)`` over the last axis, one loss for each sample.

    Examples
    --------
    >>> mean_squared_logarithmic_error([[1.0, 1.0]], [[1.0, 3.0]]).round(4)
    array([0.2402])
    """
    return MeanSquaredLogarithmicError(None)(y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Array:
    """Return the Huber loss of each sample; see `Huber`.

    Examples
    --------
    >>> huber([[0.0, 0.0]], [[1.0, 3.0]])
    array([1.5])
    """
    return Huber(delta, None)(y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> Array:
    """Return ``mean(log(cosh(y_pred - y_true)))`` over the last axis, one loss for each sample.

    Examples
    --------
    >>> log_cosh([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]).round(3)
    array([0.217, 0.   ])
    """
    return LogCosh(None)(y_true, y_pred)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """Return the negative cosine of targets and predictions, one for each sample; see `CosineSimilarity`.

    Examples
    --------
    >>> cosine_similarity([[0.0, 1.0], [1.0, 1.0]], [[0.0, 2.0], [-1.0, -1.0]]).round(6)
    array([-1.,  1.])
    """
    return CosineSimilarity(axis, None)(y_true, y_pred)
