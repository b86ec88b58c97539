"""Models: layers joined to a whole that can be trained, evaluated and asked for predictions."""

from fastembed_layer.layers.symbolic import Input
from fastembed_layer.models.configs import clone_model, model_from_json
from fastembed_layer.models.model import Model
from fastembed_layer.models.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from fastembed_layer.models.sequential import Sequential

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "clone_model",
    "model_from_json",
    "pack_x_y_sample_weight",
    "unpack_x_y_sample_weight",
]
