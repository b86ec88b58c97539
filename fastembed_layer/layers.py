"""All layers under one name, as in Keras: ``from fastembed_layer import layers``."""

from fastembed_layer.embedding import Embedding
from fastembed_layer.embedding_bag import EmbeddingBag
from fastembed_layer.embedding_group import EmbeddingGroup
from fastembed_layer.models.dense import Dense
from fastembed_layer.models.dot import Dot
from fastembed_layer.models.dropout import Dropout
from fastembed_layer.models.layer import Layer
from fastembed_layer.models.pooling import GlobalAveragePooling1D
from fastembed_layer.models.reshaping import Concatenate, Flatten
from fastembed_layer.models.sequential import Sequential
from fastembed_layer.models.symbolic import Input

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
    "Sequential",
]
