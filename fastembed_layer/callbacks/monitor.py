"""`MonitorCallback`: the base of callbacks that watch whether a number gets better."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from fastembed_layer.callbacks.callback import Callback
from fastembed_layer.checks import warn_caller

MODES = ("auto", "min", "max")

# Metrics by the names of their classes, and whether a larger value is a better one.
LARGER_IS_BETTER = frozenset(
    {
        *("Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"),
        *("TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "AUC", "Precision", "Recall"),
        *("CosineSimilarity", "R2Score", "F1Score", "FBetaScore"),
    }
)
SMALLER_IS_BETTER = frozenset(
    {
        *("MeanSquaredError", "MeanAbsoluteError", "RootMeanSquaredError", "MeanAbsolutePercentageError"),
        *("MeanSquaredLogarithmicError", "LogCoshError", "BinaryCrossentropy", "CategoricalCrossentropy"),
        *("SparseCategoricalCrossentropy", "Hinge", "SquaredHinge", "CategoricalHinge", "KLDivergence", "Poisson"),
    }
)


class MonitorCallback(Callback):
    """Base of callbacks that watch whether a number gets better.

    Parameters
    ----------
    monitor : str
        Name of the number among the logs of an epoch.
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; "auto" decides by the name and the model's metrics.
    baseline : float, optional
        What the first value is compared with.
    min_delta : float
        The least change that counts as better.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", baseline: Any = None, min_delta: float = 0):
        super().__init__()
        if mode not in MODES:
            warn_caller(f"{type(self).__name__} mode {mode!r} is unknown, fallback to auto mode.")
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable[[Any, Any], bool] | None = None

    def find_direction(self) -> None:
        """Decide whether smaller or larger is better; the metrics of a model are known after its first batch.

        Raises
        ------
        ValueError
            If that is not known of the number.
        """
        if self.monitor_op is None:
            self.monitor_op = {"min": operator.lt, "max": operator.gt}.get(self.mode) or self._direction_by_name()
            if self.monitor_op is operator.lt:
                self.min_delta = -self.min_delta

    def is_improvement(self, value: Any, reference: Any) -> bool:
        """Tell whether a value is better than another, by `min_delta` at least; anything is better than None."""
        assert self.monitor_op is not None
        return reference is None or bool(self.monitor_op(value - self.min_delta, reference))

    def _direction_by_name(self) -> Callable[[Any, Any], bool]:
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return operator.lt
        for metric in _all_metrics(getattr(self.model, "metrics", [])):
            direction = _direction_of(metric) if metric.name == name else None
            if direction is not None:
                return direction
        raise ValueError(
            f"{type(self).__name__} does not know whether {self.monitor!r} is better when it is larger or smaller. "
            f"Pass `mode='max'` or `mode='min'`. Received: monitor={self.monitor!r}, mode='auto'."
        )


def _all_metrics(metrics: Any) -> Iterator[Any]:
    """The metrics of a list, and those that some of them hold."""
    for metric in metrics:
        yield metric
        yield from _all_metrics(getattr(metric, "metrics", ()))


def _direction_of(metric: Any) -> Callable[[Any, Any], bool] | None:
    stated = getattr(metric, "_direction", None)
    names = {cls.__name__ for cls in type(metric).__mro__}
    if stated == "up" or names & LARGER_IS_BETTER:
        return operator.gt
    return operator.lt if stated == "down" or names & SMALLER_IS_BETTER else None
