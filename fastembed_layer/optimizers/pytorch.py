"""The formulas of PyTorch's optimizers for the rows of one table; the folder ``torch`` offers them to its users.

Here stand the scalars of each step and the motion of idle rows. PyTorch itself is not needed for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.step.idle_book import IdleMotion, fading_weights, logarithm
from fastembed_layer.optimizers.step.idle_series import centered_motion, centered_series, walked_steps

Array = np.ndarray[Any, Any]
Group = Mapping[str, Any]

NADAM_DECAY = 0.96
SPARSE_DECAY_HINT = "Use decoupled decay (AdamW, or NAdam with decoupled_weight_decay=True) or update='lazy'"


class Formula(Optimizer):
    """What one of torch's optimizers does to the rows of one table.

    Parameters
    ----------
    update : {"exact", "lazy"}
        What becomes of rows without a gradient.

    Attributes
    ----------
    counts_steps : bool
        Whether torch keeps the number of steps in the state.
    """

    counts_steps: ClassVar[bool] = True

    def __init__(self, update: str):
        super().__init__(1.0, update=update)
        self.group: Group = {}

    def follow(self, group: Group) -> None:
        """Take the hyper-parameters of the next step from a group of the optimizer."""
        self.group = group
        self._learning_rate = float(group["lr"])
        decay = float(group.get("weight_decay", 0))
        self.decay.rate = decay if decay and self.is_decoupled else None

    def get_config(self) -> dict[str, Any]:
        """Return name and update, and the hyper-parameters of the group."""
        return super().get_config() | dict(self.group)

    @property
    def is_decoupled(self) -> bool:
        """Whether weight decay multiplies the weights instead of being added to the gradient."""
        return bool(self.group.get("decoupled_weight_decay", False))

    @property
    def coupled_decay(self) -> float:
        """The weight decay that is added to the gradient."""
        return 0.0 if self.is_decoupled else float(self.group.get("weight_decay", 0))

    @property
    def maximizes(self) -> bool:
        """Whether steps go up the gradient."""
        return bool(self.group.get("maximize", False))

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots, those of torch, with their first values."""
        raise NotImplementedError

    def refusal(self) -> str | None:
        """Return why the hyper-parameters cannot train the rows of a table, and what to do; None where they can."""
        if self.group.get("differentiable", False):
            return "differentiable=True needs torch's own steps. Leave it out, or use torch.optim for this parameter"
        if self.update == "exact" and self.coupled_decay:
            return f"weight_decay, added to the gradient, reaches rows without one in every step. {SPARSE_DECAY_HINT}"
        return None


class SGDFormula(Formula):
    """``buf = momentum buf + (1 - dampening) g; w -= lr buf``; the first step takes the gradient undamped."""

    counts_steps = False

    @property
    def momentum(self) -> float:
        """The momentum of the group."""
        return float(self.group["momentum"])

    @property
    def is_decoupled(self) -> bool:
        """Without momentum, ``w -= lr (g + decay w)`` is the same as decay by multiplication."""
        return self.momentum == 0

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        if self.momentum == 0:
            return "sgd"
        return "outer_nesterov" if self.group["nesterov"] else "outer_momentum"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {} if self.momentum == 0 else {"momentum_buffer": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        if self.momentum == 0:
            return (learning_rate,)
        return (learning_rate, self.momentum, 1.0 if step == 1 else 1.0 - float(self.group["dampening"]))

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        if self.momentum == 0:
            return IdleMotion("sgd", (0.0,)) if self.decay.is_active else None
        ahead = self.momentum if self.group["nesterov"] else 1.0
        return momentum_motion(self.rule, (logarithm(self.momentum),), self.momentum, ahead)

    def refusal(self) -> str | None:
        """Return why the hyper-parameters cannot train the rows of a table."""
        if self.update == "exact" and self.momentum >= 1:
            return "momentum of 1 or more never fades, so idle rows move for ever. Use less, or update='lazy'"
        return super().refusal()


class AdagradFormula(Formula):
    """``a += g^2; w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(a) + eps)``."""

    rule = "outer_adagrad"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"sum": float(self.group["initial_accumulator_value"])}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (learning_rate / (1 + (step - 1) * float(self.group["lr_decay"])), float(self.group["eps"]))


class RMSpropFormula(Formula):
    """RMSprop with epsilon outside the root and the rate outside the momentum."""

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        group = self.group
        return "outer_rmsprop" + "_centered" * bool(group["centered"]) + "_momentum" * (group["momentum"] > 0)

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        group = self.group
        names = ["square_avg"] + ["momentum_buffer"] * (group["momentum"] > 0)
        return dict.fromkeys(names + ["grad_avg"] * bool(group["centered"]), 0.0)

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        rho = float(self.group["alpha"])
        return (learning_rate, rho, 1 - rho, float(self.group["momentum"]), float(self.group["eps"]))

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        rho, momentum = float(self.group["alpha"]), float(self.group["momentum"])
        if momentum == 0:
            return IdleMotion(self.rule, (logarithm(rho), logarithm(rho)))
        return momentum_motion(self.rule, (logarithm(rho), logarithm(momentum)), momentum)

    def refusal(self) -> str | None:
        """Return why the hyper-parameters cannot train the rows of a table."""
        if self.update == "exact" and self.group["momentum"] >= 1:
            return "momentum of 1 or more never fades, so idle rows move for ever. Use less, or update='lazy'"
        return super().refusal()


