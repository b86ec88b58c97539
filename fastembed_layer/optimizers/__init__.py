"""Optimizers that train the touched rows of a table, and dense parameters by the same rules."""

from __future__ import annotations

from typing import Any

from fastembed_layer.named import NamedObjects
from fastembed_layer.optimizers.adagrad import Adagrad
from fastembed_layer.optimizers.adam import Adam
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.rmsprop import RMSprop
from fastembed_layer.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Optimizer", "RMSprop", "get"]

OPTIMIZERS: NamedObjects[Optimizer] = NamedObjects("optimizer", Optimizer)
for _optimizer in (SGD, Adagrad, RMSprop, Adam):
    OPTIMIZERS.add(_optimizer)


def get(identifier: Any) -> Optimizer | None:
    """Return the optimizer that a name, config, class or instance stands for.

    Parameters
    ----------
    identifier : str, dict, type, Optimizer or None
        Such as ``"adam"`` or ``{"class_name": "SGD", "config": {"learning_rate": 0.1}}``.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest known ones.
    TypeError
        For any other kind of identifier.

    Examples
    --------
    >>> from fastembed_layer import optimizers
    >>> optimizers.get("adagrad").learning_rate
    0.001
    """
    return OPTIMIZERS.get(identifier)
