"""The operations of a backend for arrays that live elsewhere: they are taken over, and results are brought back.

So layers of numpy arrays run unchanged around a table on a GPU, and a table on the host serves a batch on a GPU: what
crosses the bus are ids, rows and gradients of rows, never a table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from fastembed_layer.backends.contract.types import Gradient, TableState, Weight

Array = np.ndarray[Any, Any]


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

    def gather_rows(self, table: TableState, ids: Array, out: Array | None = None) -> Array:
        check_one_device(ids=ids, out=out)
        return self._run(lambda given, rows: self._backend.gather_rows(table, given, rows), ids, out)

    def gather_bags(
        self,
        table: TableState,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "sum",
        divisors: Array | None = None,
    ) -> Array:
        check_one_device(ids=ids, scales=scales, divisors=divisors)
        bounds, factors = move_array(offsets, self.home), self._take(scales)
        return self._run(
            lambda given, out: self._backend.gather_bags(table, given, bounds, factors, combiner, out), ids, divisors
        )

    def gather_max(
        self,
        table: TableState,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "max",
        argmax: Array | None = None,
    ) -> Array:
        check_one_device(ids=ids, scales=scales, argmax=argmax)
        bounds, factors = move_array(offsets, self.home), self._take(scales)
        return self._run(
            lambda given, out: self._backend.gather_max(table, given, bounds, factors, combiner, out),
            ids,
            argmax,
        )

    def dot_rows(self, table: TableState, gradient: Gradient) -> Array:
        return self._run(lambda ids, out: self._backend.dot_rows(table, gradient.to(self.home)), gradient.ids, None)

    def find_locations(self, tags: Array, stamps: Array, ids: Array, input_dim: int, tick: int | None = None) -> Array:
        return self._run(lambda given, _: self._backend.find_locations(tags, stamps, given, input_dim, tick), ids, None)

    def offset_ids(self, ids: Array, columns: Array, row_offsets: Array, input_dims: Array) -> Array:
        own = (move_like(array, ids) for array in (columns, row_offsets, input_dims))
        return backend_for(placement_of(ids)).offset_ids(ids, *own)

    def offset_bags(self, values: Array, offsets: Array, row_offsets: Array, input_dims: Array) -> tuple[Array, Array]:
        own = (move_like(array, values) for array in (offsets, row_offsets, input_dims))
        return backend_for(placement_of(values)).offset_bags(values, *own)

    def group_gradient(self, gradient: Gradient) -> GroupedGradient:
        return retry_with_free_blocks(self.home, lambda: self._backend.group_gradient(gradient.to(self.home)))

    def sum_duplicates(self, gradient: Gradient) -> tuple[Array, Array]:
        return backend_for(placement_of(gradient.ids)).sum_duplicates(gradient)

    def update_rows(
        self,
        table: TableState,
        grouped: GroupedGradient,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        decay_factor: float = 1.0,
    ) -> None:
        self._backend.update_rows(table, grouped, rule, slots, scalars, decay_factor)

    def prepare_update(
        self,
        table: TableState,
        grouped: GroupedGradient,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        decay_factor: float = 1.0,
    ) -> Callable[[], None]:
        return self._backend.prepare_update(table, grouped, rule, slots, scalars, decay_factor)

    def prepare_dense_update(
        self,
        parameter: Weight,
        gradient: Array,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        decay_factor: float = 1.0,
    ) -> Callable[[], None]:
        own = move_array(gradient, self.home)
        return self._backend.prepare_dense_update(parameter, own, rule, slots, scalars, decay_factor)

    def finish_rows(self, table: TableState) -> None:
        self._backend.finish_rows(table)

    def update_dense(
        self,
        parameter: Weight,
        gradient: Array,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        decay_factor: float = 1.0,
    ) -> None:
        self._backend.update_dense(parameter, move_array(gradient, self.home), rule, slots, scalars, decay_factor)

    def fill_random(
        self, out: Array, seed: int, distribution: str, scalars: tuple[float, float], first_row: int = 0
    ) -> None:
        self._backend.fill_random(out, seed, distribution, scalars, first_row)

    def _run(self, operation: Callable[[Array, Array | None], Array], ids: Array, written: Array | None) -> Array:
        """Run a lookup on ids, and what it has to write, at home; both results live where they were asked for."""
        own = None if written is None else move_array(written, self.home)
        result = retry_with_free_blocks(self.home, lambda: operation(move_array(ids, self.home), own))
        if written is None or own is None or own is written:
            return move_like(result, ids)
        backend_for(placement_of(written)).copy_into(written, move_like(own, written))
        return written if result is own else move_like(result, ids)

    def _take(self, array: Array | None) -> Array | None:
        return None if array is None else move_array(array, self.home)
