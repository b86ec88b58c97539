"""Decoupled weight decay: how much of each weight a step keeps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fastembed_layer.checks import check_number
from fastembed_layer.tables.parameter import Parameter


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
        self._penalised: set[Parameter] = set()

    @property
    def is_active(self) -> bool:
        """Whether some weight may decay."""
        return self.rate is not None or bool(self._penalised)

    def exclude(self, parameters: Any, patterns: Any) -> None:
        """Leave out weights, themselves or by regular expressions that are searched for in their names."""
        self._excluded += [
            *_checked_list(parameters, "var_list", Parameter, "weights"),
            *_checked_list(patterns, "var_names", str, "regular expressions"),
        ]

    def penalise(self, parameters: Iterable[Parameter]) -> None:
        """Note weights whose L2 penalty is applied as a decay, in this step and perhaps in later ones."""
        self._penalised.update(parameters)

    def reaches(self, parameter: Parameter) -> bool:
        """Tell whether a weight decays."""
        return parameter in self._penalised or self.rate_of(parameter) > 0

    def rate_of(self, parameter: Parameter) -> float:
        """Return the share per learning rate that a weight loses; 0 where it is left out."""
        if self.rate is None:
            return 0.0
        if any(
            re.search(excluded, parameter.name) if isinstance(excluded, str) else excluded is parameter
            for excluded in self._excluded
        ):
            return 0.0
        return self.rate

    def decay_factor(self, parameter: Parameter, learning_rate: float, penalty: float = 0.0) -> float:
        """Return what one step leaves of a weight, `penalty` being what an L2 penalty adds to the rate of decay."""
        if self.rate is None and not penalty:
            return 1.0
        rate = self.rate_of(parameter)
        decay_factor = 1 - learning_rate * (rate + penalty)
        if learning_rate * rate >= 1:
            raise ValueError(
                "`weight_decay` times the learning rate must be below 1, or the weights change sign. "
                f"Received: {rate} * {learning_rate}."
            )
        return decay_factor


def _checked_list(members: Any, argument: str, kind: type, described: str) -> list[Any]:
    """Return a list of one kind of thing; of a string the letters would be taken for names."""
    found = [] if members is None else members
    if not isinstance(found, list | tuple | set) or not all(isinstance(member, kind) for member in found):
        raise TypeError(f"`{argument}` must be a list of {described}. Received: {members!r}.")
    for pattern in found if kind is str else ():
        _check_pattern(pattern, argument)
    return list(found)


def _check_pattern(pattern: str, argument: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"`{argument}` must hold regular expressions: {error}. Received: {pattern!r}.") from error
