"""Learning-rate schedules, by Keras's names and formulas: from the number of finished steps to the rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fastembed_layer.checks import check_flag, check_number

__all__ = ["CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule"]
__all__ += ["LinearWarmup", "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "get", "serialize"]

Schedule = Callable[[int], float]

ROUNDING = 1e-9  # periods; a restart that a logarithm misses by less has happened


class LearningRateSchedule:
    """Base class of the schedules.

    A subclass writes `__call__`, and `get_config` if its optimizers are to have configs. Where no config is needed,
    any function of the step does as well, and a constant rate is a plain number.

    Parameters
    ----------
    name : str, optional
        Kept for the sake of Keras's configs; by default the name that Keras gives.
    """

    _arguments: tuple[str, ...] = ()

    def __init__(self, name: str | None = None):
        if name is not None and not isinstance(name, str):
            raise TypeError(f"`name` must be a string. Received: {name!r} (of type {type(name).__name__}).")
        self.name = name or type(self).__name__

    def __call__(self, step: int) -> float:
        """Return the rate of the step before which `step` steps have been finished."""
        raise NotImplementedError(f"{type(self).__name__} must override `__call__(self, step)`.")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this schedule again."""
        if type(self).__init__ is not LearningRateSchedule.__init__ and not self._arguments:
            raise NotImplementedError(f"{type(self).__name__} must override `get_config()` to have a config.")
        return {name: getattr(self, name) for name in (*self._arguments, "name")}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """Build the schedule from what `get_config` returned, here or in Keras."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._arguments)
        return f"{type(self).__name__}({arguments})"


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step.
    decay_steps : float
        Steps after which the rate has been multiplied by `decay_rate`; positive.
    decay_rate : float
        Not negative.
    staircase : bool
        Whether ``step / decay_steps`` is rounded down, so that the rate falls in stairs.
    name : str, optional
        See `LearningRateSchedule`.

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
        self.initial_learning_rate = check_number(initial_learning_rate, "initial_learning_rate", low=0.0)
        self.decay_steps = _check_steps(decay_steps, "decay_steps")
        self.decay_rate = check_number(decay_rate, "decay_rate", low=0.0)
        self.staircase = check_flag(staircase, "staircase")

    def __call__(self, step: int) -> float:
        """Return the rate after `step` steps."""
        return self.initial_learning_rate * _power(self.decay_rate, self._periods(step))

    def _periods(self, step: int) -> float:
        periods = step / self.decay_steps
        return math.floor(periods) if self.staircase else periods


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
        """Return the rate after `step` steps."""
        return self.initial_learning_rate / (1 + self.decay_rate * self._periods(step))


class PolynomialDecay(LearningRateSchedule):
    """From one rate to another: ``(initial - end) * (1 - min(step, decay_steps) / decay_steps) ** power + end``.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step.
    decay_steps : float
        Steps after which the rate is `end_learning_rate`; positive.
    end_learning_rate : float
        The last rate.
    power : float
        Exponent, not negative; 1 is a straight line.
    cycle : bool
        Whether, instead of staying at the end, `decay_steps` is replaced by the first multiple of it that is not
        less than the step.
    name : str, optional
        See `LearningRateSchedule`.

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
        self.initial_learning_rate = check_number(initial_learning_rate, "initial_learning_rate", low=0.0)
        self.decay_steps = _check_steps(decay_steps, "decay_steps")
        self.end_learning_rate = check_number(end_learning_rate, "end_learning_rate", low=0.0)
        self.power = check_number(power, "power", low=0.0)
        self.cycle = check_flag(cycle, "cycle")

    def __call__(self, step: int) -> float:
        """Return the rate after `step` steps."""
        periods = step / self.decay_steps
        share = periods / max(1, math.ceil(periods)) if self.cycle else min(periods, 1.0)
        span = self.initial_learning_rate - self.end_learning_rate
        return float(span * (1 - share) ** self.power + self.end_learning_rate)


class CosineDecay(LearningRateSchedule):
    """Half a cosine wave [1]_, after a linear warm-up if there is a `warmup_target`.

    During the warm-up the rate goes from `initial_learning_rate` to `warmup_target`. Then it falls from there (or,
    without a warm-up, from `initial_learning_rate`) as
    ``rate * ((1 - alpha) * (1 + cos(pi * min(steps, decay_steps) / decay_steps)) / 2 + alpha)``, the steps counted
    from the end of the warm-up.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step.
    decay_steps : float
        Steps of the decay, those of the warm-up not counted; positive.
    alpha : float
        The last rate as a share of the one that the decay starts with.
    name : str, optional
        See `LearningRateSchedule`.
    warmup_target : float, optional
        Rate after the warm-up; None means that there is none.
    warmup_steps : float
        Steps of the warm-up.

    References
    ----------
    .. [1] Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> from fastembed_layer.optimizers import schedules
    >>> schedule = schedules.CosineDecay(0.0, decay_steps=100, warmup_target=0.5, warmup_steps=10)
    >>> [round(schedule(step), 6) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.25, 0.5, 0.25, 0.0]
    """

    _arguments = ("initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str | None = None,
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ):
        super().__init__(name)
        self.initial_learning_rate = check_number(initial_learning_rate, "initial_learning_rate", low=0.0)
        self.decay_steps = _check_steps(decay_steps, "decay_steps")
        self.alpha = check_number(alpha, "alpha", low=0.0)
        self.warmup_target = None if warmup_target is None else check_number(warmup_target, "warmup_target", low=0.0)
        self.warmup_steps = check_number(warmup_steps, "warmup_steps", low=0.0)

    def __call__(self, step: int) -> float:
        """Return the rate after `step` steps."""
        if self.warmup_target is None:
            return self.initial_learning_rate * _cosine_share(step / self.decay_steps, self.alpha)
        if step < self.warmup_steps:
            return _between(self.initial_learning_rate, self.warmup_target, step / self.warmup_steps)
        return self.warmup_target * _cosine_share((step - self.warmup_steps) / self.decay_steps, self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosine waves, one after the other, each `t_mul` times as long and `m_mul` times as high [1]_.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step.
    first_decay_steps : float
        Steps until the first restart; positive.
    t_mul : float
        Length of a wave over that of the one before; at least 1.
    m_mul : float
        Height of a wave over that of the one before.
    alpha : float
        The lowest rate as a share of `initial_learning_rate`.
    name : str, optional
        See `LearningRateSchedule`.

    References
    ----------
    .. [1] Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> from fastembed_layer.optimizers import schedules
    >>> schedule = schedules.CosineDecayRestarts(1.0, first_decay_steps=10, m_mul=0.5)
    >>> [round(schedule(step), 6) for step in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    _arguments = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")
