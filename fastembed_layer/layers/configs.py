"""Configs of layers, also those that tf.keras 2 and Keras 3 wrote."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from fastembed_layer import initializers
from fastembed_layer.initializers import Initializer
from fastembed_layer.layers.symbolic import Input, SymbolicTensor

# Options of Keras's layers that these layers do not have, with the values that switch them off there.
SWITCHED_OFF: dict[str, tuple[Any, ...]] = {
    "bias_constraint": (None,),
    "bias_regularizer": (None,),
    "data_format": (None, "channels_last"),
    "keepdims": (False,),
    "lora_alpha": (None,),
    "lora_rank": (None,),
    "optional": (False,),
    "quantization_config": (None,),
    "ragged": (None, False),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "rms_scaling": (False,),
    "sparse": (None, False),
    "synchronized": (False,),
}


def read_config(cls: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for the constructor of a layer, without Keras's options that are switched off.

    Raises
    ------
    ValueError
        If such an option is switched on.
    """
    own = inspect.signature(cls).parameters
    arguments = dict(config)
    for option in SWITCHED_OFF.keys() - own.keys():
        value = arguments.pop(option, SWITCHED_OFF[option][0])
        if value not in SWITCHED_OFF[option]:
            raise ValueError(f"`{option}` is not among the options of {cls.__name__}. Received: {option}={value!r}.")
    return arguments


def read_input(config: Mapping[str, Any]) -> SymbolicTensor:
    """Return the `Input` that the config of Keras's ``InputLayer`` stands for."""
    batch_size, *shape = config["batch_shape"] if "batch_shape" in config else config["batch_input_shape"]
    return Input(tuple(shape), batch_size, config.get("dtype"), config.get("name"))


def read_initializer(identifier: Any, argument: str) -> Initializer:
    """Return the initializer that an identifier stands for; None stands for none here, unlike in `initializers.get`.

    Raises
    ------
    TypeError
        If `identifier` is None, or of a kind that names no initializer.
    """
    initializer = initializers.get(identifier)
    if initializer is None:
        raise TypeError(f"`{argument}` must be an initializer, such as 'uniform' or 'zeros'. Received: None.")
    return initializer
