"""`EmbeddingGroup`: the tables of many categorical features in one layer of Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from fastembed_layer import layers
from fastembed_layer.keras.group_way import GroupWay
from fastembed_layer.keras.table_layer import TableLayer, initializer_config, read_initializer

Tensor = Any


@keras.saving.register_keras_serializable(package="fastembed_layer")
class EmbeddingGroup(TableLayer):
    """Turns the ids of many categorical features into vectors in one call, as `fastembed_layer.EmbeddingGroup` does.

    Parameters
    ----------
    input_dims : list of int, or dict of str to int
        Size of each feature's vocabulary.
    output_dim : int or list of int
        Size of the vectors, of all features or of each.
    embeddings_initializer : str, dict, Initializer, keras.initializers.Initializer, or list of them
        First values of the tables, one for each feature or one for all.
    combiner : {None, "sum", "mean", "sqrtn", "max", "min"}
        None where each sample has one id of each feature, else how its bag of ids becomes one vector.
    concatenate : bool, optional
        Whether the vectors of a sample are laid one behind the other and not stacked.
    optimizer, update, device, **keywords
        Those of `Embedding`.

    Notes
    -----
    Called on ids of shape ``(batch_size, features)``, with a combiner ``(batch_size, features, length)``, or on a list
    or, with names, a dict of tensors, one for each feature. Weights are the tables of the features, in their order.

    Examples
    --------
    >>> import numpy as np
    >>> import fastembed_layer.keras as fast
    >>> group = fast.EmbeddingGroup({"city": 500, "weekday": 7}, 4)
    >>> tuple(group(np.array([[17, 0], [401, 6], [17, 3]])).shape)
    (3, 2, 4)
    >>> tuple(group({"city": np.array([17, 401]), "weekday": np.array([0, 6])}).shape)
    (2, 2, 4)
    """

    def __init__(
        self,
        input_dims: Any,
        output_dim: Any,
        embeddings_initializer: Any = "uniform",
        combiner: str | None = None,
        concatenate: bool | None = None,
        *,
        optimizer: Any = None,
        update: str = "exact",
        device: str | None = "cpu:0",
        **keywords: Any,
    ):
        super().__init__(optimizer, update, **keywords)
        given = embeddings_initializer
        several = isinstance(given, list | tuple)
        self._initializer = [*map(read_initializer, given)] if several else read_initializer(given)
        options: dict[str, Any] = {"name": self.name, "dtype": self.variable_dtype, "device": device}
        self.native = layers.EmbeddingGroup(input_dims, output_dim, self._initializer, combiner, concatenate, **options)
        self._open(GroupWay(self.native))

    @property
    def features(self) -> tuple[str | int, ...]:
        """Names of the features, or their numbers."""
        return self.native.features

    def embeddings_of(self, feature: str | int) -> Any:
        """Return the table of one feature as a variable of Keras.

        Raises
        ------
        KeyError
            If there is no such feature.
        """
        self.native.embeddings_of(feature)
        self.build()
        return self._table_variables[self.features.index(feature)]

    def call(self, inputs: Any) -> Tensor:
        """Return the vectors of all features.

        Raises
        ------
        IndexError
            If an id is not in the vocabulary of its feature; from a graph of TensorFlow as the text of its own error.
        """
        return self._look_up(self._tensors_of(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output for that of the ids, or a list or dict of them."""
        if isinstance(input_shape, Mapping):
            input_shape = [input_shape[feature] for feature in self.features]
        several = bool(input_shape) and isinstance(input_shape[0], list | tuple)
        return self._way.output_shape([tuple(each) for each in input_shape] if several else [tuple(input_shape)])

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return shape and type of the output."""
        return self._spec_of([tuple(each.shape) for each in self._tensors_of(inputs)])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        own = self.native.get_config()
        given = self._initializer
        return super().get_config() | {
            **{key: own[key] for key in ("input_dims", "output_dim", "combiner", "concatenate")},
            "embeddings_initializer": [*map(initializer_config, given)]
            if isinstance(given, list)
            else initializer_config(given),
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
        }

    def _tensors_of(self, inputs: Any) -> list[Any]:
        """Return one tensor of all ids, or one for each feature."""
        if not isinstance(inputs, Mapping | list | tuple):
            return [inputs]
        if isinstance(inputs, Mapping):
            if inputs.keys() != set(self.features):
                raise ValueError(
                    f"The ids of the layer {self.name!r} must be a dict with the keys {list(self.features)}. "
                    f"Received: the keys {list(inputs)}."
                )
            return [inputs[feature] for feature in self.features]
        return list(inputs)
