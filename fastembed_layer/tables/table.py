"""`Table`: the parameter whose rows ids select."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastembed_layer.backends.arrays import (
    allocate,
    backend_for,
    copy_blocks,
    placement_of,
)
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.inputs.foreign import read_foreign
from fastembed_layer.placement.devices import check_device
from fastembed_layer.placement.memory import describe_lack, estimate_memory
from fastembed_layer.tables.guard import change
from fastembed_layer.tables.idle_rows import IdleRows
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.row_cache import make_cache
from fastembed_layer.tables.row_indexing import read_rows

if TYPE_CHECKING:
    from fastembed_layer.tables.row_cache import RowCache
    from fastembed_layer.tables.row_rates import RowRates
    from fastembed_layer.tables.running_squares import RunningSquares

Array = np.ndarray[Any, Any]


class Table(Parameter):
    """The ``(input_dim, output_dim)`` matrix of an embedding layer.

    Parameters
    ----------
    value : ndarray of float32 or float64, shape (input_dim, output_dim)
        C-contiguous and aligned; it is kept, not copied, and the table lives where it lives. One that may not be
        written is looked up, and not trained.
    name : str
        Name of the weight.
    trainable : bool
        Whether optimizers are handed this table.

    Attributes
    ----------
    row_rates : RowRates or None
        Rows that do not train, or not at the full rate. Replaced by another, it takes effect with the next step.
    device_is_chosen : bool
        Whether the caller has chosen where it lives. If not, it moves to the CPU when memory does not suffice.
    squares : RunningSquares or None
        The sum of its squares, where an L2 penalty has asked for it.
    cache : RowCache or None
        Its cache on a GPU, which `cache_rows` makes.
    """

    cache: RowCache | None = None

    def __init__(self, value: Array, name: str = "embeddings", trainable: bool = True):
        if value.ndim != 2 or not value.flags.c_contiguous or not getattr(value.flags, "aligned", True):
            raise ValueError(
                "`value` of a table must be a C-contiguous, aligned matrix. "
                f"Received: shape {value.shape}, strides {value.strides}."
            )
        super().__init__(value, name, trainable)
        self.placement = placement_of(value)
        self.device_is_chosen = False
        self.idle: IdleRows | None = None
        self.row_rates: RowRates | None = None
        self.squares: RunningSquares | None = None

    @property
    def value(self) -> Array:
        """The matrix itself, after every idle row has been brought up to date."""
        self.finish()
        self.squares = None  # the caller may write into it
        return self.array

    def finish(self) -> None:
        """Bring all idle rows up to date, in one parallel pass over the table; without idle rows nothing is done."""
        if self.idle is not None and not self.idle.is_finished:
            change(self.guard, self._finish_rows)
        self.write_back()

    def _finish_rows(self) -> None:
        """Do the work of `finish`, unless another thread has done it meanwhile."""
        if self.idle is not None and not self.idle.is_finished:
            backend_of(self).finish_rows(self)
            self.idle.finished_at = self.idle.clock.now

    def write_back(self) -> Array:
        """Copy back what the cache holds and empty it, so that the arrays of table and optimizer may be used.

        Returns
        -------
        array : ndarray, shape (input_dim, output_dim)
            The matrix; idle rows may be behind `value`.
        """
        if self.cache is not None:
            self.cache.write_back()
        return self.array

    def cache_rows(self, device: str, n_rows: int, policy: str = "lru") -> RowCache:
        """Keep rows of a table on the host on a GPU, as `PlacedLayer.cache_rows` says; an earlier cache ends."""
        cache = make_cache(self, device, n_rows, policy)
        self.drop_cache()
        self.cache = cache
        return cache

    def drop_cache(self) -> None:
        """End the cache: what has been trained is copied back to the host. Without one nothing is done."""
        self.write_back()
        if self.cache is not None:
            left, self.cache = self.cache.placement, None
            backend_for(left).release_blocks()

    def to(self, device: str) -> Table:
        """Move the table, with what an optimizer keeps of it; training goes on as if nothing had happened.

        Arrays that were taken from `value` before stay where they were. No other thread may use the table meanwhile.

        Parameters
        ----------
        device : str
            Such as ``"gpu:0"`` or ``"cpu:0"``.

        Returns
        -------
        table : Table
            The table itself.

        Raises
        ------
        ValueError
            If no such device can be used.
        MemoryError
            If it does not fit there; the message holds the sum, and the table stays where it is.
        """
        placement = check_device(device)
        if placement != self.placement:
            slot_bytes = 0 if self.idle is None else self.idle.nbytes
            estimate = estimate_memory(self.array.shape, self.dtype, placement, slot_bytes)
            try:
                if not estimate.fits:
                    raise MemoryError
                self.move(placement)
            except MemoryError as error:
                raise MemoryError(describe_lack(f"the weight {self.name!r}", estimate)) from error
        self.device_is_chosen = True
        return self

    def move(self, placement: str) -> None:
        """Move the table without further checks; everything stays where it was if memory does not suffice."""
        change(self.guard, lambda: self._move(placement))

    def _move(self, placement: str) -> None:
        array = allocate(self.shape, self.dtype, placement)
        copy_blocks(array, self.write_back())
        if self.idle is not None:
            self.idle.move(placement)
        self.drop_cache()
        left, self.array, self.placement = self.placement, array, placement
        backend_for(left).release_blocks()

    def __getitem__(self, key: Any) -> Any:
        """Return a copy of some rows, as numpy's indexing of `value` does, at the cost of these rows."""
        key = read_foreign(key)
        found = read_rows(key, self.shape, lambda ids: backend_of(self).gather_rows(self, ids))
        return super().__getitem__(key) if found is None else found

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or what is written to a file, has no cache."""
        self.write_back()
        return {**super().__getstate__(), "cache": None}

    @property
    def input_dim(self) -> int:
        """Number of rows, the size of the vocabulary."""
        return int(self.array.shape[0])

    @property
    def output_dim(self) -> int:
        """Number of columns, the size of a vector."""
        return int(self.array.shape[1])
