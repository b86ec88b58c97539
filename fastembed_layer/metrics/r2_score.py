"""The coefficient of determination."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import warn_caller
from fastembed_layer.losses.comparison import align_ranks, as_numbers, check_same_shape
from fastembed_layer.metrics.base import Metric, combine_weights
from fastembed_layer.metrics.variables import Variable

Array = np.ndarray[Any, Any]

AGGREGATIONS = ("uniform_average", "variance_weighted_average", None)


class R2Score(Metric):
    """``1 - sum((y_true - y_pred)**2) / sum((y_true - mean(y_true))**2)`` of each column.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        How the scores of the columns are averaged; None returns one for each.
    num_regressors : int
        Number of regressors of the adjusted score; 0 gives the usual one.
    name, dtype
        See `Metric`.

    Examples
    --------
    >>> metric = R2Score()
    >>> round(metric([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]), 6)
    0.571429
    """

    sum: Variable
    squared_sum: Variable
    residual: Variable
    count: Variable

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(dtype, name or "r2_score")
        if class_aggregation not in AGGREGATIONS:
            raise ValueError(
                f"Invalid value for argument `class_aggregation`. Expected one of {AGGREGATIONS}. "
                f"Received: class_aggregation={class_aggregation!r}."
            )
        is_integer = isinstance(num_regressors, int | np.integer) and not isinstance(num_regressors, bool)
        if not is_integer or num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected an integer >= 0. "
                f"Received: num_regressors={num_regressors!r}."
            )
        self.class_aggregation, self.num_regressors = class_aggregation, int(num_regressors)
        self.num_samples = self.add_variable(name="num_samples")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Take one batch into account.

        Parameters
        ----------
        y_true, y_pred : array_like, shape (n, n_columns)
            Targets and predictions.
        sample_weight, mask : array_like, optional
            Weights, axes matched from the left.
        """
        targets, predictions = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
        check_same_shape(targets, predictions)
        if targets.ndim != 2:
            raise ValueError(
                "R2Score expects 2D inputs with shape (batch_size, output_dim). "
                f"Received: y_true of shape {targets.shape} and y_pred of shape {predictions.shape}."
            )
        weights = combine_weights(targets.shape, sample_weight, mask)
        if not hasattr(self, "sum"):
            for name in ("sum", "squared_sum", "residual", "count"):
                setattr(self, name, self.add_variable(targets.shape[1:], name=name))
        exact = targets.astype(np.float64)
        self.sum.assign_add(np.sum(exact * weights, axis=0))
        self.squared_sum.assign_add(np.sum(exact**2 * weights, axis=0))
        self.residual.assign_add(np.sum((exact - predictions) ** 2 * weights, axis=0))
        self.count.assign_add(np.sum(weights, axis=0, dtype=np.float64))
        self.num_samples.assign_add(np.count_nonzero(np.any(weights != 0, axis=-1)))

    @np.errstate(divide="ignore", invalid="ignore")
    def result(self) -> Any:
        """Return the score over all batches since the last reset, or one for each column; 0 where targets are equal."""
        if not hasattr(self, "sum") or not self.count.value.any():
            return 0.0
        spread = self.squared_sum.value - self.sum.value**2 / self.count.value
        scores = 1 - self.residual.value / spread
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            return float(self._adjust(np.mean(scores)))
        if self.class_aggregation == "variance_weighted_average":
            return float(self._adjust(np.sum(spread * scores) / np.sum(spread)))
        return self._adjust(scores)

    def _adjust(self, score: Any) -> Array:
        """Return the adjusted score; the usual one, with a warning, where there are too few samples."""
        left = float(self.num_samples) - self.num_regressors - 1
        if self.num_regressors and left > 0:
            return np.asarray(1 - (1 - score) * (float(self.num_samples) - 1) / left)
        if self.num_regressors:
            reason = "Division by zero" if left == 0 else "More independent predictors than datapoints"
            warn_caller(f"{reason} in the adjusted R2 score. Falling back to the standard R2 score.")
        return np.asarray(score)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        options = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **options}
