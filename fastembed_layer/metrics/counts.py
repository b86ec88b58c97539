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
        self.reach_out = (
            self.values[0] < 0 and self.values[-1] > 1
        )  # all predictions are between the first and the last
        self._sorted = np.sort(self.values)
        self._order = np.argsort(np.argsort(self.values, kind="stable"))

    def count_below(self, scores: Array) -> Array:
        """Return how many of the sorted thresholds are below each prediction; all of them are below NaN."""
        if self.are_even:
            steps = np.ceil(np.clip(scores, 0, 1) * scores.dtype.type(len(self.values) - 1))
            steps = np.maximum(steps, 1) if self.reach_out else steps
            return np.nan_to_num(steps, nan=len(self.values)).astype(np.int64)
        bounded = np.clip(scores, 0, 1) if self.reach_out else scores
        return np.searchsorted(self._sorted.astype(scores.dtype), bounded.ravel()).reshape(scores.shape)

    def count(self, targets: Array, scores: Array, weights: Array | None, dtype: Any) -> Counts:
        """Return the counts of matrices with one column for each label that is counted by itself."""
        rounded, n_labels, size = scores.astype(dtype, copy=False), scores.shape[1], len(self.values) + 1
        is_nan = np.isnan(rounded)
        if is_nan.any():
            weights = np.where(is_nan, np.nan, 1 if weights is None else weights)
        cells = self.count_below(rounded) * 2 + targets
        cells = cells if n_labels == 1 else cells * n_labels + np.arange(n_labels)
        flat = None if weights is None else weights.ravel()
        found = np.bincount(cells.ravel(), flat, 2 * size * n_labels).reshape(size, 2, n_labels)
        # Row k holds the weight of the negatives and positives that at least k thresholds are below.
        reached = np.cumsum(found[::-1], axis=0, dtype=np.float64)[::-1]
        false, true = reached[1:][self._order].swapaxes(0, 1)
        return Counts(true, false, reached[0, 0] - false, reached[0, 1] - true)


def as_pairs(y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> tuple[Array, Array, Array | None]:
    """Return booleans, predictions and weights of one shape; None where all weights are 1."""
    targets, scores = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
    check_same_shape(targets, scores)
    is_weighted = sample_weight is not None or mask is not None
    weights = combine_weights(targets.shape, sample_weight, mask) if is_weighted else None
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
