"""Losses of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_choice, check_flag, check_number
from fastembed_layer.losses.base import Loss
from fastembed_layer.losses.comparison import as_targets, drop_label_axis, mean_last_axis, sum_last_axis

Array = np.ndarray[Any, Any]

# Keras's epsilon(): probabilities are clipped to [EPSILON, 1 - EPSILON] before their logarithm is taken.
EPSILON = 1e-7


class _SmoothedCrossEntropy(Loss):
    """The options of cross-entropies whose targets are probabilities."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ):
        super().__init__(name, reduction)
        self.from_logits = check_flag(from_logits, "from_logits")
        self.label_smoothing = check_number(label_smoothing, "label_smoothing", 0, 1)
        self.axis = check_choice(axis, "axis", (-1,))

    def _smooth_targets(self, y_true: Array, y_pred: Array, n_outcomes: int) -> Array:
        targets = as_targets(y_true, y_pred)
        if self.label_smoothing == 0:
            return targets
        return np.asarray(targets * (1 - self.label_smoothing) + self.label_smoothing / n_outcomes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        options = {name: getattr(self, name) for name in ("from_logits", "label_smoothing", "axis")}
        return {**super().get_config(), **options}


class BinaryCrossentropy(_SmoothedCrossEntropy):
    """Cross-entropy of independent yes-or-no targets, averaged over the last axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise they are probabilities, clipped to [1e-7, 1 - 1e-7] as in
        Keras; beyond these bounds the gradient is 0, so that a saturated wrong prediction learns nothing.
    label_smoothing : float
        In [0, 1]: how far targets are drawn towards 1/2.
    axis : int
        Only -1, where Keras's configs have it.
    reduction, name
        See `Loss`.
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of every sample and its gradient."""
        targets = self._smooth_targets(y_true, y_pred, 2)
        if self.from_logits:
            # log(1 + exp(y_pred)) - targets * y_pred, in the form in which exp cannot overflow.
            losses = np.maximum(y_pred, 0) - targets * y_pred + np.log1p(np.exp(-np.abs(y_pred)))
            gradient = sigmoid(y_pred) - targets
        else:
            clipped = _clip_probabilities(y_pred)
            losses = -(targets * np.log(clipped) + (1 - targets) * np.log1p(-clipped))
            gradient = (clipped - targets) / (clipped * (1 - clipped)) * (clipped == y_pred)
        return mean_last_axis(losses), gradient / max(y_pred.shape[-1], 1)


class CategoricalCrossentropy(_SmoothedCrossEntropy):
    """Cross-entropy of targets that are probabilities of classes, such as one-hot rows, along the last axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise each row is divided by its sum and clipped to
        [1e-7, 1 - 1e-7] as in Keras; the gradient through a clipped probability is 0.
    label_smoothing : float
        In [0, 1]: how far targets are drawn towards equal probabilities.
    axis : int
        Only -1, where Keras's configs have it.
    reduction, name
        See `Loss`.
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of every sample and its gradient."""
        targets = self._smooth_targets(y_true, y_pred, max(y_pred.shape[-1], 1))
        compare = _compare_with_logits if self.from_logits else _compare_with_probabilities
        return compare(targets, y_pred)


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy of targets that are class numbers; predictions have one value per class on the last axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise they are clipped to [1e-7, 1 - 1e-7] and then divided by
        their sum, in the order of Keras on TensorFlow; the gradient of a clipped probability is 0.
    ignore_class : int, optional
        Samples of this class have loss 0 and do not count in a mean.
    reduction, name
        See `Loss`.
    axis : int
        Only -1, where Keras's signature has it.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
    ):
        super().__init__(name, reduction)
        self.from_logits = check_flag(from_logits, "from_logits")
        if isinstance(ignore_class, bool) or not isinstance(ignore_class, int | np.integer | None):
            raise TypeError(f"`ignore_class` must be an integer or None. Received: {ignore_class!r}.")
        self.ignore_class = None if ignore_class is None else int(ignore_class)
        self.axis = check_choice(axis, "axis", (-1,))

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
        clipped = None if self.from_logits else _clip_probabilities(y_pred)
        log_probabilities = _log_softmax(y_pred if clipped is None else np.log(clipped))
        gradient = np.exp(log_probabilities)
        np.put_along_axis(gradient, classes, np.take_along_axis(gradient, classes, -1) - 1, -1)
        if clipped is not None:
            gradient *= (clipped == y_pred) / clipped
        return -np.take_along_axis(log_probabilities, classes, -1)[..., 0], gradient

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        return {**super().get_config(), "from_logits": self.from_logits, "ignore_class": self.ignore_class}


def _compare_with_logits(targets: Array, logits: Array) -> tuple[Array, Array]:
    log_probabilities = _log_softmax(logits)
    gradient = np.exp(log_probabilities) * targets.sum(axis=-1, keepdims=True) - targets
    return -sum_last_axis(targets * log_probabilities), gradient


def _compare_with_probabilities(targets: Array, y_pred: Array) -> tuple[Array, Array]:
    total = y_pred.sum(axis=-1, keepdims=True)
    probabilities = y_pred / total
    clipped = _clip_probabilities(probabilities)
    d_probabilities = -targets / clipped * (clipped == probabilities)
    shared = np.sum(d_probabilities * probabilities, axis=-1, keepdims=True)
    return -sum_last_axis(targets * np.log(clipped)), (d_probabilities - shared) / total


def _as_classes(labels: Array, n_classes: int) -> Array:
    wrong = labels[(labels < 0) | (labels >= n_classes) | (labels % 1 != 0)]
    if wrong.size:
        raise ValueError(f"`y_true` must hold class numbers in [0, {n_classes}). Received: {wrong.flat[0]}.")
    return labels.astype(np.int64)


def _clip_probabilities(probabilities: Array) -> Array:
    return np.clip(probabilities, EPSILON, 1 - EPSILON)


def _log_softmax(logits: Array) -> Array:
    shifted = logits - np.max(logits, axis=-1, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def sigmoid(logits: Array) -> Array:
    """Return ``1 / (1 + exp(-logits))`` without overflow, accurate for large negative logits too."""
    return np.asarray(np.exp(np.minimum(logits, 0)) / (1 + np.exp(-np.abs(logits))))
