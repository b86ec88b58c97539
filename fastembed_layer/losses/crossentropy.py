"""Losses of classes, each as a class and as a function that returns the losses of the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_flag, check_number, warn_caller
from fastembed_layer.losses.base import Loss
from fastembed_layer.losses.comparison import (
    EPSILON,
    as_targets,
    check_axis,
    drop_label_axis,
    mean_last_axis,
    sum_last_axis,
)

Array = np.ndarray[Any, Any]


class SmoothedCrossEntropy(Loss):
    """The options of cross-entropies whose targets are probabilities."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits = check_flag(from_logits, "from_logits")
        self.label_smoothing = check_number(label_smoothing, "label_smoothing", 0, 1)
        self.axis = check_axis(axis)

    def smooth_targets(self, y_true: Array, y_pred: Array, n_outcomes: int) -> Array:
        """Return the targets, drawn towards equal probabilities."""
        targets = as_targets(y_true, y_pred)
        if self.label_smoothing == 0:
            return targets
        return np.asarray(targets * (1 - self.label_smoothing) + self.label_smoothing / n_outcomes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        options = {name: getattr(self, name) for name in ("from_logits", "label_smoothing", "axis")}
        return {**super().get_config(), **options}


class BinaryCrossentropy(SmoothedCrossEntropy):
    """Cross-entropy of independent yes-or-no targets, averaged over an axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise they are probabilities, clipped to [1e-7, 1 - 1e-7] as in
        Keras; beyond these bounds the gradient is 0, so that a saturated wrong prediction learns nothing.
    label_smoothing : float
        In [0, 1]: how far targets are drawn towards 1/2.
    axis : int
        Axis over which the mean is taken.
    reduction, name, dtype
        See `Loss`.
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of every sample and its gradient."""
        losses, gradient = compare_binary(self.smooth_targets(y_true, y_pred, 2), y_pred, self.from_logits)
        return mean_last_axis(losses), gradient / max(y_pred.shape[-1], 1)


class CategoricalCrossentropy(SmoothedCrossEntropy):
    """Cross-entropy of targets that are probabilities of classes, such as one-hot rows, along an axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise each row is divided by its sum and clipped to
        [1e-7, 1 - 1e-7] as in Keras; the gradient through a clipped probability is 0.
    label_smoothing : float
        In [0, 1]: how far targets are drawn towards equal probabilities.
    axis : int
        Axis of the classes.
    reduction, name, dtype
        See `Loss`.
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of every sample and its gradient; a warning where there is one class only."""
        warn_of_one_class("categorical_crossentropy", y_pred)
        targets = self.smooth_targets(y_true, y_pred, max(y_pred.shape[-1], 1))
        compare = _compare_with_logits if self.from_logits else _compare_with_probabilities
        return compare(targets, y_pred)


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy of targets that are class numbers; predictions have one value per class along an axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise they are clipped to [1e-7, 1 - 1e-7] and then divided by
        their sum, in the order of Keras on TensorFlow; the gradient of a clipped probability is 0.
    ignore_class : int, optional
        Samples of this class have loss 0 and do not count in a mean.
    reduction, name, dtype
        See `Loss`.
    axis : int
        Axis of the classes.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits = check_flag(from_logits, "from_logits")
        if isinstance(ignore_class, bool) or not isinstance(ignore_class, int | np.integer | None):
            raise TypeError(f"`ignore_class` must be an integer or None. Received: {ignore_class!r}.")
        self.ignore_class = None if ignore_class is None else int(ignore_class)
        self.axis = check_axis(axis)

    def find_counted(self, y_true: Array, y_pred: Array) -> Array | None:
        """Return where the class is not the ignored one."""
        if self.ignore_class is None:
            return None
        return np.asarray(drop_label_axis(y_true, y_pred) != self.ignore_class)

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of every sample and its gradient; ValueError for an unknown class."""
        labels, counted = drop_label_axis(y_true, y_pred), self.find_counted(y_true, y_pred)
        if counted is None:
            return self._compare_classes(labels, y_pred)
        losses, gradient = self._compare_classes(np.where(counted, labels, 0), y_pred)
        return np.where(counted, losses, 0), np.where(counted[..., None], gradient, 0)

    def _compare_classes(self, labels: Array, y_pred: Array) -> tuple[Array, Array]:
        classes = _as_classes(labels, y_pred.shape[-1])[..., None]
        clipped = None if self.from_logits else clip_probabilities(y_pred)
        log_probabilities = log_softmax(y_pred if clipped is None else np.log(clipped))
        gradient = np.exp(log_probabilities)
        np.put_along_axis(gradient, classes, np.take_along_axis(gradient, classes, -1) - 1, -1)
        if clipped is not None:
            gradient *= (clipped == y_pred) / clipped
        return -np.take_along_axis(log_probabilities, classes, -1)[..., 0], gradient

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        options = {name: getattr(self, name) for name in ("from_logits", "ignore_class", "axis")}
        return {**super().get_config(), **options}


def compare_binary(targets: Array, y_pred: Array, from_logits: bool) -> tuple[Array, Array]:
    """Return the binary cross-entropy of every element and its derivative."""
    if from_logits:
        # log(1 + exp(y_pred)) - targets * y_pred, in the form in which exp cannot overflow.
        losses = np.maximum(y_pred, 0) - targets * y_pred + np.log1p(np.exp(-np.abs(y_pred)))
        return losses, sigmoid(y_pred) - targets
    clipped = clip_probabilities(y_pred)
    losses = -(targets * np.log(clipped) + (1 - targets) * np.log1p(-clipped))
    return losses, (clipped - targets) / (clipped * (1 - clipped)) * (clipped == y_pred)


def warn_of_one_class(name: str, y_pred: Array) -> None:
    """Warn where the classes of a categorical loss are one, whose probability is always 1."""
    if y_pred.shape[-1] == 1:
        warn_caller(
            f"In loss {name}, expected y_pred.shape to be (batch_size, num_classes) with num_classes > 1. "
            f"Received: y_pred.shape={y_pred.shape}. Consider using 'binary_crossentropy' if you only have 2 classes.",
            SyntaxWarning,
        )


def _compare_with_logits(targets: Array, logits: Array) -> tuple[Array, Array]:
    log_probabilities = log_softmax(logits)
    gradient = np.exp(log_probabilities) * targets.sum(axis=-1, keepdims=True) - targets
    return -sum_last_axis(targets * log_probabilities), gradient


def _compare_with_probabilities(targets: Array, y_pred: Array) -> tuple[Array, Array]:
    total = y_pred.sum(axis=-1, keepdims=True)
    probabilities = y_pred / total
    clipped = clip_probabilities(probabilities)
    d_probabilities = -targets / clipped * (clipped == probabilities)
    shared = np.sum(d_probabilities * probabilities, axis=-1, keepdims=True)
    return -sum_last_axis(targets * np.log(clipped)), (d_probabilities - shared) / total


def _as_classes(labels: Array, n_classes: int) -> Array:
    wrong = labels[(labels < 0) | (labels >= n_classes) | (labels % 1 != 0)]
    if wrong.size:
        raise ValueError(f"`y_true` must hold class numbers in [0, {n_classes}). Received: {wrong.flat[0]}.")
    return labels.astype(np.int64)


def clip_probabilities(probabilities: Array) -> Array:
    """Return probabilities whose logarithm is finite."""
    return np.clip(probabilities, EPSILON, 1 - EPSILON)


def log_softmax(logits: Array) -> Array:
    """Return the logarithms of the probabilities of logits along the last axis."""
    shifted = logits - np.max(logits, axis=-1, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def sigmoid(logits: Array) -> Array:
    """Return ``1 / (1 + exp(-logits))`` without overflow, accurate for large negative logits too."""
    return np.asarray(np.exp(np.minimum(logits, 0)) / (1 + np.exp(-np.abs(logits))))


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Return the binary cross-entropy of each sample; see `BinaryCrossentropy`.

    Examples
    --------
    >>> binary_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).round(3)
    array([0.916, 0.714])
    """
    return BinaryCrossentropy(from_logits, label_smoothing, axis, None)(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Return the categorical cross-entropy of each sample; see `CategoricalCrossentropy`.

    Examples
    --------
    >>> categorical_crossentropy([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]).round(4)
    array([0.0513, 2.3026])
    """
    return CategoricalCrossentropy(from_logits, label_smoothing, axis, None)(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    """Return the cross-entropy of each sample with a class number; see `SparseCategoricalCrossentropy`.

    Examples
    --------
    >>> sparse_categorical_crossentropy([1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]).round(4)
    array([0.0513, 2.3026])
    """
    return SparseCategoricalCrossentropy(from_logits, ignore_class, None, axis)(y_true, y_pred)
