"""Schedules whose rate falls by a factor, as the inverse of the step, or as a power of what is left to go."""

from __future__ import annotations

import math

from fastembed_layer.checks import check_flag, check_positive
from fastembed_layer.optimizers.schedules.base import SCHEDULES, LearningRateSchedule, check_rate, power


@SCHEDULES.add
class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step.
    decay_steps : float
        Steps in which the rate is multiplied by `decay_rate`; positive.
    decay_rate : float
        Not negative.
    staircase : bool
        Whether ``step / decay_steps`` is rounded down, so that the rate falls in stairs.
    name : str, optional
        As in `LearningRateSchedule`.

    Examples
    --------
    >>> from fastembed_layer.optimizers import SGD, schedules
    >>> schedule = schedules.ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)
    >>> schedule(0), schedule(200)
    (0.1, 0.025)
    >>> optimizer = SGD(learning_rate=schedule)
    """

    _arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = None,
    ):
        super().__init__(name)
        self.initial_learning_rate = check_rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = check_positive(decay_steps, "decay_steps")
        self.decay_rate = check_rate(decay_rate, "decay_rate")
        self.staircase = check_flag(staircase, "staircase")

    def __call__(self, step: int) -> float:
        """Return the rate of the step that follows `step` finished ones."""
        return self.initial_learning_rate * power(self.decay_rate, self._count_periods(step))

    def _count_periods(self, step: int) -> float:
        periods = step / self.decay_steps
        return math.floor(periods) if self.staircase else periods


@SCHEDULES.add
class InverseTimeDecay(ExponentialDecay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate, decay_steps, decay_rate, staircase, name
        As in `ExponentialDecay`.

    Examples
    --------
    >>> from fastembed_layer.optimizers import schedules
    >>> schedules.InverseTimeDecay(0.1, decay_steps=100, decay_rate=0.5)(200)
    0.05
    """

    def __call__(self, step: int) -> float:
        """Return the rate of the step that follows `step` finished ones."""
        return self.initial_learning_rate / (1 + self.decay_rate * self._count_periods(step))


@SCHEDULES.add
class PolynomialDecay(LearningRateSchedule):
    """From one rate to another: ``(initial - end) * (1 - min(step, decay_steps) / decay_steps) ** power + end``.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step.
    decay_steps : float
        Steps until the rate is `end_learning_rate`; positive.
    end_learning_rate : float
        The last rate.
    power : float
        Exponent, not negative; 1 is a straight line.
    cycle : bool
        Whether the rate rises again: `decay_steps` is then replaced by the first multiple of it that is not less
        than the step.
    name : str, optional
        As in `LearningRateSchedule`.

    Examples
    --------
    >>> from fastembed_layer.optimizers import schedules
    >>> schedule = schedules.PolynomialDecay(0.5, decay_steps=100, end_learning_rate=0.25)
    >>> schedule(50), schedule(1000)
    (0.375, 0.25)
    """

    _arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str | None = None,
    ):
        super().__init__(name)
        self.initial_learning_rate = check_rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = check_positive(decay_steps, "decay_steps")
        self.end_learning_rate = check_rate(end_learning_rate, "end_learning_rate")
        self.power = check_rate(power, "power")
        self.cycle = check_flag(cycle, "cycle")

    def __call__(self, step: int) -> float:
        """Return the rate of the step that follows `step` finished ones."""
        periods = step / self.decay_steps
        share = periods / max(1, math.ceil(periods)) if self.cycle else min(periods, 1.0)
        span = self.initial_learning_rate - self.end_learning_rate
        return span * power(1 - share, self.power) + self.end_learning_rate
