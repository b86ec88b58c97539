"""`EmbeddingBag`: the vectors of each bag of ids, combined to one, as a layer of Keras."""

from __future__ import annotations

from typing import Any

import keras

from fastembed_layer import layers
from fastembed_layer.keras.embedding import Embedding
from fastembed_layer.keras.ways import BagsWay

Tensor = Any


def refuse_ragged(inputs: Any) -> None:
    """Raise for a ragged tensor, whose bags have several lengths."""
    if type(inputs).__name__ == "RaggedTensor":
        raise TypeError(
            "The bags of a layer of Keras must have one length. Received: a RaggedTensor. `ids.to_tensor(-1)` fills "
            "them up, and EmbeddingBag(..., padding_id=-1) leaves the rest out."
        )


@keras.saving.register_keras_serializable(package="fastembed_layer")
class EmbeddingBag(Embedding):
    """Looks up the rows of each bag of ids and combines them to one vector, as `fastembed_layer.EmbeddingBag` does.

    Parameters
    ----------
    input_dim, output_dim : int
        Rows and columns of the table.
    combiner : {"mean", "sum", "sqrtn", "max", "min"}
        How the rows of a bag become one vector. With ``mask_zero`` ids 0 do not take part, with ``padding_id`` those of
        padding: tensors of Keras have bags of one length.
    **keywords
        The other arguments of `Embedding`.

    Notes
    -----
    Called on ids of shape ``(..., length)``, or on a list of ids and ``weights`` of the same shape, whose gradient goes
    on to where they come from.

    Examples
    --------
    >>> import numpy as np
    >>> import fastembed_layer.keras as fast
    >>> bag = fast.EmbeddingBag(4, 2, combiner="sum", weights=np.arange(8.0).reshape(4, 2))
    >>> np.array(bag(np.array([[1, 3], [2, 2]])))
    array([[ 8., 10.],
           [ 8., 10.]], dtype=float32)
    """

    _native_class: Any = layers.EmbeddingBag
    _way_class: Any = BagsWay

    def __init__(self, input_dim: int, output_dim: int, combiner: str = "mean", **keywords: Any):
        super().__init__(input_dim, output_dim, combiner=combiner, **keywords)
        self.combiner = combiner
        self.supports_masking = self.mask_zero

    def call(self, inputs: Tensor, weights: Tensor | None = None) -> Tensor:
        """Combine bags of ids; the last axis is the bag.

        Raises
        ------
        IndexError
            If an id is not a row; from a graph of TensorFlow as the text of its own error.
        """
        refuse_ragged(inputs)
        ids, weights = inputs if isinstance(inputs, list | tuple) else (inputs, weights)
        if weights is None:
            return self._look_up([ids])
        return self._look_up([ids, keras.ops.cast(weights, self.variable_dtype)])

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> None:
        """Return None: the steps are gone."""
        return

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the ids with the width in place of the length."""
        shape = input_shape[0] if input_shape and isinstance(input_shape[0], list | tuple) else input_shape
        return (*shape[:-1], self.output_dim)

    def compute_output_spec(self, inputs: Any, weights: Any = None) -> Any:
        """Return shape and type of the output."""
        ids = inputs[0] if isinstance(inputs, list | tuple) else inputs
        return self._spec_of([tuple(ids.shape)])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        return super().get_config() | {"combiner": self.combiner}
