"""Gradient accumulation: the mean of several gradients, kept as row gradients."""

from __future__ import annotations

from fastembed_layer.checks import check_dimension
from fastembed_layer.optimizers.gradients import Pairs
from fastembed_layer.optimizers.trained_rows import leave_out_frozen
from fastembed_layer.penalised_gradient import Gradient
from fastembed_layer.table import Parameter


class Accumulation:
    """Collects the gradients of `steps` calls; memory grows with the rows of the batches, not with the table.

    Parameters
    ----------
    steps : int, optional
        Number of calls that make one step; None makes every call a step.
    """

    def __init__(self, steps: int | None):
        self.steps = None if steps is None else check_dimension(steps, "gradient_accumulation_steps")
        self._calls = 0
        self._sums: dict[Parameter, Gradient] = {}

    def add(self, pairs: Pairs) -> Pairs | None:
        """Add the gradients of a call; returns the means when enough have come, else None."""
        if self.steps is None:
            return pairs
        for parameter, gradient in pairs:
            known = self._sums.get(parameter)
            self._sums[parameter] = gradient.copy() if known is None else known + gradient
        self._calls += 1
        if self._calls < self.steps:
            return None
        means = [(parameter, gradient * (1 / self.steps)) for parameter, gradient in self._sums.items()]
        self._calls, self._sums = 0, {}
        return leave_out_frozen(means)  # rows may have stopped training since they were added
