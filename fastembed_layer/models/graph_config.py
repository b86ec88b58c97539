"""Functional models as configs: the layers once, and the calls of them with what they were called on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import Input, SymbolicTensor, as_list


def describe_graph(inputs: Any, outputs: Any, nodes: list[SymbolicTensor]) -> dict[str, Any]:
    """Return layers, calls, inputs and outputs of a graph; a tensor is a number, the inputs first."""
    tensors = [*as_list(inputs), *nodes]
    numbers = {id(tensor): number for number, tensor in enumerate(tensors)}
    layers = list({id(node.layer): node.layer for node in nodes}.values())
    order = {id(layer): number for number, layer in enumerate(layers)}
    return {
        "inputs": _map(inputs, _describe_input),
        "layers": [describe_layer(layer) for layer in layers],
        "calls": [
            {"layer": order[id(node.layer)], "inputs": _map(node.inputs, lambda tensor: numbers[id(tensor)])}
            for node in nodes
        ],
        "outputs": _map(outputs, lambda tensor: numbers[id(tensor)]),
    }


def rebuild_graph(config: Mapping[str, Any], read_layer: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return the inputs and outputs of the graph that a config describes, of new layers."""
    inputs = _map(config["inputs"], lambda entry: Input(**_as_shape(entry)), is_leaf=_is_input_entry)
    layers = [read_layer(entry) for entry in config["layers"]]
    tensors = as_list(inputs)
    for call in config["calls"]:
        arguments = _map(call["inputs"], lambda number: tensors[number], is_leaf=_is_number)
        tensors.append(layers[call["layer"]](arguments))
    return inputs, _map(config["outputs"], lambda number: tensors[number], is_leaf=_is_number)


def describe_layer(layer: Layer) -> dict[str, Any]:
    """Return class and config of a layer."""
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def _describe_input(tensor: SymbolicTensor) -> dict[str, Any]:
    return {"batch_shape": list(tensor.shape), "dtype": tensor.dtype, "name": tensor.name}


def _as_shape(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "batch_shape": tuple(entry["batch_shape"])}


def _is_input_entry(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "batch_shape" in entry


def _is_number(entry: Any) -> bool:
    return isinstance(entry, int)


def _map(structure: Any, function: Callable[[Any], Any], is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Apply a function to each member of a structure: one thing, a list, or a dict."""
    if is_leaf is not None and is_leaf(structure):
        return function(structure)
    if isinstance(structure, Mapping):
        return {name: _map(part, function, is_leaf) for name, part in structure.items()}
    if isinstance(structure, list | tuple):
        return [_map(part, function, is_leaf) for part in structure]
    return function(structure)
