"""The base class of the losses: weighting, averaging and the tape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastembed_layer import tape
from fastembed_layer.backends.arrays import as_array, move_like
from fastembed_layer.checks import check_compute_dtype
from fastembed_layer.losses.comparison import align_ranks, align_weights, as_numbers, as_predictions
from fastembed_layer.named import StrictArguments, snake_case

Array = np.ndarray[Any, Any]

_MEANS = ("sum_over_batch_size", "mean", "auto")


class Loss(StrictArguments):
    """Base class of the losses.

    A subclass writes `per_sample`, or `call` as in Keras where the loss is only to be evaluated.

    Parameters
    ----------
    name : str, optional
        Name of the loss; by default the class name in snake case.
    reduction : {"sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None}
        ``"sum_over_batch_size"`` and ``"mean"`` (and tf.keras's ``"auto"``) divide the sum of the weighted
        losses by their number, zero weights included; ``"mean_with_sample_weight"`` divides it by the sum of the
        weights; None and ``"none"`` keep one loss per sample.
    dtype : str or dtype, optional
        Predictions are rounded to it, and the loss has it; the arithmetic is float32 or more accurate. By default
        float64 for float64 predictions and float32 for all others.

    Attributes
    ----------
    axis : int
        Axis of `y_pred` along which a sample lies; `per_sample` is given arrays that have it last.

    Raises
    ------
    ValueError
        For an unknown reduction or dtype.
    """

    axis: int = -1

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        self.name = name or snake_case(type(self).__name__)
        self.reduction = _check_reduction(reduction)
        self._dtype = check_compute_dtype(dtype)

    @property
    def dtype(self) -> str | None:
        """Name of the dtype of the loss; None where it is that of the predictions."""
        return None if self._dtype is None else self._dtype.name

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

    @np.errstate(divide="ignore", over="ignore", invalid="ignore")
    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Return the loss of every sample, unweighted; nothing is recorded.

        A subclass that has this method alone can be evaluated but not trained with, since arbitrary array code is
        not differentiated.
        """
        return self._compare(*self.prepare(y_true, y_pred))[0]

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
            otherwise float32, unless there is a `dtype`. Sums are accumulated in float64. NaN and infinity propagate
            silently.

        Raises
        ------
        ValueError
            If the shapes of the arguments do not fit together.
        TypeError
            If an argument does not hold numbers.
        """
        value, pull_back = self._evaluate(y_true, y_pred, sample_weight, mask)
        # The tape knows an array by its identity, so the caller's own is recorded.
        given = y_pred if isinstance(y_pred, np.ndarray) else as_array(y_pred)
        tape.record([given], value, lambda d_loss: tape.Cotangents([move_like(pull_back(d_loss), given)]))
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
        targets, predictions = self.prepare(y_true, given)
        losses, gradient = self._compare(targets, predictions)
        factors = self._find_factors(losses.shape, sample_weight, mask, self.find_counted(targets, predictions))

        @np.errstate(over="ignore", invalid="ignore")
        def pull_back(d_loss: Array) -> Array:
            if gradient is None:
                raise NotImplementedError(
                    f"{type(self).__name__} has a value but no gradient: write `per_sample(y_true, y_pred)`, which "
                    "returns both, in place of `call`."
                )
            scale = np.asarray(d_loss * factors, gradient.dtype)
            scale = scale.reshape(scale.shape + (1,) * (gradient.ndim - scale.ndim))
            scaled = gradient * scale if self.axis == -1 else np.moveaxis(gradient * scale, -1, self.axis)
            return np.asarray(scaled, given.dtype).reshape(given.shape)

        return self._reduce(losses, factors).astype(self._dtype or predictions.dtype), pull_back

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        """Return targets and predictions of fitting ranks, in the dtype of the arithmetic, with `axis` last."""
        y_pred = as_predictions(y_pred)
        rounded = y_pred.astype(self._dtype or y_pred.dtype, copy=False)
        accurate = rounded.astype(np.promote_types(rounded.dtype, np.float32), copy=False)
        targets, predictions = align_ranks(as_numbers("y_true", y_true), accurate)
        if self.axis == -1:
            return targets, predictions
        if not -predictions.ndim <= self.axis < predictions.ndim:
            raise ValueError(
                f"`axis` must be an axis of `y_pred`. Received: axis={self.axis} and y_pred of shape {y_pred.shape}."
            )
        if targets.ndim == predictions.ndim:
            targets = np.moveaxis(targets, self.axis, -1)
        return targets, np.moveaxis(predictions, self.axis, -1)

    def _compare(self, targets: Array, predictions: Array) -> tuple[Array, Array | None]:
        """Return the loss of every sample and its gradient; None where a subclass has only values."""
        kind = type(self)
        if kind.per_sample is Loss.per_sample and kind.call is not Loss.call:
            return np.asarray(self.call(targets, predictions)), None
        return _check_pair(self.per_sample(targets, predictions), predictions)

    def _find_factors(self, shape: tuple[int, ...], weights: Any, mask: Any, counted: Array | None) -> Array:
        """Return what each loss is multiplied by before the sum: weight, mask and the divisor of a mean."""
        factors = np.ones(()) if weights is None else align_weights("sample_weight", weights, shape)
        n_counted = math.prod(shape)
        if mask is not None:
            mask = align_weights("mask", mask, shape).astype(bool)
            counted = mask if counted is None else mask & counted
        if counted is not None:
            factors, n_counted = factors * counted, int(np.count_nonzero(counted))
        if self.reduction in _MEANS:
            return np.asarray(factors / max(n_counted, 1))
        if self.reduction == "mean_with_sample_weight":
            total = np.sum(np.broadcast_to(factors, shape), dtype=np.float64)
            return np.asarray(factors / total if total else np.zeros(()))
        return factors

    def _reduce(self, losses: Array, factors: Array) -> Array:
        if self.reduction in (None, "none"):
            return np.asarray(losses * factors)
        if factors.ndim == 0:
            return np.asarray(np.sum(losses, dtype=np.float64) * factors)
        return np.asarray(np.sum(losses * factors, dtype=np.float64))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        config = {"name": self.name, "reduction": self.reduction}
        return config if self.dtype is None else {**config, "dtype": self.dtype}

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
        dtype: Any = None,
    ):
        super().__init__(name or getattr(function, "__name__", None), reduction, dtype)
        self.function = function

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return what the function returns."""
        return self.function(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Refuse, because a config cannot hold a function."""
        raise ValueError(f"The loss {self.name!r} is a plain function, which has no config; subclass `Loss`.")


def _check_reduction(reduction: Any) -> str | None:
    """Return a reduction, or raise in Keras's words."""
    allowed = (*_MEANS, "mean_with_sample_weight", "sum", "none", None)
    if not any(reduction is choice or (isinstance(reduction, str) and reduction == choice) for choice in allowed):
        raise ValueError(
            f"Invalid value for argument `reduction`. Expected one of {', '.join(map(repr, allowed))}. "
            f"Received: reduction={reduction!r}."
        )
    return None if reduction is None else str(reduction)


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
