"""Schedules whose rate falls along half a cosine wave, once or again and again."""

from __future__ import annotations

import math

from fastembed_layer.checks import check_number, check_positive
from fastembed_layer.optimizers.schedules.base import SCHEDULES, LearningRateSchedule, check_rate, power

ROUNDING = 1e-9  # of a wave; a restart that a logarithm misses by less has happened


@SCHEDULES.add
class CosineDecay(LearningRateSchedule):
    """Half a cosine wave, after a linear warm-up where there is a `warmup_target`.

    The schedule of [1]_ without its restarts.

    In the warm-up the rate goes from `initial_learning_rate` to `warmup_target`. From there, or without a warm-up
    from `initial_learning_rate`, it falls as ``rate * ((1 - alpha) * (1 + cos(pi * s)) / 2 + alpha)`` with
    ``s = min(steps, decay_steps) / decay_steps``; the steps are counted from the end of the warm-up.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step.
    decay_steps : float
        Steps of the wave, those of the warm-up not counted; positive.
    alpha : float
        The last rate as a share of the one that the wave starts with.
    name : str, optional
        As in `LearningRateSchedule`.
    warmup_target : float, optional
        Rate at the end of the warm-up; without it there is none.
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
        self.initial_learning_rate = check_rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = check_positive(decay_steps, "decay_steps")
        self.alpha = check_rate(alpha, "alpha")
        self.warmup_target = None if warmup_target is None else check_rate(warmup_target, "warmup_target")
        self.warmup_steps = check_rate(warmup_steps, "warmup_steps")

    def __call__(self, step: int) -> float:
        """Return the rate of the step that follows `step` finished ones."""
        if self.warmup_target is None:
            return self.initial_learning_rate * self._fall(step)
        if step < self.warmup_steps:
            rise = self.warmup_target - self.initial_learning_rate
            return self.initial_learning_rate + rise * step / self.warmup_steps
        return self.warmup_target * self._fall(step - self.warmup_steps)

    def _fall(self, steps: float) -> float:
        return (1 - self.alpha) * _half_wave(min(steps / self.decay_steps, 1.0)) + self.alpha


@SCHEDULES.add
class CosineDecayRestarts(LearningRateSchedule):
    """Half cosine waves one after the other, each `t_mul` times as long and `m_mul` times as high.

    The schedule of [1]_.

    In wave i, of which the share s is over, the rate is
    ``initial_learning_rate * ((1 - alpha) * m_mul ** i * (1 + cos(pi * s)) / 2 + alpha)``.

    Parameters
    ----------
    initial_learning_rate : float
        Rate of the first step.
    first_decay_steps : float
        Steps until the first restart; positive.
    t_mul : float
        Length of a wave over the length of the one before; at least 1.
    m_mul : float
        Height of a wave over the height of the one before.
    alpha : float
        The lowest rate as a share of `initial_learning_rate`.
    name : str, optional
        As in `LearningRateSchedule`.

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

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str | None = None,
    ):
        super().__init__(name)
        self.initial_learning_rate = check_rate(initial_learning_rate, "initial_learning_rate")
        self.first_decay_steps = check_positive(first_decay_steps, "first_decay_steps")
        self.t_mul = check_number(t_mul, "t_mul", low=1.0)
        self.m_mul = check_rate(m_mul, "m_mul")
        self.alpha = check_rate(alpha, "alpha")

    def __call__(self, step: int) -> float:
        """Return the rate of the step that follows `step` finished ones."""
        wave, share = self._find_wave(step / self.first_decay_steps)
        height = (1 - self.alpha) * power(self.m_mul, wave)
        return self.initial_learning_rate * (height * _half_wave(share) + self.alpha)

    def _find_wave(self, elapsed: float) -> tuple[int, float]:
        """Return the number of the wave and how much of it is over; `elapsed` counts in lengths of the first."""
        if self.t_mul == 1:
            wave = math.floor(elapsed)
            return wave, elapsed - wave
        growth = self.t_mul - 1
        wave = math.floor(math.log1p(elapsed * growth) / math.log(self.t_mul) + ROUNDING)
        length = self.t_mul**wave
        return wave, max(0.0, (elapsed - (length - 1) / growth) / length)


def _half_wave(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))
