"""Inputs that are arrays of other libraries, alone, in a list or in a dict, and ragged ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastembed_layer.backends.arrays import as_array
from fastembed_layer.backends.foreign import is_foreign, is_torch
from fastembed_layer.inputs.ragged import Ragged


def read_foreign(inputs: Any, is_weight: bool = False) -> Any:
    """Return inputs with arrays where they live in place of other libraries', on the same memory; others as they are.

    Parameters
    ----------
    inputs : Any
        Also a list, tuple or dict of arrays. A ragged tensor of TensorFlow and a nested one of PyTorch become a
        `Ragged`.
    is_weight : bool
        Whether the numbers become weights; see `as_array`.
    """
    if isinstance(inputs, Mapping):
        return {name: read_foreign(part, is_weight) for name, part in inputs.items()}
    if isinstance(inputs, list | tuple):
        return _read_parts(inputs, is_weight)
    if _is_ragged(inputs):
        return _read_ragged(inputs)
    return as_array(inputs, is_weight) if is_foreign(type(inputs)) else inputs


def is_one_input(inputs: Any) -> bool:
    """Tell whether something is an array, or a ragged one, of another library."""
    return is_foreign(type(inputs)) or _is_ragged(inputs)


def _read_parts(inputs: Any, is_weight: bool) -> Any:
    """Read the parts of a list or tuple, if one of them has to be read; a list of numbers is only looked over."""
    if not any(is_foreign(kind) or hasattr(kind, "row_splits") for kind in set(map(type, inputs))):
        return inputs
    parts = [read_foreign(part, is_weight) for part in inputs]
    return inputs._make(parts) if hasattr(inputs, "_make") else type(inputs)(parts)


def _is_ragged(inputs: Any) -> bool:
    return hasattr(type(inputs), "row_splits") or (is_torch(type(inputs)) and inputs.is_nested)


def _read_ragged(inputs: Any) -> Ragged:
    """Return sequences of other libraries; values and offsets are theirs where they keep them so."""
    if not is_torch(type(inputs)):
        if inputs.ragged_rank != 1:
            raise TypeError(
                f"A ragged tensor must have one ragged axis, the second. Received: {inputs.ragged_rank} of them. "
                "`tensor.merge_dims(1, -1)` makes one of several."
            )
        return Ragged(inputs.values, inputs.row_splits)
    if str(inputs.layout) == "torch.jagged" and inputs.lengths() is None:
        return Ragged(inputs.values(), inputs.offsets())
    return Ragged.from_lists([as_array(part) for part in inputs.unbind()])
