"""Regularizers: penalties on weights or outputs that are added to the loss, with their gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_array
from fastembed_layer.checks import check_choice, check_number
from fastembed_layer.named import NamedObjects, StrictArguments, serialize
from fastembed_layer.tables.block_sums import BLOCK, sum_blocks

__all__ = ["L1", "L1L2", "L2", "FunctionRegularizer", "OrthogonalRegularizer", "Regularizer"]
__all__ += ["deserialize", "get", "l1", "l1_l2", "l2", "orthogonal_regularizer", "serialize"]

Array = np.ndarray[Any, Any]

EPSILON = 1e-7  # Keras's epsilon(): shorter vectors are divided by this instead of by their norm


class Regularizer(StrictArguments):
    """Base class of the regularizers.

    A subclass writes `__call__` (the penalty) and, if layers that have it are to be trained, `gradient`.

    Attributes
    ----------
    is_row_local : bool
        Whether the gradient of a row depends on that row alone, so that a batch needs only its own rows.
    """

    is_row_local = False
    _arguments: tuple[str, ...] = ()

    def __call__(self, weights: Any) -> float:
        """Return the penalty of an array, summed in float64; 0 unless a subclass says otherwise."""
        return 0.0

    def gradient(self, weights: Any) -> Array:
        """Return the derivative of the penalty, shape and dtype as `weights`; a TypeError if unknown."""
        raise TypeError(
            f"The regularizer {self.describe()} has no gradient, so a layer that has it cannot be trained: "
            "give it as an object with a `gradient(weights)` method, such as a subclass of `Regularizer`."
        )

    @property
    def proportion(self) -> float | None:
        """The number that the weights are multiplied with to give the gradient; None where it is not proportional."""
        return None

    def describe(self) -> str:
        """Name the regularizer in an error message."""
        return type(self).__name__

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this regularizer again."""
        return {name: getattr(self, name) for name in self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """Build the regularizer from what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._arguments)
        return f"{self.describe()}({arguments})"


class L1L2(Regularizer):
    """The sum of an L1 and an L2 penalty: ``l1 * sum(abs(w)) + l2 * sum(w**2)``.

    The derivative of ``abs`` at 0 is taken as 0.

    Parameters
    ----------
    l1, l2 : float
        Finite factors that are not negative; None stands for the default.

    Examples
    --------
    >>> import numpy as np
    >>> penalty = L1L2(l1=0.5, l2=1.0)
    >>> penalty(np.array([[1.0, -3.0]]))
    12.0
    >>> penalty.gradient(np.array([[1.0, -3.0]]))
    array([[ 2.5, -6.5]])
    """

    is_row_local = True
    _arguments: tuple[str, ...] = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1 = check_number(0.0 if l1 is None else l1, "l1", 0)
        self.l2 = check_number(0.0 if l2 is None else l2, "l2", 0)

    @property
    def proportion(self) -> float | None:
        """Twice `l2` where there is no L1 penalty, and where no subclass computes something else."""
        own = type(self)
        is_own_formula = own.__call__ is L1L2.__call__ and own.gradient is L1L2.gradient
        return 2 * self.l2 if is_own_formula and self.l1 == 0 else None

    def __call__(self, weights: Any) -> float:
        """Return the penalty, summed in float64."""
        weights = _as_floats(weights)
        absolute = sum_blocks(np.abs, weights) if self.l1 else 0.0
        squares = sum_blocks(np.square, weights) if self.l2 else 0.0
        return self.l1 * absolute + self.l2 * squares

    def gradient(self, weights: Any) -> Array:
        """Return ``l1 * sign(w) + 2 * l2 * w``."""
        weights = _as_floats(weights)
        gradient: Array = weights * weights.dtype.type(2 * self.l2)
        if self.l1:
            gradient += weights.dtype.type(self.l1) * np.sign(weights)
        return gradient


class L1(L1L2):
    """The L1 penalty ``l1 * sum(abs(w))``; see `L1L2`."""

    _arguments = ("l1",)

    def __init__(self, l1: float = 0.01):
        super().__init__(l1=0.01 if l1 is None else l1)


class L2(L1L2):
    """The L2 penalty ``l2 * sum(w**2)``, as in Keras without a factor 1/2; see `L1L2`."""

    _arguments = ("l2",)

    def __init__(self, l2: float = 0.01):
        super().__init__(l2=0.01 if l2 is None else l2)


class OrthogonalRegularizer(Regularizer):
    """Draws the rows (or columns) of a matrix towards being orthogonal to each other.

    The penalty is `factor` times the mean of ``abs(cos(angle))`` over all pairs of different rows. Every pair
    is looked at, so the time grows with the square of the number of rows; the memory does not.

    Parameters
    ----------
    factor : float
        A finite factor that is not negative.
    mode : {"rows", "columns"}
        Which vectors are to be orthogonal.
    """

    _arguments = ("factor", "mode")

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = check_number(factor, "factor", 0)
        self.mode = check_choice(mode, "mode", ("rows", "columns"))

    def __call__(self, weights: Any) -> float:
        """Return the penalty of a matrix, summed in float64; a matrix of fewer than two vectors has none."""
        units, _ = self._split_vectors(_as_floats(weights))
        total = sum(float(np.abs(cosines).sum()) for _, cosines in _cosine_blocks(units))
        return self.factor * total / max(len(units) * (len(units) - 1), 1)

    def gradient(self, weights: Any) -> Array:
        """Return the derivative for a matrix; where two vectors are orthogonal, their part is 0."""
        weights = _as_floats(weights)
        units, lengths = self._split_vectors(weights)
        slopes = np.empty_like(units)
        for rows, cosines in _cosine_blocks(units):
            slopes[rows] = np.sign(cosines) @ units
        slopes *= 2 * self.factor / max(len(units) * (len(units) - 1), 1)
        along = np.sum(slopes * units, axis=1, keepdims=True)
        slopes -= np.where(lengths > EPSILON, along, 0.0) * units
        slopes /= lengths
        return (slopes if self.mode == "rows" else slopes.T).astype(weights.dtype, order="C")

    def _split_vectors(self, weights: Array) -> tuple[Array, Array]:
        """The vectors of a matrix as float64 rows of length 1, and their lengths, at least `EPSILON`."""
        if weights.ndim != 2:
            raise ValueError(f"`weights` must be a matrix. Received: shape {weights.shape}.")
        vectors = (weights if self.mode == "rows" else weights.T).astype(np.float64)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), EPSILON)
        return vectors / lengths, lengths


class FunctionRegularizer(Regularizer):
    """A regularizer made from a callable; `get` makes one from anything that can be called.

    Its value can always be computed. Training needs the derivative: `function` may be an object with a
    ``gradient(weights)`` method and, where it applies, ``is_row_local = True``.

    Parameters
    ----------
    function : callable
        ``function(weights)`` returns a number.
    """

    def __init__(self, function: Callable[[Array], Any]):
        self.function = function
        self.is_row_local = bool(getattr(function, "is_row_local", False))

    def __call__(self, weights: Any) -> float:
        """Return what the function returns, which must be one number."""
        value = np.asarray(self.function(as_array(weights, is_weight=True)))
        if value.size != 1:
            raise ValueError(
                f"The regularizer {self.describe()} must return one number. Received: shape {value.shape}."
            )
        return float(value.item())

    def gradient(self, weights: Any) -> Array:
        """Return what the function's own `gradient` method returns."""
        if not hasattr(self.function, "gradient"):
            return super().gradient(weights)
        weights = as_array(weights, is_weight=True)
        gradient = np.asarray(self.function.gradient(weights), weights.dtype)
        if gradient.shape != weights.shape:
            raise ValueError(
                f"The gradient of the regularizer {self.describe()} must have the shape {weights.shape}. "
                f"Received: {gradient.shape}."
            )
        return gradient

    def describe(self) -> str:
        """Name the function in an error message."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def get_config(self) -> dict[str, Any]:
        """Refuse: a config cannot hold a function."""
        raise ValueError(
            f"The regularizer {self.describe()} is a plain function and has no config; subclass `Regularizer` instead."
        )


def _as_floats(weights: Any) -> Array:
    array = as_array(weights, is_weight=True)
    if array.dtype.kind != "f":
        raise TypeError(f"`weights` of a regularizer must be floats. Received: dtype {array.dtype}.")
    return array


def _cosine_blocks(units: Array) -> Iterator[tuple[slice, Array]]:
    """Cosines of some rows with all rows at a time, 0 for a row with itself."""
    step = max(1, BLOCK // max(1, len(units)))
    for begin in range(0, len(units), step):
        rows = slice(begin, min(begin + step, len(units)))
        cosines = units[rows] @ units.T
        np.fill_diagonal(cosines[:, rows], 0.0)
        yield rows, cosines


l1, l2, orthogonal_regularizer = L1, L2, OrthogonalRegularizer


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Return an `L1L2` regularizer; unlike the class, and as in tf.keras, both factors default to 0.01."""
    return L1L2(l1=l1, l2=l2)


_regularizers: NamedObjects[Regularizer] = NamedObjects("regularizer", Regularizer, wrap=FunctionRegularizer)
_regularizers.add(L1L2, "l1_l2")
for _class in (L1, L2, OrthogonalRegularizer):
    _regularizers.add(_class)


def get(identifier: Any) -> Regularizer | None:
    """Return the regularizer that `identifier` names; None stays None.

    Parameters
    ----------
    identifier : str, dict, class, Regularizer, callable or None
        A name (``"l1"``, ``"l2"``, ``"l1_l2"`` with both factors 0.01, ``"orthogonal_regularizer"``, a class
        name), a config of tf.keras or Keras 3, or a callable, see `FunctionRegularizer`. What cannot be
        understood is a ValueError, another kind of thing a TypeError.

    Examples
    --------
    >>> get("l2"), get({"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}})
    (L2(l2=0.01), L1L2(l1=0.0, l2=0.5))
    """
    if identifier is l1_l2 or (isinstance(identifier, str) and identifier == "l1_l2"):
        return l1_l2()
    return _regularizers.get(identifier)


deserialize = get
