"""How targets, predictions and weights are brought to fitting shapes, by the rules of Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_array, to_cpu

Array = np.ndarray[Any, Any]

# Keras's epsilon(): the bound of probabilities whose logarithm is taken, and of what is divided by.
EPSILON = 1e-7


def as_numbers(name: str, values: Any) -> Array:
    """Return the argument called `name` as an array of booleans, integers or floats, else TypeError."""
    numbers = to_cpu(as_array(values))
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


def check_axis(axis: Any) -> int:
    """Return an axis, or raise."""
    if not isinstance(axis, int | np.integer) or isinstance(axis, bool):
        raise TypeError(f"`axis` must be an integer. Received: axis={axis!r} (of type {type(axis).__name__}).")
    return int(axis)


def as_targets(y_true: Array, y_pred: Array) -> Array:
    check_same_shape(y_true, y_pred)
    return y_true.astype(y_pred.dtype, copy=False)


def sum_last_axis(values: Array) -> Array:
    return np.asarray(np.sum(values, axis=-1, dtype=np.float64))


def mean_last_axis(values: Array) -> Array:
    return np.asarray(sum_last_axis(values) / max(values.shape[-1], 1))
