"""The area under the ROC, the precision-recall or the precision-recall-gain curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastembed_layer.checks import check_dimension, check_flag
from fastembed_layer.losses import sigmoid
from fastembed_layer.losses.comparison import EPSILON, as_numbers
from fastembed_layer.metrics.base import Metric, divide_no_nan
from fastembed_layer.metrics.counts import Counts, Thresholds, as_pairs
from fastembed_layer.metrics.variables import Variable

Array = np.ndarray[Any, Any]
Between = Callable[[Array, Array], Any]

HEIGHTS: dict[str, Between] = {
    "interpolation": lambda above, below: (above + below) / 2,
    "minoring": np.minimum,
    "majoring": np.maximum,
}


class AUC(Metric):
    """Area under a curve of predictions that are told apart by thresholds alone.

    Parameters
    ----------
    num_thresholds : int
        At least 2, evenly spaced from 0 to 1. Predictions are told apart only by the thresholds between them.
    curve : {"ROC", "PR", "PRGAIN"}
        Recall over fall-out, precision over recall, or the gains of both [2]_.
    summation_method : {"interpolation", "minoring", "majoring"}
        The height of the curve between two points: their mean, the smaller or the larger. Interpolated between two
        points of the PR curve are the counts, not the precision, with the closed form of Keras (after [1]_, section 4).
    name, dtype
        See `Metric`.
    thresholds : list of float, optional
        The thresholds between 0 and 1, in place of evenly spaced ones.
    multi_label : bool
        Whether each column of the predictions is a label with an area of its own; the result is their mean.
    num_labels : int, optional
        Their number, for variables that are made before the first batch.
    label_weights : array_like, optional
        Weights of the labels in the mean; without `multi_label` weights of the columns in the counts.
    from_logits : bool
        Whether predictions are logits; otherwise they are probabilities, and are clipped to [0, 1].

    References
    ----------
    .. [1] Davis and Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006.
    .. [2] Flach and Kull, "Precision-recall-gain curves: PR analysis done right", NeurIPS 2015.

    Examples
    --------
    >>> auc = AUC(num_thresholds=3)
    >>> auc([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    true_positives: Variable
    false_positives: Variable
    true_negatives: Variable
    false_negatives: Variable

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(dtype, name)
        self._has_own_thresholds = thresholds is not None
        self._thresholds = Thresholds(_find_thresholds(num_thresholds, thresholds))
        self.num_thresholds = len(self.thresholds)
        self.curve = _check_word(curve, str.upper, "Invalid AUC curve value (`curve`)", tuple(POINTS))
        self.summation_method = _check_word(
            summation_method, str.lower, "Invalid AUC summation method value (`summation_method`)", tuple(HEIGHTS)
        )
        self.multi_label = check_flag(multi_label, "multi_label")
        self.num_labels = None if num_labels is None else check_dimension(num_labels, "num_labels")
        self.label_weights = None if label_weights is None else as_numbers("label_weights", label_weights)
        self.from_logits = check_flag(from_logits, "from_logits")
        if self.num_labels and not self.multi_label:
            raise ValueError(f"`num_labels` is needed only when `multi_label` is True. Received: {num_labels}.")
        if self.num_labels or not self.multi_label:
            self._make_counts(self.num_labels)

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, with one below 0 and one above 1 at their ends."""
        return self._thresholds.values

    def _make_counts(self, n_labels: int | None) -> None:
        shape = (self.num_thresholds,) if n_labels is None else (self.num_thresholds, n_labels)
        for count in Counts._fields:
            setattr(self, count, self.add_variable(shape, name=count))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Count the predictions of a batch between the thresholds; NaN predictions make the result NaN.

        Parameters
        ----------
        y_true, y_pred : array_like
            Targets (0 is negative, all else positive) and predictions of the same shape.
        sample_weight, mask : array_like, optional
            Weights, axes matched from the left.
        """
        targets, scores, weights = as_pairs(y_true, y_pred, sample_weight, mask)
        scores = scores.astype(self.float_dtype or np.float32)
        scores = sigmoid(scores) if self.from_logits else scores
        if self.multi_label:
            self._check_labels(scores.shape)
        elif self.label_weights is not None:
            spread = _spread(self.label_weights, scores.shape)
            weights = spread if weights is None else weights * spread
        if not self.multi_label:
            targets, scores = targets.reshape(-1, 1), scores.reshape(-1, 1)
        counts = self._thresholds.count(targets, scores, weights, scores.dtype)
        for name, count in zip(Counts._fields, counts, strict=True):
            getattr(self, name).assign_add(count if self.multi_label else count[:, 0])

    def _check_labels(self, shape: tuple[int, ...]) -> None:
        """Make the counts of labels when the first batch shows their number; ValueError for other shapes."""
        if len(shape) != 2:
            raise ValueError(f"`y_pred` must have rank 2 when `multi_label=True`. Received: shape {shape}.")
        if not hasattr(self, "true_positives"):
            self._make_counts(shape[1])
        if shape[1] != self.true_positives.shape[1]:
            raise ValueError(
                f"`y_pred` must have one column for each of the {self.true_positives.shape[1]} labels. "
                f"Received: shape {shape}."
            )

    def result(self) -> float:
        """Return the area over all batches since the last reset; 0 where the curve is not defined."""
        if not hasattr(self, "true_positives"):
            return 0.0
        counts = Counts(*(getattr(self, name).value for name in Counts._fields))
        if (self.curve, self.summation_method) == ("PR", "interpolation"):
            areas = np.sum(_areas_of_counts(counts), axis=0)
        else:
            x, y = POINTS[self.curve](counts)
            areas = np.sum((x[:-1] - x[1:]) * HEIGHTS[self.summation_method](y[:-1], y[1:]), axis=0)
        if not self.multi_label:
            return float(areas)
        weights = np.ones(len(areas)) if self.label_weights is None else self.label_weights
        return float(divide_no_nan(np.sum(areas * weights), np.sum(weights)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        names = ("num_thresholds", "curve", "summation_method", "multi_label", "num_labels", "from_logits")
        config = {**super().get_config(), **{name: getattr(self, name) for name in names}}
        config["label_weights"] = None if self.label_weights is None else self.label_weights.tolist()
        return {**config, "thresholds": self.thresholds[1:-1]} if self._has_own_thresholds else config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """Build a metric from a config, of here or of Keras."""
        return super().from_config({**config, "label_weights": _read_weights(config.get("label_weights"))})


def _read_weights(label_weights: Any) -> Any:
    """Return the weights of a config; Keras wraps them in a config of their own."""
    return label_weights["config"]["value"] if isinstance(label_weights, Mapping) else label_weights


def _find_thresholds(number: Any, thresholds: Any) -> list[float]:
    """Return the thresholds with one beyond each end, against errors of rounding, as in Keras."""
    if thresholds is not None:
        inner = sorted(float(one) for one in as_numbers("thresholds", thresholds))
    else:
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"`num_thresholds` must be an integer. Received: {number!r}.")
        if number < 2:
            raise ValueError(f"Argument `num_thresholds` must be an integer > 1. Received: num_thresholds={number}.")
        inner = [(i + 1) / (number - 1) for i in range(number - 2)]
    return [-EPSILON, *inner, 1 + EPSILON]


def _spread(label_weights: Array, shape: tuple[int, ...]) -> Array:
    try:
        return np.broadcast_to(label_weights, shape)
    except ValueError:
        raise ValueError(
            "`label_weights` must fit the last axis of `y_pred`. "
            f"Received: shape {label_weights.shape} for y_pred of shape {shape}."
        ) from None


def _check_word(word: Any, change: Callable[[str], str], complaint: str, words: tuple[str, ...]) -> str:
    """Return a word in the case in which it is known, or raise."""
    changed = change(word) if isinstance(word, str) else ""
    if changed not in words:
        raise ValueError(f"{complaint}: expected one of {', '.join(map(repr, words))}. Received: {word!r}.")
    return changed


def _roc_points(counts: Counts) -> tuple[Array, Array]:
    fall_out = divide_no_nan(counts.false_positives, counts.false_positives + counts.true_negatives)
    return fall_out, divide_no_nan(counts.true_positives, counts.true_positives + counts.false_negatives)


def _pr_points(counts: Counts) -> tuple[Array, Array]:
    recall = divide_no_nan(counts.true_positives, counts.true_positives + counts.false_negatives)
    return recall, divide_no_nan(counts.true_positives, counts.true_positives + counts.false_positives)


def _pr_gain_points(counts: Counts) -> tuple[Array, Array]:
    """The gains where nothing is found are 0 and 1, and a negative gain of recall is 0, as in Keras."""
    positives = counts.true_positives + counts.false_negatives
    scale = divide_no_nan(positives, counts.true_negatives + counts.false_positives)
    recall = 1 - scale * divide_no_nan(counts.false_negatives, counts.true_positives)
    precision = 1 - scale * divide_no_nan(counts.false_positives, counts.true_positives)
    finds_none = counts.true_positives == 0
    return np.maximum(np.where(finds_none, 0, recall), 0), np.where(finds_none, 1, precision)


POINTS: dict[str, Callable[[Counts], tuple[Array, Array]]] = {
    "ROC": _roc_points,
    "PR": _pr_points,
    "PRGAIN": _pr_gain_points,
}


def _areas_of_counts(counts: Counts) -> Array:
    """Return ``slope * (dTP + intercept * log(P_a / P_b))`` for the intervals, P = TP + FP linear in TP."""
    true_positives = counts.true_positives
    predicted = true_positives + counts.false_positives
    gained = true_positives[:-1] - true_positives[1:]
    slope = divide_no_nan(gained, np.maximum(predicted[:-1] - predicted[1:], 0))
    intercept = true_positives[1:] - slope * predicted[1:]
    both = (predicted[:-1] > 0) & (predicted[1:] > 0)
    ratio = np.divide(predicted[:-1], predicted[1:], out=np.ones_like(gained), where=both)
    all_positives = np.maximum((true_positives + counts.false_negatives)[1:], 0)
    return divide_no_nan(slope * (gained + intercept * np.log(ratio)), all_positives)
