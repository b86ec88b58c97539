"""The weighted harmonic means of precision and recall."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_choice, check_positive
from fastembed_layer.losses.comparison import EPSILON, align_ranks, as_numbers, check_same_shape
from fastembed_layer.metrics.base import Metric, combine_weights
from fastembed_layer.metrics.variables import Variable

Array = np.ndarray[Any, Any]

COUNTS = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")


class FBetaScore(Metric):
    """``(1 + beta**2) * precision * recall / (beta**2 * precision + recall)`` of each class.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None returns one score for each class; micro counts over all classes; macro is the mean of the classes, and
        weighted the mean by the number of their samples.
    beta : float
        Above 0: how much more recall counts than precision.
    threshold : float, optional
        In (0, 1]; predictions above it are positive. By default the largest prediction of a sample is.
    name, dtype
        See `Metric`.

    Examples
    --------
    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4)
    array([0.3846, 0.9091, 0.8333])
    """

    true_positives: Variable
    false_positives: Variable
    false_negatives: Variable
    intermediate_weights: Variable

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        self.average = check_choice(average, "average", (None, "micro", "macro", "weighted"))
        self.beta = check_positive(beta, "beta")
        self.threshold = None if threshold is None else check_positive(threshold, "threshold")
        if self.threshold is not None and self.threshold > 1:
            raise ValueError(f"`threshold` must be above 0 and at most 1. Received: threshold={threshold}.")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Count the predictions of a batch.

        Parameters
        ----------
        y_true, y_pred : array_like, shape (n, n_classes)
            Targets, 0 and 1, and predictions.
        sample_weight, mask : array_like, optional
            Weights, axes matched from the left.
        """
        targets, scores = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
        check_same_shape(targets, scores)
        if scores.ndim != 2:
            raise ValueError(
                f"{type(self).__name__} expects 2D inputs with shape (batch_size, output_dim). "
                f"Received: y_true of shape {targets.shape} and y_pred of shape {scores.shape}."
            )
        weights = combine_weights(scores.shape, sample_weight, mask)
        positive = self._find_positive(scores).astype(np.float64)
        axis = None if self.average == "micro" else 0
        if not hasattr(self, COUNTS[0]):
            for name in COUNTS:
                setattr(self, name, self.add_variable(() if axis is None else scores.shape[1:], name=name))
        for name, counted in zip(COUNTS, _count(positive, targets), strict=True):
            getattr(self, name).assign_add(np.sum(counted * weights, axis=axis, dtype=np.float64))

    def _find_positive(self, scores: Array) -> Array:
        if self.threshold is not None:
            return np.asarray(scores > self.threshold)
        largest = np.max(scores, axis=-1, keepdims=True, initial=-np.inf)
        return np.asarray((scores >= largest) & (np.abs(scores) > 1e-9))

    def result(self) -> Any:
        """Return the score over all batches since the last reset, or one for each class."""
        if not hasattr(self, COUNTS[0]):
            return 0.0
        right, wrong, missed, sizes = (getattr(self, name).value for name in COUNTS)
        precision, recall = right / (right + wrong + EPSILON), right / (right + missed + EPSILON)
        square = self.beta**2
        scores = (1 + square) * precision * recall / (square * precision + recall + EPSILON)
        if self.average is None:
            return np.asarray(scores)
        if self.average == "weighted":
            return float(np.sum(scores * sizes / (np.sum(sizes) + EPSILON)))
        return float(np.mean(scores))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        options = {name: getattr(self, name) for name in ("average", "beta", "threshold")}
        return {**super().get_config(), **options}


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall of each class.

    Parameters
    ----------
    average, threshold, name, dtype
        As for `FBetaScore`.

    Examples
    --------
    >>> metric = F1Score(average="macro", threshold=0.5)
    >>> y_true, y_pred = [[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
    >>> round(metric(y_true, y_pred), 4)
    0.6556
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {key: value for key, value in super().get_config().items() if key != "beta"}


def _count(positive: Array, targets: Array) -> tuple[Array, Array, Array, Array]:
    return positive * targets, positive * (1 - targets), (1 - positive) * targets, targets
