"""The base class of the losses: weighting, averaging and the tape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastembed_layer import tape
from fastembed_layer.checks import check_choice
from fastembed_layer.losses.comparison import align_ranks, align_weights, as_numbers, as_predictions
from fastembed_layer.named import snake_case

Array = np.ndarray[Any, Any]

_MEANS = ("sum_over_batch_size", "mean", "auto")


class Loss:
    """Base class of the losses.

    Parameters
    ----------
    name : str, optional
        Name of the loss; by default the class name in snake case.
    reduction : {"sum_over_batch_size", "mean", "sum", "none", None}
        ``"sum_over_batch_size"`` and ``"mean"`` (and tf.keras's ``"auto"``) divide the sum of the weighted
        losses by their number, zero weights included; None and ``"none"`` keep one loss per sample.

    Raises
    ------
    ValueError
        For an unknown reduction.
    """

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size"):
        self.name = name or snake_case(type(self).__name__)
        self.reduction = check_choice(reduction, "reduction", (*_MEANS, "sum", "none", None))

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the loss of every sample and its gradient; the one method that a subclass writes.

        Parameters
        ----------
        y_true : ndarray
            The targets, with their rank already matched to `y_pred`.
        y_pred : ndarray of float32 or float64
            The predictions.

        Returns
        -------
        losses : ndarray, shape y_pred.shape[:-1] (or any other leading part of ``y_pred.shape``)
        gradient : ndarray, shape y_pred.shape
            Derivative of each sample's own loss, not yet weighted or averaged.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `per_sample(y_true, y_pred)`.")

    def find_counted(self, y_true: Array, y_pred: Array) -> Array | None:
        """Return which losses count, as a boolean array of their shape; None when all do."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Array:
        """Return the reduced loss and record the call on the open tapes.

        Parameters
        ----------
        y_true : array_like
            The targets; ``(n,)`` fits predictions of shape ``(n, 1)``, as in Keras.
        y_pred : array_like, shape (n, ...)
            The predictions. One-dimensional predictions are one sample, as in Keras.
        sample_weight : array_like, optional
            Factors of the losses. Axes are matched from the left: one weight per sample fits losses of any
            rank.
        mask : array_like of bool, optional
            Losses that count. A mean is taken over these alone, and is 0 when there are none.

        Returns
        -------
        loss : ndarray
            Zero-dimensional, or one loss per sample without reduction; float64 for float64 predictions,
            otherwise float32. Sums are accumulated in float64. NaN and infinity propagate silently.

        Raises
        ------
        ValueError
            If the shapes of the arguments do not fit together.
        TypeError
            If an argument does not hold numbers.
        """
        value, pull_back = self._evaluate(y_true, y_pred, sample_weight, mask)
        # asanyarray keeps the identity of the caller's array, by which the tape knows it.
        tape.record([np.asanyarray(y_pred)], value, lambda d_loss: tape.Cotangents([pull_back(d_loss)]))
        return value

    def value_and_gradient(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Array, Array]:
        """Return what the call returns, and the gradient of its sum, of the shape and dtype of `y_pred`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastembed_layer import losses
        >>> loss = losses.MeanSquaredError()
        >>> value, gradient = loss.value_and_gradient(np.zeros(2), np.array([[2.0], [0.0]]))
        >>> value, gradient.tolist()
        (array(2.), [[2.0], [0.0]])
        """
        value, pull_back = self._evaluate(y_true, y_pred, sample_weight, mask)
        return value, pull_back(np.ones_like(value))

    @np.errstate(divide="ignore", over="ignore", invalid="ignore")
    def _evaluate(
        self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any
    ) -> tuple[Array, Callable[[Array], Array]]:
        given = as_predictions(y_pred)
        accurate = given.astype(np.promote_types(given.dtype, np.float32), copy=False)
        targets, predictions = align_ranks(as_numbers("y_true", y_true), accurate)
        losses, gradient = _check_pair(self.per_sample(targets, predictions), predictions)
        counted = self.find_counted(targets, predictions)
        factors = self._find_factors(losses.shape, sample_weight, mask, counted)

        @np.errstate(over="ignore", invalid="ignore")
        def pull_back(d_loss: Array) -> Array:
            scale = np.asarray(d_loss * factors, gradient.dtype)
            scale = scale.reshape(scale.shape + (1,) * (gradient.ndim - scale.ndim))
            return np.asarray(gradient * scale, given.dtype).reshape(given.shape)

        return self._reduce(losses, factors).astype(predictions.dtype), pull_back

    def _find_factors(self, shape: tuple[int, ...], weights: Any, mask: Any, counted: Array | None) -> Array:
        """Return what each loss is multiplied by before the sum: weight, mask and the divisor of a mean."""
        factors = np.ones(()) if weights is None else align_weights("sample_weight", weights, shape)
        n_counted = math.prod(shape)
        if mask is not None:
            mask = align_weights("mask", mask, shape).astype(bool)
            counted = mask if counted is None else mask & counted
        if counted is not None:
            factors, n_counted = factors * counted, int(np.count_nonzero(counted))
        return np.asarray(factors / max(n_counted, 1)) if self.reduction in _MEANS else factors

    def _reduce(self, losses: Array, factors: Array) -> Array:
        if self.reduction in (None, "none"):
            return np.asarray(losses * factors)
        if factors.ndim == 0:
            return np.asarray(np.sum(losses, dtype=np.float64) * factors)
        return np.asarray(np.sum(losses * factors, dtype=np.float64))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Loss:
        """Build a loss from what `get_config` returned."""
        return cls(**config)


class FunctionLoss(Loss):
    """A loss made from a plain function; `get` makes one from any callable.

    Parameters
    ----------
    function : callable
        ``function(y_true, y_pred)`` returns what `Loss.per_sample` returns, the gradient included.
    """

    def __init__(
        self,
        function: Callable[[Array, Array], tuple[Array, Array]],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ):
        super().__init__(name or getattr(function, "__name__", None), reduction)
        self.function = function

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return what the function returns."""
        return self.function(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Refuse, because a config cannot hold a function."""
        raise ValueError(f"The loss {self.name!r} is a plain function, which has no config; subclass `Loss`.")


def _check_pair(pair: Any, y_pred: Array) -> tuple[Array, Array]:
    """Return the losses and the gradient that a `per_sample` gave, once their number and shapes are right."""
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise TypeError(
            "A loss must return the pair (losses per sample, gradient of y_pred): arbitrary code is not "
            f"differentiated. Received: {type(pair).__name__}."
        )
    losses, gradient = np.asarray(pair[0]), np.asarray(pair[1], y_pred.dtype)
    if gradient.shape != y_pred.shape or losses.shape != y_pred.shape[: losses.ndim]:
        raise ValueError(
            f"With `y_pred` of shape {y_pred.shape} losses must have the shape {y_pred.shape[:-1]} and the "
            f"gradient that of `y_pred`. Received: losses {losses.shape}, gradient {gradient.shape}."
        )
    return losses, gradient
