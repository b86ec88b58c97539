"""Losses: the loss of every sample and its gradient, weighted and reduced as in Keras.

There is no autodiff of array code in this package, so a loss knows its own derivative: a subclass writes
`Loss.per_sample`, and the weighting, the averaging and the tape are the business of the base class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastembed_layer import tape
from fastembed_layer.checks import check_choice, check_flag, check_number
from fastembed_layer.named import NamedObjects, snake_case
from fastembed_layer.named import serialize as serialize

Array = np.ndarray[Any, Any]

# Keras's epsilon(): probabilities are clipped to [EPSILON, 1 - EPSILON] before their logarithm is taken.
EPSILON = 1e-7

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
        >>> loss, gradient = MeanSquaredError().value_and_gradient(np.zeros(2), np.array([[2.0], [0.0]]))
        >>> loss, gradient.tolist()
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


class _RegressionLoss(Loss):
    """The constructor of losses without options, in Keras's order of arguments."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None):
        super().__init__(name, reduction)


class MeanSquaredError(_RegressionLoss):
    """``mean((y_true - y_pred)**2)`` over the last axis."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean squared error of every sample and its gradient."""
        error = y_pred - _as_targets(y_true, y_pred)
        return _mean_last_axis(np.square(error)), error * (2 / max(error.shape[-1], 1))


class MeanAbsoluteError(_RegressionLoss):
    """``mean(abs(y_true - y_pred))`` over the last axis; the gradient is 0 where the two are equal."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the mean absolute error of every sample and its gradient."""
        error = y_pred - _as_targets(y_true, y_pred)
        return _mean_last_axis(np.abs(error)), np.sign(error) / max(error.shape[-1], 1)


