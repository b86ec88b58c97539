"""`Lion`: steps of one size, in the direction of the momentum's sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion, logarithm
from fastembed_layer.tables.idle_rows import LONGEST


class Lion(Optimizer):
    """Lion [1]_, in Keras's form.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    beta_1 : float
        Weight of the momentum in the direction of a step, in ``[0, 1]``.
    beta_2 : float
        Decay of the momentum, in ``[0, 1]``.
    **keywords
        As for `Optimizer`.

    Notes
    -----
    ``w -= lr sign(beta_1 m + (1 - beta_1) g)``, then ``m = beta_2 m + (1 - beta_2) g``, g the summed gradient of a row.
    Idle for k steps, a row's m is multiplied by ``beta_2^k`` and keeps its sign, so the row moves by
    ``-sign(m)`` times the sum of the k rates: it goes on at full pace until a gradient turns it. Sums of rates over a
    gap are differences of running totals. ``update="lazy"`` leaves idle rows where they are.

    References
    ----------
    .. [1] Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.

    Examples
    --------
    >>> from fastembed_layer.optimizers import Lion
    >>> list(Lion().slot_values())
    ['momentum']
    """

    def __init__(
        self, learning_rate: float | Schedule = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **keywords: Any
    ):
        super().__init__(learning_rate, **keywords)
        self.beta_1 = check_number(beta_1, "beta_1", 0.0, 1.0)
        self.beta_2 = check_number(beta_2, "beta_2", 0.0, 1.0)

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "lion"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"momentum": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate, self.beta_1, 1 - self.beta_1, self.beta_2, 1 - self.beta_2)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        signed_steps = 0 if self.beta_1 == 0 else 1 if self.beta_2 == 0 else LONGEST
        return IdleMotion("lion", (logarithm(self.beta_2), float(signed_steps)), np.ones((1, 1)), running=True)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2}
