"""Ids as callers pass them, and the integers that kernels take: nothing is rounded, nothing wraps around."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_contiguous, is_on_cpu
from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.inputs.foreign import read_foreign
from fastembed_layer.inputs.positions import describe_position
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.inputs.wrong_ids import MISSING_REMEDY, explain_uneven, explain_wrong_kind, is_category
from fastembed_layer.kernels.dtypes import ID_TYPES

Array = np.ndarray[Any, Any]

LARGEST = np.iinfo(np.int64).max
EXACT_BELOW = {"float16": 2**11, "float32": 2**24, "float64": 2**53}


def normalise_ids(inputs: Any, layer_name: str) -> Array | Ragged:
    """Return ids as a C-contiguous int32 or int64 array of the same shape, or as a `Ragged` of them.

    Unsigned ids of which one is larger than int64 holds stay what they are, for `refuse_wide_ids` and for messages.

    Parameters
    ----------
    inputs : array_like, Ragged, or list of lists of different lengths
        Ids of any integer type; floats only when every one is a whole number that its type holds exactly. Ids on a
        GPU stay there; they must be integers.
    layer_name : str
        Named in errors.

    Raises
    ------
    TypeError
        For anything else, with the first value that is no id.
    """
    if type(inputs) is np.ndarray and inputs.dtype in ID_TYPES and inputs.flags.c_contiguous:
        return inputs  # nothing to do, and small batches feel every microsecond
    inputs = read_foreign(inputs)
    if not is_on_cpu(inputs):
        return _as_kernel_type(inputs, layer_name)
    if isinstance(inputs, Ragged):
        return Ragged(_as_integers(inputs.values, layer_name), inputs.offsets)
    if Ragged.describes(inputs):
        return normalise_ids(_as_ragged(inputs, layer_name), layer_name)
    return _as_integers(_as_array(inputs, layer_name), layer_name)


def _as_ragged(inputs: Any, layer_name: str) -> Ragged:
    try:
        return Ragged.from_lists(inputs)
    except ValueError as error:
        raise TypeError(explain_uneven(layer_name, error)) from error


def _as_array(inputs: Any, layer_name: str) -> Array:
    """Make an array of what is none; the values of a categorical column are not what is meant by it."""
    try:
        ids = np.asarray(inputs)
    except ValueError as error:
        raise TypeError(explain_uneven(layer_name, error)) from error
    if is_category(inputs):
        raise TypeError(explain_wrong_kind(ids, layer_name, inputs))
    return ids


def _as_integers(ids: Array, layer_name: str) -> Array:
    if ids.dtype.kind == "f":
        _refuse_inexact(ids, layer_name)
        return np.ascontiguousarray(ids, np.int64).reshape(ids.shape)
    return _as_kernel_type(ids, layer_name)


def _as_kernel_type(ids: Array, layer_name: str) -> Array:
    """Return integers of a type that kernels take, where they live."""
    if ids.dtype.kind not in "iu":
        raise TypeError(explain_wrong_kind(ids, layer_name))
    if _exceeds_int64(ids):
        return as_contiguous(ids.astype(np.uint64, copy=False)).reshape(ids.shape)
    wide = np.int32 if np.can_cast(ids.dtype, np.int32) else np.int64
    return as_contiguous(ids.astype(wide, copy=False)).reshape(ids.shape)


def _exceeds_int64(ids: Array) -> bool:
    """Tell whether unsigned ids are larger than any row can be; in either order of bytes."""
    return bool(ids.dtype.kind == "u" and ids.dtype.itemsize == 8 and ids.size and ids.max() > LARGEST)


def refuse_wide_ids(ids: Array, input_dim: int) -> None:
    """Raise for ids of a type that no kernel takes: those that are too large for int64, so that one is no row.

    Raises
    ------
    IdsOutOfRangeError
        With the first id that is too large.
    """
    if ids.dtype not in ID_TYPES:
        flat = ids.reshape(-1)
        position = int(np.argmax(flat > LARGEST))
        raise IdsOutOfRangeError(position, int(flat[position]), input_dim)


def join_ids(parts: Sequence[Array], join: Callable[[Sequence[Array]], Array]) -> Array:
    """Join arrays of ids; as objects where some are unsigned, since the common type of numpy would be a float."""
    if any(part.dtype == np.uint64 for part in parts):
        parts = [part.astype(object) for part in parts]
    return join(parts)


def _refuse_inexact(ids: Array, layer_name: str) -> None:
    limit = EXACT_BELOW.get(ids.dtype.name, 2**53)
    exact = (np.abs(ids) < limit) & (np.floor(ids) == ids)
    if not exact.all():
        position = int(np.argmin(exact))
        remedy = f" {MISSING_REMEDY}" if np.isnan(ids.reshape(-1)[position]) else ""
        raise TypeError(
            f"The ids of the layer {layer_name!r} must be integers; {ids.dtype} ids are taken only where they are "
            f"whole numbers below {limit}, which the type holds exactly. Pass an integer array. "
            f"Received: indices{describe_position(position, ids.shape)} = {ids.reshape(-1)[position]!s}.{remedy}"
        )
