"""`TableLayer`: what the layers share, from the arguments of Keras to weights, files and masks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import count
from typing import Any

import keras
import numpy as np

from fastembed_layer import constraints, initializers, optimizers, regularizers
from fastembed_layer.checks import check_choice
from fastembed_layer.keras.frameworks import framework
from fastembed_layer.keras.hooks import make_anchor
from fastembed_layer.keras.row_trainer import RowTrainer
from fastembed_layer.keras.saved_state import SavedState
from fastembed_layer.keras.table_variable import TableVariable
from fastembed_layer.keras.ways import Way
from fastembed_layer.named import serialize
from fastembed_layer.optimizers.optimizer import UPDATE_MODES, Optimizer
from fastembed_layer.regularizers import Regularizer

Array = np.ndarray[Any, Any]
Tensor = Any


class TableLayer(keras.layers.Layer):
    """Base of the layers: a layer of Keras around one of ours, whose tables our optimizers train.

    Parameters
    ----------
    optimizer : str, dict, Optimizer or keras.optimizers.Optimizer, optional
        Trains the tables; by default the rule and rate of whatever optimizer trains the model.
    update : {"exact", "lazy"}
        What becomes of rows that a batch does not hold.
    **keywords
        Those of ``keras.layers.Layer``.
    """

    built: bool

    _way: Any

    def __init__(self, optimizer: Any = None, update: str = "exact", **keywords: Any):
        keywords.setdefault("autocast", False)
        super().__init__(**keywords)
        self.supports_jit = False
        self.update = check_choice(update, "update", UPDATE_MODES)
        self._given = read_optimizer(optimizer, update)
        self._calls = count()

    def _open(self, way: Way) -> None:
        """Finish the constructor, once it is known what the layer computes."""
        self._way = way
        self._trainer = RowTrainer(way, self.name, self.update, self._given)
        self.row_state = SavedState(self._trainer)

    def build(self, input_shape: Any = None) -> None:
        """Make the tables, and the weight by which Keras trains them; `input_shape` plays no part in it."""
        if self.built:
            return
        self._anchor = self.add_weight(
            shape=(), initializer="zeros", dtype="float64", name="embeddings_anchor", autocast=False
        )
        self._anchor.overwrite_with_gradient = True
        make_anchor(self._anchor, self._trainer)
        with keras.name_scope(self.name, caller=self):
            self._table_variables = [TableVariable(table, name) for name, table in self._way.shown_weights().items()]
        self.built = True

    @property
    def variables(self) -> list[Any]:
        """All variables: the tables, then the anchor."""
        found = super().variables
        return [*(each for each in found if isinstance(each, TableVariable)), *_anchors_of(found)]

    @property
    def weights(self) -> list[Any]:
        """The same: Keras finds in them what it trains and what it saves."""
        return self.variables

    def get_weights(self) -> list[Array]:
        """Return copies of the tables, without the anchor."""
        return [variable.numpy() for variable in self._table_variables] if self.built else []

    def set_weights(self, weights: Any) -> None:
        """Overwrite the tables; `weights` as `get_weights` returns them."""
        self.build()
        weights = list(weights)[: len(self._table_variables)] if _ends_with_anchor(weights, self) else list(weights)
        shapes = [tuple(variable.shape) for variable in self._table_variables]
        if [np.shape(value) for value in weights] != shapes:
            raise ValueError(
                f"`weights` of the layer {self.name!r} must be arrays of the shapes {shapes}. "
                f"Received: {[np.shape(value) for value in weights]}."
            )
        for variable, value in zip(self._table_variables, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """Return how many numbers the tables hold."""
        self.build()
        return sum(int(np.prod(variable.shape)) for variable in self._table_variables)

    def save_own_variables(self, store: Any) -> None:
        """Write the tables as ``keras.layers.Embedding`` writes its own."""
        for number, variable in enumerate(self._table_variables if self.built else []):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read the tables, also those of ``keras.layers.Embedding``.

        Raises
        ------
        ValueError
            If number or shapes are others.
        """
        self.build()
        if len(store.keys()) != len(self._table_variables):
            raise ValueError(
                f"The layer {self.name!r} must be loaded from {len(self._table_variables)} tables. "
                f"Received: {len(store.keys())} arrays."
            )
        self.set_weights([np.asarray(store[str(number)]) for number in range(len(self._table_variables))])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        own = {"update": self.update}
        if self._given is not None:
            own["optimizer"] = optimizers.serialize(self._given)
        return super().get_config() | own

    def _look_up(self, inputs: Sequence[Tensor]) -> Tensor:
        tensors = [keras.ops.convert_to_tensor(each) for each in inputs]
        rows = framework().look_up(self._trainer, self._way, self._anchor, tensors, next(self._calls))
        rows = framework().set_shape(rows, self._way.output_shape([tuple(each.shape) for each in tensors]))
        return keras.ops.cast(rows, self.compute_dtype)

    def _spec_of(self, shapes: Sequence[tuple[Any, ...]]) -> Any:
        return keras.KerasTensor(self._way.output_shape(shapes), dtype=self.compute_dtype)


