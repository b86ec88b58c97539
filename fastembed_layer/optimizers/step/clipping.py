"""Clipping of gradients: by the norm of each, by the norm of all, or by value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.checks import check_positive
from fastembed_layer.optimizers.step.gradients import Pairs
from fastembed_layer.tables.penalised_gradient import Gradient
from fastembed_layer.tables.row_gradient import RowGradient

Array = np.ndarray[Any, Any]

OPTIONS = ("clipnorm", "global_clipnorm", "clipvalue")


class Clipping:
    """At most one way of clipping.

    Norms and values are those of the summed gradients of repeated ids, as in a dense gradient; tf.keras clips before
    it sums and Keras 3 does not sum at all.

    Parameters
    ----------
    clipnorm : float, optional
        Each gradient is scaled down to this norm, ``g * c / max(norm, c)``.
    global_clipnorm : float, optional
        All gradients are scaled by one factor, so that their common norm is at most this.
    clipvalue : float, optional
        Each value is clipped to plus and minus this.

    Raises
    ------
    TypeError, ValueError
        If a bound is not a positive number, or more than one is given.
    """

    def __init__(
        self, clipnorm: float | None = None, global_clipnorm: float | None = None, clipvalue: float | None = None
    ):
        given = dict(zip(OPTIONS, (clipnorm, global_clipnorm, clipvalue), strict=True))
        self.bounds = {name: check_positive(value, name) for name, value in given.items() if value is not None}
        if len(self.bounds) > 1:
            raise ValueError(
                f"Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: {given}."
            )

    def apply(self, pairs: Pairs) -> Pairs:
        """Return clipped gradients; those passed in are left as they are."""
        if not self.bounds:
            return pairs
        [(way, bound)] = self.bounds.items()
        summed = [(parameter, _summed(gradient)) for parameter, gradient in pairs]
        if way == "clipvalue":
            return [(parameter, _clip_values(gradient, bound)) for parameter, gradient in summed]
        norms = [gradient_norm(gradient) for _, gradient in summed]
        if way == "global_clipnorm":
            norms = [math.sqrt(sum(norm**2 for norm in norms))] * len(norms)
        return [
            (parameter, gradient * (bound / max(norm, bound)))
            for (parameter, gradient), norm in zip(summed, norms, strict=True)
        ]


def gradient_norm(gradient: Gradient) -> float:
    """Euclidean norm of a gradient in which every id occurs once, added up in float64 in a fixed order."""
    values = gradient.values if isinstance(gradient, RowGradient) else np.asarray(gradient)
    return math.sqrt(float(np.einsum("i,i->", values.reshape(-1), values.reshape(-1), dtype=np.float64)))


def _summed(gradient: Gradient) -> Gradient:
    return gradient.sum_duplicates() if isinstance(gradient, RowGradient) else gradient


def _clip_values(gradient: Gradient, bound: float) -> Gradient:
    if isinstance(gradient, RowGradient):
        return RowGradient(gradient.ids, np.clip(gradient.values, -bound, bound), gradient.shape)
    return np.clip(gradient, -bound, bound)
