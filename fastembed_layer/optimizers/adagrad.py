"""`Adagrad`: a rate per element that falls with the squares of its gradients."""

from __future__ import annotations

from typing import Any

from fastembed_layer.checks import check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion


class Adagrad(Optimizer):
    """Adagrad [1]_, in Keras's form.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    initial_accumulator_value : float
        First value of the accumulator.
    epsilon : float
        Added under the root.
    **keywords
        ``name``, ``update`` (both modes give the same) and ``check_numerics`` of `Optimizer`.

    Notes
    -----
    ``a += g^2; w -= lr g / sqrt(a + epsilon)``, g the summed gradient of a row. A row without a gradient stays as it
    is in this formula, so training the touched rows alone gives what training the whole table gives.

    References
    ----------
    .. [1] Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 2011.

    Examples
    --------
    >>> from fastembed_layer.optimizers import Adagrad
    >>> Adagrad().slot_values()
    {'accumulator': 0.1}
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **keywords: Any,
    ):
        super().__init__(learning_rate, **keywords)
        self.initial_accumulator_value = check_number(initial_accumulator_value, "initial_accumulator_value", low=0.0)
        self.epsilon = check_number(epsilon, "epsilon", low=0.0)

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "adagrad"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"accumulator": self.initial_accumulator_value}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate, self.epsilon)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return None if self.decay.rate is None else IdleMotion("adagrad", (0.0,))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        own = {"initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}
        return super().get_config() | own
