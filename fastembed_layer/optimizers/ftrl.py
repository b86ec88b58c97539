"""`Ftrl`: follow the regularized leader, for sparse linear models."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.schedules.base import Schedule
from fastembed_layer.optimizers.step.idle_book import IdleMotion

Array = np.ndarray[Any, Any]


class Ftrl(Optimizer):
    """Ftrl-proximal [1]_, in Keras's form, with shrinkage.

    A row that has never been in a batch keeps its first value. Keras overwrites every such row in the first step, with
    zeros where there is no shrinkage, and so undoes the initializer's work; start from zeros to have the same.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule. A step at rate 0, as at the start of a warm-up, changes neither weights nor slots; by
        the formula it would be a division by 0.
    learning_rate_power : float
        How the rate falls with the accumulator, at most 0; -0.5 is the rule of the paper, 0 keeps the rate.
    initial_accumulator_value : float
        First value of the accumulator.
    l1_regularization_strength, l2_regularization_strength : float
        Weights of the penalties; L1 makes weights exactly zero.
    l2_shrinkage_regularization_strength : float
        Weight of an L2 penalty that shrinks without an effect on the accumulator.
    beta : float
        Added to the root of the accumulator, as in the paper.
    **keywords
        As for `Optimizer`.

    Notes
    -----
    With ``l = l2 + beta / (2 lr)``, p the power and g the summed gradient of a row: ``A = a + g^2``;
    ``z += g + 2 shrinkage w - (A^-p - a^-p) w / lr``; ``w = (clip(z, -l1, l1) - z) / (A^-p / lr + 2 l)``; ``a = A``.

    In a step without a gradient a stays and w is made from z anew, with the rate of that step: a change of the rate
    moves idle rows, and only the present rate counts. With shrinkage z changes in every step, and there is no closed
    form: idle steps are walked one by one, at a cost that grows with their number. ``update="lazy"`` leaves idle rows
    as they are, which under a constant rate and without shrinkage is the same.

    References
    ----------
    .. [1] McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013.

    Examples
    --------
    >>> from fastembed_layer.optimizers import Ftrl
    >>> Ftrl(l1_regularization_strength=0.01).slot_values()
    {'accumulator': 0.1, 'linear': 0.0}
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **keywords: Any,
    ):
        super().__init__(learning_rate, **keywords)
        self.learning_rate_power = check_number(learning_rate_power, "learning_rate_power", high=0.0)
        self.initial_accumulator_value = check_number(initial_accumulator_value, "initial_accumulator_value", low=0.0)
        self.l1_regularization_strength = check_number(
            l1_regularization_strength, "l1_regularization_strength", low=0.0
        )
        self.l2_regularization_strength = check_number(
            l2_regularization_strength, "l2_regularization_strength", low=0.0
        )
        self.l2_shrinkage_regularization_strength = check_number(
            l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength", low=0.0
        )
        self.beta = check_number(beta, "beta", low=0.0)

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "ftrl"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"accumulator": self.initial_accumulator_value, "linear": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate, *self._numbers())

    def stands_still(self, learning_rate: float) -> bool:
        """Tell whether the rate is 0, by which the rule would divide."""
        return learning_rate == 0

    def refusal_of_row_rates(self) -> str | None:
        """Return why rows cannot have rates of their own."""
        return "a weight is solved anew from sums in which the rate is no factor. Pass another optimizer"

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return IdleMotion("ftrl", self._numbers(), np.zeros((1, 1)), moves_fresh_rows=False)

    def idle_amount(self, learning_rate: float, step: int) -> Array:
        """Return what one step records: its rate."""
        return np.array([[learning_rate]])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }

    def _numbers(self) -> tuple[float, ...]:
        """The numbers that stay the same in all steps."""
        return (
            -self.learning_rate_power,
            self.l1_regularization_strength,
            2 * self.l2_regularization_strength,
            self.beta,
            2 * self.l2_shrinkage_regularization_strength,
        )
