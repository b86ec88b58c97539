"""Ids as callers pass them, and the integers that kernels take: nothing is rounded, nothing wraps around."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_contiguous, is_on_host
from fastembed_layer.inputs.ragged import Ragged

Array = np.ndarray[Any, Any]

KERNEL_TYPES = (np.dtype(np.int64), np.dtype(np.int32))
EXACT_BELOW = {"float16": 2**11, "float32": 2**24, "float64": 2**53}


def normalise_ids(inputs: Any, layer_name: str) -> Array | Ragged:
    """Return ids as a C-contiguous int32 or int64 array of the same shape, or as a `Ragged` of them.

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
    if type(inputs) is np.ndarray and inputs.dtype in KERNEL_TYPES and inputs.flags.c_contiguous:
        return inputs  # nothing to do, and small batches feel every microsecond
    if not is_on_host(inputs):
        return _as_kernel_type(inputs, layer_name)
    if isinstance(inputs, Ragged):
        return Ragged(_as_integers(inputs.values, layer_name), inputs.offsets)
    if Ragged.describes(inputs):
        return normalise_ids(Ragged.from_lists(inputs), layer_name)
    return _as_integers(np.asarray(inputs), layer_name)


def describe_position(position: int, shape: tuple[int, ...]) -> str:
    """Write a flat position as an index of an array of `shape`: ``[1,2]``, and nothing for a single id."""
    return f"[{','.join(str(index) for index in np.unravel_index(position, shape))}]" if shape else ""


def _as_integers(ids: Array, layer_name: str) -> Array:
    if ids.dtype.kind == "f":
        _refuse_inexact(ids, layer_name)
        return np.ascontiguousarray(ids, np.int64).reshape(ids.shape)
    return _as_kernel_type(ids, layer_name)


def _as_kernel_type(ids: Array, layer_name: str) -> Array:
    """Return integers of a type that kernels take, where they live."""
    if ids.dtype.kind not in "iu":
        raise TypeError(
            f"The ids of the layer {layer_name!r} must be integers. Received: an array of dtype {ids.dtype}."
        )
    if ids.dtype == np.uint64:  # beyond int64 no table has rows: still out of range after the clip
        ids = np.minimum(ids, np.uint64(np.iinfo(np.int64).max))
    wide = np.int32 if np.can_cast(ids.dtype, np.int32) else np.int64
    return as_contiguous(ids.astype(wide, copy=False)).reshape(ids.shape)


def _refuse_inexact(ids: Array, layer_name: str) -> None:
    limit = EXACT_BELOW.get(ids.dtype.name, 2**53)
    exact = (np.abs(ids) < limit) & (np.floor(ids) == ids)
    if not exact.all():
        position = int(np.argmin(exact))
        raise TypeError(
            f"The ids of the layer {layer_name!r} must be integers; {ids.dtype} ids are taken only where they are "
            f"whole numbers below {limit}, which the type holds exactly. Pass an integer array. "
            f"Received: indices{describe_position(position, ids.shape)} = {ids.reshape(-1)[position]!s}."
        )
