"""Metrics that are means of losses over samples; the formula is that of the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer import losses
from fastembed_layer.losses.comparison import align_ranks, as_numbers, check_same_shape
from fastembed_layer.metrics.base import combine_weights
from fastembed_layer.metrics.means import MeanOfSamples

Array = np.ndarray[Any, Any]


class MeanOfLosses(MeanOfSamples):
    """Base class of the metrics that are the mean of a loss.

    Attributes
    ----------
    loss_kind : type
        Class of the loss.
    """

    loss_kind: type[losses.Loss] = losses.Loss
    _arguments: tuple[str, ...] = ()

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any):
        super().__init__(name, dtype)
        self.loss = self.loss_kind(reduction=None, dtype=self.float_dtype, **options)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return the losses of the samples."""
        return self.loss.call(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {**super().get_config(), **{name: getattr(self.loss, name) for name in self._arguments}}


class MeanOfPlainLosses(MeanOfLosses):
    """The constructor of those without options."""

    def __init__(self, name: str | None = None, dtype: Any = None):
        super().__init__(name, dtype)


class MeanSquaredError(MeanOfPlainLosses):
    """``mean((y_true - y_pred)**2)``."""

    loss_kind = losses.MeanSquaredError


class MeanAbsoluteError(MeanOfPlainLosses):
    """``mean(abs(y_true - y_pred))``."""

    loss_kind = losses.MeanAbsoluteError


class MeanAbsolutePercentageError(MeanOfPlainLosses):
    """``100 * mean(abs((y_true - y_pred) / y_true))``."""

    loss_kind = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(MeanOfPlainLosses):
    """``mean((log(y_true + 1) - log(y_pred + 1))**2)``."""

    loss_kind = losses.MeanSquaredLogarithmicError


class LogCoshError(MeanOfPlainLosses):
    """``mean(log(cosh(y_pred - y_true)))``."""

    loss_kind = losses.LogCosh

    def __init__(self, name: str | None = None, dtype: Any = None):
        super().__init__(name or "logcosh", dtype)


class Hinge(MeanOfPlainLosses):
    """``mean(max(1 - y_true * y_pred, 0))``, for targets -1 and 1, or 0 and 1."""

    loss_kind = losses.Hinge


class SquaredHinge(MeanOfPlainLosses):
    """``mean(max(1 - y_true * y_pred, 0)**2)``, for targets -1 and 1, or 0 and 1."""

    loss_kind = losses.SquaredHinge


class CategoricalHinge(MeanOfPlainLosses):
    """The mean of ``max(1 + max((1 - y_true) * y_pred) - sum(y_true * y_pred), 0)``, for one-hot targets."""

    loss_kind = losses.CategoricalHinge


class KLDivergence(MeanOfPlainLosses):
    """The mean of ``sum(y_true * log(y_true / y_pred))``."""

    loss_kind = losses.KLDivergence


class Poisson(MeanOfPlainLosses):
    """``mean(y_pred - y_true * log(y_pred))``."""

    loss_kind = losses.Poisson


class BinaryCrossentropy(MeanOfLosses):
    """The mean cross-entropy of yes-or-no targets.

    Parameters
    ----------
    name, dtype
        See `Metric`.
    from_logits, label_smoothing
        As for the loss `fastembed_layer.losses.BinaryCrossentropy`.

    Examples
    --------
    >>> metric = BinaryCrossentropy()
    >>> round(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 4)
    0.8149
    """

    loss_kind = losses.BinaryCrossentropy
    _arguments = ("from_logits", "label_smoothing")

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0.0
    ):
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(MeanOfLosses):
    """The mean cross-entropy of targets that are probabilities of classes, such as one-hot rows.

    Parameters
    ----------
    name, dtype
        See `Metric`.
    from_logits, label_smoothing, axis
        As for the loss `fastembed_layer.losses.CategoricalCrossentropy`.

    Examples
    --------
    >>> metric = CategoricalCrossentropy()
    >>> round(metric([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]), 4)
    1.1769
    """

    loss_kind = losses.CategoricalCrossentropy
    _arguments = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ):
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class SparseCategoricalCrossentropy(MeanOfLosses):
    """The mean cross-entropy of targets that are class numbers.

    Parameters
    ----------
    name, dtype
        See `Metric`.
    from_logits, ignore_class, axis
        As for the loss `fastembed_layer.losses.SparseCategoricalCrossentropy`; samples of the ignored class count
        with a value of 0 unless there are weights, as in Keras.

    Examples
    --------
    >>> metric = SparseCategoricalCrossentropy()
    >>> round(metric([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]), 4)
    1.1769
    """

    loss_kind = losses.SparseCategoricalCrossentropy
    _arguments = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Take one batch into account, as `MeanOfSamples.update_state`; weights of the ignored class count as 0."""
        if sample_weight is not None:
            counted = self.loss.find_counted(*self.loss.prepare(y_true, y_pred))
            if counted is not None:
                sample_weight = combine_weights(counted.shape, sample_weight, counted)
        super().update_state(y_true, y_pred, sample_weight, mask)


class CosineSimilarity(MeanOfLosses):
    """The mean cosine of targets and predictions: 1 where they point the same way, the loss with the other sign.

    Parameters
    ----------
    name, dtype
        See `Metric`.
    axis : int
        Axis of the vectors.

    Examples
    --------
    >>> metric = CosineSimilarity(axis=1)
    >>> round(metric([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]), 6)
    0.5
    """

    loss_kind = losses.CosineSimilarity
    _arguments = ("axis",)

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1):
        super().__init__(name, dtype, axis=axis)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return the cosines of the samples."""
        return -super().per_sample(y_true, y_pred)


class RootMeanSquaredError(MeanOfSamples):
    """``sqrt(mean((y_true - y_pred)**2))``, the root taken last.

    Examples
    --------
    >>> metric = RootMeanSquaredError()
    >>> metric([[0, 1], [0, 0]], [[1, 1], [0, 0]])
    0.5
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return the squared error of every element."""
        targets, predictions = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
        check_same_shape(targets, predictions)
        return np.square(np.subtract(predictions, targets, dtype=np.float64))

    def result(self) -> float:
        """Return the root of the mean over all samples since the last reset."""
        return float(np.sqrt(super().result()))
