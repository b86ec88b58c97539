"""The area under the ROC or the precision-recall curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_choice, check_dimension, check_flag
from fastembed_layer.losses import sigmoid
from fastembed_layer.losses.comparison import align_ranks, as_numbers, check_same_shape
from fastembed_layer.metrics.base import Metric, combine_weights

Array = np.ndarray[Any, Any]


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
        weights = combine_weights(targets.shape, sample_weight, mask)
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
