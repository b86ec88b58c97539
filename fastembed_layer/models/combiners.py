"""How the rows of a bag are combined: the factor of each, and the bag it belongs to."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

COMBINERS = ("sum", "mean", "sqrtn")


def find_scales(combiner: str, offsets: Array, kept: Array | None, dtype: Any) -> Array | None:
    """Return the factor of each row of bags, or None where all are 1; `kept` tells which rows count, None all."""
    if kept is None and combiner == "sum":
        return None
    scales = np.ones(offsets[-1], dtype) if kept is None else kept.astype(dtype)
    if combiner == "sum":
        return scales
    totals = np.concatenate([[0], np.cumsum(scales, dtype=np.float64)])
    counts = np.maximum(totals[offsets[1:]] - totals[offsets[:-1]], 1)
    divisors = counts if combiner == "mean" else np.sqrt(counts)
    return scales / np.repeat(divisors, np.diff(offsets)).astype(scales.dtype)


def find_owners(offsets: Array) -> Array:
    """Return, for each position, the bag that it belongs to."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
