"""True and false positives and negatives at thresholds: counted here, reported by the metrics of confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.losses.comparison import EPSILON, align_ranks, as_numbers, check_same_shape
from fastembed_layer.metrics.base import combine_weights

Array = np.ndarray[Any, Any]

BELOW_ALL = -1e10  # Keras's threshold where only the k largest predictions count, and its value for all others


class Counts(NamedTuple):
    """One array for each kind, with one count per threshold, or per threshold and label."""

    true_positives: Array
    false_positives: Array
    true_negatives: Array
    false_negatives: Array


class Thresholds:
    """Sorted or unsorted thresholds; a prediction is positive where it is above one, in float32 as in Keras.

    Keras finds the interval of a prediction by arithmetic where the thresholds are spaced evenly from 0 to 1, and by
    comparison elsewhere, which differs by rounding alone.
    """

    def __init__(self, values: Sequence[float]):
        self.values = [float(value) for value in values]
        inner = np.clip(self.values, 0, 1)
        even = np.arange(len(inner), dtype=np.float32) / max(len(inner) - 1, 1)
        self.are_even = len(inner) >= 3 and bool(np.allclose(inner, even, atol=EPSILON))
        self.reach_out = self.values[0] < 0  # below 0 and above 1, so that all predictions are above the first

    def count_below(self, scores: Array, dtype: Any) -> Array:
        """Return how many of the sorted thresholds are below each prediction; all of them are below NaN."""
        rounded = scores.astype(dtype)
        if not self.are_even:
            return np.searchsorted(np.sort(np.asarray(self.values, dtype)), rounded.ravel()).reshape(rounded.shape)
        steps = np.ceil(np.nan_to_num(rounded.clip(0, 1)) * rounded.dtype.type(len(self.values) - 1))
        below = np.maximum(steps, 1) if self.reach_out else steps
        return np.where(np.isnan(rounded), len(self.values), below).astype(np.int64)

    def count(self, targets: Array, scores: Array, weights: Array, dtype: Any) -> Counts:
        """Return the counts of matrices with one column for each label that is counted by itself."""
        below = self.count_below(scores, dtype)
        weights = np.where(np.isnan(scores), np.nan, weights)
        positives = self._count_from_above(below, weights * targets)
        negatives = self._count_from_above(below, weights * ~targets)
        order = np.argsort(np.argsort(self.values, kind="stable"))
        true, false = positives[1:][order], negatives[1:][order]
        return Counts(true, false, negatives[0] - false, positives[0] - true)

    def _count_from_above(self, below: Array, weights: Array) -> Array:
        """Return for k = 0, 1, ... the weight of the predictions that at least k thresholds are below."""
        n_labels, size = below.shape[1], len(self.values) + 1
        cells = below * n_labels + np.arange(n_labels)
        found = np.bincount(cells.ravel(), weights.ravel(), size * n_labels).reshape(size, n_labels)
        return np.asarray(np.cumsum(found[::-1], axis=0)[::-1])


def as_pairs(y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> tuple[Array, Array, Array]:
    """Return booleans, predictions and weights of one shape."""
    targets, scores = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
    check_same_shape(targets, scores)
    weights = combine_weights(targets.shape, sample_weight, mask)
    return targets.astype(bool), scores if scores.dtype.kind == "f" else scores.astype(np.float32), weights


def keep_top_k(scores: Array, k: int) -> Array:
    """Return predictions of which all but the `k` largest of each row, the first of equal ones, are `BELOW_ALL`."""
    if k > scores.shape[-1]:
        raise ValueError(f"`top_k` must not exceed the number of predictions per sample. Received: {k}.")
    places = np.argsort(-scores, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(scores, BELOW_ALL)
    np.put_along_axis(kept, places, np.take_along_axis(scores, places, -1), -1)
    return kept


def check_thresholds(thresholds: Any, default: float) -> list[float]:
    """Return the thresholds of a metric; ValueError in Keras's words if one is not in [0, 1]."""
    if thresholds is None:
        return [default]
    values = list(thresholds) if isinstance(thresholds, list | tuple | np.ndarray) else [thresholds]
    is_number = [isinstance(value, int | float | np.integer | np.floating) for value in values]
    wrong = [value for value, right in zip(values, is_number, strict=True) if not right or not 0 <= value <= 1]
    if wrong or not values:
        raise ValueError(f"Threshold values must be in [0, 1]. Received: {wrong} as `thresholds`.")
    return [float(value) for value in values]
