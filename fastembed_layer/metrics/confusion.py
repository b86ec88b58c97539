"""Metrics of two classes: counts of right and wrong answers at thresholds, precision and recall."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_dimension
from fastembed_layer.metrics.base import Metric, divide_no_nan
from fastembed_layer.metrics.counts import BELOW_ALL, Thresholds, as_pairs, check_thresholds, keep_top_k

Array = np.ndarray[Any, Any]


class ThresholdMetric(Metric):
    """A metric that counts at thresholds; `_counted` names the counts that it needs, which become its variables."""

    _counted: tuple[str, ...] = ()

    def __init__(self, thresholds: Any, top_k: Any, class_id: Any, name: str | None, dtype: Any):
        super().__init__(dtype, name)
        self._given_thresholds = thresholds
        self.top_k = None if top_k is None else check_dimension(top_k, "top_k")
        self.class_id = _check_class(class_id)
        self._thresholds = Thresholds(check_thresholds(thresholds, 0.5 if top_k is None else BELOW_ALL))
        for count in self._counted:
            setattr(self, count, self.add_variable((len(self.thresholds),), name=count))

    @property
    def thresholds(self) -> list[float]:
        """The thresholds; a prediction is positive where it is above."""
        return self._thresholds.values

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Count the predictions of a batch above and below the thresholds.

        Parameters
        ----------
        y_true, y_pred : array_like
            Targets (0 is negative, all else positive) and predictions of the same shape.
        sample_weight, mask : array_like, optional
            Weights, axes matched from the left.
        """
        targets, scores, weights = as_pairs(y_true, y_pred, sample_weight, mask)
        if self.top_k is not None:
            scores = keep_top_k(scores, self.top_k)
        if self.class_id is not None:
            targets, scores = _take_class(targets, self.class_id), _take_class(scores, self.class_id)
            weights = None if weights is None else _take_class(weights, self.class_id)
        targets, scores = targets.reshape(-1, 1), scores.reshape(-1, 1)
        counts = self._thresholds.count(targets, scores, weights, self.float_dtype or np.float32)
        for name in self._counted:
            getattr(self, name).assign_add(getattr(counts, name)[:, 0])

    def _as_result(self, values: Array) -> Any:
        """Return one number for a single threshold, an array for several."""
        return float(values[0]) if len(self.thresholds) == 1 else np.array(values)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        options = {"thresholds": self._given_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **options}


class _Count(ThresholdMetric):
    """One of the counts itself."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(thresholds, None, None, name, dtype)

    def result(self) -> Any:
        """Return the count, or one for each threshold."""
        return self._as_result(getattr(self, self._counted[0]).value)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {**Metric.get_config(self), "thresholds": self._given_thresholds}


class TruePositives(_Count):
    """How many predictions are rightly above a threshold, 0.5 by default.

    Examples
    --------
    >>> metric = TruePositives()
    >>> metric([0, 1, 1, 1], [1, 0, 1, 1])
    2.0
    """

    _counted = ("true_positives",)


class FalsePositives(_Count):
    """How many predictions are wrongly above a threshold, 0.5 by default.

    Examples
    --------
    >>> metric = FalsePositives()
    >>> metric([0, 1, 0, 0], [0, 0, 1, 1])
    2.0
    """

    _counted = ("false_positives",)


class TrueNegatives(_Count):
    """How many predictions are rightly not above a threshold, 0.5 by default.

    Examples
    --------
    >>> metric = TrueNegatives()
    >>> metric([0, 1, 0, 0], [1, 1, 0, 0])
    2.0
    """

    _counted = ("true_negatives",)


class FalseNegatives(_Count):
    """How many predictions are wrongly not above a threshold, 0.5 by default.

    Examples
    --------
    >>> metric = FalseNegatives()
    >>> metric([0, 1, 1, 1], [0, 1, 0, 0])
    2.0
    """

    _counted = ("false_negatives",)


class Precision(ThresholdMetric):
    """The share of right answers among the positive predictions.

    Parameters
    ----------
    thresholds : float or list of float, optional
        In [0, 1]; predictions above are positive. By default 0.5; with several the result is an array. For logits 0.
    top_k : int, optional
        Only the `top_k` largest predictions of a sample are positive, all of them unless there are `thresholds`.
    class_id : int, optional
        The one class, along the last axis, that is looked at.
    name, dtype
        See `Metric`.

    Examples
    --------
    >>> metric = Precision()
    >>> round(metric([0, 1, 1, 1], [1, 0, 1, 1]), 4)
    0.6667
    """

    _counted = ("true_positives", "false_positives")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def result(self) -> Any:
        """Return the precision, or one for each threshold; 0 where there are no positive predictions."""
        right, other = (getattr(self, name).value for name in self._counted)
        return self._as_result(divide_no_nan(right, right + other))


class Recall(Precision):
    """The share of the positive targets that the predictions have found.

    Parameters
    ----------
    thresholds : float or list of float, optional
        In [0, 1]; predictions above are positive. By default 0.5; with several the result is an array. For logits 0.
    top_k : int, optional
        Only the `top_k` largest predictions of a sample are positive, all of them unless there are `thresholds`.
    class_id : int, optional
        The one class, along the last axis, that is looked at.
    name, dtype
        See `Metric`.

    Examples
    --------
    >>> metric = Recall()
    >>> round(metric([0, 1, 1, 1], [1, 0, 1, 1]), 4)
    0.6667
    """

    _counted = ("true_positives", "false_negatives")


def _check_class(class_id: Any) -> int | None:
    if class_id is None:
        return None
    if isinstance(class_id, bool) or not isinstance(class_id, int | np.integer):
        raise TypeError(f"`class_id` must be an integer or None. Received: {class_id!r}.")
    return int(class_id)


def _take_class(values: Array, class_id: int) -> Array:
    if values.ndim < 2 or not -values.shape[-1] <= class_id < values.shape[-1]:
        raise ValueError(
            "When class_id is provided, y_pred must be a 2D array with shape (num_samples, num_classes), found shape: "
            f"{values.shape}. Received: class_id={class_id}."
        )
    return values[..., class_id]
