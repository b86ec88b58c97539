"""`Embedding`: positive integers in, dense vectors of fixed size out."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer import constraints, regularizers
from fastembed_layer.backends.arrays import as_contiguous
from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.checks import check_choice, check_dimension, check_flag
from fastembed_layer.inputs.foreign import read_foreign
from fastembed_layer.inputs.ids import normalise_ids, refuse_wide_ids
from fastembed_layer.inputs.out_of_range import OutOfRangePolicy, Replaced, join_zeroed, set_padding_apart
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.layers.configs import read_initializer
from fastembed_layer.layers.input_length import check_input_length, fill_in_lengths, shown_length
from fastembed_layer.layers.penalties import penalise_rows, penalise_table
from fastembed_layer.layers.placed_layer import PlacedLayer
from fastembed_layer.layers.symbolic import Shape, SymbolicTensor, require_first
from fastembed_layer.named import serialize
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.row_rates import (
    Rows,
    check_factors,
    check_padding_id,
    check_rows,
    make_row_rates,
    rows_to_config,
)
from fastembed_layer.tables.table import Table
from fastembed_layer.tape import Cotangents, Pullback, is_recording

Array = np.ndarray[Any, Any]

REGULARIZER_SCOPES = ("table", "batch")


class Embedding(PlacedLayer):
    """Turns positive integers (ids) into dense vectors of fixed size.

    A training step costs what the touched rows cost: the gradient is a `RowGradient`, and optimizers update the rows
    of the batch in place.

    Parameters
    ----------
    input_dim : int
        Size of the vocabulary: the largest id plus one.
    output_dim : int
        Size of a vector.
    embeddings_initializer : str, dict, type, Initializer, callable or ndarray
        First values of the table.
    embeddings_regularizer : str, dict, type, Regularizer or callable, optional
        Penalty on the table.
    activity_regularizer : optional
        Penalty on the output, divided by the batch size.
    embeddings_constraint : str, dict, type, Constraint or callable, optional
        Projection applied after each update: to the touched rows where it is row-local, else to the table.
    mask_zero : bool
        Whether id 0 is padding; `input_dim` then counts it.
    input_length : int, or list of int or None, optional
        Length of the sequences where it is constant. Needed for ``Flatten`` then ``Dense`` behind this layer.
    out_of_range : {"raise", "zero", "clip", "wrap"} or int
        What to do with ids that are not in ``[0, input_dim)``: raise an ``IndexError`` before anything is written,
        or give zeros that train nothing, the nearest row, the row modulo `input_dim`, or the row of that number.
    padding_id : int, optional
        Id of padding, a row or a negative number: gives zeros, trains nothing, and makes no mask (`mask_zero` does).
    trainable_rows : slice, array_like of bool, shape (input_dim,), or array_like of int, optional
        The rows that train; the others keep their bits. The attribute may be set between steps.
    row_rates : array_like of float, shape (input_dim,), optional
        Factors of the learning rate, one for each row; 0 freezes a row.
    regularizer_scope : {"table", "batch"}
        Whether `embeddings_regularizer` is a term over the whole table, as in Keras, which makes every step as
        expensive as the table is large unless it is L2 trained by `SGD` without momentum, or over the rows that a
        lookup touched.
    device : str, optional
        Where the table goes, such as ``"cpu:0"``; by default where `device` says, else to a GPU if all fits there.
    copy_weights : bool
        Whether ``weights=[array]`` is copied. If not, the array itself is the table: a C-contiguous matrix of the
        layer's dtype, such as a `numpy.memmap`. One that may not be written serves lookups and cannot be trained.
    **keywords
        ``name``, ``dtype``, ``trainable``, ``weights``, ``input_shape`` and the others of `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value.

    See Also
    --------
    EmbeddingBag : sums or averages the vectors of each bag of ids.

    Notes
    -----
    Arguments and results are those of ``tf.keras.layers.Embedding``. Ids are taken at their full width and are never
    cast to int32 as there; float ids are accepted only where they are exact.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Embedding, Sequential
    >>> model = Sequential()
    >>> model.add(Embedding(1000, 64, input_length=10))
    >>> input_array = np.random.randint(1000, size=(32, 10))
    >>> model.compile('rmsprop', 'mse')
    >>> output_array = model.predict(input_array, verbose=0)
    >>> output_array.shape
    (32, 10, 64)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        activity_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        input_length: Any = None,
        *,
        out_of_range: str | int = "raise",
        padding_id: int | None = None,
        trainable_rows: Any = None,
        row_rates: Any = None,
        regularizer_scope: str = "table",
        device: str | None = None,
        copy_weights: bool = True,
        **keywords: Any,
    ):
        self.input_dim = check_dimension(input_dim, "input_dim")
        self.output_dim = check_dimension(output_dim, "output_dim")
        self.input_length = check_input_length(input_length)
        if self.input_length is not None and "input_shape" not in keywords:
            keywords["input_shape"] = self.input_length
        super().__init__(device, activity_regularizer=activity_regularizer, **keywords)
        self.embeddings_initializer = read_initializer(embeddings_initializer, "embeddings_initializer")
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = check_flag(mask_zero, "mask_zero")
        self.supports_masking = self.mask_zero
        self.regularizer_scope = check_choice(regularizer_scope, "regularizer_scope", REGULARIZER_SCOPES)
        self._out_of_range = OutOfRangePolicy(out_of_range, self.input_dim)
        self.padding_id = check_padding_id(padding_id, self.input_dim)
        self.row_rates = check_factors(row_rates, self.input_dim, self.variable_dtype)
        self._trainable_rows: Rows | None = check_rows(trainable_rows, self.input_dim)
        self._table: Table | None = None
        self._used_weights: Array | None = None
        if not check_flag(copy_weights, "copy_weights"):
            self._used_weights, self._initial_weights = self._checked_memory(self._initial_weights), None

    @property
    def embeddings(self) -> Table:
        """The table; asking for it builds the layer."""
        self.ensure_built(None)
        assert self._table is not None
        return self._table

    @property
    def out_of_range(self) -> str | int:
        """What happens to ids that are not rows."""
        return self._out_of_range.policy

    @property
    def out_of_range_count(self) -> int:
        """How many ids a policy other than ``"raise"`` has hidden so far."""
        return self._out_of_range.count

    @property
    def trainable_rows(self) -> Any:
        """The rows that train; None for all. Setting it takes effect with the next step of an optimizer."""
        return self._trainable_rows

    @trainable_rows.setter
    def trainable_rows(self, rows: Any) -> None:
        self._trainable_rows = check_rows(rows, self.input_dim)
        if self._table is not None:
            self._set_row_rates(self._table)

    @property
    def input_shape(self) -> Any:
        """Shape of the ids that the layer was built for, the batch size first."""
        if self._built_shape is not None:
            return self._built_shape
        return self.batch_input_shape or (None, None)

    def build(self, input_shape: Any = None) -> None:
        """Create the table; `input_shape` plays no part in it.

        Raises
        ------
        MemoryError
            If there is no memory for it; the message holds the estimate.
        """
        if self._table is not None:
            return
        self._table = self._make_table()
        self._table.constraint = self.embeddings_constraint
        self._set_row_rates(self._table)
        super().build(input_shape)

    def _make_table(self) -> Table:
        """Return a table with its first values; memory of the caller's that is to be used as it is has them."""
        if self._used_weights is not None:
            table, self._used_weights = Table(self._used_weights, "embeddings"), None
            return table
        is_zero = self.embeddings_initializer.is_zero
        table = self.make_table((self.input_dim, self.output_dim), "embeddings", 0 if is_zero else None)
        if not is_zero:
            self.embeddings_initializer.fill(table.array)
        return table

    def table_shapes(self) -> list[tuple[int, int]]:
        """Return the shape of the table."""
        return [(self.input_dim, self.output_dim)]

    def set_weights(self, weights: Any) -> None:
        """Overwrite the table, building the layer first where need be; `weights` may be the bare array."""
        self.build()
        weights = read_foreign(weights, is_weight=True)
        super().set_weights([weights] if self._is_matrix(weights) else weights)

    def _is_matrix(self, weights: Any) -> bool:
        """Tell whether weights are the matrix itself, as an array or in nested lists, and not a list of it."""
        if isinstance(weights, np.ndarray):
            return weights.ndim == 2
        shape = (self.input_dim, self.output_dim)
        try:
            return bool(weights) and np.shape(weights[0]) == shape[1:] and np.shape(weights) == shape
        except ValueError:  # lists of different lengths
            return False

    def _checked_memory(self, weights: Any) -> Array:
        """Return the one array of `weights`, as it is to be used."""
        weights = read_foreign(weights, is_weight=True)
        given = weights if isinstance(weights, np.ndarray) else weights[0] if weights else None
        shape, dtype = (self.input_dim, self.output_dim), np.dtype(self.variable_dtype)
        if (
            not isinstance(given, np.ndarray)
            or (given.shape, given.dtype) != (shape, dtype)
            or not (given.flags.c_contiguous and given.flags.aligned)
        ):
            received = f"{given.dtype} of shape {given.shape}" if isinstance(given, np.ndarray) else repr(weights)
            raise ValueError(
                f"`weights` with copy_weights=False must hold a C-contiguous array of {dtype} and the shape {shape}. "
                f"Received: {received}."
            )
        return np.asarray(given)

    def prepare(self, inputs: Any) -> Any:
        """Turn the caller's ids into integers of a type that the kernels take."""
        return normalise_ids(inputs, self.name)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Any, Pullback | None]:
        """Look rows up; the pullback's gradient is a `RowGradient`."""
        if isinstance(inputs, Ragged):
            values, pullback = self.forward(inputs.values)
            return Ragged(values, inputs.offsets), pullback
        ids = inputs.flatten() if is_recording() else inputs.reshape(-1)  # the caller may write into its array
        rows, looked_up = self._look_up(ids, inputs.shape)
        self._penalise_looked_up(looked_up)
        output = rows.reshape(*inputs.shape, self.output_dim).astype(self.compute_dtype, copy=False)
        return output, lambda d_rows: self._pull_back(looked_up, d_rows)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return ``inputs != 0`` with `mask_zero`, else None; an incoming mask is ignored."""
        if not self.mask_zero or isinstance(inputs, Ragged):
            return None
        return np.not_equal(inputs, 0)

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Tell whether the output carries a mask."""
        return self.mask_zero

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return ``input_shape + (output_dim,)``, with open lengths filled in from `input_length`.

        Raises
        ------
        ValueError
            If `input_length` and `input_shape` contradict each other.
        """
        return (*fill_in_lengths(tuple(input_shape), self.input_length), self.output_dim)

    def check_symbolic(self, tensors: list[SymbolicTensor]) -> None:
        """Refuse any place but the first."""
        for tensor in tensors:
            if not tensor.is_input:
                require_first(self.name)

    def weight_penalties(self) -> list[Array]:
        """Return the table's penalty when its scope is the table; recorded, its gradient is dense but for L2."""
        if self.regularizer_scope != "table" or self._table is None:
            return []
        return penalise_table(self._table, self.embeddings_regularizer, self.name)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        config = super().get_config() | {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": serialize(self.embeddings_initializer),
            "embeddings_regularizer": serialize(self.embeddings_regularizer),
            "activity_regularizer": serialize(self.activity_regularizer),
            "embeddings_constraint": serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "input_length": shown_length(self.input_length),
        }
        own = {
            "out_of_range": (self.out_of_range, "raise"),
            "padding_id": (self.padding_id, None),
            "trainable_rows": (rows_to_config(self._trainable_rows), None),
            "row_rates": (rows_to_config(self.row_rates), None),
            "regularizer_scope": (self.regularizer_scope, "table"),
        }
        return config | {key: value for key, (value, default) in own.items() if value != default}

    def _look_up(self, ids: Array, shape: tuple[int, ...]) -> tuple[Array, Replaced]:
        table = self.embeddings
        backend = backend_of(table, ids)
        looked_up = set_padding_apart(ids, self.padding_id)
        try:
            refuse_wide_ids(looked_up.ids, self.input_dim)
            rows = backend.gather_rows(table, looked_up.ids)
        except IdsOutOfRangeError:
            replaced = self._out_of_range.handle(looked_up.ids, shape, self.name)
            looked_up = join_zeroed(looked_up, replaced, self.padding_id)
            rows = backend.gather_rows(table, looked_up.ids)
        if looked_up.zeroed is not None:
            rows[looked_up.zeroed] = 0
        return rows, looked_up

    def _set_row_rates(self, table: Table) -> None:
        table.row_rates = make_row_rates(self.input_dim, self._trainable_rows, self.row_rates, self.padding_id)

    def _pull_back(self, looked_up: Replaced, d_rows: Array) -> Cotangents:
        ids, zeroed = looked_up
        values = as_contiguous(d_rows.reshape(-1, self.output_dim))
        if zeroed is not None:
            ids, values = ids[~zeroed], values[~zeroed]
        gradient = RowGradient(ids, values, (self.input_dim, self.output_dim))
        return Cotangents([None], [(self.embeddings, gradient)])

    def _penalise_looked_up(self, looked_up: Replaced) -> None:
        """Record the penalty of the rows of a lookup when that is the regularizer's scope."""
        regularizer, (ids, zeroed) = self.embeddings_regularizer, looked_up
        if regularizer is not None and self.regularizer_scope == "batch" and is_recording():
            touched = ids if zeroed is None else ids[~zeroed]
            self.add_penalty([], *penalise_rows(self.embeddings, touched, regularizer))
