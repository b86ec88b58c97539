"""What the ranges of a launch tell about ids that are no rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.contract import IdsOutOfRangeError

Array = np.ndarray[Any, Any]


def first_bad(bad: list[int]) -> int | None:
    """Return the first bad position of what the ranges returned, each its own first one or -1; None without any."""
    return next(position for position in bad if position >= 0) if max(bad) >= 0 else None


def raise_for_bad_id(bad: list[int], ids: Array, input_dim: int) -> None:
    """Raise if a range has met an id that is not a row.

    Raises
    ------
    IdsOutOfRangeError
        With the first position.
    """
    first = first_bad(bad)
    if first is not None:
        raise IdsOutOfRangeError(first, int(ids[first]), input_dim)
