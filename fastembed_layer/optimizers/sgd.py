"""`SGD`: gradient descent, with momentum or Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from fastembed_layer.checks import check_flag, check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion, fading_weights, logarithm


class SGD(Optimizer):
    """Gradient descent.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    momentum : float
        In ``[0, 1]``; 0 keeps no slot.
    nesterov : bool
        Whether the momentum is Nesterov's.
    **keywords
        ``name``, ``update`` and ``check_numerics`` of `Optimizer`.

    Notes
    -----
    Keras's formulas, g the summed gradient of a row: ``w -= lr g``; with momentum ``m = momentum m - lr g`` and
    ``w += m``; Nesterov [1]_ ``w += momentum m - lr g`` with the new m. Idle for k steps, a row moves by
    ``m (momentum + ... + momentum^k)``, Nesterov's by momentum times that; ``update="lazy"`` leaves it where it is.

    References
    ----------
    .. [1] Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> from fastembed_layer.optimizers import SGD
    >>> SGD(0.1, momentum=0.9).get_config()
    {'name': 'sgd', 'learning_rate': 0.1, 'update': 'exact', 'momentum': 0.9, 'nesterov': False}
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **keywords: Any,
    ):
        super().__init__(learning_rate, **keywords)
        self.momentum = check_number(momentum, "momentum", 0.0, 1.0)
        self.nesterov = check_flag(nesterov, "nesterov")

    @property
    def is_gradient_descent(self) -> bool:
        """Whether there is no momentum: an L2 penalty over a table then costs what the touched rows cost."""
        return self.momentum == 0

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        if self.momentum == 0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {} if self.momentum == 0 else {"momentum": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate,) if self.momentum == 0 else (learning_rate, self.momentum)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        if self.momentum == 0:
            return IdleMotion("sgd", (0.0,)) if self.decay.is_active else None
        ahead = self.momentum if self.nesterov else 1.0
        return IdleMotion(self.rule, (logarithm(self.momentum),), ahead * fading_weights(self.momentum))

    def idle_amount(self, learning_rate: float, step: int) -> float:
        """Return what one step contributes to the sums: the rates are part of the velocities."""
        return 1.0

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}
