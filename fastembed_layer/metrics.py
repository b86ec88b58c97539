"""Metrics: running averages of how well predictions match, with the names and the rules of Keras.

A metric is fed batch by batch with `Metric.update_state` and read with `Metric.result`. All sums are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastembed_layer.checks import check_choice, check_dimension, check_flag, check_number
from fastembed_layer.losses import (
    align_ranks,
    align_weights,
    as_numbers,
    check_same_shape,
    drop_label_axis,
    sigmoid,
)
from fastembed_layer.named import NamedObjects, snake_case
from fastembed_layer.named import serialize as serialize

Array = np.ndarray[Any, Any]


class Metric:
    """Base class of the metrics.

    Parameters
    ----------
    name : str, optional
        Name of the metric; by default the class name in snake case.
    """

    def __init__(self, name: str | None = None):
        self.name = name or snake_case(type(self).__name__)
        self.reset_state()

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take one batch into account, usually as ``update_state(y_true, y_pred, sample_weight, mask)``."""
        raise NotImplementedError(f"{type(self).__name__} must implement `update_state`.")

    def result(self) -> float:
        """Return the value over all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} must implement `result`.")

    def reset_state(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} must implement `reset_state`.")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """Build a metric from a config; the `dtype` in configs of Keras has no meaning here."""
        return cls(**{key: value for key, value in config.items() if key != "dtype"})


class _RunningMean(Metric):
    """A weighted mean over samples; what a sample holds beyond its first axis is averaged first."""

    total: float
    count: float

    def reset_state(self) -> None:
        """Forget all batches."""
        self.total = self.count = 0.0

    def result(self) -> float:
        """Return the weighted mean over all samples since the last reset, 0 when there were none."""
        return self.total / self.count if self.count else 0.0

    def _add(self, values: Array, sample_weight: Any, mask: Any) -> None:
        per_sample = max(math.prod(values.shape[1:]), 1)
        weights = _combine_weights(values.shape, sample_weight, mask)
        self.total += float(np.sum(values * weights, dtype=np.float64)) / per_sample
        self.count += float(np.sum(weights, dtype=np.float64)) / per_sample


class Mean(_RunningMean):
    """The weighted mean of values, such as the losses of batches.

    Examples
    --------
    >>> mean = Mean()
    >>> mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> mean.result()
    2.0
    """

    def update_state(self, values: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Take values into account; `sample_weight` and `mask` match their axes from the left."""
        self._add(as_numbers("values", values), sample_weight, mask)


