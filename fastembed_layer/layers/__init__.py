"""All layers under one name, as in Keras: ``from fastembed_layer import layers``."""

from fastembed_layer.layers.activation_layers import Activation, ReLU, Softmax
from fastembed_layer.layers.arithmetic import Add, Average, Multiply, Subtract, add, average, multiply, subtract
from fastembed_layer.layers.batch_normalization import BatchNormalization
from fastembed_layer.layers.dense import Dense
from fastembed_layer.layers.dot import Dot, dot
from fastembed_layer.layers.dropout import Dropout
from fastembed_layer.layers.embedding import Embedding
from fastembed_layer.layers.embedding_bag import EmbeddingBag
from fastembed_layer.layers.embedding_group import EmbeddingGroup
from fastembed_layer.layers.input_layer import InputLayer
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.layer_normalization import LayerNormalization
from fastembed_layer.layers.masking import Masking
from fastembed_layer.layers.max_pooling import GlobalMaxPooling1D
from fastembed_layer.layers.maximum import Maximum, Minimum, maximum, minimum
from fastembed_layer.layers.pooling import GlobalAveragePooling1D
from fastembed_layer.layers.reshaping import Concatenate, Flatten, Permute, RepeatVector, Reshape, concatenate
from fastembed_layer.layers.symbolic import Input

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
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "Masking",
    "Maximum",
    "Minimum",
    "Multiply",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Reshape",
    "Softmax",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
