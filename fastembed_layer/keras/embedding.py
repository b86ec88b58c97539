"""`Embedding`: that of Keras, with a table of this package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from fastembed_layer import layers
from fastembed_layer.checks import check_choice
from fastembed_layer.keras.frameworks import framework
from fastembed_layer.keras.penalty_way import PenaltyWay, RowsPenaltyWay, TablePenalty
from fastembed_layer.keras.table_layer import (
    TableLayer,
    initializer_config,
    read_constraint,
    read_initializer,
    read_regularizer,
)
from fastembed_layer.keras.ways import RowsWay
from fastembed_layer.layers.embedding import REGULARIZER_SCOPES
from fastembed_layer.named import serialize
from fastembed_layer.tables.row_rates import rows_to_config

Tensor = Any


@keras.saving.register_keras_serializable(package="fastembed_layer")
class Embedding(TableLayer):
    """`keras.layers.Embedding` on a CPU: a training step costs what the rows of the batch cost.

    Parameters
    ----------
    input_dim, output_dim : int
        Rows and columns of the table.
    embeddings_initializer : str, dict, Initializer, keras.initializers.Initializer, callable or ndarray
        First values of the table. An initializer of Keras gives the values that it gives there.
    embeddings_regularizer : str, dict, Regularizer or keras.regularizers.Regularizer, optional
        L2 over the whole table, as in Keras. `SGD` without momentum and clipping makes it a decay; other optimizers
        have to pass over the table in every step, and a warning says so. With ``regularizer_scope="batch"`` a penalty
        of any kind on the rows of the batch, each counted once.
    embeddings_constraint : str, dict, Constraint or keras.constraints.Constraint, optional
        Applied after each update: to the touched rows where it is row-local, else to the table.
    mask_zero : bool
        Whether id 0 is padding, which the mask tells the layers behind.
    weights : ndarray, or list of one, optional
        First values of the table.
    optimizer : str, dict, Optimizer or keras.optimizers.Optimizer, optional
        Trains the table, at its own rate. By default the table follows the optimizer that trains the model: its rule,
        its hyper-parameters, and its rate of each step.
    update : {"exact", "lazy"}
        What becomes of rows that a batch does not hold. Exact: what Keras's dense update makes of them. Lazy: they
        and their slots stay as they are.
    out_of_range, padding_id, trainable_rows, row_rates, regularizer_scope, device
        Those of `fastembed_layer.Embedding`.
    **keywords
        ``name``, ``dtype``, ``trainable``, ``activity_regularizer`` and the others of ``keras.layers.Layer``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value.

    Examples
    --------
    >>> import numpy as np
    >>> import keras
    >>> import fastembed_layer.keras as fast
    >>> model = keras.Sequential([fast.Embedding(1000, 8), keras.layers.Flatten(), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> history = model.fit(np.ones((4, 3), int), np.ones((4, 1)), verbose=0)
    >>> model.layers[0].embeddings.shape == (1000, 8)
    True
    """

    _native_class: Any = layers.Embedding
    _way_class: Any = RowsWay

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        *,
        optimizer: Any = None,
        update: str = "exact",
        out_of_range: str | int = "raise",
        padding_id: int | None = None,
        trainable_rows: Any = None,
        row_rates: Any = None,
        regularizer_scope: str = "table",
        device: str | None = "cpu:0",
        **keywords: Any,
    ):
        options = {key: keywords.pop(key) for key in ("combiner",) if key in keywords}
        keywords.pop("input_length", None)
        self.regularizer_scope = check_choice(regularizer_scope, "regularizer_scope", REGULARIZER_SCOPES)
        self.embeddings_regularizer = read_regularizer(embeddings_regularizer, regularizer_scope)
        super().__init__(optimizer, update, **keywords)
        self._initializer = read_initializer(embeddings_initializer)
        options |= {"out_of_range": out_of_range, "padding_id": padding_id, "device": device}
        options |= {"trainable_rows": trainable_rows, "row_rates": row_rates, "mask_zero": mask_zero}
        self.native = self._native_class(
            input_dim,
            output_dim,
            embeddings_initializer=self._initializer,
            embeddings_constraint=read_constraint(embeddings_constraint),
            name=self.name,
            dtype=self.variable_dtype,
            **options,
        )
        self.input_dim, self.output_dim, self.mask_zero = self.native.input_dim, self.native.output_dim, mask_zero
        self.supports_masking = mask_zero
        self._open(self._way_class(self.native))
        if weights is not None:
            self.set_weights(weights if isinstance(weights, list | tuple) else [weights])

    def build(self, input_shape: Any = None) -> None:
        """Make the table; `input_shape` plays no part in it."""
        super().build(input_shape)
        regularizer = self.embeddings_regularizer if self.regularizer_scope == "table" else None
        if regularizer is not None and self._anchor.regularizer is None:
            penalty = PenaltyWay(self.native, regularizer)
            self._anchor.regularizer = TablePenalty(self._trainer, penalty)

    @property
    def embeddings(self) -> Any:
        """The table as a variable of Keras."""
        if not self.built:
            raise AttributeError("You must build the layer before accessing `embeddings`.")
        return self._table_variables[0]

    @property
    def out_of_range_count(self) -> int:
        """How many ids a policy other than ``"raise"`` has hidden so far."""
        return self.native.out_of_range_count

    @property
    def trainable_rows(self) -> Any:
        """The rows that train; None for all. Setting it takes effect with the next step."""
        return self.native.trainable_rows

    @trainable_rows.setter
    def trainable_rows(self, rows: Any) -> None:
        self.native.trainable_rows = rows

    def call(self, inputs: Tensor) -> Tensor:
        """Return the rows of ids of any shape.

        Raises
        ------
        IndexError
            If an id is not a row; from a graph of TensorFlow as the text of its own error.
        """
        return framework().map_flat(lambda ids: self._look_up([ids]), inputs)

    def _look_up(self, inputs: Sequence[Tensor]) -> Tensor:
        if self.embeddings_regularizer is not None and self.regularizer_scope == "batch":
            way = RowsPenaltyWay(self.native, self.embeddings_regularizer, self._way)
            ids = keras.ops.convert_to_tensor(inputs[0])
            self.add_loss(framework().look_up(self._trainer, way, self._anchor, [ids], next(self._calls)))
        return super()._look_up(inputs)

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Tensor | None:
        """Return where ids are not 0 with ``mask_zero``, else None."""
        return keras.ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the ids and the width."""
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return shape and type of the output."""
        return self._spec_of([tuple(inputs.shape)])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        native = self.native
        config = super().get_config() | {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializer_config(self._initializer),
            "embeddings_regularizer": serialize(self.embeddings_regularizer),
            "embeddings_constraint": serialize(native.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
        }
        own = {
            "out_of_range": (native.out_of_range, "raise"),
            "padding_id": (native.padding_id, None),
            "trainable_rows": (rows_to_config(native.trainable_rows), None),
            "row_rates": (rows_to_config(native.row_rates), None),
            "regularizer_scope": (self.regularizer_scope, "table"),
        }
        return config | {key: value for key, (value, default) in own.items() if value != default}