def read_initializer(identifier: Any) -> Any:
    """Return an initializer of ours, or a function that calls one of Keras, for the very values of Keras.

    One that is named and has no seed gets one from Python's generator, which ``keras.utils.set_random_seed`` seeds.
    """
    if isinstance(identifier, dict) and "keras" in str(identifier.get("module")):
        identifier = keras.initializers.deserialize(identifier)
    if isinstance(identifier, keras.initializers.Initializer):
        return KerasInitializer(identifier)
    initializer: Any = initializers.get(identifier)
    if isinstance(identifier, str) and "seed" in (config := initializer.get_config()):
        return type(initializer)(**config | {"seed": random.getrandbits(31)})
    return initializer


class KerasInitializer:
    """An initializer of Keras as a function that returns arrays.

    Parameters
    ----------
    initializer : keras.initializers.Initializer
        Called on the CPU.
    """

    def __init__(self, initializer: Any):
        self.initializer = initializer

    def __call__(self, shape: Any, dtype: Any = None) -> Array:
        """Return the first values."""
        return np.array(keras.ops.convert_to_numpy(self.initializer(tuple(shape), dtype=np.dtype(dtype).name)))


def initializer_config(initializer: Any) -> Any:
    """Return the config of what `read_initializer` has returned."""
    if isinstance(initializer, KerasInitializer):
        return keras.initializers.serialize(initializer.initializer)
    return serialize(initializer)


def read_constraint(identifier: Any) -> Any:
    """Return a constraint of ours for a name, a config, or one of either library."""
    if isinstance(identifier, keras.constraints.Constraint):
        identifier = keras.constraints.serialize(identifier)
    return constraints.get(identifier)


def read_optimizer(identifier: Any, update: str) -> Optimizer | None:
    """Return an optimizer of ours for a name, a config, or one of either library."""
    if isinstance(identifier, keras.optimizers.Optimizer):
        identifier = keras.optimizers.serialize(identifier)
        identifier["config"]["update"] = update
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": {"update": update}}
    return optimizers.get(identifier)


def read_regularizer(identifier: Any, scope: str) -> Regularizer | None:
    """Return a regularizer of ours for a name, a config, or one of either library.

    Raises
    ------
    ValueError
        If it is another one than L2, over the table.
    """
    if isinstance(identifier, keras.regularizers.Regularizer):
        identifier = keras.regularizers.serialize(identifier)
    regularizer = regularizers.get(identifier)
    if regularizer is not None and regularizer.proportion is None and scope == "table":
        raise ValueError(
            "`embeddings_regularizer` must be None or L2: others cost several passes over the table in every step. "
            f"Received: {identifier!r}. regularizer_scope='batch' penalises the rows of the batch."
        )
    return regularizer


def _anchors_of(variables: list[Any]) -> list[Any]:
    return [each for each in variables if not isinstance(each, TableVariable)]


def _ends_with_anchor(weights: Any, layer: TableLayer) -> bool:
    return len(weights) == len(layer.weights) and np.shape(weights[-1]) == ()
