"""What a layer computes with arrays, and the way back: functions of their inputs that hold nothing in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from fastembed_layer.backends.arrays import as_contiguous
from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.inputs.bags import Bags, WeightedIds, read_bags
from fastembed_layer.inputs.ids import normalise_ids, refuse_wide_ids
from fastembed_layer.inputs.out_of_range import OutOfRangePolicy, Replaced, join_zeroed, set_padding_apart
from fastembed_layer.layers.combiners import (
    EXTREMES,
    Combined,
    combine_bags,
    pull_back_bags,
    pull_back_weights,
    spread_over,
)
from fastembed_layer.layers.embedding import Embedding
from fastembed_layer.layers.embedding_bag import EmbeddingBag
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import PenalisedGradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]
Gradients = list[tuple[RowGradient | PenalisedGradient, Table]]


class Way(Protocol):
    """What a layer computes.

    Attributes
    ----------
    dtype : str
        Type of the output.
    kept_types : tuple
        Types of the arrays that a lookup returns besides, for the way back.
    weight_places : tuple of int
        Which of the inputs are floats that have a gradient.
    """

    dtype: str
    kept_types: tuple[Any, ...]
    weight_places: tuple[int, ...]

    @property
    def tables(self) -> list[Table]:
        """The tables that training sees."""

    def shown_weights(self) -> dict[str, Parameter]:
        """Return what users see as weights, by name."""

    def output_shape(self, shapes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the shape of the output for those of the inputs."""

    def look_up(self, *inputs: Array) -> list[Array]:
        """Return the output, and arrays of `kept_types` for the way back."""

    def pull_back(self, d_output: Array, *arrays: Array) -> tuple[Gradients, list[Array]]:
        """Return the gradients of the tables and those of inputs, from the inputs and what was kept."""


