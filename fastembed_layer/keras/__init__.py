"""Layers for Keras models on a CPU: swap one line, keep your model.

>>> import keras
>>> import fastembed_layer.keras as fast
>>> model = keras.Sequential([fast.Embedding(1000, 8), keras.layers.Flatten(), keras.layers.Dense(1)])
>>> model.compile("adam", "mse")
>>> model.predict(keras.ops.ones((4, 3), "int32"), verbose=0).shape
(4, 1)
"""

from __future__ import annotations

from fastembed_layer.keras.requirements import check_keras

check_keras()

from fastembed_layer.keras.embedding import Embedding  # noqa: E402
from fastembed_layer.keras.embedding_bag import EmbeddingBag  # noqa: E402
from fastembed_layer.keras.embedding_group import EmbeddingGroup  # noqa: E402
from fastembed_layer.keras.hooks import hook_optimizers  # noqa: E402

__all__ = ["Embedding", "EmbeddingBag", "EmbeddingGroup"]

hook_optimizers()
