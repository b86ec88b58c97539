"""`PlacedLayer`: a layer with tables, which live on a device and can be moved; and what they need there."""

from __future__ import annotations

from typing import Any, TypeVar

from fastembed_layer import optimizers
from fastembed_layer.checks import check_dimension
from fastembed_layer.initializers.base import checked_dtype
from fastembed_layer.layers.layer import Layer
from fastembed_layer.optimizers.step.slots import count_state_bytes
from fastembed_layer.placement.devices import DeviceChoice, check_device, current_choice, explain_lack_of_gpu
from fastembed_layer.placement.memory import MemoryEstimate, allocate_table, estimate_memory
from fastembed_layer.tables.table import Table

Self = TypeVar("Self", bound="PlacedLayer")


class PlacedLayer(Layer):
    """Base of the layers that have tables.

    Parameters
    ----------
    device : str, optional
        Where the tables go; by default the innermost open `device` scope, and without one the first GPU if they fit
        there, else the CPU.
    **keywords
        Those of `Layer`.
    """

    def __init__(self, device: str | None = None, **keywords: Any):
        super().__init__(**keywords)
        self.choice: DeviceChoice = current_choice(device)

    @property
    def placement(self) -> str:
        """Where the tables live, such as ``"cpu:0"``; before they are built, where they are to go if they fit."""
        tables = self.placed_tables()
        return tables[0].placement if tables else self.choice.device

    def placed_tables(self) -> list[Table]:
        """Return the tables that have been built."""
        return [weight for weight in self.weights if isinstance(weight, Table)]

    def make_table(self, shape: tuple[int, int], name: str, fill: float | None = None) -> Table:
        """Return a table, uninitialised or filled, where the layer is placed, or on the CPU if it does not fit there.

        Raises
        ------
        MemoryError
            If there is no memory for it; the message holds the estimate.
        """
        table = Table(allocate_table(shape, self.variable_dtype, self.name, self.choice, fill), name)
        table.device_is_chosen = self.choice.is_chosen
        return table

    def table_shapes(self) -> list[tuple[int, int]]:
        """Return the shapes of the tables, built or not."""
        raise NotImplementedError(f"{type(self).__name__} must list the shapes of its tables.")

    def to(self: Self, device: str) -> Self:
        """Move the tables, with what optimizers keep of them; training goes on as if nothing had happened.

        Parameters
        ----------
        device : str
            Such as ``"gpu:0"`` or ``"cpu:0"``. The layer counts as placed there by the caller from now on.

        Returns
        -------
        layer : PlacedLayer
            The layer itself.

        Raises
        ------
        TypeError, ValueError
            If no such device can be used.
        MemoryError
            If a table does not fit there; the message holds the sum.

        Examples
        --------
        >>> from fastembed_layer import Embedding
        >>> Embedding(1000, 64).to("cpu:0").placement
        'cpu:0'
        """
        self.choice = DeviceChoice(check_device(device), is_chosen=True)
        for table in self.placed_tables():
            table.to(device)
        return self

    def cache_rows(self: Self, device: str, n_rows: int, policy: str = "lru") -> Self:
        """Keep the rows that are used most on a GPU, for tables on the host that are larger than it.

        Rows are looked up and trained on the GPU, with the bits of a table that is there as a whole. Missing rows are
        copied to it with their slots, and back when others need their room. Reading the table or the optimizer's
        slots copies everything back first, and the cache begins anew. An earlier cache ends.

        Parameters
        ----------
        device : str
            Such as ``"gpu:0"``.
        n_rows : int
            Rows for which each table gets room there, rounded up to sets of 32; a smaller table of a group gets
            room for all its rows. With Adam each takes three times the bytes of the row.
        policy : {"lru", "lfu"}
            Which row of a set makes room for another: the least recently used, or the least frequently used.

        Returns
        -------
        layer : PlacedLayer
            The layer itself; ``layer.embeddings.cache`` counts hits and misses.

        Raises
        ------
        TypeError, ValueError
            If an argument is of the wrong kind or value, or the tables are on a GPU themselves.
        MemoryError
            If there is not enough memory; the message holds the sum. No table has a cache then.
        """
        self.ensure_built(None)
        try:
            largest, *others = sorted(self.placed_tables(), key=len, reverse=True)
            largest.cache_rows(device, n_rows, policy)
            for table in others:
                table.cache_rows(device, min(n_rows, len(table)), policy)
        except MemoryError:
            self.drop_cache()
            raise
        return self

    def drop_cache(self) -> None:
        """End the cache of each table: what has been trained is copied back. Without one nothing is done."""
        for table in self.placed_tables():
            table.drop_cache()

    def memory_estimate(self, optimizer: Any = None, device: str | None = None) -> MemoryEstimate:
        """Add up what the tables need to be trained; nothing is allocated.

        Parameters
        ----------
        optimizer : str, dict, type or Optimizer, optional
            With which they are to be trained; without it no slots are counted.
        device : str, optional
            Where; by default where the layer is placed.

        Returns
        -------
        estimate : MemoryEstimate
            Its parts, ``total`` and ``fits``.

        Examples
        --------
        >>> from fastembed_layer import Embedding
        >>> estimate = Embedding(1_000_000, 64).memory_estimate("adagrad")
        >>> estimate.table, estimate.slots
        (256000000, 256000000)
        """
        choice = self.placement if device is None else check_device(device)
        return _add_estimates(self.table_shapes(), self.variable_dtype, optimizer, choice)

    def explain_placement(self, optimizer: Any = None) -> None:
        """Print where the tables live and why: the sum of what they need where they were to go, and what is there.

        Parameters
        ----------
        optimizer : str, dict, type or Optimizer, optional
            As for `memory_estimate`.
        """
        reason = "as the caller chose" if self.choice.is_chosen else "by default"
        if self.placement != self.choice.device:
            reason = f"since not everything fits on {self.choice.device}"
        print(f"{self.name}: {self.placement}, {reason}{'' if self.placed_tables() else ', not built yet'}")
        for table in self.placed_tables():
            if table.cache is not None:
                print(table.cache)
        lack = explain_lack_of_gpu()
        if lack is not None:
            print(f"No GPU can be used. {lack}")
        print(self.memory_estimate(optimizer, self.choice.device).describe())


