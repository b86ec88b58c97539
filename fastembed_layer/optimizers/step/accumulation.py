"""Gradient accumulation: the mean of several gradients, kept as row gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastembed_layer.checks import check_dimension
from fastembed_layer.optimizers.step.gradients import Pairs, check_pair
from fastembed_layer.optimizers.step.trained_rows import leave_out_frozen
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient, PenalisedGradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

PARTS = ("ids", "values", "sources", "scales", "argmax", "bag_positions")


class Accumulation:
    """Collects the gradients of `steps` calls; memory grows with the rows of the batches, not with the table.

    Parameters
    ----------
    steps : int, optional
        Number of calls that make one step; None makes every call a step.
    """

    def __init__(self, steps: int | None):
        self.steps = None if steps is None else check_dimension(steps, "gradient_accumulation_steps")
        self.calls = 0
        self._sums: dict[Parameter, Gradient] = {}

    def add(self, pairs: Pairs) -> Pairs | None:
        """Add the gradients of a call; returns the means when enough have come, else None."""
        if self.steps is None:
            return pairs
        for parameter, gradient in pairs:
            known = self._sums.get(parameter)
            self._sums[parameter] = gradient.copy() if known is None else known + gradient
        self.calls += 1
        if self.calls < self.steps:
            return None
        means = [(parameter, gradient * (1 / self.steps)) for parameter, gradient in self._sums.items()]
        self.calls, self._sums = 0, {}
        return leave_out_frozen(means)  # rows may have stopped training since they were added

    @property
    def state(self) -> tuple[int, dict[Parameter, Gradient]]:
        """The number of calls and their sums, to go back to when a step fails."""
        return self.calls, dict(self._sums)

    @state.setter
    def state(self, state: tuple[int, dict[Parameter, Gradient]]) -> None:
        self.calls, self._sums = state

    @property
    def parameters(self) -> list[Parameter]:
        """The weights that have gradients here."""
        return list(self._sums)

    def state_of(self, parameter: Parameter) -> dict[str, Array]:
        """Return what has to be kept of the gradient of a weight; a row gradient in the form that it has."""
        gradient = self._sums.get(parameter)
        if gradient is None:
            return {}
        if isinstance(gradient, PenalisedGradient):
            own = {"share": np.array(gradient.share), "layer_name": np.array(gradient.layer_name)}
            return _describe(gradient.rows) | {f"gradient.{name}": array for name, array in own.items()}
        return _describe(gradient) if isinstance(gradient, RowGradient) else {"gradient.dense": gradient}

    def read_state(self, parameter: Parameter, state: Mapping[str, Array]) -> Gradient | None:
        """Return the gradient that `state_of` has described; None where there was none.

        Raises
        ------
        ValueError, TypeError
            If it is no gradient of the weight.
        """
        found = {name.removeprefix("gradient."): array for name, array in state.items() if name.startswith("gradient.")}
        if not found:
            return None
        gradient = found["dense"] if "dense" in found else _compose(parameter, found)
        check_pair(parameter, gradient)
        return gradient

    def load_state(self, gradients: Mapping[Parameter, Gradient | None], calls: int) -> None:
        """Go on from gradients that `read_state` returned."""
        self.calls = calls
        self._sums = {parameter: gradient for parameter, gradient in gradients.items() if gradient is not None}


def _describe(gradient: RowGradient) -> dict[str, Array]:
    """The arrays of a row gradient under the names of its arguments."""
    parts = {name: getattr(gradient, name) for name in PARTS}
    return {f"gradient.{name}": array for name, array in parts.items() if array is not None}


def _compose(parameter: Parameter, parts: Mapping[str, Array]) -> Gradient:
    """Make the gradient of a table from its arrays."""
    shape = (parameter.shape[0], parameter.shape[-1])
    rows = RowGradient(shape=shape, **{name: parts[name] for name in PARTS if name in parts})
    if "share" not in parts or not isinstance(parameter, Table):
        return rows
    return PenalisedGradient(parameter, float(parts["share"]), rows, str(parts.get("layer_name", "")))
