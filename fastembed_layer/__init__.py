"""Embedding layers for large vocabularies on a CPU, with Keras's names and sparse gradients.

Importing the package loads neither numba nor cupy nor any framework; kernels are loaded by the first lookup.
"""

from fastembed_layer import (
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from fastembed_layer._version import version as __version__
from fastembed_layer.backends.aligned import set_huge_pages
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.kernels.threads import get_threads, set_threads
from fastembed_layer.layers.activation_layers import Activation, ReLU, Softmax
from fastembed_layer.layers.arithmetic import Add, Average, Multiply, Subtract
from fastembed_layer.layers.batch_normalization import BatchNormalization
from fastembed_layer.layers.dense import Dense
from fastembed_layer.layers.dot import Dot
from fastembed_layer.layers.dropout import Dropout
from fastembed_layer.layers.embedding import Embedding
from fastembed_layer.layers.embedding_bag import EmbeddingBag
from fastembed_layer.layers.embedding_group import EmbeddingGroup
from fastembed_layer.layers.input_layer import InputLayer
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.layer_normalization import LayerNormalization
from fastembed_layer.layers.masking import Masking
from fastembed_layer.layers.max_pooling import GlobalMaxPooling1D
from fastembed_layer.layers.maximum import Maximum, Minimum
from fastembed_layer.layers.module import Module
from fastembed_layer.layers.placed_layer import memory_estimate
from fastembed_layer.layers.pooling import GlobalAveragePooling1D
from fastembed_layer.layers.reshaping import Concatenate, Flatten, Permute, RepeatVector, Reshape
from fastembed_layer.layers.symbolic import Input
from fastembed_layer.layers.warmup import warmup
from fastembed_layer.models.model import Model
from fastembed_layer.models.sequential import Sequential
from fastembed_layer.placement.devices import device
from fastembed_layer.tables.penalised_gradient import PenalisedGradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tape import GradientTape

layers.Sequential = Sequential  # type: ignore[attr-defined]  # a name of earlier versions, from a floor above

__all__ = [
    "Activation",
    "Add",
    "Average",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "EmbeddingGroup",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "GradientTape",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "Masking",
    "Maximum",
    "Minimum",
    "Model",
    "Module",
    "Multiply",
    "PenalisedGradient",
    "Permute",
    "Ragged",
    "ReLU",
    "RepeatVector",
    "Reshape",
    "RowGradient",
    "Sequential",
    "Softmax",
    "Subtract",
    "__version__",
    "callbacks",
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
    "set_huge_pages",
    "set_threads",
    "warmup",
]
