"""The loss of a compiled model: one, or one for each output, weighted and added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer import losses
from fastembed_layer.backends.arrays import move_like
from fastembed_layer.checks import check_number
from fastembed_layer.layers.masks import mask_of
from fastembed_layer.metrics import Metric
from fastembed_layer.models.outputs import Layout, layout_of
from fastembed_layer.models.rows import as_targets
from fastembed_layer.tape import Cotangents, record

Array = np.ndarray[Any, Any]


class LossTracker(Metric):
    """The mean of losses of batches, each weighted by the number of its samples."""

    total = count = 0.0

    def update_state(self, loss: Any, sample_weight: Any = None) -> None:
        """Take the loss of one batch into account."""
        weight = 1.0 if sample_weight is None else float(sample_weight)
        self.total += float(loss) * weight
        self.count += weight

    def result(self) -> float:
        """Return the mean since the last reset, 0 when there was no batch."""
        return self.total / self.count if self.count else 0.0

    def reset_state(self) -> None:
        """Forget all batches."""
        self.total = self.count = 0.0


class OutputLoss(NamedTuple):
    """The loss of one output."""

    output: int
    loss: losses.Loss
    weight: float | None
    tracker: LossTracker


class CompiledLoss:
    """The loss that `compile` was given, for one output or several.

    Parameters
    ----------
    loss : loss identifier, or list or dict of them
        One for all outputs, or one for each; None in its place leaves an output out.
    weights : float, or list or dict of float, optional
        What the losses are multiplied with before they are added up.
    names : sequence of str, optional
        The names of the outputs, where they are known.
    """

    def __init__(self, loss: Any, weights: Any = None, names: Sequence[str] | None = None):
        self._names = names
        self.loss = _resolved(loss)
        self._labels = _labels_of(loss, self.loss)
        self._weights = _checked_weights(weights)
        self._layout: Layout | None = None
        self._parts: list[OutputLoss] = []

    @property
    def metrics(self) -> list[Metric]:
        """The mean loss of each output, where there are several losses."""
        return [part.tracker for part in self._parts] if len(self._parts) > 1 else []

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Array:
        """Return the weighted sum of the losses, recorded on the open tapes."""
        layout = self._layout or self._build(y_pred)
        if layout.is_single and len(self._parts) == 1 and isinstance(y_true, np.ndarray):
            [part] = self._parts  # the usual case, and small batches feel every microsecond
            term = part.loss(y_true, y_pred, sample_weight, mask=mask_of(y_pred))
            return add_up([term], [part.weight])
        targets = self._targets_for(layout, y_true)
        sample_weight = as_targets(sample_weight, layout.is_single)
        weights = layout.share(sample_weight, "sample_weight", partial=True)
        outputs = layout.flatten(y_pred)
        terms = []
        for part in self._parts:
            if targets[part.output] is None:
                raise ValueError(_missing(layout.name_of(part.output)))
            output = outputs[part.output]
            term = part.loss(targets[part.output], output, weights[part.output], mask=mask_of(output))
            if len(self._parts) > 1:
                part.tracker.update_state(term, len(output))
            terms.append(term)
        return add_up(terms, [part.weight for part in self._parts])

    def _build(self, y_pred: Any) -> Layout:
        layout = layout_of(y_pred, self._names)
        partial = not isinstance(layout.keys, int)
        found = layout.share(self.loss, "loss", partial)
        labels = layout.share(self._labels, "loss", partial)
        weights = layout.share(self._weights, "loss_weights", partial)
        self._parts = []
        for number, loss in enumerate(found):
            if loss is not None:
                name = self._free_name(layout.name_of(number) or labels[number])
                self._parts.append(OutputLoss(number, loss, weights[number], LossTracker(name=name)))
        self._layout = layout
        return layout

    def _free_name(self, stem: str) -> str:
        """Return the name of a loss in logs, told apart from those of outputs without names."""
        taken, name, number = {part.tracker.name for part in self._parts}, f"{stem}_loss", 0
        while name in taken:
            number += 1
            name = f"{stem}_loss_{number}"
        return name

    def _targets_for(self, layout: Layout, y_true: Any) -> list[Any]:
        """Return the targets of each output; of outputs without a loss there may be none."""
        if y_true is None:
            raise ValueError(_missing(None))
        y_true = as_targets(y_true, layout.is_single)
        if not layout.is_single and isinstance(y_true, list | tuple) and len(y_true) == len(self._parts) < len(layout):
            given = iter(y_true)
            with_loss = {part.output for part in self._parts}
            return [next(given) if number in with_loss else None for number in range(len(layout))]
        targets = layout.spread(y_true, "y", partial=True)
        if targets is None and len(self._parts) == 1:
            return [y_true] * len(layout)
        if targets is None and not layout.is_single and len(layout) > 1:
            raise ValueError(f"`y` must be a list or a dict of targets for {len(layout)} outputs. Received: one array.")
        return [y_true] if targets is None else targets


class AnyCrossentropy(losses.Loss):
    """The crossentropy that fits the shapes, by Keras's rule: what the names "crossentropy" and "ce" stand for."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Array:
        """Return the loss of the crossentropy that fits."""
        true_shape, pred_shape = np.shape(y_true), np.shape(y_pred)
        chosen: type[losses.Loss] = losses.CategoricalCrossentropy
        if len(pred_shape) < 2 or pred_shape[-1] == 1:
            chosen = losses.BinaryCrossentropy
        elif len(true_shape) < len(pred_shape) or true_shape[-1] == 1:
            chosen = losses.SparseCategoricalCrossentropy
        return chosen()(y_true, y_pred, sample_weight, mask=mask)


