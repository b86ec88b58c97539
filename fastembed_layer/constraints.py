"""Constraints: projections that are applied to weights after an update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_array
from fastembed_layer.checks import check_number
from fastembed_layer.named import NamedObjects, StrictArguments, serialize

__all__ = ["Constraint", "FunctionConstraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize"]
__all__ += ["get", "max_norm", "min_max_norm", "non_neg", "serialize", "unit_norm"]

Array = np.ndarray[Any, Any]
Axis = int | Sequence[int]

EPSILON = 1e-7  # Keras's epsilon(): added to a norm before it divides


class Constraint(StrictArguments):
    """Base class of the constraints; a subclass writes `__call__`."""

    _arguments: tuple[str, ...] = ()

    @property
    def is_row_local(self) -> bool:
        """Whether the projection of a row of a matrix depends on that row alone.

        If so, only the rows that an update has touched are projected; otherwise the whole table is.
        """
        return False

    def __call__(self, weights: Any) -> Array:
        """Return the projected weights, a new array of the same shape and dtype; unchanged by default."""
        return np.array(weights)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this constraint again."""
        return {name: getattr(self, name) for name in self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """Build the constraint from what `get_config` returned."""
        return cls(**config)

    def describe(self) -> str:
        """Name the constraint in a message."""
        return type(self).__name__

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._arguments)
        return f"{self.describe()}({arguments})"