class AdamFormula(Formula):
    """Adam with epsilon added to the corrected root: in the kernels' form, an epsilon that grows with it."""

    @property
    def betas(self) -> tuple[float, float]:
        """The decays of the group."""
        beta_1, beta_2 = self.group["betas"]
        return float(beta_1), float(beta_2)

    @property
    def epsilon(self) -> float:
        """Epsilon of the group."""
        return float(self.group["eps"])

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels; exact steps are Nadam's with no share of the gradient itself."""
        if self.update == "exact":
            return "nadam"
        return "amsgrad" if self.group.get("amsgrad", False) else "adam"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * bool(self.group.get("amsgrad", False))
        return dict.fromkeys(names, 0.0)

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        (beta_1, beta_2), correction = self.betas, math.sqrt(1 - self.betas[1] ** step)
        decays = (1 - beta_1, 1 - beta_2, self.epsilon * correction)
        gradient_rate = (0.0,) if self.update == "exact" else ()
        return (self._mean_rate(learning_rate, step) * correction, *gradient_rate, *decays)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return adam_motion(self.betas, self.epsilon)

    def idle_amount(self, learning_rate: float, step: int) -> Array:
        """Return what one step contributes to the sums."""
        rate = self._mean_rate(learning_rate, step) * math.sqrt(1 - self.betas[1] ** step)
        return centered_series(*self.betas).contribution(rate, step)

    def refusal(self) -> str | None:
        """Return why the hyper-parameters cannot train the rows of a table."""
        if self.update == "exact" and self.group.get("amsgrad", False):
            return "amsgrad has no closed form for idle rows in torch's formula. Use amsgrad=False or update='lazy'"
        return super().refusal()

    def _mean_rate(self, learning_rate: float, step: int) -> float:
        """What a step multiplies the average gradient with, before the correction of the root."""
        return learning_rate / (1 - self.betas[0] ** step)


class SparseAdamFormula(AdamFormula):
    """SparseAdam: epsilon added to the root itself, which the rate corrects."""

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (*super().scalars(learning_rate, step)[:-1], self.epsilon)


class NAdamFormula(AdamFormula):
    """Adam with Nesterov's momentum, which warms up; torch keeps the product of the momenta in its state."""

    product = 1.0

    @property
    def rule(self) -> str:
        """Name of the update rule of the kernels."""
        return "nadam"

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        (beta_1, beta_2), correction = self.betas, math.sqrt(1 - self.betas[1] ** step)
        gradient_rate = learning_rate * (1 - self.momentum(step)) / (1 - self.product) * correction
        mean_rate = self._mean_rate(learning_rate, step) * correction
        return (mean_rate, gradient_rate, 1 - beta_1, 1 - beta_2, self.epsilon * correction)

    def momentum(self, step: int) -> float:
        """The momentum of one step."""
        return self.betas[0] * (1 - 0.5 * NADAM_DECAY ** (step * float(self.group["momentum_decay"])))

    def _mean_rate(self, learning_rate: float, step: int) -> float:
        following = self.momentum(step + 1)
        return learning_rate * following / (1 - self.product * following)


class AdamaxFormula(AdamFormula):
    """Adamax whose norm is never below epsilon."""

    rule = "floor_adamax"

    def slot_values(self) -> dict[str, float]:
        """Return the names of the slots with their first values."""
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of the rule for one step."""
        return (self._mean_rate(learning_rate, step), 1 - self.betas[0], self.betas[1], self.epsilon)

    def idle_motion(self) -> IdleMotion | None:
        """Return how rows change in a step without a gradient."""
        return adamax_motion(self.betas, self.epsilon)

    def idle_amount(self, learning_rate: float, step: int) -> float:  # type: ignore[override]
        """Return what one step contributes to the sums: its rate."""
        return self._mean_rate(learning_rate, step)


@lru_cache(maxsize=8)
def momentum_motion(rule: str, constants: tuple[float, ...], momentum: float, ahead: float = 1.0) -> IdleMotion:
    """Return the motion by a momentum whose rate is that of each step, and a multiple of it for Nesterov's."""
    return IdleMotion(rule, constants, ahead * fading_weights(momentum))


@lru_cache(maxsize=8)
def adam_motion(betas: tuple[float, float], epsilon: float) -> IdleMotion:
    """Return the motion of Adam and NAdam."""
    return centered_motion("nadam", betas, epsilon)


@lru_cache(maxsize=8)
def adamax_motion(betas: tuple[float, float], epsilon: float) -> IdleMotion:
    """Return the motion of Adamax: sums where they converge, and the rate of each step for elements at the floor."""
    converges = betas[0] < betas[1]
    fading = fading_weights(betas[0] / betas[1]) if converges else np.zeros((1, 1))
    steps = len(fading) if converges else walked_steps(betas[0], epsilon)
    weights = np.concatenate([fading, np.zeros_like(fading)], axis=1)
    weights[0, 1] = 1.0
    constants = (logarithm(betas[0]), logarithm(betas[1]), epsilon, float(steps), float(converges))
    return IdleMotion("floor_adamax", constants, weights)
