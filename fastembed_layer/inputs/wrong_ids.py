"""What to say about ids of a wrong kind: what was received, and how to make ids of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.inputs.positions import describe_position

Array = np.ndarray[Any, Any]

INTEGERS = (int, np.integer)
TEXTS = (str, bytes)
SEQUENCES = (list, tuple, set, frozenset, dict, np.ndarray)
MISSING_TYPES = ("NAType", "NaTType")  # of pandas, which is not imported to find out

WORDS_REMEDY = (
    "Give every word a number first: `number_of = {word: n for n, word in enumerate(vocabulary)}`, then "
    "`[number_of[word] for word in words]`; `np.unique(words, return_inverse=True)` numbers those of one array. "
    "Numbers that are written as text become ids by .astype('int64')."
)
MISSING_REMEDY = (
    "Give missing ids a number of their own, such as 0 with mask_zero=True: of a column of pandas, "
    "column.fillna(0).astype('int64')."
)
RAGGED_REMEDY = (
    "Sequences of different lengths are taken as a list of lists, ids.tolist(), or as Ragged.from_lists(ids); arrays "
    "of one length as np.stack(ids)."
)
NESTED_REMEDY = (
    "Ids are an array, a list of lists of integers (their lengths may differ), or a Ragged; lists nested deeper need "
    "one length on each level."
)
OUT_OF_INT64 = "No table has so many rows; hash such keys into a range first, for example key % input_dim."


def explain_wrong_kind(ids: Array, layer_name: str, received: Any = None) -> str:
    """Write the message for an array that holds no integers.

    Parameters
    ----------
    ids : ndarray
        The array, of another kind than integers and floats.
    layer_name : str
        The layer to name.
    received : optional
        What the caller passed, if that was no array.
    """
    rule = f"The ids of the layer {layer_name!r} must be integers."
    if is_category(received):
        return (
            f"{rule} Received: a categorical column of {ids.dtype}. Its codes are ids: column.cat.codes, or "
            "categorical.codes; -1 in them stands for a missing value."
        )
    what, remedy = _describe(ids)
    return f"{rule} Received: {what}. {remedy}".rstrip()


def explain_uneven(layer_name: str, error: Exception) -> str:
    """Write the message for nested lists of which numpy can make no array."""
    return (
        f"The ids of the layer {layer_name!r} must be integers, in lists of one form. "
        f"Received: nested lists of which numpy makes no array ({error}). {NESTED_REMEDY}"
    )


def is_category(inputs: Any) -> bool:
    """Tell whether `inputs` is a categorical column of pandas, whose codes are ids and whose values are not meant."""
    return getattr(getattr(inputs, "dtype", None), "name", None) == "category"


def _describe(ids: Array) -> tuple[str, str]:
    """What an array holds, and the remedy."""
    what = f"an array of dtype {ids.dtype}"
    if ids.dtype.kind == "O":
        return _describe_objects(ids)
    if ids.dtype.kind in "USaT":
        return f"{what}, which holds text{_first(ids, 0)}", WORDS_REMEDY
    if ids.dtype.kind == "b":
        return (
            what,
            "Pass ids.astype('int64') if 0 and 1 are ids, or np.flatnonzero(mask) for where a mask is True.",
        )
    return what, ""


def _describe_objects(ids: Array) -> tuple[str, str]:
    """Look for the first element that decides what is wrong: what is missing, text, a sequence, something else."""
    flat = ids.reshape(-1)
    what = "an array of dtype object"
    for position, value in enumerate(flat):
        if isinstance(value, INTEGERS) and not isinstance(value, bool):
            if not -(2**63) <= value < 2**63:
                return f"{what} with an integer beyond 64 bits{_first(ids, position)}", OUT_OF_INT64
            continue
        return f"{what} that holds {_kind_of(value)}{_first(ids, position)}", _remedy_for(value)
    return f"{what} that holds integers", "Pass ids.astype('int64')."


def _kind_of(value: Any) -> str:
    if _is_missing(value):
        return "a missing value"
    if isinstance(value, TEXTS):
        return "text"
    return "sequences" if isinstance(value, SEQUENCES) else f"a {type(value).__name__}"


def _remedy_for(value: Any) -> str:
    if _is_missing(value):
        return MISSING_REMEDY
    if isinstance(value, TEXTS):
        return WORDS_REMEDY
    if isinstance(value, SEQUENCES):
        return RAGGED_REMEDY
    return "Pass ids.astype('int64') if all of them are whole numbers." if isinstance(value, bool | float) else ""


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, float | np.floating) and value != value
    return value is None or is_nan or type(value).__name__ in MISSING_TYPES


def _first(ids: Array, position: int) -> str:
    """Name the element at a flat position, cut to a readable length; an array without elements has none."""
    if not ids.size:
        return ""
    text = repr(ids.reshape(-1)[position : position + 1].tolist()[0])
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return f" (indices{describe_position(position, ids.shape)} = {shown})"
