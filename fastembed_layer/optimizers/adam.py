"""`Adam`: momentum and a rate per element, both corrected for their start at zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.checks import check_flag, check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion, fading_weights, logarithm
from fastembed_layer.optimizers.step.idle_series import adam_amount, adam_motion

Array = np.ndarray[Any, Any]


class Adam(Optimizer):
    """Adam [1]_, in Keras's form, also AMSGrad [2]_.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    beta_1, beta_2 : float
        Decays of the averages of the gradient and of its square, in ``[0, 1)``.
    epsilon : float
        Added to the root.
    amsgrad : bool
        Whether the largest second moment so far is used.
    **keywords
        ``name``, ``update`` and ``check_numerics`` of `Optimizer`.

    Notes
    -----
    ``alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)``; ``m += (g - m)(1 - beta_1)``;
    ``v += (g^2 - v)(1 - beta_2)``; AMSGrad ``h = max(h, v)`` in place of v; ``w -= alpha m / (sqrt(v) + epsilon)``;
    t counts the steps of the optimizer and g is the summed gradient of a row.

    An idle row goes on moving while its m fades. Over its idle steps s, n of them since its last touch, that is
    ``m / (sqrt(v) + epsilon)`` times the sum of ``alpha_s (beta_1 / r)^n / (1 + u (r^-n - 1))`` with
    ``r = sqrt(beta_2)`` and ``u = epsilon / (sqrt(v) + epsilon)``. The sum depends on the element through u alone,
    so it is kept, for each possible last step, as a polynomial in u: the one that interpolates it in six Chebyshev
    nodes. It is off by at most 7e-15 of the sum for the default decays. For decays where it would be off by more
    than 1e-6, among them all with ``beta_1 >= sqrt(beta_2)``, the steps are walked one by one, at most until
    ``beta_1^n`` is below ``1e-13 epsilon``. ``update="lazy"`` leaves idle rows as they are, which is the algorithm of
    PyTorch's ``SparseAdam`` and not what Keras computes.

    References
    ----------
    .. [1] Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    .. [2] Reddi et al., "On the convergence of Adam and beyond", ICLR 2018.

    Examples
    --------
    >>> from fastembed_layer.optimizers import Adam
    >>> list(Adam(amsgrad=True).slot_values())
    ['momentum', 'velocity', 'velocity_hat']
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **keywords: Any,
    ):
        super().__init__(learning_rate, **keywords)
        self.beta_1 = check_number(beta_1, "beta_1", 0.0, math.nextafter(1.0, 0.0))
        self.beta_2 = check_number(beta_2, "beta_2", 0.0, math.nextafter(1.0, 0.0))
        self.epsilon = check_number(epsilon, "epsilon", low=0.0)
        self.amsgrad = check_flag(amsgrad, "amsgrad")

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "amsgrad" if self.amsgrad else "adam"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return dict.fromkeys(["momentum", "velocity"] + ["velocity_hat"] * self.amsgrad, 0.0)

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        rate = learning_rate * math.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        return (rate, 1 - self.beta_1, 1 - self.beta_2, self.epsilon)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        if self.amsgrad:
            constants = (logarithm(self.beta_1), logarithm(self.beta_2), self.epsilon)
            return IdleMotion("amsgrad", constants, fading_weights(self.beta_1))
        return adam_motion("adam", (self.beta_1, self.beta_2), self.epsilon, power=0.5)

    def idle_amount(self, learning_rate: float, step: int) -> float | Array:
        """Return what one step contributes to the sums: its rate with the bias corrections."""
        rate = self.scalars(learning_rate, step)[0]
        return rate if self.amsgrad else adam_amount(rate, (self.beta_1, self.beta_2), power=0.5)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return super().get_config() | own
