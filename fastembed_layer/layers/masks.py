"""Masks travel beside the arrays they belong to, as Keras's do on its tensors.

A numpy array takes no attributes, so a table keyed by identity holds the mask for as long as the array lives.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_masks: dict[int, tuple[weakref.ref[Array], Array]] = {}


def attach_mask(array: Array, mask: Array | None) -> None:
    """Let later layers find `mask` with this very array; None attaches nothing."""
    if mask is None:
        return
    identity = id(array)
    _masks[identity] = (weakref.ref(array, lambda _: _masks.pop(identity, None)), mask)


def mask_of(array: Any) -> Array | None:
    """Return the mask that came with an array, or None."""
    reference, mask = _masks.get(id(array), (None, None))
    return mask if reference is not None and reference() is array else None


def check_mask_list(inputs: Any, mask: Any) -> None:
    """Raise, in Keras's words, unless a layer of several inputs was given one mask, or None, for each of them."""
    if not isinstance(mask, list | tuple):
        raise ValueError(f"`mask` should be a list. Received: mask={mask!r}.")
    if not isinstance(inputs, list | tuple):
        raise ValueError(f"`inputs` should be a list. Received: inputs={inputs!r}.")
    if len(mask) != len(inputs):
        raise ValueError(
            "The lists `inputs` and `mask` should have the same length. "
            f"Received: {len(inputs)} inputs and {len(mask)} masks."
        )
