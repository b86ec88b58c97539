"""The metrics of a compiled model, for one output or several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastembed_layer import metrics
from fastembed_layer.models.outputs import Layout, layout_of
from fastembed_layer.models.rows import as_targets

Logs = dict[str, Any]


class OutputMetric(NamedTuple):
    """A metric of one output, and the name of its number."""

    output: int
    metric: metrics.Metric
    is_weighted: bool
    name: str


class CompiledMetrics(metrics.Metric):
    """The metrics that `compile` was given; those named "accuracy" are chosen when the first batch shows the shapes.

    As in Keras, sample weights reach the weighted metrics alone.

    Parameters
    ----------
    unweighted, weighted : list of metric identifiers, or list or dict of such lists for several outputs, optional
        The metrics.
    names : sequence of str, optional
        The names of the outputs, where they are known.
    """

    def __init__(self, unweighted: Any, weighted: Any, names: Sequence[str] | None = None):
        self._names = names
        self._given = {"metrics": unweighted, "weighted_metrics": weighted}
        self._layout: Layout | None = None
        self._parts: list[OutputMetric] = []
        super().__init__(name="compile_metrics")

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The metrics, once a batch has shown their kinds."""
        return [part.metric for part in self._parts]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        if not any(self._given.values()):
            return
        layout = self._layout or self._build(y_true, y_pred)
        outputs, targets = layout.flatten(y_pred), _targets_of(layout, y_true)
        sample_weight = as_targets(sample_weight, layout.is_single)
        weights = layout.share(sample_weight, "sample_weight", partial=True)
        for output, metric, is_weighted, _ in self._parts:
            if targets[output] is not None:
                metric.update_state(targets[output], outputs[output], weights[output] if is_weighted else None)

    def result(self) -> Logs:
        """Return the numbers by name; a weighted twin of an unweighted metric is told apart by its name."""
        return {part.name: part.metric.result() for part in self._parts}

    def reset_state(self) -> None:
        """Forget what has been counted."""
        for part in self._parts:
            part.metric.reset_state()

    def _build(self, y_true: Any, y_pred: Any) -> Layout:
        layout = layout_of(y_pred, self._names)
        outputs, targets = layout.flatten(y_pred), _targets_of(layout, y_true)
        self._parts = []
        for argument, given in self._given.items():
            is_weighted = argument == "weighted_metrics"
            for output, identifier in _by_output(layout, given, argument):
                metric = metrics.resolve(identifier, targets[output], outputs[output])
                name = self._free_name(layout.name_of(output), metric.name, is_weighted)
                self._parts.append(OutputMetric(output, metric, is_weighted, name))
        self._layout = layout
        return layout

    def _free_name(self, output: str | None, name: str, is_weighted: bool) -> str:
        taken, stem = {part.name for part in self._parts}, name if output is None else f"{output}_{name}"
        if is_weighted and stem in taken:
            stem = f"weighted_{name}" if output is None else f"{output}_weighted_{name}"
        free, number = stem, 0
        while free in taken:
            number += 1
            free = f"{stem}_{number}"
        return free


def _by_output(layout: Layout, given: Any, argument: str) -> Iterator[tuple[int, Any]]:
    """Pair metrics with the numbers of the outputs that they are of."""
    if not given:
        return
    if layout.is_single or len(layout) == 1:
        yield from ((0, identifier) for identifier in _flatten(given))
        return
    parts = layout.spread(given, argument, partial=True)
    if parts is None:
        raise ValueError(
            f"`{argument}` must be a list or a dict with the metrics of each of the {len(layout)} outputs. "
            f"Received: {given!r}."
        )
    for number, part in enumerate(parts):
        yield from ((number, identifier) for identifier in _flatten(part))


def _flatten(given: Any) -> Iterator[Any]:
    if isinstance(given, Mapping) and "class_name" not in given:
        given = list(given.values())
    if isinstance(given, list | tuple):
        for part in given:
            yield from _flatten(part)
    elif given is not None:
        yield given


def _targets_of(layout: Layout, y_true: Any) -> list[Any]:
    """The targets of each output; a list that is too short, for outputs with a loss alone, has none for metrics."""
    y_true = as_targets(y_true, layout.is_single)
    if not layout.is_single and isinstance(y_true, list | tuple) and len(y_true) < len(layout):
        return [None] * len(layout)
    return layout.share(y_true, "y", partial=True)
