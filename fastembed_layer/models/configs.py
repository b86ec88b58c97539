"""Whole models from their configs: `model_from_json`, `clone_model`, and the layers that a config names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastembed_layer import layers as known_layers
from fastembed_layer.layers.configs import read_input
from fastembed_layer.layers.layer import Layer
from fastembed_layer.named import nearest_names

CLASS_NAMES = {"Functional": "Model"}  # what Keras calls the same
MODELS: dict[str, Any] = {}  # by the names of their classes, which enter themselves


def read_layer(entry: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the layer, model or `Input` that a config describes.

    Raises
    ------
    ValueError
        If it names a class that is neither the package's nor among `custom_objects`.
    """
    name, config = entry["class_name"], entry["config"]
    if name == "InputLayer":
        return read_input(config)
    known = _known_classes() | dict(custom_objects or {})
    cls = known.get(CLASS_NAMES.get(name, name))
    if cls is None:
        raise ValueError(
            f"Unknown layer: {name!r}. {nearest_names(name, list(known))} A class of your own is passed as "
            f"custom_objects={{{name!r}: {name}}}."
        )
    if issubclass(cls, tuple(MODELS.values())):
        return cls.from_config(config, custom_objects=custom_objects)
    return cls.from_config(config)


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return an untrained model that `Model.to_json` has described.

    Parameters
    ----------
    json_string : str
        What `to_json` returned.
    custom_objects : dict of str to type, optional
        Layers and models of your own by the names of their classes.

    Raises
    ------
    ValueError
        If it names a class that is neither the package's nor among `custom_objects`, or describes no model.

    Examples
    --------
    >>> from fastembed_layer import Dense, Embedding, Flatten, Sequential, models
    >>> model = Sequential([Embedding(100, 4, input_length=3), Flatten(), Dense(1)])
    >>> models.model_from_json(model.to_json()).output_shape
    (None, 1)
    """
    rule = "`json_string` must be what `to_json` returned: a dict with 'class_name' and 'config'."
    try:
        entry = json.loads(json_string)
    except json.JSONDecodeError as error:
        raise ValueError(f"{rule} Received: no JSON ({error}).") from error
    if not isinstance(entry, Mapping) or not {"class_name", "config"} <= entry.keys():
        raise ValueError(f"{rule} Received: {json_string[:80]!r}.")
    try:
        return read_layer(entry, custom_objects)
    except KeyError as error:
        raise ValueError(f"{rule} Received: a config without {error}.") from error


def clone_model(model: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return a model of new layers with the configs of another's; the weights are new, and it is not compiled.

    Parameters
    ----------
    model : Model
        A functional model or a `Sequential`, or of a class of your own that has `get_config`.
    custom_objects : dict of str to type, optional
        Layers of your own; the classes of those that are in the model are known.

    Examples
    --------
    >>> from fastembed_layer import Dense, Sequential, models
    >>> model = Sequential([Dense(2, input_shape=(3,))])
    >>> models.clone_model(model).count_params() == model.count_params()
    True
    """
    own = {type(module).__name__: type(module) for module in (model, *model.submodules) if isinstance(module, Layer)}
    entry = {"class_name": type(model).__name__, "config": model.get_config()}
    return read_layer(entry, own | dict(custom_objects or {}))


def to_json(model: Layer, **options: Any) -> str:
    """Return class and config of a model as JSON."""
    return json.dumps({"class_name": type(model).__name__, "config": model.get_config()}, default=_plain, **options)


def _plain(value: Any) -> Any:
    """What JSON has no word for: numbers, arrays and types of numpy."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, np.dtype):
        return value.name
    raise TypeError(
        f"A config must hold numbers, strings, lists and dicts. Received: {value!r} ({type(value).__name__})."
    )


def _known_classes() -> dict[str, Any]:
    named = [getattr(known_layers, public) for public in known_layers.__all__]
    return MODELS | {cls.__name__: cls for cls in named if isinstance(cls, type) and issubclass(cls, Layer)}
