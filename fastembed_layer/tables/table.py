"""The weights of layers: `Parameter`, an array that is trained, and `Table`, the one whose rows ids select."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastembed_layer.backends.arrays import (
    HOST,
    allocate,
    backend_for,
    copy_blocks,
    is_on_host,
    move_array,
    placement_of,
    to_host,
)
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.placement.devices import check_device
from fastembed_layer.placement.memory import describe_lack, estimate_memory
from fastembed_layer.tables.guard import Guard, change
from fastembed_layer.tables.idle_rows import IdleRows
from fastembed_layer.tables.row_cache import make_cache
from fastembed_layer.tables.row_indexing import read_rows

if TYPE_CHECKING:
    from fastembed_layer.tables.row_cache import RowCache
    from fastembed_layer.tables.row_rates import RowRates
    from fastembed_layer.tables.running_squares import RunningSquares

Array = np.ndarray[Any, Any]


class Parameter:
    """A named array that an optimizer may train.

    Parameters
    ----------
    value : ndarray
        The array itself; it is kept, not copied.
    name : str
        Name of the weight, such as ``"kernel"``.
    trainable : bool
        Whether optimizers are handed this parameter.

    Attributes
    ----------
    array : ndarray
        The memory itself. For a table with a cache it may be behind `storage`.
    placement : str
        Where it lives.
    """

    placement = HOST
    constraint: Callable[[Array], Array] | None = None

    def __init__(self, value: Array, name: str = "parameter", trainable: bool = True):
        self.array = value
        self.name = name
        self.trainable = trainable
        self.guard = Guard()

    @property
    def storage(self) -> Array:
        """The array. For a table whose rows have been idle it may be behind `value`."""
        return self.array

    @property
    def is_writable(self) -> bool:
        """Whether the array may be written, and so trained."""
        return bool(getattr(self.array.flags, "writeable", True))

    @property
    def value(self) -> Array:
        """The array itself, up to date; optimizers write it in place, so `numpy` gives a snapshot."""
        return self.storage

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the array."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.array.size

    @property
    def nbytes(self) -> int:
        """Bytes of the array, slots of optimizers not counted."""
        return self.array.nbytes

    def settle(self) -> None:
        """Copy back what a cache holds; only tables have one."""

    def numpy(self) -> Array:
        """Return a copy of the current value."""
        return self.value.copy() if self.placement == HOST else move_array(self.value, HOST)

    def assign(self, value: Any) -> None:
        """Overwrite the array in place.

        Raises
        ------
        ValueError
            If the shape of `value` differs.
        """
        value = np.asarray(value) if is_on_host(value) else value
        if value.shape != self.shape:
            raise ValueError(
                f"`value` for the weight {self.name!r} must have the shape {self.shape}. Received: {value.shape}."
            )
        change(self.guard, lambda: self._overwrite(value))

    def _overwrite(self, value: Array) -> None:
        if self.placement == HOST:
            self.value[...] = to_host(value)
        else:
            copy_blocks(self.value, value.astype(self.dtype, copy=False))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(to_host(self.value), dtype=dtype, copy=copy)

    def __getitem__(self, key: Any) -> Any:
        """Return elements of the current value, as numpy indexing does; on a device they are copied to the host."""
        if self.placement == HOST:
            return self.value[key]
        return to_host(self.value[move_array(key, self.placement) if isinstance(key, np.ndarray) else key])

    def __len__(self) -> int:
        return len(self.array)

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or what is written to a file, has locks of its own."""
        return {name: value for name, value in vars(self).items() if name != "guard"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.guard = Guard()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.shape} {self.dtype} on {self.placement}>"


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
    def storage(self) -> Array:
        """The matrix, after a cache has been emptied. Idle rows may be behind `value`."""
        self.settle()
        return self.array

    @property
    def value(self) -> Array:
        """The matrix itself, after every idle row has been brought up to date."""
        self.finish()
        self.squares = None  # the caller may write into it
        return self.storage

    def finish(self) -> None:
        """Bring all idle rows up to date, in one parallel pass over the table; without idle rows nothing is done."""
        if self.idle is not None and not self.idle.is_finished:
            change(self.guard, self._finish_rows)
        self.settle()

    def _finish_rows(self) -> None:
        """Do the work of `finish`, unless another thread has done it meanwhile."""
        if self.idle is not None and not self.idle.is_finished:
            backend_of(self).finish_rows(self)
            self.idle.finished_at = self.idle.clock.now

    def settle(self) -> None:
        """Copy back what the cache holds and empty it, so that the arrays of table and optimizer may be used."""
        if self.cache is not None:
            self.cache.settle()

    def over(self, array: Array) -> Table:
        """Return a table of the same name over other memory, without idle rows, rates or a cache."""
        return Table(array, self.name, self.trainable)

    def cache_rows(self, device: str, n_rows: int, policy: str = "lru") -> RowCache:
        """Keep rows of a table on the host on a GPU, as `PlacedLayer.cache_rows` says; an earlier cache ends."""
        cache = make_cache(self, device, n_rows, policy)
        self.drop_cache()
        self.cache = cache
        return cache

    def drop_cache(self) -> None:
        """End the cache: what has been trained is copied back to the host. Without one nothing is done."""
        self.settle()
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
        storage = allocate(self.shape, self.dtype, placement)
        copy_blocks(storage, self.storage)
        if self.idle is not None:
            self.idle.move(placement)
        self.drop_cache()
        left, self.array, self.placement = self.placement, storage, placement
        backend_for(left).release_blocks()

    def __getitem__(self, key: Any) -> Any:
        """Return a copy of some rows, as numpy's indexing of `value` does, at the cost of these rows."""
        found = read_rows(key, self.shape, lambda ids: backend_of(self).gather_rows(self, ids))
        return super().__getitem__(key) if found is None else found

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or what is written to a file, has no cache."""
        self.settle()
        return {**super().__getstate__(), "cache": None}

    @property
    def input_dim(self) -> int:
        """Number of rows, the size of the vocabulary."""
        return int(self.array.shape[0])

    @property
    def output_dim(self) -> int:
        """Number of columns, the size of a vector."""
        return int(self.array.shape[1])
