"""The arguments that optimizers do not have: refused with the nearest ones that they have, or known from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastembed_layer.named import argument_names, nearest_names

# Keys of Keras's optimizer configs that say nothing about the result.
WITHOUT_EFFECT = ("jit_compile", "is_legacy_optimizer", "decay")
# What others call an argument, where no likeness of the letters leads to it.
ELSEWHERE = {"lr": "learning_rate", "alpha": "rho"}
DECAY = "`decay` is a schedule now: pass learning_rate=InverseTimeDecay(rate, 1, decay)."


def refuse_unknown(cls: type, unknown: Mapping[str, Any]) -> None:
    """Raise a TypeError for arguments that an optimizer does not have, with the nearest that it has."""
    for name in unknown:
        raise TypeError(f"{cls.__name__} got an unexpected keyword argument {name!r}. {_hint(name, cls)}")


def check_name(name: Any) -> str | None:
    """Return the name of an optimizer, or raise."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"`name` must be a string. Received: {name!r} (of type {type(name).__name__}).")
    return name


def read_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a config, of here or of Keras, without those that have no effect.

    Raises
    ------
    ValueError
        For the `decay` of Keras's old optimizers.
    """
    if config.get("decay"):
        raise ValueError(DECAY)
    return {key: value for key, value in config.items() if key not in WITHOUT_EFFECT}


def _hint(name: str, cls: type) -> str:
    if name == "decay":
        return DECAY
    known = argument_names(cls)
    if ELSEWHERE.get(name) in known:
        return f"Did you mean {ELSEWHERE[name]!r}?"
    return nearest_names(name, known)