class _SmoothedCrossEntropy(Loss):
    """The options of cross-entropies whose targets are probabilities."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ):
        super().__init__(name, reduction)
        self.from_logits = check_flag(from_logits, "from_logits")
        self.label_smoothing = check_number(label_smoothing, "label_smoothing", 0, 1)
        self.axis = check_choice(axis, "axis", (-1,))

    def _smooth_targets(self, y_true: Array, y_pred: Array, n_outcomes: int) -> Array:
        targets = _as_targets(y_true, y_pred)
        if self.label_smoothing == 0:
            return targets
        return np.asarray(targets * (1 - self.label_smoothing) + self.label_smoothing / n_outcomes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        options = {name: getattr(self, name) for name in ("from_logits", "label_smoothing", "axis")}
        return {**super().get_config(), **options}


class BinaryCrossentropy(_SmoothedCrossEntropy):
    """Cross-entropy of independent yes-or-no targets, averaged over the last axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise they are probabilities, clipped to [1e-7, 1 - 1e-7] as in
        Keras; beyond these bounds the gradient is 0, so that a saturated wrong prediction learns nothing.
    label_smoothing : float
        In [0, 1]: how far targets are drawn towards 1/2.
    axis : int
        Only -1, where Keras's configs have it.
    reduction, name
        See `Loss`.
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of every sample and its gradient."""
        targets = self._smooth_targets(y_true, y_pred, 2)
        if self.from_logits:
            # log(1 + exp(y_pred)) - targets * y_pred, in the form in which exp cannot overflow.
            losses = np.maximum(y_pred, 0) - targets * y_pred + np.log1p(np.exp(-np.abs(y_pred)))
            gradient = sigmoid(y_pred) - targets
        else:
            clipped = _clip_probabilities(y_pred)
            losses = -(targets * np.log(clipped) + (1 - targets) * np.log1p(-clipped))
            gradient = (clipped - targets) / (clipped * (1 - clipped)) * (clipped == y_pred)
        return _mean_last_axis(losses), gradient / max(y_pred.shape[-1], 1)


class CategoricalCrossentropy(_SmoothedCrossEntropy):
    """Cross-entropy of targets that are probabilities of classes, such as one-hot rows, along the last axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise each row is divided by its sum and clipped to
        [1e-7, 1 - 1e-7] as in Keras; the gradient through a clipped probability is 0.
    label_smoothing : float
        In [0, 1]: how far targets are drawn towards equal probabilities.
    axis : int
        Only -1, where Keras's configs have it.
    reduction, name
        See `Loss`.
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of every sample and its gradient."""
        targets = self._smooth_targets(y_true, y_pred, max(y_pred.shape[-1], 1))
        compare = _compare_with_logits if self.from_logits else _compare_with_probabilities
        return compare(targets, y_pred)


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy of targets that are class numbers; predictions have one value per class on the last axis.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Otherwise they are clipped to [1e-7, 1 - 1e-7] and then divided by
        their sum, in the order of Keras on TensorFlow; the gradient of a clipped probability is 0.
    ignore_class : int, optional
        Samples of this class have loss 0 and do not count in a mean.
    reduction, name
        See `Loss`.
    axis : int
        Only -1, where Keras's signature has it.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
    ):
        super().__init__(name, reduction)
        self.from_logits = check_flag(from_logits, "from_logits")
        if isinstance(ignore_class, bool) or not isinstance(ignore_class, int | np.integer | None):
            raise TypeError(f"`ignore_class` must be an integer or None. Received: {ignore_class!r}.")
        self.ignore_class = None if ignore_class is None else int(ignore_class)
        self.axis = check_choice(axis, "axis", (-1,))

    def find_counted(self, y_true: Array, y_pred: Array) -> Array | None:
        """Return where the class is not the ignored one."""
        if self.ignore_class is None:
            return None
        return np.asarray(drop_label_axis(y_true, y_pred) != self.ignore_class)

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of every sample and its gradient; ValueError for an unknown class."""
        labels, counted = drop_label_axis(y_true, y_pred), self.find_counted(y_true, y_pred)
        if counted is None:
            return self._compare_classes(labels, y_pred)
        losses, gradient = self._compare_classes(np.where(counted, labels, 0), y_pred)
        return np.where(counted, losses, 0), np.where(counted[..., None], gradient, 0)

    def _compare_classes(self, labels: Array, y_pred: Array) -> tuple[Array, Array]:
        classes = _as_classes(labels, y_pred.shape[-1])[..., None]
        clipped = None if self.from_logits else _clip_probabilities(y_pred)
        log_probabilities = _log_softmax(y_pred if clipped is None else np.log(clipped))
        gradient = np.exp(log_probabilities)
        np.put_along_axis(gradient, classes, np.take_along_axis(gradient, classes, -1) - 1, -1)
        if clipped is not None:
            gradient *= (clipped == y_pred) / clipped
        return -np.take_along_axis(log_probabilities, classes, -1)[..., 0], gradient

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this loss again."""
        return {**super().get_config(), "from_logits": self.from_logits, "ignore_class": self.ignore_class}


def _compare_with_logits(targets: Array, logits: Array) -> tuple[Array, Array]:
    log_probabilities = _log_softmax(logits)
    gradient = np.exp(log_probabilities) * targets.sum(axis=-1, keepdims=True) - targets
    return -_sum_last_axis(targets * log_probabilities), gradient


def _compare_with_probabilities(targets: Array, y_pred: Array) -> tuple[Array, Array]:
    total = y_pred.sum(axis=-1, keepdims=True)
    probabilities = y_pred / total
    clipped = _clip_probabilities(probabilities)
    d_probabilities = -targets / clipped * (clipped == probabilities)
    shared = np.sum(d_probabilities * probabilities, axis=-1, keepdims=True)
    return -_sum_last_axis(targets * np.log(clipped)), (d_probabilities - shared) / total


def _clip_probabilities(probabilities: Array) -> Array:
    return np.clip(probabilities, EPSILON, 1 - EPSILON)


def _log_softmax(logits: Array) -> Array:
    shifted = logits - np.max(logits, axis=-1, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def sigmoid(logits: Array) -> Array:
    """Return ``1 / (1 + exp(-logits))`` without overflow, accurate for large negative logits too."""
    return np.asarray(np.exp(np.minimum(logits, 0)) / (1 + np.exp(-np.abs(logits))))


def _sum_last_axis(values: Array) -> Array:
    return np.asarray(np.sum(values, axis=-1, dtype=np.float64))


def _mean_last_axis(values: Array) -> Array:
    return np.asarray(_sum_last_axis(values) / max(values.shape[-1], 1))


def as_numbers(name: str, values: Any) -> Array:
    """Return the argument called `name` as an array of booleans, integers or floats, else TypeError."""
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must hold real numbers. Received: dtype {numbers.dtype}.")
    return numbers


def as_predictions(y_pred: Any) -> Array:
    """Return `y_pred` as an array of floats; integers become float32, and an array of floats stays itself."""
    predictions = as_numbers("y_pred", y_pred)
    if predictions.ndim == 0:
        raise ValueError("`y_pred` must have at least one dimension. Received: a single number.")
    return predictions if predictions.dtype.kind == "f" else predictions.astype(np.float32)


def align_ranks(y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    """Add or drop a last axis of length 1 so that both have the same rank, by Keras's rule.

    Where one of the two is a vector it gets the axis; otherwise the longer shape loses it.
    """
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        return (y_true, y_pred[:, None]) if y_pred.ndim == 1 else (y_true[..., 0], y_pred)
    if y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] == 1:
        return (y_true[..., None], y_pred) if y_true.ndim < 2 else (y_true, y_pred[..., 0])
    return y_true, y_pred


def check_same_shape(y_true: Array, y_pred: Array) -> None:
    """Raise ValueError unless the shapes are equal; Keras broadcasts here, which hides mistakes."""
    if y_true.shape != y_pred.shape:
        raise ValueError(
            "`y_true` and `y_pred` must have the same shape. "
            f"Received: y_true of shape {y_true.shape} and y_pred of shape {y_pred.shape}."
        )


def drop_label_axis(y_true: Array, y_pred: Array) -> Array:
    """Return class numbers in the shape ``y_pred.shape[:-1]``, without a last axis of length 1."""
    labels = y_true[..., 0] if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 else y_true
    if labels.shape != y_pred.shape[:-1]:
        raise ValueError(
            "`y_true` must be one class number per row of `y_pred`; one-hot rows need the categorical kind. "
            f"Received: y_true of shape {y_true.shape} and y_pred of shape {y_pred.shape}."
        )
    return labels


def align_weights(name: str, weights: Any, shape: tuple[int, ...]) -> Array:
    """Broadcast weights to the shape of what they weight, axes matched from the left as in tf.keras.

    Weights of shape ``(n,)`` are weights of samples whatever the rank of `shape`; one last axis of length 1
    too many is dropped.
    """
    aligned = as_numbers(name, weights)
    if aligned.ndim == len(shape) + 1 and aligned.shape[-1] == 1:
        aligned = aligned[..., 0]
    aligned = aligned.reshape(aligned.shape + (1,) * (len(shape) - aligned.ndim))
    try:
        return np.broadcast_to(aligned, shape)
    except ValueError:
        remedy = "" if shape else " One-dimensional predictions are one sample: reshape them to (n, 1)."
        raise ValueError(
            f"`{name}` must fit the per-sample values of shape {shape}, its axes matched from the left. "
            f"Received: shape {np.shape(weights)}.{remedy}"
        ) from None


def _as_targets(y_true: Array, y_pred: Array) -> Array:
    check_same_shape(y_true, y_pred)
    return y_true.astype(y_pred.dtype, copy=False)


def _as_classes(labels: Array, n_classes: int) -> Array:
    wrong = labels[(labels < 0) | (labels >= n_classes) | (labels % 1 != 0)]
    if wrong.size:
        raise ValueError(f"`y_true` must hold class numbers in [0, {n_classes}). Received: {wrong.flat[0]}.")
    return labels.astype(np.int64)


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


_losses: NamedObjects[Loss] = NamedObjects("loss", Loss, wrap=FunctionLoss)
_losses.add(MeanSquaredError, "mse")
_losses.add(MeanAbsoluteError, "mae")
_losses.add(BinaryCrossentropy, "bce")
_losses.add(CategoricalCrossentropy)
_losses.add(SparseCategoricalCrossentropy)


def get(identifier: Any) -> Loss | None:
    """Return the loss that a name, config, class, instance or function stands for; None stays None.

    A plain function is accepted if ``function(y_true, y_pred)`` returns a pair: the losses per sample, and
    their gradient with respect to `y_pred` (see `Loss.per_sample`). Arbitrary code is not differentiated.

    Examples
    --------
    >>> get("mse").name, get("BCE").name
    ('mean_squared_error', 'binary_crossentropy')
    """
    return _losses.get(identifier)


deserialize = get
