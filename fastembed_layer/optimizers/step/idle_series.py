"""Adam's sum over idle steps, and that of its kin: polynomials that are kept for each possible last step."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from fastembed_layer.optimizers.step.idle_book import NOTHING_LEFT, IdleMotion, fading_weights, logarithm
from fastembed_layer.tables.idle_rows import LONGEST

Array = np.ndarray[Any, Any]

TERMS = 6
LARGEST_ERROR = 1e-6  # of a sum over idle steps, relative
CENTERED_TERMS = 12
LARGEST_CENTERED_ERRORS = (1e-9, 1e-6)  # wanted, or else taken
RECORDED_STEPS = 1 << 13  # if that many are not enough, all steps are recorded


@cache
def interpolation_weights(beta: float, root: float) -> Array | None:
    """Return the polynomials in u of the terms of Adam's sum over idle steps, shape (horizon, TERMS).

    Row n - 1 interpolates ``(beta / root)^n / (1 + u (root^-n - 1))`` in the Chebyshev nodes of [0, 1]. None where
    the sum does not converge or the polynomial is not near enough.

    Parameters
    ----------
    beta : float
        Decay of the mean gradient.
    root : float
        Decay of the size it is divided by, ``sqrt(beta_2)`` for Adam.
    """
    if beta >= root:
        return None
    fading = fading_weights(beta / root)
    growth = root ** -np.arange(1.0, len(fading) + 1)[:, None] - 1
    nodes = (1 + np.cos((2 * np.arange(TERMS) + 1) * np.pi / (2 * TERMS))) / 2
    basis = np.vander(nodes, increasing=True)
    weights = np.linalg.solve(basis, (fading / (1 + growth * nodes)).T).T
    grid = np.linspace(0, 1, 101)
    sums = (fading / (1 + growth * grid)).sum(axis=0)
    errors = np.vander(grid, TERMS, increasing=True) @ weights.sum(axis=0) - sums
    return weights if (np.abs(errors) <= LARGEST_ERROR * sums).all() else None


def adam_motion(rule: str, betas: tuple[float, float], epsilon: float, power: float) -> IdleMotion:
    """Return the motion of Adam or Adamax: the sums where they converge, else step by step.

    Parameters
    ----------
    rule : str
        ``"adam"`` or ``"adamax"``.
    betas : tuple of float
        The decays of the first and the second slot.
    epsilon : float
        Added to the size.
    power : float
        The power that turns the second slot into a size.
    """
    constants = (logarithm(betas[0]), logarithm(betas[1]), epsilon)
    weights = interpolation_weights(betas[0], betas[1] ** power)
    if weights is not None:
        return IdleMotion(rule, constants, weights)
    horizon = walked_steps(betas[0], epsilon)
    return IdleMotion(f"{rule}_stepwise", (*constants, power, float(horizon)), np.zeros((1, 2)))


def walked_steps(beta: float, epsilon: float) -> int:
    """Return after how many idle steps nothing is left to move where the size fades faster than the mean gradient.

    Once the size is below epsilon, a step is as long as the mean gradient divided by epsilon.
    """
    if beta == 0 or epsilon == 0:
        return LONGEST if beta > 0 else 1
    return min(LONGEST, math.ceil(math.log(NOTHING_LEFT * min(epsilon, 1.0)) / math.log(beta)))


def adam_amount(rate: float, betas: tuple[float, float], power: float) -> float | Array:
    """Return what a step adds to the sums of `adam_motion`: its rate, or the record of a step to be walked."""
    return rate if interpolation_weights(betas[0], betas[1] ** power) is not None else np.array([[rate, 1.0]])


class CenteredSeries:
    """The sums over idle steps of optimizers that add epsilon to a root that is corrected for its start.

    With the correction ``c = sqrt(1 - beta_2^s)`` the step s, the n-th idle one of a row, moves it by
    ``rate beta_1^n m / (r^n sqrt(v) + epsilon c)``, ``r = sqrt(beta_2)``: Adam's sum, but with an epsilon that grows
    from step to step, from ``sqrt(1 - beta_2)`` of its size on. With ``u = e / (sqrt(v) + e)`` and
    ``e = reference epsilon`` each term is interpolated by a polynomial of twelve coefficients in ``2 u - 1``. They are
    enough from `first_step` on; the rates and corrections of earlier steps are recorded, and rows that were idle then
    walk them one by one.

    Parameters
    ----------
    beta_1, beta_2 : float
        Decays of the mean gradient and of the second moment.
    first_step : float
        The first step that is summed; infinity where the sums do not converge.

    Attributes
    ----------
    reference : float
        The geometric mean of the corrections from the first step on.
    """

    def __init__(self, beta_1: float, beta_2: float, first_step: float):
        self.beta_2 = beta_2
        self.first_step = first_step
        self.reference = (1 - beta_2**first_step) ** 0.25
        root = math.sqrt(beta_2)
        horizon = len(fading_weights(beta_1 / root if beta_1 < root else beta_1))
        steps = np.arange(1.0, horizon + 1)[:, None]
        self._fading, self._decay = beta_1**steps, root**steps
        nodes = np.cos((2 * np.arange(CENTERED_TERMS) + 1) * np.pi / (2 * CENTERED_TERMS))
        self._shares = (1 + nodes) / 2
        self._to_coefficients = np.linalg.inv(np.vander(nodes, increasing=True)).T

    @property
    def horizon(self) -> int:
        """Number of idle steps after which nothing is left to move."""
        return len(self._fading)

    def correction(self, step: int) -> float:
        """Return ``sqrt(1 - beta_2^step)``."""
        return math.sqrt(1 - self.beta_2**step)

    def contribution(self, rate: float, step: int) -> Array:
        """Return what one step adds: its polynomials, or its record in the last two columns."""
        if step < self.first_step:
            return np.array([[0.0] * CENTERED_TERMS + [rate, self.correction(step)]])
        added = np.zeros((self.horizon, CENTERED_TERMS + 2))
        added[:, :-2] = rate * self._terms(self._shares, self.correction(step)) @ self._to_coefficients
        return added

    def is_accurate(self, tolerance: float) -> bool:
        """Tell whether the sums of rows that were last touched after the first step are as near as `tolerance`."""
        return all(self.largest_error(self.first_step * factor - 1) <= tolerance for factor in (1, 2, 4, 16, 64))

    def largest_error(self, last_step: float) -> float:
        """Return how far the sums of rows that were last touched at a step can be off, relative to the sums."""
        corrections = np.sqrt(1 - self.beta_2 ** (last_step + np.arange(1.0, self.horizon + 1)[:, None]))
        points = np.cos(np.linspace(0, np.pi, 41))
        sums = self._terms((1 + points) / 2, corrections).cumsum(axis=0)
        coefficients = (self._terms(self._shares, corrections) @ self._to_coefficients).cumsum(axis=0)
        errors = coefficients @ np.vander(points, CENTERED_TERMS, increasing=True).T - sums
        return float((np.abs(errors) / np.maximum(sums, np.finfo(float).tiny)).max())

    def _terms(self, shares: Array, corrections: float | Array) -> Array:
        """Return the term of each idle step for each u."""
        return self._fading / (self._decay * (1 - shares) + corrections / self.reference * shares)


@cache
def centered_series(beta_1: float, beta_2: float) -> CenteredSeries:
    """Return the series of two decays that sums from the smallest power of two on."""
    for tolerance in LARGEST_CENTERED_ERRORS if beta_1 < math.sqrt(beta_2) else ():
        for exponent in range(1, RECORDED_STEPS.bit_length()):
            series = CenteredSeries(beta_1, beta_2, float(1 << exponent))
            if series.is_accurate(tolerance):
                return series
    return CenteredSeries(beta_1, beta_2, math.inf)


def centered_motion(rule: str, betas: tuple[float, float], epsilon: float) -> IdleMotion:
    """Return the motion of a rule whose steps contribute what `CenteredSeries` says."""
    series = centered_series(*betas)
    horizon = series.horizon if math.isfinite(series.first_step) else walked_steps(betas[0], epsilon)
    logarithms = logarithm(betas[0]), logarithm(betas[1])
    constants = (*logarithms, epsilon, 0.5, float(horizon), epsilon * series.reference)
    return IdleMotion(rule, constants, np.zeros((1, CENTERED_TERMS + 2)))
