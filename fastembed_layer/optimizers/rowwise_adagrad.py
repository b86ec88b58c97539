"""`RowwiseAdagrad`: Adagrad with one accumulator per row."""

from __future__ import annotations

from typing import Any

from fastembed_layer.checks import check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion


class RowwiseAdagrad(Optimizer):
    """Row-wise Adagrad [1]_, as in FBGEMM [2]_: the state of a table takes one number per row.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    initial_accumulator_value : float
        First value of the accumulator.
    epsilon : float
        Added to the root.
    **keywords
        As for `Optimizer`; both values of ``update`` give the same.

    Notes
    -----
    ``h += mean(g^2)`` over the elements of a row; ``w -= lr g / (sqrt(h) + epsilon)``, g the summed gradient of a row.
    A row of a dense weight is its last axis. A row without a gradient stays as it is in this formula.

    References
    ----------
    .. [1] Mudigere et al., "Software-hardware co-design for fast and scalable training of deep learning recommendation
       models", ISCA 2022.
    .. [2] ``OptimType.EXACT_ROWWISE_ADAGRAD`` of FBGEMM, https://github.com/pytorch/FBGEMM.

    Examples
    --------
    >>> from fastembed_layer.optimizers import RowwiseAdagrad
    >>> RowwiseAdagrad().slot_values()
    {'accumulator': 0.0}
    """

    row_wise_slots = ("accumulator",)

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        initial_accumulator_value: float = 0.0,
        epsilon: float = 1e-7,
        **keywords: Any,
    ):
        super().__init__(learning_rate, **keywords)
        self.initial_accumulator_value = check_number(initial_accumulator_value, "initial_accumulator_value", low=0.0)
        self.epsilon = check_number(epsilon, "epsilon", low=0.0)

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "rowwise_adagrad"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"accumulator": self.initial_accumulator_value}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate, self.epsilon)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return None if self.decay.rate is None else IdleMotion("rowwise_adagrad", (0.0,))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        own = {"initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}
        return super().get_config() | own
