"""`RowwiseLamb`: Adam's directions at the length of the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion, logarithm

Array = np.ndarray[Any, Any]


class RowwiseLamb(Optimizer):
    """Lamb [1]_ with a trust ratio for each row, as in FBGEMM [2]_; Keras's ``Lamb`` has one for the whole weight.

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
    m and v as in `Adam`; ``u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)``;
    ``w -= lr norm(w) / norm(u) u`` for each row, with 1 for the ratio where a norm is 0; t counts the steps of the
    optimizer and g is the summed gradient of a row. A row of a dense weight is its last axis.

    The ratio takes away what makes idle rows of `Adam` come to rest: while m fades, the direction u keeps its length
    ``lr norm(w)``. So in exact mode a row goes on turning in every idle step, and since each step depends on the norm
    of the row there is no closed form. The idle steps are walked one by one, until the type of the table has nothing
    left of m (some 1000 steps in float32); a lookup or an update of a row costs as many steps as it has been idle.
    ``update="lazy"`` leaves idle rows as they are, which is what FBGEMM does and what we advise.

    References
    ----------
    .. [1] You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020.
    .. [2] ``OptimType.LAMB`` of FBGEMM, https://github.com/pytorch/FBGEMM.

    Examples
    --------
    >>> from fastembed_layer.optimizers import RowwiseLamb
    >>> list(RowwiseLamb(update="lazy").slot_values())
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
        return "rowwise_lamb"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"momentum": 0.0, "velocity": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        correction = math.sqrt(1 - self.beta_2**step)
        rate = correction / (1 - self.beta_1**step)
        return (learning_rate, rate, 1 - self.beta_1, 1 - self.beta_2, self.epsilon * correction)

    def refusal_of_row_rates(self) -> str | None:
        """Return why rows cannot have rates of their own in exact mode."""
        if self.update == "lazy":
            return None
        return "in exact mode the idle steps of a row depend on the row itself. Pass update='lazy'"

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        constants = (logarithm(self.beta_1), logarithm(self.beta_2), self.epsilon)
        return IdleMotion("rowwise_lamb", constants, np.zeros((1, 3)))

    def idle_amount(self, learning_rate: float, step: int) -> Array:
        """Return what one step records: its rate, that of the direction, and what it multiplies epsilon with."""
        return np.array([[*self.scalars(learning_rate, step)[:2], math.sqrt(1 - self.beta_2**step)]])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
