"""The operations of a backend for arrays that live elsewhere: they are taken over, and results are brought back.

So layers of numpy arrays run unchanged around a table on a GPU, and a table on the host serves a batch on a GPU: what
crosses the bus are ids, rows and gradients of rows, never a table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import (
    backend_for,
    check_one_device,
    move_array,
    move_like,
    placement_of,
    retry_with_free_blocks,
)
from fastembed_layer.backends.contract import GroupedGradient, Operations
from fastembed_layer.backends.contract.types import Gradient, Step, TableState, Weight

Array = np.ndarray[Any, Any]

WRITTEN = {"out", "divisors", "argmax"}  # what lookups write to beside their result
ON_ONE_DEVICE = {"ids", "scales", *WRITTEN}  # offsets may be on the host


class Transfer(Operations):
    """The backend of a placement, reached from anywhere; results live where the ids of a call live.

    An operation that finds no memory is tried once more after the pool has released its free blocks. Those that write
    tables are not, since they may have begun to write.

    Parameters
    ----------
    home : str
        The placement at which the table, or what stands for it, lives.
    operations : Operations, optional
        What is called there; without it, the backend.
    """

    def __init__(self, home: str, operations: Operations | None = None):
        self.home = home
        self._backend: Operations = backend_for(home) if operations is None else operations

    def group_gradient(self, gradient: Gradient) -> GroupedGradient:
        return retry_with_free_blocks(self.home, lambda: self._backend.group_gradient(gradient.to(self.home)))

    def prepare_dense_update(self, parameter: Weight, gradient: Array, step: Step) -> Callable[[], None]:
        return self._backend.prepare_dense_update(parameter, move_array(gradient, self.home), step)

    def _look_up(self, operation: str, table: TableState, **given: Any) -> Array:
        ids = given["gradient"].ids if "gradient" in given else given["ids"]
        check_one_device(**{name: array for name, array in given.items() if name in ON_ONE_DEVICE})
        written = next((given[name] for name in WRITTEN & given.keys()), None)
        own = None if written is None else move_array(written, self.home)

        def run() -> Array:
            there = {name: own if thing is written else take(thing, self.home) for name, thing in given.items()}
            return getattr(self._backend, operation)(table, **there)

        result = retry_with_free_blocks(self.home, run)
        if written is None or own is None or own is written:
            return move_like(result, ids)
        backend_for(placement_of(written)).copy_into(written, move_like(own, written))
        return written if result is own else move_like(result, ids)

    def _arrange(self, operation: str, *given: Any) -> Any:
        where = placement_of(getattr(given[0], "ids", given[0]))
        return getattr(backend_for(where), operation)(*[take(thing, where) for thing in given])

    def _write(self, operation: str, *given: Any) -> Any:
        return getattr(self._backend, operation)(*given)


def take(thing: Any, placement: str) -> Any:
    """Return an array or a gradient at a placement; names and numbers are everywhere."""
    if thing is None or isinstance(thing, str):
        return thing
    return thing.to(placement) if hasattr(thing, "with_ids") else move_array(thing, placement)
