"""Focal cross-entropies, in which predictions that are right already weigh less."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_flag, check_number
from fastembed_layer.losses.comparison import EPSILON, as_numbers, mean_last_axis, sum_last_axis
from fastembed_layer.losses.crossentropy import (
    SmoothedCrossEntropy,
    clip_probabilities,
    compare_binary,
    log_softmax,
    sigmoid,
    warn_of_one_class,
)

Array = np.ndarray[Any, Any]


class BinaryFocalCrossentropy(SmoothedCrossEntropy):
    """Binary cross-entropy times ``(1 - p)**gamma``, p the probability of the right answer [1]_.

    Parameters
    ----------
    apply_class_balancing : bool
        Whether losses are also multiplied by `alpha` for the target 1 and by ``1 - alpha`` for 0.
    alpha : float
        In [0, 1].
    gamma : float
        At least 0; with 0 this is the binary cross-entropy.
    from_logits, label_smoothing, axis, reduction, name, dtype
        As for `BinaryCrossentropy`.

    References
    ----------
    .. [1] Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.apply_class_balancing = check_flag(apply_class_balancing, "apply_class_balancing")
        self.alpha = check_number(alpha, "alpha", 0, 1)
        self.gamma = check_number(gamma, "gamma", 0)

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the loss of every sample and its gradient."""
        targets = self.smooth_targets(y_true, y_pred, 2)
        entropy, d_entropy = compare_binary(targets, y_pred, self.from_logits)
        p = sigmoid(y_pred) if self.from_logits else y_pred
        slope = p * (1 - p) if self.from_logits else 1.0
        wrong = targets * (1 - p) + (1 - targets) * p
        factor, d_factor = _power(wrong, self.gamma)
        if self.apply_class_balancing:
            weight = targets * self.alpha + (1 - targets) * (1 - self.alpha)
            factor, d_factor = factor * weight, d_factor * weight
        gradient = factor * d_entropy + d_factor * (1 - 2 * targets) * slope * entropy
        return mean_last_axis(factor * entropy), gradient / max(y_pred.shape[-1], 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        options = {name: getattr(self, name) for name in ("apply_class_balancing", "alpha", "gamma")}
        return {**super().get_config(), **options}


class CategoricalFocalCrossentropy(SmoothedCrossEntropy):
    """The categorical cross-entropy of each class times ``alpha * (1 - p)**gamma``, p its probability.

    Parameters
    ----------
    alpha : float or array_like
        Factor of all classes, or one for each.
    gamma : float
        At least 0; with 0, and 1 for `alpha`, this is the categorical cross-entropy.
    from_logits, label_smoothing, axis, reduction, name, dtype
        As for `CategoricalCrossentropy`.
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        as_numbers("alpha", alpha)
        self.alpha = alpha
        self.gamma = check_number(gamma, "gamma", 0)

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the loss of every sample and its gradient."""
        warn_of_one_class("categorical_focal_crossentropy", y_pred)
        targets = self.smooth_targets(y_true, y_pred, max(y_pred.shape[-1], 1))
        total = 1.0 if self.from_logits else np.sum(y_pred, axis=-1, keepdims=True)
        p = np.exp(log_softmax(y_pred)) if self.from_logits else y_pred / total
        clipped, alpha = clip_probabilities(p), np.asarray(self.alpha, y_pred.dtype)
        factor, d_wrong = _power(1 - clipped, self.gamma)
        entropy = -targets * np.log(clipped)
        d_p = -alpha * (d_wrong * entropy + factor * targets / clipped) * (clipped == p)
        shared = np.sum(d_p * p, axis=-1, keepdims=True)
        gradient = (d_p - shared) * (p if self.from_logits else 1 / total)
        return sum_last_axis(alpha * factor * entropy), gradient

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        return {**super().get_config(), "alpha": self.alpha, "gamma": self.gamma}


def _power(base: Array, exponent: float) -> tuple[Array, Array]:
    """Return ``base**exponent`` and its derivative, bounded near 0 for exponents below 1."""
    return base**exponent, exponent * np.maximum(base, EPSILON) ** (exponent - 1)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the binary focal cross-entropy of each sample; see `BinaryFocalCrossentropy`.

    Examples
    --------
    >>> binary_focal_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).round(3)
    array([0.33 , 0.206])
    """
    loss = BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis, None)
    return loss(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the categorical focal cross-entropy of each sample; see `CategoricalFocalCrossentropy`.

    Examples
    --------
    >>> categorical_focal_crossentropy([[0, 1, 0], [0, 0, 1]], [[0.05, 0.9, 0.05], [0.1, 0.85, 0.05]]).round(4)
    array([3.000e-04, 6.759e-01])
    """
    loss = CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis, None)
    return loss(y_true, y_pred)
