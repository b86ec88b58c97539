"""The best of one rate where another is good enough: metrics of two classes that choose among thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_dimension, check_number
from fastembed_layer.metrics.base import Metric, divide_no_nan
from fastembed_layer.metrics.confusion import ThresholdMetric
from fastembed_layer.metrics.counts import Counts

Array = np.ndarray[Any, Any]


class _OperatingPoint(ThresholdMetric):
    """The largest value of one rate over the thresholds at which another is at least a bound; 0 where it never is.

    Parameters
    ----------
    bound : float
        In [0, 1].
    num_thresholds : int
        Number of thresholds, evenly spaced from 0 to 1; one alone is 0.5.
    class_id : int, optional
        The one class, along the last axis, that is looked at.
    name, dtype
        See `Metric`.
    """

    _counted = Counts._fields
    _bound_name = ""
    _bounded = ("", "")  # the counts whose share, the first of both, is bounded
    _wanted = ("", "")

    def __init__(self, bound: Any, num_thresholds: Any, class_id: Any, name: str | None, dtype: Any):
        self.num_thresholds = check_dimension(num_thresholds, "num_thresholds")
        steps = max(self.num_thresholds - 1, 1)
        thresholds = [number / steps for number in range(self.num_thresholds)]
        super().__init__([0.5] if self.num_thresholds == 1 else thresholds, None, class_id, name, dtype)
        setattr(self, self._bound_name, check_number(bound, self._bound_name, 0, 1))

    def _share(self, counts: tuple[str, str]) -> Array:
        first, second = (getattr(self, name).value for name in counts)
        return divide_no_nan(first, first + second)

    def result(self) -> float:
        """Return the best rate over all batches since the last reset."""
        is_good = self._share(self._bounded) >= getattr(self, self._bound_name)
        return float(np.max(np.where(is_good, self._share(self._wanted), 0)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        names = ("num_thresholds", "class_id", self._bound_name)
        return {**Metric.get_config(self), **{name: getattr(self, name) for name in names}}


SENSITIVITY = RECALL = ("true_positives", "false_negatives")
SPECIFICITY = ("true_negatives", "false_positives")
PRECISION = ("true_positives", "false_positives")


class SensitivityAtSpecificity(_OperatingPoint):
    """The largest ``TP / (TP + FN)`` over the thresholds at which ``TN / (TN + FP)`` is at least `specificity`.

    Parameters
    ----------
    specificity : float
        In [0, 1].
    num_thresholds : int
        Number of thresholds, evenly spaced from 0 to 1; one alone is 0.5.
    class_id : int, optional
        The one class, along the last axis, that is looked at.
    name, dtype
        See `Metric`.

    Examples
    --------
    >>> metric = SensitivityAtSpecificity(0.5)
    >>> metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    0.5
    """

    _bound_name, _bounded, _wanted = "specificity", SPECIFICITY, SENSITIVITY

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_OperatingPoint):
    """The largest ``TN / (TN + FP)`` over the thresholds at which ``TP / (TP + FN)`` is at least `sensitivity`.

    Parameters
    ----------
    sensitivity : float
        In [0, 1].
    num_thresholds, class_id, name, dtype
        As for `SensitivityAtSpecificity`.

    Examples
    --------
    >>> metric = SpecificityAtSensitivity(0.5)
    >>> round(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
    0.6667
    """

    _bound_name, _bounded, _wanted = "sensitivity", SENSITIVITY, SPECIFICITY

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_OperatingPoint):
    """The largest ``TP / (TP + FP)`` over the thresholds at which ``TP / (TP + FN)`` is at least `recall`.

    Parameters
    ----------
    recall : float
        In [0, 1].
    num_thresholds, class_id, name, dtype
        As for `SensitivityAtSpecificity`.

    Examples
    --------
    >>> metric = PrecisionAtRecall(0.5)
    >>> metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    0.5
    """

    _bound_name, _bounded, _wanted = "recall", RECALL, PRECISION

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_OperatingPoint):
    """The largest ``TP / (TP + FN)`` over the thresholds at which ``TP / (TP + FP)`` is at least `precision`.

    Parameters
    ----------
    precision : float
        In [0, 1].
    num_thresholds, class_id, name, dtype
        As for `SensitivityAtSpecificity`.

    Examples
    --------
    >>> metric = RecallAtPrecision(0.8)
    >>> metric([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.5
    """

    _bound_name, _bounded, _wanted = "precision", PRECISION, RECALL

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
