"""How often predictions are right, each as a class and as a function of one batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_dimension, check_flag, check_number
from fastembed_layer.losses.comparison import align_ranks, as_numbers, check_same_shape, drop_label_axis
from fastembed_layer.metrics.means import MeanOfSamples

Array = np.ndarray[Any, Any]


class Accuracy(MeanOfSamples):
    """How often predictions equal targets, element by element."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return where the two are equal, compared in the precision of floating predictions."""
        check_same_shape(y_true, y_pred)
        return np.equal(y_true.astype(y_pred.dtype) if y_pred.dtype.kind == "f" else y_true, y_pred)


class BinaryAccuracy(MeanOfSamples):
    """How often predictions lie on the side of `threshold` that the targets 0 and 1 name; 1 is above it."""

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5):
        super().__init__(name, dtype)
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


class TopKCategoricalAccuracy(MeanOfSamples):
    """How often the class of a one-hot target is among the `k` largest predictions.

    Parameters
    ----------
    k : int
        A class is among them if fewer than `k` predictions are larger than its own.
    name, dtype
        See `Metric`.

    Examples
    --------
    >>> metric = TopKCategoricalAccuracy(k=1)
    >>> metric([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    0.5
    """

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None):
        super().__init__(name, dtype)
        self.k = check_dimension(k, "k")

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return where the class is among the largest predictions."""
        check_same_shape(y_true, y_pred)
        return _is_in_top_k(np.argmax(y_true, axis=-1), y_pred, self.k)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(MeanOfSamples):
    """How often the class that the target names is among the `k` largest predictions.

    Parameters
    ----------
    k : int
        A class is among them if fewer than `k` predictions are larger than its own.
    name, dtype
        See `Metric`.
    from_sorted_ids : bool
        Whether `y_pred` holds class numbers, the likeliest first, in place of predictions.

    Examples
    --------
    >>> metric = SparseTopKCategoricalAccuracy(k=1)
    >>> metric([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    0.5
    """

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None, from_sorted_ids: bool = False):
        super().__init__(name, dtype)
        self.k = check_dimension(k, "k")
        self.from_sorted_ids = check_flag(from_sorted_ids, "from_sorted_ids")

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return where the class is among the largest predictions, or the first numbers."""
        labels = drop_label_axis(y_true, y_pred)
        if self.from_sorted_ids:
            return np.asarray(np.any(labels[..., None] == y_pred[..., : self.k], axis=-1))
        return _is_in_top_k(labels, y_pred, self.k)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        options = {"from_sorted_ids": True} if self.from_sorted_ids else {}
        return {**super().get_config(), "k": self.k, **options}


def _is_in_top_k(labels: Array, y_pred: Array, k: int) -> Array:
    """Return where fewer than `k` predictions are larger than that of the label; no label out of range is."""
    exists = (labels >= 0) & (labels < y_pred.shape[-1])
    rows = np.where(exists, labels, 0).astype(np.int64)[..., None]
    own = np.take_along_axis(y_pred, rows, -1)
    return np.asarray(exists & (np.sum(y_pred > own, axis=-1) < k) & np.isfinite(own[..., 0]))


def _compare(metric: MeanOfSamples, y_true: Any, y_pred: Any) -> Array:
    targets, predictions = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
    return metric.per_sample(targets, predictions).astype(np.float32)


def accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return 1 where predictions equal targets and 0 elsewhere.

    Examples
    --------
    >>> accuracy([1, 2, 3], [1, 2, 4])
    array([1., 1., 0.], dtype=float32)
    """
    return _compare(Accuracy(), y_true, y_pred)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Array:
    """Return 1 where predictions are on the right side of the threshold and 0 elsewhere.

    Examples
    --------
    >>> binary_accuracy([1, 0], [0.7, 0.6])
    array([1., 0.], dtype=float32)
    """
    return _compare(BinaryAccuracy(threshold=threshold), y_true, y_pred)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return 1 for samples whose largest prediction is that of the one-hot target and 0 for others.

    Examples
    --------
    >>> categorical_accuracy([[0, 1], [0, 1]], [[0.2, 0.8], [0.9, 0.1]])
    array([1., 0.], dtype=float32)
    """
    return _compare(CategoricalAccuracy(), y_true, y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return 1 for samples whose largest prediction is that of the class number and 0 for others.

    Examples
    --------
    >>> sparse_categorical_accuracy([1, 1], [[0.2, 0.8], [0.9, 0.1]])
    array([1., 0.], dtype=float32)
    """
    return _compare(SparseCategoricalAccuracy(), y_true, y_pred)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Array:
    """Return 1 for samples whose one-hot class is among the `k` largest predictions and 0 for others.

    Examples
    --------
    >>> top_k_categorical_accuracy([[0, 0, 1], [1, 0, 0]], [[0.1, 0.6, 0.3], [0.1, 0.6, 0.3]], k=2)
    array([1., 0.], dtype=float32)
    """
    return _compare(TopKCategoricalAccuracy(k), y_true, y_pred)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Array:
    """Return 1 for samples whose class number is among the `k` largest predictions and 0 for others.

    Examples
    --------
    >>> sparse_top_k_categorical_accuracy([2, 0], [[0.1, 0.6, 0.3], [0.1, 0.6, 0.3]], k=2)
    array([1., 0.], dtype=float32)
    """
    return _compare(SparseTopKCategoricalAccuracy(k, from_sorted_ids=from_sorted_ids), y_true, y_pred)