class RowsWay:
    """One row for each id.

    Parameters
    ----------
    layer : Embedding
        With the table and what is to become of ids that are no rows.
    """

    kept_types: tuple[Any, ...] = ()
    weight_places: tuple[int, ...] = ()

    def __init__(self, layer: Embedding):
        self.layer = layer
        self.dtype = layer.variable_dtype
        self._policy = layer._out_of_range
        self._silent_policy = OutOfRangePolicy(layer.out_of_range, layer.input_dim)
        self._silent_policy._warned = True

    @property
    def table(self) -> Table:
        """The table of the layer."""
        return self.layer.embeddings

    @property
    def tables(self) -> list[Table]:
        """The tables that training sees."""
        return [self.table]

    def shown_weights(self) -> dict[str, Parameter]:
        """Return what users see as weights, by name."""
        return {"embeddings": self.table}

    def output_shape(self, shapes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the shape of the output."""
        return (*shapes[0], self.layer.output_dim)

    def look_up(self, *inputs: Array) -> list[Array]:
        """Return the rows of the ids.

        Raises
        ------
        IndexError
            If an id is not a row, unless the layer was told otherwise.
        """
        rows, _ = self.layer.forward(normalise_ids(inputs[0], self.layer.name))
        return [rows]

    def pull_back(self, d_output: Array, *arrays: Array) -> tuple[Gradients, list[Array]]:
        """Return the gradient of the table, from the ids."""
        ids: Any = normalise_ids(arrays[0], self.layer.name)
        rows, zeroed = self._settle(ids.reshape(-1), ids.shape, self._silent_policy)
        values = as_contiguous(d_output.reshape(-1, self.layer.output_dim))
        if zeroed is not None:
            rows, values = rows[~zeroed], values[~zeroed]
        table = self.table
        return [(RowGradient(rows, values, (table.input_dim, table.output_dim)), table)], []

    def find_rows(self, ids: Array) -> Array:
        """Return the rows that ids select and that are no padding."""
        flat: Any = normalise_ids(ids, self.layer.name)
        rows, zeroed = self._settle(flat.reshape(-1), ids.shape, self._silent_policy)
        return rows if zeroed is None else rows[~zeroed]

    def _settle(self, ids: Array, shape: tuple[int, ...], policy: OutOfRangePolicy) -> Replaced:
        """Return ids that are all rows, and which are zeros; ids that are no rows have not passed the lookup."""
        looked_up = set_padding_apart(ids, self.layer.padding_id)
        if policy.policy == "raise" or not ((looked_up.ids < 0) | (looked_up.ids >= self.layer.input_dim)).any():
            return looked_up
        replaced = policy.handle(looked_up.ids, shape, self.layer.name)
        return join_zeroed(looked_up, replaced, self.layer.padding_id)


class BagsWay(RowsWay):
    """One vector for each bag of ids; `weights` of the ids may be a second input."""

    layer: EmbeddingBag
    weight_places = (1,)

    def __init__(self, layer: EmbeddingBag):
        super().__init__(layer)
        self.kept_types = (np.int32 if layer.combiner in EXTREMES else layer.variable_dtype,)

    def output_shape(self, shapes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the shape of the output."""
        return (*shapes[0][:-1], self.layer.output_dim)

    def look_up(self, *inputs: Array) -> list[Array]:
        """Return the vectors of the bags, and divisors or winners."""
        ids, weights = inputs if len(inputs) == 2 else (inputs[0], None)
        bags, _ = self._read(ids, weights, self._policy)
        try:
            combined = self._combine(bags)
        except IdsOutOfRangeError as error:
            flat: Any = normalise_ids(ids, self.layer.name)
            self._policy.handle(flat.reshape(-1), ids.shape, self.layer.name)
            raise error
        kept = combined.divisors if combined.argmax is None else combined.argmax
        assert kept is not None
        return [combined.output.reshape(*bags.shape, self.layer.output_dim), kept]

    def pull_back(self, d_output: Array, *arrays: Array) -> tuple[Gradients, list[Array]]:
        """Return the gradients of the table, and of the weights where there are any."""
        ids, found, weights = arrays[0], arrays[-1], arrays[1] if len(arrays) == 3 else None
        bags, kept = self._read(ids, weights, self._silent_policy)
        is_extreme = self.layer.combiner in EXTREMES
        divisors, argmax = (None, found) if is_extreme else (found, None)
        combined = Combined(d_output, bags, self.layer.combiner, divisors, argmax)
        gradient, positions = pull_back_bags(self.table, combined, d_output)
        if weights is None:
            return [(gradient, self.table)], []
        flat = pull_back_weights(self.table, combined, gradient, positions)
        return [(gradient, self.table)], [flat if kept is None else spread_over(kept, flat, len(kept))]

    def _read(self, ids: Array, weights: Array | None, policy: OutOfRangePolicy) -> tuple[Bags, Array | None]:
        """Return the ids that take part, and which they are; None for all."""
        layer = self.layer
        ids = normalise_ids(ids, layer.name)  # type: ignore[assignment]
        bags = read_bags(ids if weights is None else WeightedIds(ids, weights), layer.variable_dtype)
        looked_up = self._settle(bags.ids, bags.ids_shape, policy)
        if layer.mask_zero:
            looked_up = looked_up.also_zero(bags.ids == 0)
        refuse_wide_ids(looked_up.ids, layer.input_dim)
        kept = None if looked_up.zeroed is None else ~looked_up.zeroed
        return bags._replace(ids=looked_up.ids).select(kept), kept

    def _combine(self, bags: Bags) -> Combined:
        """Combine bags; of the largest or smallest values, with their places."""
        table, combiner = self.table, self.layer.combiner
        if combiner not in EXTREMES:
            return combine_bags(table, bags, combiner)
        argmax = np.empty((len(bags.offsets) - 1, table.output_dim), np.int32)
        output = backend_of(table).gather_max(table, bags.ids, bags.offsets, bags.weights, combiner, argmax)
        return Combined(output, bags, combiner, None, argmax)
