"""Optimizers that train the touched rows of a table, and dense parameters by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastembed_layer.named import NamedObjects
from fastembed_layer.optimizers.adadelta import Adadelta
from fastembed_layer.optimizers.adagrad import Adagrad
from fastembed_layer.optimizers.adam import Adam
from fastembed_layer.optimizers.adamax import Adamax
from fastembed_layer.optimizers.adamw import AdamW
from fastembed_layer.optimizers.ftrl import Ftrl
from fastembed_layer.optimizers.lion import Lion
from fastembed_layer.optimizers.nadam import Nadam
from fastembed_layer.optimizers.optimizer import Optimizer
from fastembed_layer.optimizers.rmsprop import RMSprop
from fastembed_layer.optimizers.rowwise_adagrad import RowwiseAdagrad
from fastembed_layer.optimizers.rowwise_adam import RowwiseAdam
from fastembed_layer.optimizers.rowwise_lamb import RowwiseLamb
from fastembed_layer.optimizers.schedules import LearningRateSchedule
from fastembed_layer.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "LearningRateSchedule",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "RowwiseAdagrad",
    "RowwiseAdam",
    "RowwiseLamb",
    "deserialize",
    "get",
    "serialize",
]

OPTIMIZERS: NamedObjects[Optimizer] = NamedObjects("optimizer", Optimizer)
for _optimizer in (
    *(SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Ftrl, Lion),
    *(RowwiseAdagrad, RowwiseAdam, RowwiseLamb),
):
    OPTIMIZERS.add(_optimizer)

# What Keras has besides, by lower-case names without underscores: why a row cannot be stepped by itself, and what can.
NOT_LOCAL = {
    "adafactor": (
        "its second moments are means over whole columns, and its steps are clipped by a norm of the whole table",
        "'rowwise_adam' and 'rowwise_adagrad' have small states too",
    ),
    "muon": (
        "it makes the momentum of the whole matrix orthogonal, so each row depends on all others",
        "its authors train embeddings by 'adamw'",
    ),
    "lamb": ("its trust ratio takes norms of the whole table", "'rowwise_lamb' has one ratio per row"),
    "schedulefreeadamw": (
        "its gradients belong to another point than its result, and changing over from one to the other moves all rows",
        "'adamw' with a schedule comes nearest",
    ),
}


def get(identifier: Any) -> Optimizer | None:
    """Return the optimizer that a name, config, class or instance stands for.

    Parameters
    ----------
    identifier : str, dict, type, Optimizer or None
        Such as ``"adam"`` or ``{"class_name": "SGD", "config": {"learning_rate": 0.1}}``.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest known ones, and for Keras's ``Adafactor``, ``Muon``, ``Lamb`` and
        ``ScheduleFreeAdamW``, with the reason.
    TypeError
        For any other kind of identifier.

    Examples
    --------
    >>> from fastembed_layer import optimizers
    >>> optimizers.get("adagrad").learning_rate
    0.001
    """
    _refuse_what_is_not_local(identifier.get("class_name") if isinstance(identifier, Mapping) else identifier)
    return OPTIMIZERS.get(identifier)


def serialize(optimizer: Any) -> Any:
    """Return the config of an optimizer, without its state; None stays None.

    Examples
    --------
    >>> from fastembed_layer import optimizers
    >>> optimizers.serialize(optimizers.SGD(0.1))["class_name"]
    'SGD'
    """
    return OPTIMIZERS.serialize(optimizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer | None:
    """Return the optimizer of a config or a name; `custom_objects` holds classes of your own by name.

    Examples
    --------
    >>> from fastembed_layer import optimizers
    >>> optimizers.deserialize({"class_name": "SGD", "config": {"learning_rate": 0.1}}).learning_rate
    0.1
    """
    _refuse_what_is_not_local(config.get("class_name") if isinstance(config, Mapping) else config)
    return OPTIMIZERS.deserialize(config, custom_objects)


def _refuse_what_is_not_local(name: Any) -> None:
    key = name.lower().replace("_", "") if isinstance(name, str) else ""
    if key in NOT_LOCAL:
        reason, alternative = NOT_LOCAL[key]
        raise ValueError(
            f"The optimizer {name!r} is not local to rows: {reason}. It is left out here; {alternative}. "
            f"Received: {name!r}."
        )
