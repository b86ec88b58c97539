"""What an optimizer is handed, pairs of gradients and parameters: merging, checking, grouping."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_array, move_like
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.backends.foreign import is_foreign, is_torch
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient, PenalisedGradient
from fastembed_layer.tables.row_gradient import RowGradient

Array = np.ndarray[Any, Any]
Pairs = list[tuple[Parameter, Gradient]]

ROW_GRADIENTS = (RowGradient, PenalisedGradient)  # a union would be built anew at every step


def merge_pairs(pairs: Iterable[tuple[Gradient | None, Parameter]]) -> Pairs:
    """Return each parameter once with the sum of its gradients; parameters without one are left out.

    Raises
    ------
    TypeError
        If something else is in the place of a gradient or a parameter.
    ValueError
        If there are parameters, and none has a gradient.
    """
    merged: dict[Parameter, Gradient] = {}
    count = 0
    for count, (gradient, parameter) in enumerate(pairs, 1):  # noqa: B007
        gradient = _read_foreign(gradient, parameter)
        _check_kinds(gradient, parameter)
        if gradient is not None:
            known = merged.get(parameter)
            merged[parameter] = gradient if known is None else known + gradient
    if count and not merged:
        raise ValueError(
            f"No gradients provided for any variable. Received: {count} weights, all with None for a gradient; a "
            "gradient is None where the loss does not depend on the weight."
        )
    return list(merged.items())


def _read_foreign(gradient: Any, parameter: Any) -> Any:
    """Return a gradient of another library as an array, and a sparse one as a `RowGradient`, on the same memory."""
    kind = type(gradient)
    if gradient is None or kind is np.ndarray or isinstance(gradient, ROW_GRADIENTS):
        return gradient
    if is_torch(kind) and gradient.is_sparse:
        return _read_coo(gradient)
    if hasattr(kind, "dense_shape"):  # `tf.IndexedSlices`
        return RowGradient(as_array(gradient.indices), as_array(gradient.values), parameter.shape)
    return as_array(gradient) if is_foreign(kind) else gradient


def _read_coo(gradient: Any) -> RowGradient:
    """Return a sparse tensor of PyTorch, ids and a vector for each, as a row gradient."""
    if gradient.dim() != 2 or gradient.sparse_dim() != 1:
        raise TypeError(
            "A sparse gradient must be a matrix with one sparse dimension: ids, and a vector for each. "
            f"Received: {gradient.sparse_dim()} of {gradient.dim()} dimensions. `gradient.to_sparse(1)` makes one of a "
            "dense gradient."
        )
    shape = (int(gradient.shape[0]), int(gradient.shape[1]))
    return RowGradient(as_array(gradient._indices()[0]), as_array(gradient._values()), shape)


def _check_kinds(gradient: Any, parameter: Any) -> None:
    if not isinstance(parameter, Parameter):
        raise TypeError(
            "`grads_and_vars` must hold pairs of a gradient and a weight, in this order. "
            f"Received: {type(parameter).__name__} as the weight."
        )
    if gradient is None or isinstance(gradient, ROW_GRADIENTS):
        return
    dtype = getattr(gradient, "dtype", None)
    if getattr(dtype, "kind", None) != "f":
        raise TypeError(
            f"The gradient of the weight {parameter.name!r} must be an array of floats or a RowGradient. "
            f"Received: {type(gradient).__name__}{'' if dtype is None else f' of dtype {dtype}'}."
        )


def check_pair(parameter: Parameter, gradient: Gradient) -> None:
    """Raise unless a parameter can be written and its gradient has its shape."""
    if not parameter.is_writable:
        raise ValueError(
            f"The weight {parameter.name!r} must be writable to be trained. Received: a read-only array. Keep it "
            "out of training with `trainable = False` on its layer, or train a copy of it."
        )
    if gradient.shape != parameter.shape:
        raise ValueError(
            f"The gradient of the weight {parameter.name!r} must have its shape, {parameter.shape}. "
            f"Received: {gradient.shape}."
        )


def values_of(gradient: Gradient) -> Array:
    """Return the numbers of a gradient; of vectors that ids share, those that some id refers to."""
    if isinstance(gradient, PenalisedGradient):
        gradient = gradient.rows
    if not isinstance(gradient, RowGradient):
        return gradient
    if gradient.sources is None:
        return gradient.values
    used = move_like(np.zeros(len(gradient.values), bool), gradient.values)
    used[gradient.sources] = True
    return gradient.values if used.all() else gradient.values[used]


def is_finite(gradient: Gradient) -> bool:
    """Tell whether a gradient is free of NaN and infinity."""
    return bool(np.isfinite(values_of(gradient)).all())


def check_finite(pairs: Pairs) -> None:
    """Raise for the first gradient with NaN or infinity."""
    for parameter, gradient in pairs:
        if not is_finite(gradient):
            values = values_of(gradient)
            raise ValueError(
                f"The gradient of the weight {parameter.name!r} must be finite with check_numerics=True. Received: "
                f"{int(np.isnan(values).sum())} NaN and {int(np.isinf(values).sum())} infinite of {values.size} values."
            )


def group_ids(parameter: Parameter, gradient: Gradient) -> Any:
    """Check and sort the ids of a row gradient; a dense gradient stays as it is."""
    if not isinstance(gradient, RowGradient):
        return gradient
    return backend_of(parameter, gradient.ids).group_gradient(gradient)
