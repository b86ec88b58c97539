"""The metrics of a compiled model."""

from __future__ import annotations

from typing import Any

from fastembed_layer import metrics
from fastembed_layer.models.data import Batch

Logs = dict[str, float]


class MetricList:
    """The metrics of a model; those named "accuracy" are chosen when the first batch shows the shapes.

    As in Keras, sample weights reach the weighted metrics alone.
    """

    def __init__(self, identifiers: Any, weighted: Any):
        self._identifiers = [(name, False) for name in _listed(identifiers)]
        self._identifiers += [(name, True) for name in _listed(weighted)]
        self._metrics: list[tuple[metrics.Metric, bool]] | None = None if self._identifiers else []

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The metrics, once a batch has shown their kinds."""
        return [metric for metric, _ in self._metrics or []]

    def reset(self) -> None:
        """Forget what has been counted."""
        for metric, _ in self._metrics or []:
            metric.reset_state()

    def update(self, batch: Batch, predictions: Any) -> None:
        """Count a batch."""
        if self._metrics is None:
            self._metrics = [
                (metrics.resolve(name, batch.targets, predictions), weighted) for name, weighted in self._identifiers
            ]
        for metric, weighted in self._metrics:
            metric.update_state(batch.targets, predictions, batch.sample_weight if weighted else None)

    def results(self) -> Logs:
        """Return the numbers by name; a weighted twin of an unweighted metric is told apart by its name."""
        logs: Logs = {}
        for metric, weighted in self._metrics or []:
            logs["weighted_" * (weighted and metric.name in logs) + metric.name] = metric.result()
        return logs


def _listed(identifiers: Any) -> list[Any]:
    if identifiers is None:
        return []
    return list(identifiers) if isinstance(identifiers, list | tuple) else [identifiers]
