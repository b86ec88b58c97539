"""`RMSprop`: steps divided by a moving average of the gradient's size."""

from __future__ import annotations

from typing import Any

from fastembed_layer.checks import check_flag, check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion, fading_weights, logarithm


class RMSprop(Optimizer):
    """RMSprop [1]_, in Keras's form, also centered [2]_ and with momentum.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    rho : float
        Decay of the averages, in ``[0, 1]``.
    momentum : float
        In ``[0, 1]``; 0 keeps no slot for it.
    epsilon : float
        Added under the root.
    centered : bool
        Whether the average gradient is subtracted from the second moment.
    **keywords
        ``name``, ``update`` and ``check_numerics`` of `Optimizer`.

    Notes
    -----
    ``v = rho v + (1 - rho) g^2``; centered ``a = rho a + (1 - rho) g`` and ``d = v - a^2 + epsilon``, else
    ``d = v + epsilon``; ``w -= lr g / sqrt(d)``, or with momentum ``m = momentum m + lr g / sqrt(d)`` and
    ``w -= m``; g is the summed gradient of a row. Idle for k steps, a row's averages are multiplied by ``rho^k``, and
    with momentum it moves by ``-m (momentum + ... + momentum^k)``; ``update="lazy"`` leaves all of it as it is.

    References
    ----------
    .. [1] Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012.
    .. [2] Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850, 2013.

    Examples
    --------
    >>> from fastembed_layer.optimizers import RMSprop
    >>> list(RMSprop(momentum=0.9, centered=True).slot_values())
    ['velocity', 'momentum', 'average']
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **keywords: Any,
    ):
        super().__init__(learning_rate, **keywords)
        self.rho = check_number(rho, "rho", 0.0, 1.0)
        self.momentum = check_number(momentum, "momentum", 0.0, 1.0)
        self.epsilon = check_number(epsilon, "epsilon", low=0.0)
        self.centered = check_flag(centered, "centered")

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "rmsprop" + "_centered" * self.centered + "_momentum" * (self.momentum > 0)

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        names = ["velocity"] + ["momentum"] * (self.momentum > 0) + ["average"] * self.centered
        return dict.fromkeys(names, 0.0)

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate, self.rho, 1 - self.rho, self.momentum, self.epsilon)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        if self.momentum == 0:
            return IdleMotion(self.rule, (logarithm(self.rho), logarithm(self.rho)))
        return IdleMotion(self.rule, (logarithm(self.rho), logarithm(self.momentum)), fading_weights(self.momentum))

    def idle_amount(self, learning_rate: float, step: int) -> float:
        """Return what one step contributes to the sums: the rates are part of the momentum."""
        return 1.0

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return super().get_config() | own
