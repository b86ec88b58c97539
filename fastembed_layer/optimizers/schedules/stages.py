"""Schedules made of stages: constant rates one after the other, and a warm-up before another schedule."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from fastembed_layer.checks import check_dimension, check_number
from fastembed_layer.optimizers.schedules.base import (
    SCHEDULES,
    LearningRateSchedule,
    Schedule,
    check_rate,
    get,
    serialize,
)


@SCHEDULES.add
class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` as long as ``step <= boundaries[0]``, then ``values[1]`` as long as ``step <= boundaries[1]``...

    Parameters
    ----------
    boundaries : sequence of float
        The last step of each value but the last; increasing.
    values : sequence of float
        One more than `boundaries`.
    name : str, optional
        As in `LearningRateSchedule`.

    Examples
    --------
    >>> from fastembed_layer.optimizers import schedules
    >>> schedule = schedules.PiecewiseConstantDecay([100, 200], [1.0, 0.5, 0.1])
    >>> schedule(100), schedule(101), schedule(201)
    (1.0, 0.5, 0.1)
    """

    _arguments = ("boundaries", "values")

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str | None = None):
        super().__init__(name)
        self.boundaries = [check_number(step, "boundaries") for step in _as_list(boundaries, "boundaries")]
        self.values = [check_rate(value, "values") for value in _as_list(values, "values")]
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                "`values` must have one element more than `boundaries`. "
                f"Received: {len(self.values)} values and {len(self.boundaries)} boundaries."
            )
        if any(after <= before for before, after in pairwise(self.boundaries)):
            raise ValueError(f"`boundaries` must increase. Received: boundaries={boundaries!r}.")

    def __call__(self, step: int) -> float:
        """Return the rate of the step that follows `step` finished ones."""
        return self.values[bisect_left(self.boundaries, step)]


@SCHEDULES.add
class LinearWarmup(LearningRateSchedule):
    """A straight line to the first rate of another schedule, and then that schedule from its beginning.

    Keras has this for `CosineDecay` only.

    Parameters
    ----------
    learning_rate : float, callable or dict
        What comes after the warm-up: a constant rate, a schedule, or its config.
    warmup_steps : int
        Steps of the warm-up; positive.
    initial_learning_rate : float
        Rate of the first step.
    name : str, optional
        As in `LearningRateSchedule`.

    Examples
    --------
    >>> from fastembed_layer.optimizers import schedules
    >>> schedule = schedules.LinearWarmup(schedules.ExponentialDecay(0.5, 100, 0.5), warmup_steps=10)
    >>> [schedule(step) for step in (0, 5, 10, 110)]
    [0.0, 0.25, 0.5, 0.25]
    """

    _arguments = ("learning_rate", "warmup_steps", "initial_learning_rate")

    def __init__(
        self,
        learning_rate: float | Schedule,
        warmup_steps: int,
        initial_learning_rate: float = 0.0,
        name: str | None = None,
    ):
        super().__init__(name)
        self.learning_rate = get(learning_rate)
        self.warmup_steps = check_dimension(warmup_steps, "warmup_steps")
        self.initial_learning_rate = check_rate(initial_learning_rate, "initial_learning_rate")

    def __call__(self, step: int) -> float:
        """Return the rate of the step that follows `step` finished ones."""
        if step >= self.warmup_steps:
            return self._rate_after(step - self.warmup_steps)
        rise = self._rate_after(0) - self.initial_learning_rate
        return self.initial_learning_rate + rise * step / self.warmup_steps

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this schedule again."""
        return super().get_config() | {"learning_rate": serialize(self.learning_rate)}

    def _rate_after(self, step: int) -> float:
        return float(self.learning_rate(step)) if callable(self.learning_rate) else self.learning_rate


def _as_list(numbers: Any, argument: str) -> list[Any]:
    if not isinstance(numbers, list | tuple):
        raise TypeError(
            f"`{argument}` must be a list of numbers. "
            f"Received: {argument}={numbers!r} (of type {type(numbers).__name__})."
        )
    return list(numbers)
