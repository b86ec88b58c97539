"""The operations on a table that has a cache: those of the device, on the rows in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from fastembed_layer.backends.arrays import backend_for, move_array
from fastembed_layer.backends.contract import Gradient, GroupedGradient, Operations, TableState, Weight
from fastembed_layer.backends.transfer import Transfer

if TYPE_CHECKING:
    from fastembed_layer.tables.row_cache.cache import RowCache

Array = np.ndarray[Any, Any]


class PlacedGradient(NamedTuple):
    """A gradient whose ids are locations, grouped by the device, and when that was."""

    grouped: GroupedGradient
    generation: int


class LocationOperations(Operations):
    """Operations on arrays of the device: ids become locations of the cache, and the device's operations do the rest.

    What does not touch the table is the device's alone.

    Parameters
    ----------
    cache : RowCache
        The cache.
    """

    def __init__(self, cache: RowCache):
        self._cache = cache
        self._backend = backend_for(cache.placement)

    def gather_rows(self, table: TableState, ids: Array, out: Array | None = None) -> Array:
        with self._cache.lock:
            locations = self._look_up(table, ids)
            return self._backend.gather_rows(self._cache.stand_in(table), locations, out)

    def gather_bags(
        self,
        table: TableState,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "sum",
        divisors: Array | None = None,
    ) -> Array:
        with self._cache.lock:
            locations = self._look_up(table, ids)
            twin = self._cache.stand_in(table)
            return self._backend.gather_bags(twin, locations, offsets, scales, combiner, divisors)

    def gather_max(
        self,
        table: TableState,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "max",
        argmax: Array | None = None,
    ) -> Array:
        with self._cache.lock:
            locations = self._look_up(table, ids)
            twin = self._cache.stand_in(table)
            return self._backend.gather_max(twin, locations, offsets, scales, combiner, argmax)

    def dot_rows(self, table: TableState, gradient: Gradient) -> Array:
        with self._cache.lock:
            self._cache.follow(table)
            placed = gradient.with_ids(self._cache.admit(gradient.ids), self._cache.columns.room)
            return self._backend.dot_rows(self._cache.stand_in(table), placed)

    def find_locations(self, tags: Array, stamps: Array, ids: Array, input_dim: int, tick: int | None = None) -> Array:
        return self._backend.find_locations(tags, stamps, ids, input_dim, tick)

    def offset_ids(self, ids: Array, columns: Array, row_offsets: Array, input_dims: Array) -> Array:
        return self._backend.offset_ids(ids, columns, row_offsets, input_dims)

    def offset_bags(self, values: Array, offsets: Array, row_offsets: Array, input_dims: Array) -> tuple[Array, Array]:
        return self._backend.offset_bags(values, offsets, row_offsets, input_dims)

    def group_gradient(self, gradient: Gradient) -> GroupedGradient:
        """Bring the rows into the cache already here, so that what can fail does so before anything is written."""
        with self._cache.lock:
            keys: Any = self._locate(gradient)
            return GroupedGradient(gradient, keys)

    def sum_duplicates(self, gradient: Gradient) -> tuple[Array, Array]:
        return self._backend.sum_duplicates(gradient)

    def update_rows(
        self,
        table: TableState,
        grouped: GroupedGradient,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        decay_factor: float = 1.0,
    ) -> None:
        self.prepare_update(table, grouped, rule, slots, scalars, decay_factor)()

    def prepare_update(
        self,
        table: TableState,
        grouped: GroupedGradient,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        decay_factor: float = 1.0,
    ) -> Callable[[], None]:
        """Prepare the update of the rows where they are; if a lookup moves them before the call, it is made anew."""

        def prepare(placed: PlacedGradient) -> Callable[[], None]:
            own = [self._cache.part_of(slot) for slot in slots]
            twin = self._cache.stand_in(table)
            return self._backend.prepare_update(twin, placed.grouped, rule, own, scalars, decay_factor)

        with self._cache.lock:
            self._cache.follow(table, slots)
            placed = self._keep_located(grouped)
            update = prepare(placed)

        def write() -> None:
            with self._cache.lock:
                if placed.generation == self._cache.generation:
                    present, call = placed, update
                else:
                    self._cache.follow(table, slots)
                    present = self._locate(grouped.gradient)
                    call = prepare(present)
                call()
                self._cache.note_update(present.grouped.gradient.ids)

        return write

    def finish_rows(self, table: TableState) -> None:
        with self._cache.lock:
            self._cache.follow(table)
            self._cache.pass_through(
                lambda rows: self._backend.finish_rows(self._cache.stand_in(table, rows.stop - rows.start))
            )

    def update_dense(
        self,
        parameter: Weight,
        gradient: Array,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        decay_factor: float = 1.0,
    ) -> None:
        table = cast(TableState, parameter)

        def update(rows: slice) -> None:
            count = rows.stop - rows.start
            own = [self._cache.part_of(slot, count) for slot in slots]
            values = move_array(gradient[rows], self._cache.placement)
            self._backend.update_dense(self._cache.stand_in(table, count), values, rule, own, scalars, decay_factor)

        with self._cache.lock:
            self._cache.follow(table, slots)
            self._cache.pass_through(update)

    def fill_random(
        self, out: Array, seed: int, distribution: str, scalars: tuple[float, float], first_row: int = 0
    ) -> None:
        self._backend.fill_random(out, seed, distribution, scalars, first_row)

    def _look_up(self, table: TableState, ids: Array) -> Array:
        """Return the locations of the ids of a lookup."""
        self._cache.follow(table)
        return self._cache.admit(ids, is_lookup=True)

    def _keep_located(self, grouped: GroupedGradient) -> PlacedGradient:
        """Return a grouped gradient with the locations that it was grouped by, or with the present ones."""
        placed: Any = grouped.keys
        return placed if placed.generation == self._cache.generation else self._locate(grouped.gradient)

    def _locate(self, gradient: Gradient) -> PlacedGradient:
        """Return a gradient with locations for ids, grouped."""
        placed = gradient.with_ids(self._cache.admit(gradient.ids), self._cache.columns.room)
        return PlacedGradient(self._backend.group_gradient(placed), self._cache.generation)


class CachedRows(Transfer):
    """The operations on a table with a cache, reached from anywhere.

    Parameters
    ----------
    cache : RowCache
        The cache.
    """

    def __init__(self, cache: RowCache):
        super().__init__(cache.placement, LocationOperations(cache))

    def update_dense(
        self,
        parameter: Weight,
        gradient: Array,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        decay_factor: float = 1.0,
    ) -> None:
        """A gradient of the table's size stays where it is, and is copied with the rows, block by block."""
        self._backend.update_dense(parameter, gradient, rule, slots, scalars, decay_factor)
