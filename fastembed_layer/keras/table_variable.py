"""`TableVariable`: a table of ours where Keras looks for a weight."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from fastembed_layer.keras.frameworks import framework
from fastembed_layer.tables.parameter import Parameter

Array = np.ndarray[Any, Any]


class TableVariable(keras.Variable):
    """A table as a variable of Keras: found among the weights of a model, read and assigned as others.

    It is no trainable variable, since Keras would ask for a gradient of its size.

    Parameters
    ----------
    table : Parameter
        A table or the rows of a feature: holds the values.
    name : str
        Name of the variable.
    """

    def __init__(self, table: Parameter, name: str):
        self._table = table
        options = {"shape": table.shape, "dtype": str(table.dtype), "trainable": False, "autocast": False}
        super().__init__(_no_values, name=name, **options)

    @property
    def value(self) -> Any:
        """The values as a tensor, rows up to date; TensorFlow copies them."""
        return framework().read_table(self._table)

    def numpy(self) -> Array:
        """Return a copy of the values."""
        return self._table.numpy()

    def assign(self, value: Any) -> Any:
        """Overwrite the values."""
        array = keras.ops.convert_to_numpy(value)
        if array.shape != self._table.shape:
            raise ValueError(
                f"`value` for the weight {self.path!r} must have the shape {self._table.shape}. "
                f"Received: {array.shape}."
            )
        self._table.assign(array)
        return value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __repr__(self) -> str:
        return f"<TableVariable path={self.path}, shape={tuple(self.shape)}, dtype={self.dtype}>"

    def _initialize_with_initializer(self, initializer: Any) -> None:
        self._value = None

    def _deferred_initialize(self) -> None:
        self._initializer = None

    def _export_to_saved_model_graph(self, *arguments: Any, **options: Any) -> Any:
        raise ValueError(
            f"A model with the weight {self.path!r} cannot be exported: its table is no part of TensorFlow's graph. "
            "Save it with `model.save`, or set the weights of a model with keras.layers.Embedding and export that."
        )

    def _serialize_to_tensors(self) -> dict[str, Any]:
        return {"VARIABLE_VALUE": self.value}

    def _restore_from_tensors(self, restored_tensors: dict[str, Any]) -> None:
        self.assign(restored_tensors["VARIABLE_VALUE"])


def _no_values(*arguments: Any, **options: Any) -> None:
    """Stand in for an initializer: the table has its values."""
