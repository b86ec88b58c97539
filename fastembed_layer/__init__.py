"""Embedding layers for large vocabularies on a CPU, with Keras's names and sparse gradients.

Importing the package loads neither numba nor cupy nor any framework; kernels are loaded by the first lookup.
"""

from fastembed_layer import (
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from fastembed_layer._version import version as __version__
from fastembed_layer.embedding import Embedding
from fastembed_layer.embedding_bag import EmbeddingBag
from fastembed_layer.embedding_group import EmbeddingGroup
from fastembed_layer.kernels.threads import get_threads, set_threads
from fastembed_layer.models.dense import Dense
from fastembed_layer.models.dot import Dot
from fastembed_layer.models.dropout import Dropout
from fastembed_layer.models.layer import Layer
from fastembed_layer.models.model import Model
from fastembed_layer.models.module import Module
from fastembed_layer.models.placed_layer import memory_estimate
from fastembed_layer.models.pooling import GlobalAveragePooling1D
from fastembed_layer.models.reshaping import Concatenate, Flatten
from fastembed_layer.models.sequential import Sequential
from fastembed_layer.models.symbolic import Input
from fastembed_layer.penalised_gradient import PenalisedGradient
from fastembed_layer.placement import device
from fastembed_layer.ragged import Ragged
from fastembed_layer.row_gradient import RowGradient
from fastembed_layer.tape import GradientTape
from fastembed_layer.warmup import warmup

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
    "GradientTape",
    "Input",
    "Layer",
    "Model",
    "Module",
    "PenalisedGradient",
    "Ragged",
    "RowGradient",
    "Sequential",
    "__version__",
    "constraints",
    "device",
    "get_threads",
    "initializers",
    "layers",
    "losses",
    "memory_estimate",
    "metrics",
    "optimizers",
    "regularizers",
    "set_threads",
    "warmup",
]
