"""What an `EmbeddingGroup` computes with arrays, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import to_cpu
from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.inputs.bags import Bags
from fastembed_layer.inputs.feature_ids import FeatureBags, refuse_ids
from fastembed_layer.keras.ways import Gradients
from fastembed_layer.layers.columns import join_columns, take_columns
from fastembed_layer.layers.combiners import EXTREMES, Combined
from fastembed_layer.layers.embedding_group import EmbeddingGroup
from fastembed_layer.layers.table_stack import LookedUp, TableStack
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table
from fastembed_layer.tape import GradientTape

Array = np.ndarray[Any, Any]


class GroupWay:
    """Vectors of many features.

    Parameters
    ----------
    layer : EmbeddingGroup
        With the tables.
    """

    weight_places: tuple[int, ...] = ()

    def __init__(self, layer: EmbeddingGroup):
        self.layer = layer
        self.dtype = layer.variable_dtype
        kept = np.int64 if layer.combiner is None else np.int32 if layer.combiner in EXTREMES else layer.variable_dtype
        self.kept_types = (kept,) * len(set(layer.output_dims))

    @property
    def tables(self) -> list[Table]:
        """The tables that training sees, one for each width."""
        return self.layer.tables

    def shown_weights(self) -> dict[str, Parameter]:
        """Return the table of each feature, by name."""
        features = {str(each).replace("/", "_").replace(".", "_"): each for each in self.layer.features}
        return {f"embeddings_{name}": self.layer.embeddings_of(each) for name, each in features.items()}

    def output_shape(self, shapes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the shape of the output, for ids in one tensor or in one for each feature."""
        return self.layer.compute_output_shape(shapes[0] if len(shapes) == 1 else list(shapes))

    def look_up(self, *inputs: Array) -> list[Array]:
        """Return the vectors, and for each width the rows, divisors or winners.

        Raises
        ------
        IndexError
            If an id is not in the vocabulary of its feature.
        """
        layer, prepared = self.layer, self._prepare(inputs)
        try:
            with GradientTape():  # so that places of largest values are noted
                found = [stack.look_up(prepared, layer.combiner) for stack in self._stacks]
        except IdsOutOfRangeError:
            refuse_ids(prepared, np.array(layer.input_dims), layer.features, layer.name)
        output = join_columns([block for block, _ in found], [stack.runs for stack in self._stacks])
        return [output.reshape(layer._shape_for(len(prepared))), *(_kept_of(looked_up) for _, looked_up in found)]

    def pull_back(self, d_output: Array, *arrays: Array) -> tuple[Gradients, list[Array]]:
        """Return the gradients of the tables."""
        count = len(self._stacks)
        inputs, kept = arrays[:-count], arrays[-count:]
        joined = d_output.reshape(len(d_output), sum(self.layer.output_dims))
        prepared = None if self.layer.combiner is None else self._prepare(inputs)
        gradients: Gradients = []
        for stack, found in zip(self._stacks, kept, strict=True):
            looked_up = found if prepared is None else self._combined(stack, prepared, found)
            gradients.append((stack.pull_back(looked_up, take_columns(joined, stack.runs)), stack.table))
        return gradients, []

    @property
    def _stacks(self) -> list[TableStack]:
        self.layer.ensure_built(None)
        return self.layer._stacks

    def _prepare(self, inputs: Sequence[Array]) -> Any:
        return self.layer.prepare(inputs[0] if len(inputs) == 1 else list(inputs))

    def _combined(self, stack: TableStack, inputs: FeatureBags, found: Array) -> Combined:
        """Return what the lookup of one width has found, from what was kept of it."""
        combiner, own_offsets = self.layer.combiner, inputs.offsets[stack.members]
        backend = backend_of(stack.table, inputs.values)
        ids, offsets = backend.offset_bags(inputs.values, own_offsets, stack.row_offsets, stack.input_dims)
        bags = Bags(ids, to_cpu(offsets), None, (len(offsets) - 1,), ids.shape)
        assert combiner is not None
        divisors, argmax = (None, found) if combiner in EXTREMES else (found, None)
        return Combined(found, bags, combiner, divisors, argmax)


def _kept_of(looked_up: LookedUp) -> Array:
    if not isinstance(looked_up, Combined):
        return looked_up.astype(np.int64, copy=False)
    kept = looked_up.divisors if looked_up.argmax is None else looked_up.argmax
    assert kept is not None
    return kept