class NonNeg(Constraint):
    """Sets negative weights to zero.

    Examples
    --------
    >>> import numpy as np
    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    @property
    def is_row_local(self) -> bool:
        """True."""
        return True

    def __call__(self, weights: Any) -> Array:
        """Return ``max(w, 0)``."""
        projected: Array = np.maximum(_as_floats(weights), 0)
        return projected


class _NormConstraint(Constraint):
    """Scales vectors along `axis` so that their norms become what `_wanted_norms` says."""

    def __init__(self, axis: Axis = 0):
        self.axis = _checked_axis(axis)

    @property
    def is_row_local(self) -> bool:
        """True when the norms run along the rows of a matrix: ``axis=1`` or ``axis=-1``."""
        return self.axis in (1, -1, [1], [-1])

    def __call__(self, weights: Any) -> Array:
        """Return the scaled weights; the norms are summed in float64."""
        weights = _as_floats(weights)
        norms = _find_norms(weights, self.axis)
        scales = self._wanted_norms(norms) / (EPSILON + norms)
        projected: Array = weights * scales.astype(weights.dtype)
        return projected

    def _wanted_norms(self, norms: Array) -> Any:
        raise NotImplementedError


class MaxNorm(_NormConstraint):
    """Limits norms from above: ``w * clip(n, 0, max_value) / (epsilon + n)`` with the norms n along `axis`.

    Parameters
    ----------
    max_value : float
        The largest norm, not negative.
    axis : int or list of int
        The axes that a norm runs over. On a table, ``axis=0`` (Keras's default) runs over the vocabulary and
        needs the whole table; ``axis=1`` limits each row by itself.

    Examples
    --------
    >>> import numpy as np
    >>> MaxNorm(1.0, axis=1)(np.array([[3.0, 4.0], [0.3, 0.4]])).round(6)
    array([[0.6, 0.8],
           [0.3, 0.4]])
    """

    _arguments = ("max_value", "axis")

    def __init__(self, max_value: float = 2, axis: Axis = 0):
        super().__init__(axis)
        self.max_value = check_number(max_value, "max_value", 0)

    def _wanted_norms(self, norms: Array) -> Any:
        return np.minimum(norms, self.max_value)


class UnitNorm(_NormConstraint):
    """Scales vectors to norm 1: ``w / (epsilon + n)`` with the norms n along `axis`.

    Parameters
    ----------
    axis : int or list of int
        See `MaxNorm`.
    """

    _arguments = ("axis",)

    def _wanted_norms(self, norms: Array) -> Any:
        return 1.0


class MinMaxNorm(_NormConstraint):
    """Draws norms into an interval: ``w * (rate * clip(n, min, max) + (1 - rate) * n) / (epsilon + n)``.

    Here n are the norms along `axis`.

    Parameters
    ----------
    min_value, max_value : float
        The smallest and the largest norm, not negative.
    rate : float
        From 0 (weights stay as they are) to 1 (the bounds are met at once).
    axis : int or list of int
        See `MaxNorm`.
    """

    _arguments = ("min_value", "max_value", "rate", "axis")

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0):
        super().__init__(axis)
        self.min_value = check_number(min_value, "min_value", 0)
        self.max_value = check_number(max_value, "max_value", 0)
        self.rate = check_number(rate, "rate", 0, 1)
        if self.min_value > self.max_value:
            raise ValueError(
                f"`min_value` must not exceed `max_value`. Received: min_value={min_value!r}, max_value={max_value!r}."
            )

    def _wanted_norms(self, norms: Array) -> Any:
        return self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms


class FunctionConstraint(Constraint):
    """A constraint made from a callable; `get` makes one from anything that can be called.

    Parameters
    ----------
    function : callable
        ``function(weights)`` returns an array of the same shape. It is given whole tables, unless it is an
        object with ``is_row_local = True``, which is given rows.
    """

    def __init__(self, function: Callable[[Array], Any]):
        self.function = function

    @property
    def is_row_local(self) -> bool:
        """What the function says about itself; otherwise False."""
        return bool(getattr(self.function, "is_row_local", False))

    def __call__(self, weights: Any) -> Array:
        """Return what the function returns, as an array of the dtype of `weights`."""
        weights = as_array(weights, is_weight=True)
        projected = np.array(self.function(weights), weights.dtype)
        if projected.shape != weights.shape:
            raise ValueError(
                f"The constraint {self.describe()} must return the shape {weights.shape}. Received: {projected.shape}."
            )
        return projected

    def describe(self) -> str:
        """Name the function in a message."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def get_config(self) -> dict[str, Any]:
        """Refuse: a config cannot hold a function."""
        raise ValueError(
            f"The constraint {self.describe()} is a plain function and has no config; subclass `Constraint` instead."
        )


def _find_norms(weights: Array, axis: Axis) -> Array:
    """Euclidean norms over `axis`, kept as dimensions of size 1; no float64 copy of the weights is made."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    if any(not -weights.ndim <= number < weights.ndim for number in axes):
        raise ValueError(f"`axis` must name axes of the weights, shape {weights.shape}. Received: {axis!r}.")
    summed = {number % weights.ndim for number in axes}
    every = list(range(weights.ndim))
    kept = [number for number in every if number not in summed]
    squares = np.einsum(weights, every, weights, every, kept, dtype=np.float64)
    return np.expand_dims(np.sqrt(squares), tuple(summed))


def _as_floats(weights: Any) -> Array:
    array = as_array(weights, is_weight=True)
    if array.dtype.kind != "f":
        raise TypeError(f"`weights` of a constraint must be floats. Received: dtype {array.dtype}.")
    return array


def _checked_axis(axis: Any) -> int | list[int]:
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    if any(isinstance(number, bool | np.bool_) or not hasattr(number, "__index__") for number in axes):
        raise TypeError(f"`axis` must be an integer or a list of integers. Received: {axis!r}.")
    if not axes:
        raise ValueError("`axis` must name at least one axis. Received: an empty list.")
    return [int(number) for number in axes] if isinstance(axis, list | tuple) else int(axis)


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

_constraints: NamedObjects[Constraint] = NamedObjects("constraint", Constraint, wrap=FunctionConstraint)
for _class in (NonNeg, MaxNorm, UnitNorm, MinMaxNorm):
    _constraints.add(_class)


def get(identifier: Any) -> Constraint | None:
    """Return the constraint that `identifier` names; None stays None.

    Parameters
    ----------
    identifier : str, dict, class, Constraint, callable or None
        A name (``"max_norm"``, ``"non_neg"``, ``"unit_norm"``, ``"min_max_norm"``, a class name), a config of
        tf.keras or Keras 3, or a callable, see `FunctionConstraint`. What cannot be understood is a
        ValueError, another kind of thing a TypeError.

    Examples
    --------
    >>> get("non_neg"), get({"class_name": "MaxNorm", "config": {"max_value": 3, "axis": 1}})
    (NonNeg(), MaxNorm(max_value=3.0, axis=1))
    """
    return _constraints.get(identifier)


deserialize = get
