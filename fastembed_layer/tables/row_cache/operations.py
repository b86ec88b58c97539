"""The operations on a table that has a cache: those of the device, on the rows in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from fastembed_layer.backends.arrays import backend_for, move_array
from fastembed_layer.backends.contract import Gradient, GroupedGradient, Operations, Step, TableState, Weight
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

    def group_gradient(self, gradient: Gradient) -> GroupedGradient:
        """Bring the rows into the cache already here, so that what can fail does so before anything is written."""
        with self._cache.lock:
            keys: Any = self._locate(gradient)
            return GroupedGradient(gradient, keys)

    def prepare_update(self, table: TableState, grouped: GroupedGradient, step: Step) -> Callable[[], None]:
        """Prepare the update of the rows where they are; if a lookup moves them before the call, it is made anew."""

        def prepare(placed: PlacedGradient) -> Callable[[], None]:
            own = step._replace(slots=[self._cache.part_of(slot) for slot in step.slots])
            return self._backend.prepare_update(self._cache.stand_in(table), placed.grouped, own)

        with self._cache.lock:
            self._cache.follow(table, step.slots)
            placed = self._keep_located(grouped)
            update = prepare(placed)

        def write() -> None:
            with self._cache.lock:
                if placed.generation == self._cache.generation:
                    present, call = placed, update
                else:
                    self._cache.follow(table, step.slots)
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

    def prepare_dense_update(self, parameter: Weight, gradient: Array, step: Step) -> Callable[[], None]:
        """Take the gradient to the device block by block, with the rows, when it is called."""
        table = cast(TableState, parameter)

        def update(rows: slice) -> None:
            count = rows.stop - rows.start
            own = step._replace(slots=[self._cache.part_of(slot, count) for slot in step.slots])
            values = move_array(gradient[rows], self._cache.placement)
            self._backend.update_dense(self._cache.stand_in(table, count), values, own)

        def write() -> None:
            with self._cache.lock:
                self._cache.follow(table, step.slots)
                self._cache.pass_through(update)

        return write

    def _look_up(self, operation: str, table: TableState, **given: Any) -> Array:
        with self._cache.lock:
            self._cache.follow(table)
            if "gradient" in given:
                given["gradient"] = self._with_locations(given["gradient"])
            else:
                given["ids"] = self._cache.admit(given["ids"], is_lookup=True)
            return getattr(self._backend, operation)(self._cache.stand_in(table), **given)

    def _arrange(self, operation: str, *given: Any) -> Any:
        return getattr(self._backend, operation)(*given)

    def _write(self, operation: str, *given: Any) -> Any:
        return getattr(self._backend, operation)(*given)

    def _keep_located(self, grouped: GroupedGradient) -> PlacedGradient:
        """Return a grouped gradient with the locations that it was grouped by, or with the present ones."""
        placed: Any = grouped.keys
        return placed if placed.generation == self._cache.generation else self._locate(grouped.gradient)

    def _locate(self, gradient: Gradient) -> PlacedGradient:
        """Return a gradient with locations for ids, grouped."""
        placed = self._with_locations(gradient)
        return PlacedGradient(self._backend.group_gradient(placed), self._cache.generation)

    def _with_locations(self, gradient: Gradient) -> Gradient:
        return gradient.with_ids(self._cache.admit(gradient.ids), self._cache.columns.room)


class CachedRows(Transfer):
    """The operations on a table with a cache, reached from anywhere.

    Parameters
    ----------
    cache : RowCache
        The cache.
    """

    def __init__(self, cache: RowCache):
        super().__init__(cache.placement, LocationOperations(cache))

    def prepare_dense_update(self, parameter: Weight, gradient: Array, step: Step) -> Callable[[], None]:
        """A gradient of the table's size stays where it is until its blocks are needed."""
        return self._backend.prepare_dense_update(parameter, gradient, step)
