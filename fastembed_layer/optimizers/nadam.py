"""`Nadam`: Adam with Nesterov's momentum."""

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

DECAY = 0.96  # of the momentum's warm-up, per step
# Products of 1 - 0.96^i / 2; beyond a thousand factors there is nothing to multiply with.
WARM_UPS = np.cumprod(1 - 0.5 * DECAY ** np.arange(1.0, 1001.0))


class Nadam(Optimizer):
    """Nadam [1]_, in Keras's form.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    beta_1, beta_2 : float
        Decays of the averages of the gradient and of its square, in ``[0, 1)``.
    epsilon : float
        Added to the corrected root.
    **keywords
        As for `Optimizer`.

    Notes
    -----
    ``b_t = beta_1 (1 - 0.96^t / 2)`` and ``P_t = b_1 ... b_t``; m and v as in `Adam`;
    ``w -= lr (b_(t+1) m / (1 - P_(t+1)) + (1 - b_t) g / (1 - P_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)``; t counts
    the steps of the optimizer and g is the summed gradient of a row. Keras keeps the product P as a variable; here it
    is computed from t.

    An idle row goes on moving while its m fades, as under `Adam`, but the epsilon that its root meets grows with
    ``sqrt(1 - beta_2^s)``. The sums over idle steps are kept as polynomials of twelve terms in
    ``2 u - 1``, ``u = e / (sqrt(v) + e)`` with a fixed multiple e of epsilon, off by at most 1e-9 of the sum from step
    128 on for the default decays; what a row moves in idle steps before that is walked step by step. For decays where
    twelve terms are off by more than 1e-6, all steps are walked, at most until ``beta_1^n`` is below
    ``1e-13 epsilon``.
    ``update="lazy"`` leaves idle rows as they are.

    References
    ----------
    .. [1] Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> from fastembed_layer.optimizers import Nadam
    >>> list(Nadam().slot_values())
    ['momentum', 'velocity']
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
        return "nadam"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"momentum": 0.0, "velocity": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        correction = math.sqrt(1 - self.beta_2**step)
        gradient_rate = learning_rate * (1 - self._momentum(step)) / (1 - self._product(step))
        mean_rate, epsilon = self._mean_rate(learning_rate, step), self.epsilon * correction
        return (mean_rate * correction, gradient_rate * correction, 1 - self.beta_1, 1 - self.beta_2, epsilon)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return centered_motion("nadam", (self.beta_1, self.beta_2), self.epsilon)

    def idle_amount(self, learning_rate: float, step: int) -> Array:
        """Return what one step contributes to the sums."""
        rate = self._mean_rate(learning_rate, step) * math.sqrt(1 - self.beta_2**step)
        return centered_series(self.beta_1, self.beta_2).contribution(rate, step)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}

    def _momentum(self, step: int) -> float:
        """The momentum of one step, which warms up from about half of beta_1."""
        return self.beta_1 * (1 - 0.5 * DECAY**step)

    def _product(self, step: int) -> float:
        """The product of the momenta of all steps."""
        return float(self.beta_1**step * WARM_UPS[min(step, len(WARM_UPS)) - 1])

    def _mean_rate(self, learning_rate: float, step: int) -> float:
        """What a step multiplies the average gradient with."""
        return learning_rate * self._momentum(step + 1) / (1 - self._product(step + 1))
