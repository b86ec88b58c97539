"""`Adam`: momentum and a rate per element, both corrected for their start at zero."""

from __future__ import annotations

import math
from typing import Any

from fastembed_layer.checks import check_flag, check_number
from fastembed_layer.optimizers.optimizer import Optimizer, Schedule


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
        ``name`` and ``check_numerics`` of `Optimizer`.

    Notes
    -----
    ``alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)``; ``m += (g - m)(1 - beta_1)``;
    ``v += (g^2 - v)(1 - beta_2)``; AMSGrad ``h = max(h, v)`` in place of v; ``w -= alpha m / (sqrt(v) + epsilon)``;
    t counts the steps of the optimizer and g is the summed gradient of a row. A row outside the batch is left as it
    is, its averages too: this is the algorithm of PyTorch's ``SparseAdam``, not what Keras computes for a dense
    gradient, where such rows go on moving.

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

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return super().get_config() | own
