"""`Adadelta`: steps as large as the earlier ones, whatever the scale of the gradients."""

from __future__ import annotations

from typing import Any

from fastembed_layer.checks import check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion, logarithm


class Adadelta(Optimizer):
    """Adadelta [1]_, in Keras's form.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule; 1 is the rule of the paper.
    rho : float
        Decay of both averages, in ``[0, 1]``.
    epsilon : float
        Added under both roots.
    **keywords
        As for `Optimizer`.

    Notes
    -----
    ``a = rho a + (1 - rho) g^2``; ``D = -g sqrt(d + epsilon) / sqrt(a + epsilon)``;
    ``d = rho d + (1 - rho) D^2``; ``w += lr D``, g the summed gradient of a row. Idle for k steps, a row's averages are
    multiplied by ``rho^k`` and the row itself stays; ``update="lazy"`` leaves the averages as they are, too.

    References
    ----------
    .. [1] Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, 2012.

    Examples
    --------
    >>> from fastembed_layer.optimizers import Adadelta
    >>> list(Adadelta().slot_values())
    ['accumulated_grad', 'accumulated_delta_var']
    """

    def __init__(
        self, learning_rate: float | Schedule = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **keywords: Any
    ):
        super().__init__(learning_rate, **keywords)
        self.rho = check_number(rho, "rho", 0.0, 1.0)
        self.epsilon = check_number(epsilon, "epsilon", low=0.0)

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "adadelta"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate, self.rho, 1 - self.rho, self.epsilon)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return IdleMotion("adadelta", (logarithm(self.rho), logarithm(self.rho)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {"rho": self.rho, "epsilon": self.epsilon}
