"""Dense optimizers in float64, from their formulas: every row of the table moves in every step.

``step(g, rate, t)`` takes the dense gradient, the rate and the number of the step, from 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Dense:
    """The weights, slots of zeros by name, and decoupled weight decay."""

    slots = ""

    def __init__(self, start: Array, weight_decay: float = 0.0, epsilon: float = 1e-7, **numbers: float):
        self.w = start.astype(float)
        self.weight_decay = weight_decay
        self.epsilon = epsilon
        self.numbers = numbers
        for name in self.slots:
            setattr(self, name, np.zeros(start.shape))

    def step(self, g: Array, rate: float, t: int) -> None:
        self.w = self.w * (1 - rate * self.weight_decay)
        self.move(g, rate, t)

    def betas(self) -> tuple[float, float]:
        return self.numbers.get("beta_1", 0.9), self.numbers.get("beta_2", 0.999)

    def move(self, g: Array, rate: float, t: int) -> None:
        raise NotImplementedError


class DenseAdadelta(Dense):
    slots = "ad"

    def move(self, g, rate, t):
        rho = self.numbers.get("rho", 0.95)
        self.a = rho * self.a + (1 - rho) * g**2
        delta = -np.sqrt(self.d + self.epsilon) / np.sqrt(self.a + self.epsilon) * g
        self.d = rho * self.d + (1 - rho) * delta**2
        self.w = self.w + rate * delta


class DenseAdamax(Dense):
    slots = "mu"

    def move(self, g, rate, t):
        beta_1, beta_2 = self.betas()
        self.m = beta_1 * self.m + (1 - beta_1) * g
        self.u = np.maximum(beta_2 * self.u, np.abs(g))
        self.w = self.w - rate * self.m / ((1 - beta_1**t) * (self.u + self.epsilon))


class DenseNadam(Dense):
    slots = "mv"

    def move(self, g, rate, t):
        beta_1, beta_2 = self.betas()
        momenta = beta_1 * (1 - 0.5 * 0.96 ** np.arange(1.0, t + 2))
        self.m = beta_1 * self.m + (1 - beta_1) * g
        self.v = beta_2 * self.v + (1 - beta_2) * g**2
        mean = momenta[-1] * self.m / (1 - momenta.prod()) + (1 - momenta[-2]) * g / (1 - momenta[:-1].prod())
        self.w = self.w - rate * mean / (np.sqrt(self.v / (1 - beta_2**t)) + self.epsilon)


class DenseFtrl(Dense):
    """Rows that have had no gradient yet stay where they are, which is not what Keras does."""

    slots = "az"

    def __init__(self, start, **options):
        super().__init__(start, **options)
        self.a = self.a + 0.1
        self.touched = np.zeros(len(start), bool)

    def step(self, g, rate, t):
        self.touched |= (g != 0).any(axis=1)
        before = self.w
        super().step(g, rate, t)
        self.w = np.where(self.touched[:, None], self.w, before)
        self.z = np.where(self.touched[:, None], self.z, 0)

    def move(self, g, rate, t):
        power = self.numbers.get("learning_rate_power", -0.5)
        l1, l2, shrinkage = (
            self.numbers.get(f"{name}_regularization_strength", 0.0) for name in ("l1", "l2", "l2_shrinkage")
        )
        l2 = l2 + self.numbers.get("beta", 0.0) / (2 * rate)
        after = self.a + g**2
        self.z = self.z + g + 2 * shrinkage * self.w - (after**-power - self.a**-power) / rate * self.w
        self.w = (np.clip(self.z, -l1, l1) - self.z) / (after**-power / rate + 2 * l2)
        self.a = after


class DenseLion(Dense):
    slots = "m"

    def move(self, g, rate, t):
        beta_1, beta_2 = self.numbers.get("beta_1", 0.9), self.numbers.get("beta_2", 0.99)
        self.w = self.w - rate * np.sign(beta_1 * self.m + (1 - beta_1) * g)
        self.m = beta_2 * self.m + (1 - beta_2) * g


class DenseRowwiseAdagrad(Dense):
    slots = "h"

    def move(self, g, rate, t):
        self.h = self.h + (g**2).mean(axis=1, keepdims=True)
        self.w = self.w - rate * g / (np.sqrt(self.h) + self.epsilon)


class DenseRowwiseAdam(Dense):
    slots = "mv"

    def move(self, g, rate, t):
        beta_1, beta_2 = self.betas()
        self.m = beta_1 * self.m + (1 - beta_1) * g
        self.v = beta_2 * self.v + (1 - beta_2) * (g**2).mean(axis=1, keepdims=True)
        size = np.sqrt(self.v / (1 - beta_2**t)) + self.epsilon
        self.w = self.w - rate * self.m / (1 - beta_1**t) / size


class DenseRowwiseLamb(Dense):
    slots = "mv"

    def move(self, g, rate, t):
        beta_1, beta_2 = self.betas()
        self.m = beta_1 * self.m + (1 - beta_1) * g
        self.v = beta_2 * self.v + (1 - beta_2) * g**2
        direction = self.m / (1 - beta_1**t) / (np.sqrt(self.v / (1 - beta_2**t)) + self.epsilon)
        sizes = [np.linalg.norm(matrix, axis=1, keepdims=True) for matrix in (self.w, direction)]
        ratio = np.ones(sizes[0].shape)
        np.divide(*sizes, out=ratio, where=(sizes[0] > 0) & (sizes[1] > 0))
        self.w = self.w - rate * ratio * direction