def memory_estimate(
    input_dim: int, output_dim: int, dtype: Any = "float32", optimizer: Any = None, device: str | None = None
) -> MemoryEstimate:
    """Add up what a table needs to be trained on a device; nothing is allocated.

    Parameters
    ----------
    input_dim, output_dim : int
        Its shape.
    dtype : {"float32", "float64"}
        Its type.
    optimizer : str, dict, type or Optimizer, optional
        With which it is to be trained; without it no slots are counted.
    device : str, optional
        Where; by default where a layer would go that is constructed now.

    Returns
    -------
    estimate : MemoryEstimate
        Its parts in bytes, their ``total``, what is ``available``, and whether it ``fits``. Room is left for the rows,
        gradients and sorted ids of a batch of 262,144 ids and, on a GPU, for a margin of 5 %, at least 256 MiB.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value.

    Examples
    --------
    >>> from fastembed_layer import memory_estimate
    >>> estimate = memory_estimate(4_096_000, 128, optimizer="adam", device="cpu:0")
    >>> estimate.table, estimate.slots
    (2097152000, 4210688000)
    """
    shape = (check_dimension(input_dim, "input_dim"), check_dimension(output_dim, "output_dim"))
    return _add_estimates([shape], checked_dtype(dtype), optimizer, current_choice(device).device)


def _add_estimates(shapes: list[tuple[int, int]], dtype: Any, optimizer: Any, device: str) -> MemoryEstimate:
    """One estimate for several tables: the largest work space and margin count once."""
    chosen = optimizers.get(optimizer)
    parts = [
        estimate_memory(shape, dtype, device, 0 if chosen is None else count_state_bytes(chosen, shape, dtype))
        for shape in shapes
    ]
    return parts[0]._replace(
        table=sum(part.table for part in parts),
        slots=sum(part.slots for part in parts),
        workspace=max(part.workspace for part in parts),
        margin=max(part.margin for part in parts),
    )
