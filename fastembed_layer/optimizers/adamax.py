"""`Adamax`: Adam with the largest faded gradient in place of the second moment."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion
from fastembed_layer.optimizers.step.idle_series import adam_amount, adam_motion

Array = np.ndarray[Any, Any]


class Adamax(Optimizer):
    """Adamax [1]_, in Keras's form.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    beta_1, beta_2 : float
        Decays of the average gradient and of its largest size, in ``[0, 1)``.
    epsilon : float
        Added to the size.
    **keywords
        As for `Optimizer`.

    Notes
    -----
    ``m += (g - m)(1 - beta_1)``; ``u = max(beta_2 u, abs(g))``; ``w -= lr m / ((1 - beta_1^t)(u + epsilon))``; t counts
    the steps of the optimizer and g is the summed gradient of a row.

    An idle row goes on moving as under `Adam`, with u in place of the root and ``beta_2`` in place of its decay, by the
    same sums; where they do not converge, among them always with ``beta_1 >= beta_2``, step by step.
    ``update="lazy"`` leaves idle rows as they are.

    References
    ----------
    .. [1] Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7.1.

    Examples
    --------
    >>> from fastembed_layer.optimizers import Adamax
    >>> list(Adamax().slot_values())
    ['momentum', 'norm']
    """

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
        return "adamax"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"momentum": 0.0, "norm": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate / (1 - self.beta_1**step), 1 - self.beta_1, self.beta_2, self.epsilon)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return adam_motion("adamax", (self.beta_1, self.beta_2), self.epsilon, power=1.0)

    def idle_amount(self, learning_rate: float, step: int) -> float | Array:
        """Return what one step contributes to the sums: its rate with the bias correction."""
        return adam_amount(self.scalars(learning_rate, step)[0], (self.beta_1, self.beta_2), power=1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
