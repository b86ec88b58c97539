"""Every operation of a backend, documented here and nowhere else.

Arrays are numpy arrays on the CPU backend. `ids` are one-dimensional, contiguous, int32 or int64. A table is read
and written through ``table.storage``, and where ``table.idle`` is set, rows count as they are after their idle steps.
No operation creates an array of the table's shape.

What reads tables is in `lookups.py`, what writes them in `updates.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastembed_layer.backends.contract.lookups import Lookups
from fastembed_layer.backends.contract.updates import Updates

if TYPE_CHECKING:
    from fastembed_layer.row_gradient import RowGradient

Array = np.ndarray[Any, Any]


class IdsOutOfRangeError(IndexError):
    """Some id is not a row of the table.

    Attributes
    ----------
    position : int
        Where the first such id stands in the flat ids.
    """

    def __init__(self, position: int, value: int, input_dim: int):
        super().__init__(f"indices[{position}] = {value} is not in [0, {input_dim})")
        self.position = position


class GroupedGradient(NamedTuple):
    """A row gradient whose ids have been checked and sorted: `keys` hold ids and positions in the backend's way."""

    gradient: RowGradient
    keys: Array


class Backend(Lookups, Updates):
    """The operations on tables and row gradients: all that a backend has to have."""
