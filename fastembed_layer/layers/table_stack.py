"""`TableStack`: tables of one width under each other in one table, so that one operation serves them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_contiguous, to_cpu
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.inputs.bags import Bags
from fastembed_layer.inputs.feature_ids import FeatureBags
from fastembed_layer.inputs.ids import refuse_wide_ids
from fastembed_layer.layers.columns import find_runs
from fastembed_layer.layers.combiners import Combined, combine_bags, pull_back_bags
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]
LookedUp = Array | Combined  # the ids, or what became of the bags


class FeatureRows(Parameter):
    """The rows of one feature in the table that it shares with others; a view, not a weight of its own."""

    def __init__(self, table: Table, rows: slice, name: str):
        self._table = table
        self._rows = rows
        self.name = name
        self.trainable = table.trainable
        self.guard = table.guard

    @property
    def array(self) -> Array:  # type: ignore[override]
        """The rows where the table lives now."""
        return self._table.array[self._rows]

    def write_back(self) -> Array:
        """Empty a cache of the table, and return the rows."""
        return self._table.write_back()[self._rows]

    @property
    def placement(self) -> str:  # type: ignore[override]
        """Where the table lives."""
        return self._table.placement

    @property
    def value(self) -> Array:
        """The rows themselves, up to date; training writes them in place."""
        self._table.finish()
        return self.array


class TableStack:
    """The tables of all features of one width.

    Parameters
    ----------
    input_dims, output_dims : sequence of int
        Sizes of the vocabularies and of the vectors of all features, those of other widths too.
    width : int
        The width of this stack.
    make_table : callable
        ``make_table(shape)`` returns an uninitialised table.

    Attributes
    ----------
    table : Table
        Holds the rows of all members; uninitialised at first.
    members, row_offsets, input_dims : ndarray of int64
        The numbers of its features, where the rows of each begin, and how many there are.
    runs : list of Run
        Where the columns of the members lie among those of all features.

    Raises
    ------
    MemoryError
        If there is no memory for the table.
    """

    def __init__(
        self,
        input_dims: Sequence[int],
        output_dims: Sequence[int],
        width: int,
        make_table: Callable[[tuple[int, int]], Table],
    ):
        self.members = np.flatnonzero(np.array(output_dims) == width)
        self.input_dims = np.array(input_dims, np.int64)[self.members]
        ends = np.cumsum(self.input_dims)
        self.row_offsets = ends - self.input_dims
        self.runs = find_runs(self.members.tolist(), output_dims)
        self.table = make_table((int(ends[-1]), width))

    def rows_of(self, number: int, name: str = "embeddings") -> FeatureRows:
        """Return the rows of one of the members."""
        index = int(np.searchsorted(self.members, number))
        first = int(self.row_offsets[index])
        return FeatureRows(self.table, slice(first, first + int(self.input_dims[index])), name)

    def look_up(self, inputs: Array | FeatureBags, combiner: str | None) -> tuple[Array, LookedUp]:
        """Return the vectors of all members, a row for each sample, and what the way back needs.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not in the vocabulary of its feature.
        """
        flat = inputs.values if isinstance(inputs, FeatureBags) else inputs
        refuse_wide_ids(flat, len(self.table))
        table, backend = self.table, backend_of(self.table, flat)
        shape = (len(inputs), len(self.members) * table.output_dim)
        if not isinstance(inputs, FeatureBags):
            ids = backend.offset_ids(inputs, self.members, self.row_offsets, self.input_dims)
            return backend.gather_rows(table, ids).reshape(shape), ids
        assert combiner is not None
        own_offsets = inputs.offsets[self.members]
        ids, offsets = backend.offset_bags(inputs.values, own_offsets, self.row_offsets, self.input_dims)
        bags = Bags(ids, to_cpu(offsets), None, (len(offsets) - 1,), ids.shape)
        combined = combine_bags(table, bags, combiner)
        return combined.output.reshape(shape), combined

    def pull_back(self, looked_up: LookedUp, d_rows: Array) -> RowGradient:
        """Return the gradient of the table from that of what `look_up` returned."""
        if isinstance(looked_up, Combined):
            return pull_back_bags(self.table, looked_up, d_rows)[0]
        values = as_contiguous(d_rows.reshape(-1, self.table.output_dim))
        return RowGradient(looked_up, values, (self.table.input_dim, self.table.output_dim))
