"""Every operation of a backend, documented here and nowhere else.

Arrays are those of the backend, numpy's on the CPU; only the series of clocks stay on the host, and the rates of rows
may.
`ids` are one-dimensional, contiguous, int32 or int64. A table is read and written through ``table.array``, and where
``table.idle`` is set, rows count as they are after their idle steps. No operation creates an array of the table's
shape.

What reads tables is in `lookups.py`, what writes them in `updates.py`, what allocates and copies in `memory.py`, what
belongs to caches of rows in `directories.py`, and what they are handed in `types.py`. How an operation gets to its
backend from elsewhere is its body here, see `hooks.py`.
"""

from __future__ import annotations

from fastembed_layer.backends.contract.directories import Directories
from fastembed_layer.backends.contract.lookups import Lookups
from fastembed_layer.backends.contract.memory import Memory
from fastembed_layer.backends.contract.types import (
    Gradient,
    GroupedGradient,
    IdsOutOfRangeError,
    Step,
    TableState,
    Weight,
)
from fastembed_layer.backends.contract.updates import Updates

__all__ = [
    "Backend",
    "Gradient",
    "GroupedGradient",
    "IdsOutOfRangeError",
    "Lookups",
    "Memory",
    "Operations",
    "Step",
    "TableState",
    "Updates",
    "Weight",
]


class Operations(Lookups, Updates):
    """The operations on tables and row gradients."""


class Backend(Operations, Directories, Memory):
    """The operations and the memory they work in: all that a backend has to have."""