class MeanOfSamples(_RunningMean):
    """Base class of metrics that are a mean over samples: a subclass writes `per_sample`."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return one value, or more, for every sample; ranks are already matched."""
        raise NotImplementedError(f"{type(self).__name__} must implement `per_sample(y_true, y_pred)`.")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Take one batch into account.

        Parameters
        ----------
        y_true, y_pred : array_like
            Targets and predictions; ``(n,)`` fits ``(n, 1)``.
        sample_weight, mask : array_like, optional
            Factors of what `per_sample` returns, axes matched from the left; a mask counts as 0 or 1.

        Raises
        ------
        ValueError
            If the shapes do not fit together.
        TypeError
            If an argument does not hold numbers.
        """
        targets, predictions = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
        self._add(np.asarray(self.per_sample(targets, predictions)), sample_weight, mask)


class FunctionMetric(MeanOfSamples):
    """The mean of what a function ``function(y_true, y_pred)`` returns; `get` makes one from any callable."""

    def __init__(self, function: Callable[[Array, Array], Array], name: str | None = None):
        super().__init__(name or getattr(function, "__name__", None))
        self.function = function

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return what the function returns."""
        return self.function(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Refuse, because a config cannot hold a function."""
        raise ValueError(
            f"The metric {self.name!r} is a plain function, which has no config; subclass `Metric`."
        )


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
        return _mean_last_axis(np.square(_subtract(y_true, y_pred)))


class MeanAbsoluteError(MeanOfSamples):
    """``mean(abs(y_true - y_pred))``."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return the absolute errors, averaged over the last axis."""
        return _mean_last_axis(np.abs(_subtract(y_true, y_pred)))


class AUC(Metric):
    """Area under the ROC or the precision-recall curve, from counts between evenly spaced thresholds.

    Parameters
    ----------
    num_thresholds : int
        At least 2. Predictions are told apart only by the thresholds between them.
    curve : {"ROC", "PR"}
        ROC areas are trapezoids. Between two points of the PR curve the counts are interpolated, not the
        precision, with the closed form of Keras (after Davis and Goadrich, 2006, section 4).
    name : str, optional
        Name of the metric.
    from_logits : bool
        Whether predictions are logits; otherwise they are probabilities, and are clipped to [0, 1].

    Examples
    --------
    >>> auc = AUC(num_thresholds=3)
    >>> auc.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    >>> auc.result()
    0.75
    """

    positives: Array
    negatives: Array

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        name: str | None = None,
        from_logits: bool = False,
    ):
        self.num_thresholds = check_dimension(num_thresholds, "num_thresholds")
        if num_thresholds < 2:
            raise ValueError(f"`num_thresholds` must be at least 2. Received: {num_thresholds}.")
        self.curve = check_choice(curve, "curve", ("ROC", "PR"))
        self.from_logits = check_flag(from_logits, "from_logits")
        super().__init__(name)

    def reset_state(self) -> None:
        """Forget all batches."""
        self.positives = np.zeros(self.num_thresholds)
        self.negatives = np.zeros(self.num_thresholds)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Count the predictions of a batch between the thresholds; NaN predictions make the result NaN.

        Parameters
        ----------
        y_true, y_pred : array_like
            Targets (0 is negative, all else positive) and predictions of the same shape.
        sample_weight, mask : array_like, optional
            Weights, axes matched from the left.
        """
        targets, predictions = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
        check_same_shape(targets, predictions)
        weights = _combine_weights(targets.shape, sample_weight, mask)
        # Keras finds the interval in float32; a prediction that equals a threshold lies below it.
        scores = predictions.astype(np.float32)
        scores = sigmoid(scores) if self.from_logits else scores.clip(0, 1)
        interval = np.maximum(np.ceil(np.nan_to_num(scores) * np.float32(self.num_thresholds - 1)) - 1, 0)
        interval = interval.astype(np.int64).ravel()
        weights = np.where(np.isnan(scores), np.nan, weights).ravel()
        positive = targets.astype(bool).ravel()
        self.positives += np.bincount(interval, weights * positive, self.num_thresholds)
        self.negatives += np.bincount(interval, weights * ~positive, self.num_thresholds)

    def result(self) -> float:
        """Return the area over all batches since the last reset; 0 where the curve is not defined."""
        true_positives = np.cumsum(self.positives[::-1])[::-1]
        false_positives = np.cumsum(self.negatives[::-1])[::-1]
        area = _area_under_roc if self.curve == "ROC" else _area_under_pr
        return area(true_positives, false_positives)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        options = {name: getattr(self, name) for name in ("num_thresholds", "curve", "from_logits")}
        return {**super().get_config(), **options}


def _area_under_roc(true_positives: Array, false_positives: Array) -> float:
    recall = _divide(true_positives, true_positives[:1])
    fall_out = _divide(false_positives, false_positives[:1])
    return float(np.sum((fall_out[:-1] - fall_out[1:]) * (recall[:-1] + recall[1:]) / 2))


def _area_under_pr(true_positives: Array, false_positives: Array) -> float:
    """Sum ``slope * (dTP + intercept * log(P_a / P_b))`` over the intervals, P = TP + FP linear in TP."""
    predicted = true_positives + false_positives
    gained = true_positives[:-1] - true_positives[1:]
    slope = _divide(gained, predicted[:-1] - predicted[1:])
    intercept = true_positives[1:] - slope * predicted[1:]
    both = (predicted[:-1] > 0) & (predicted[1:] > 0)
    ratio = np.divide(predicted[:-1], predicted[1:], out=np.ones_like(gained), where=both)
    return float(np.sum(_divide(slope * (gained + intercept * np.log(ratio)), true_positives[:1])))


def _divide(numerator: Array, denominator: Array) -> Array:
    """Divide, with 0 for a division by 0 (Keras's `divide_no_nan`)."""
    denominator = np.broadcast_to(denominator, numerator.shape)
    return np.asarray(np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0))


def _combine_weights(shape: tuple[int, ...], sample_weight: Any, mask: Any) -> Array:
    weights = np.ones(()) if sample_weight is None else align_weights("sample_weight", sample_weight, shape)
    if mask is not None:
        weights = weights * align_weights("mask", mask, shape).astype(bool)
    return np.broadcast_to(weights, shape)


def _subtract(y_true: Array, y_pred: Array) -> Array:
    check_same_shape(y_true, y_pred)
    return np.asarray(np.subtract(y_pred, y_true, dtype=np.float64))


def _mean_last_axis(values: Array) -> Array:
    return np.asarray(np.sum(values, axis=-1) / max(values.shape[-1], 1))


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
