"""An L2 penalty on a table: a term of Keras's loss whose gradient goes to the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from fastembed_layer.keras.frameworks import framework
from fastembed_layer.keras.row_trainer import RowTrainer
from fastembed_layer.keras.ways import Gradients, RowsWay
from fastembed_layer.layers.embedding import Embedding
from fastembed_layer.layers.penalties import penalise_rows, penalise_table
from fastembed_layer.regularizers import Regularizer
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import PenalisedGradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

BEFORE_ALL_CALLS = -1


class PenaltyWay:
    """The penalty of a table, computed without inputs.

    Parameters
    ----------
    layer : Embedding
        With the table.
    regularizer : Regularizer
        L2.
    """

    kept_types: tuple[Any, ...] = ()
    weight_places: tuple[int, ...] = ()

    def __init__(self, layer: Embedding, regularizer: Regularizer):
        self.layer, self.regularizer = layer, regularizer
        self.dtype = layer.variable_dtype

    @property
    def tables(self) -> list[Table]:
        """The table."""
        return [self.layer.embeddings]

    def shown_weights(self) -> dict[str, Parameter]:
        """Return none: the layer shows them."""
        return {}

    def output_shape(self, shapes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the shape of a number."""
        return ()

    def look_up(self, *inputs: Array) -> list[Array]:
        """Return the penalty."""
        return penalise_table(self.layer.embeddings, self.regularizer, self.layer.name)

    def pull_back(self, d_output: Array, *arrays: Array) -> tuple[Gradients, list[Array]]:
        """Return the share of the table that is its gradient."""
        proportion, table = self.regularizer.proportion, self.layer.embeddings
        assert proportion is not None
        return [(PenalisedGradient(table, proportion * float(d_output), None, self.layer.name), table)], []


class RowsPenaltyWay(PenaltyWay):
    """The penalty of the rows that some ids select, each counted once.

    Parameters
    ----------
    layer : Embedding
        With the table.
    regularizer : Regularizer
        Of any kind.
    rows_way : RowsWay
        Knows which ids are rows.
    """

    def __init__(self, layer: Embedding, regularizer: Regularizer, rows_way: RowsWay):
        super().__init__(layer, regularizer)
        self._rows_way = rows_way

    def look_up(self, *inputs: Array) -> list[Array]:
        """Return the penalty."""
        touched = self._rows_way.find_rows(inputs[0])
        return [penalise_rows(self.layer.embeddings, touched, self.regularizer)[0]]

    def pull_back(self, d_output: Array, *arrays: Array) -> tuple[Gradients, list[Array]]:
        """Return its gradient, one vector for each row."""
        touched = self._rows_way.find_rows(arrays[0])
        _, pullback = penalise_rows(self.layer.embeddings, touched, self.regularizer)
        [(_, gradient)] = pullback(np.asarray(d_output)).parameters
        assert isinstance(gradient, RowGradient)
        return [(gradient, self.layer.embeddings)], []


class TablePenalty(keras.regularizers.Regularizer):
    """What Keras calls as the regularizer of an anchor.

    Parameters
    ----------
    trainer : RowTrainer
        Receives the gradient.
    way : PenaltyWay
        Computes the penalty.
    """

    def __init__(self, trainer: RowTrainer, way: PenaltyWay):
        self._trainer, self._way = trainer, way

    def __call__(self, x: Any) -> Any:
        """Return the penalty of the table behind an anchor."""
        penalty = framework().look_up(self._trainer, self._way, x, [], BEFORE_ALL_CALLS)
        return framework().set_shape(penalty, ())
