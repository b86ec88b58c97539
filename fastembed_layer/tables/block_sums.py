"""Sums over whole arrays in float64, in a fixed order and without a widened copy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BLOCK = 1 << 16  # elements that are widened to float64 at a time: a table is never copied whole


def sum_blocks(function: Callable[..., Array], weights: Array) -> float:
    """Sum `function` of every element, in float64 and in a fixed order."""
    weights = np.atleast_1d(weights)
    step = max(1, BLOCK // max(1, math.prod(weights.shape[1:])))
    blocks = (weights[begin : begin + step] for begin in range(0, len(weights), step))
    return math.fsum(float(function(block, dtype=np.float64).sum()) for block in blocks)
