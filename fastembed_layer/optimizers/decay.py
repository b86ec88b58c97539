"""Decoupled weight decay: how much of each weight a step keeps."""

from __future__ import annotations

import re
from typing import Any

from fastembed_layer.checks import check_number
from fastembed_layer.table import Parameter


class WeightDecay:
    """The share of the weights that a step takes away, and the weights that are left out of it.

    Parameters
    ----------
    rate : float, optional
        The share per learning rate; None and 0 mean no decay.
    """

    def __init__(self, rate: float | None):
        self.rate = None if rate is None else check_number(rate, "weight_decay", low=0.0) or None
        self._excluded: list[Any] = []

    def exclude(self, parameters: Any, patterns: Any) -> None:
        """Leave out weights, themselves or by regular expressions that are searched for in their names."""
        self._excluded += [*(parameters or []), *(patterns or [])]

    def reaches(self, parameter: Parameter) -> bool:
        """Tell whether a weight decays."""
        return self.rate is not None and not any(
            re.search(excluded, parameter.name) if isinstance(excluded, str) else excluded is parameter
            for excluded in self._excluded
        )

    def kept_share(self, parameter: Parameter, learning_rate: float) -> float:
        """Return what one step leaves of a weight."""
        if self.rate is None or not self.reaches(parameter):
            return 1.0
        keep = 1 - learning_rate * self.rate
        if keep <= 0:
            raise ValueError(
                "`weight_decay` times the learning rate must be below 1, or the weights change sign. "
                f"Received: {self.rate} * {learning_rate}."
            )
        return keep
