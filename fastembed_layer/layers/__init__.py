"""All layers under one name, as in Keras: ``from fastembed_layer import layers``."""

from fastembed_layer.layers.dense import Dense
from fastembed_layer.layers.dot import Dot
from fastembed_layer.layers.dropout import Dropout
from fastembed_layer.layers.embedding import Embedding
from fastembed_layer.layers.embedding_bag import EmbeddingBag
from fastembed_layer.layers.embedding_group import EmbeddingGroup
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.pooling import GlobalAveragePooling1D
from fastembed_layer.layers.reshaping import Concatenate, Flatten
from fastembed_layer.layers.symbolic import Input

__all__ = [
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "EmbeddingGroup",
    "Flatten",
    "GlobalAveragePooling1D",
    "Input",
    "Layer",
]