def add_up(terms: Sequence[Array], weights: Sequence[float | None] | None = None) -> Array:
    """Return the weighted sum of losses, recorded on the open tapes; a single one without a weight is itself."""
    factors = [1.0 if weight is None else weight for weight in weights or [None] * len(terms)]
    if len(terms) == 1 and factors[0] == 1.0:
        return terms[0]
    dtype = np.result_type(np.float32, *(term.dtype for term in terms))
    total = np.asarray(sum(float(term) * factor for term, factor in zip(terms, factors, strict=True)), dtype)

    def pull_back(d_total: Array) -> Cotangents:
        parts = [np.asarray(d_total * factor, term.dtype) for term, factor in zip(terms, factors, strict=True)]
        return Cotangents([move_like(part, term) for part, term in zip(parts, terms, strict=True)])

    record(terms, total, pull_back)
    return total


def _resolved(loss: Any) -> Any:
    if isinstance(loss, list | tuple):
        return [_resolved(part) for part in loss]
    if isinstance(loss, dict) and "class_name" not in loss:
        return {name: _resolved(part) for name, part in loss.items()}
    is_any = isinstance(loss, str) and loss.lower() in ("crossentropy", "ce")
    return AnyCrossentropy(loss) if is_any else losses.get(loss)


def _checked_weights(weights: Any) -> Any:
    if weights is None:
        return None
    if isinstance(weights, list | tuple):
        return [check_number(weight, f"loss_weights[{at}]") for at, weight in enumerate(weights)]
    if isinstance(weights, dict):
        return {name: check_number(weight, f"loss_weights[{name!r}]") for name, weight in weights.items()}
    return check_number(weights, "loss_weights")


def _labels_of(given: Any, resolved: Any) -> Any:
    """What losses are called in logs where their outputs have no names: as they were given, if by name."""
    if isinstance(resolved, list):
        return [_labels_of(*pair) for pair in zip(given, resolved, strict=True)]
    if isinstance(resolved, dict):
        return {name: _labels_of(given[name], loss) for name, loss in resolved.items()}
    return given if isinstance(given, str) else getattr(resolved, "name", None)


def _missing(name: str | None) -> str:
    of = "" if name is None else f" for the output {name!r}"
    return f"`y` must be given{of}: the loss compares the predictions with it. Received: None."
