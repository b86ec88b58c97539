"""Positions in arrays of ids, as messages write them."""

from __future__ import annotations

import numpy as np


def describe_position(position: int, shape: tuple[int, ...]) -> str:
    """Write a flat position as an index of an array of `shape`: ``[1,2]``, and nothing for a single id."""
    return f"[{','.join(str(index) for index in np.unravel_index(position, shape))}]" if shape else ""
