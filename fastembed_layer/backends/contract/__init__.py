"""Every operation of a backend, documented here and nowhere else.

Arrays are those of the backend, numpy's on the CPU; only the series of clocks stay on the host, and the rates of rows
may.
`ids` are one-dimensional, contiguous, int32 or int64. A table is read and written through ``table.array``, and where
``table.idle`` is set, rows count as they are after their idle steps. No operation creates an array of the table's
shape.

What reads tables is in `lookups.py`, what writes them in `updates.py`, and what allocates and copies in `memory.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastembed_layer.backends.contract.lookups import Lookups
from fastembed_layer.backends.contract.memory import Memory
from fastembed_layer.backends.contract.updates import Updates

if TYPE_CHECKING:
    from fastembed_layer.tables.row_gradient import RowGradient

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


class Operations(Lookups, Updates):
    """The operations on tables and row gradients."""


class Backend(Operations, Memory):
    """The operations and the memory they work in: all that a backend has to have."""
