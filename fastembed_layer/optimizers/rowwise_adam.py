"""`RowwiseAdam`: Adam with one second moment per row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion
from fastembed_layer.optimizers.step.idle_series import centered_motion, centered_series

Array = np.ndarray[Any, Any]


class RowwiseAdam(Optimizer):
    """Row-wise Adam, FBGEMM's "partial row-wise Adam" [1]_: half the state of `Adam`.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    beta_1, beta_2 : float
        Decays of the averages of the gradient and of its mean square, in ``[0, 1)``.
    epsilon : float
        Added to the corrected root.
    **keywords
        As for `Optimizer`.

    Notes
    -----
    ``m += (g - m)(1 - beta_1)``; ``v += (mean(g^2) - v)(1 - beta_2)`` over the elements of a row;
    ``w -= lr m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)``; t counts the steps of the optimizer and g is
    the summed gradient of a row. A row of a dense weight is its last axis.

    An idle row goes on moving while its m fades: by the sums of `Nadam`, with Adam's rates and the u of the row.
    ``update="lazy"`` leaves idle rows as they are, which is what FBGEMM does.

    References
    ----------
    .. [1] ``OptimType.PARTIAL_ROWWISE_ADAM`` of FBGEMM, https://github.com/pytorch/FBGEMM.

    Examples
    --------
    >>> from fastembed_layer.optimizers import RowwiseAdam
    >>> list(RowwiseAdam().slot_values())
    ['momentum', 'velocity']
    """

    row_wise_slots = ("velocity",)

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **keywords: Any,
    ):
        super().__init__(learning_rate, **keywords)
        self.beta_1 = check_number(beta_1, "beta_1", 0.0, math.nextafter(1.0, 0.0))
        self.beta_2 = check_number(beta_2, "beta_2", 0.0, math.nextafter(1.0, 0.0))
        self.epsilon = check_number(epsilon, "epsilon", low=0.0)

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "rowwise_adam"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"momentum": 0.0, "velocity": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        correction = math.sqrt(1 - self.beta_2**step)
        rate = learning_rate * correction / (1 - self.beta_1**step)
        return (rate, 1 - self.beta_1, 1 - self.beta_2, self.epsilon * correction)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return centered_motion("rowwise_adam", (self.beta_1, self.beta_2), self.epsilon)

    def idle_amount(self, learning_rate: float, step: int) -> Array:
        """Return what one step contributes to the sums."""
        rate = self.scalars(learning_rate, step)[0]
        return centered_series(self.beta_1, self.beta_2).contribution(rate, step)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
