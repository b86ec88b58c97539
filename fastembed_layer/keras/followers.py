"""`Follower`: trains the tables of a layer whenever an optimizer of Keras makes a step, by the same rule."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol

import keras
import numpy as np

from fastembed_layer import optimizers
from fastembed_layer.keras.frameworks import framework
from fastembed_layer.optimizers.optimizer import Optimizer

Array = np.ndarray[Any, Any]

KIND = "optimizer"
LEFT_TO_KERAS = ("name", "learning_rate", "global_clipnorm", "loss_scale_factor")
AVERAGES = ("use_ema", "ema_momentum", "ema_overwrite_frequency")
WAY_OUT = "Or give the layer an optimizer of its own: `optimizer=`, such as optimizer='adam'."


class Owner(Protocol):
    """What a follower asks of whom it works for."""

    name: str
    update: str
    given: Optimizer | None

    @property
    def way(self) -> Any:
        """What the layer computes, with its tables."""


class Follower:
    """One of our optimizers for the tables of a layer, in step with one of Keras's.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Says when, and at which rate, unless the layer has been given an optimizer.
    anchor : keras.Variable
        The weight of the layer that Keras knows of.
    owner : Owner
        With the layer's name and arguments.
    """

    def __init__(self, optimizer: Any, anchor: Any, owner: Owner):
        self._owner, self._given = owner, owner.given
        if self._given is not None:
            self.native: Optimizer = type(self._given).from_config(self._given.get_config())
        else:
            self.native = make_native(optimizer, owner.update, owner.name)
            if not optimizer._use_weight_decay(anchor):
                self.native.weight_decay = None

    @property
    def follows_keras(self) -> bool:
        """Whether rate and clipping are those of Keras's optimizer."""
        return self._given is None

    def step(self, pairs: Any, numbers: tuple[int, float, float]) -> None:
        """Make one step."""
        iterations, rate, factor = numbers
        self.native.iterations = int(iterations)
        self.native.learning_rate = float(rate) if self._given is None else self._given.learning_rate
        if factor != 1:
            pairs = [(gradient * float(factor), table) for gradient, table in pairs]
        self.native.apply_gradients(pairs)

    def save(self, store: MutableMapping[str, Any]) -> None:
        """Write the state into a store, with the kind of optimizer that it belongs to."""
        store[KIND] = self._kind
        self.native.save_own_variables(store)

    def resume(self, state: Mapping[str, Array], iterations: int) -> None:
        """Go on from a state, unless it is that of another optimizer, or of another moment of this one."""
        state = dict(state)
        kind = state.pop(KIND, None)
        if kind is None or not np.array_equal(kind, self._kind) or int(state["iterations"]) != iterations:
            return
        self.native.build(self._owner.way.tables)
        self.native.load_own_variables(state)

    @property
    def _kind(self) -> Array:
        return np.frombuffer(type(self.native).__name__.encode(), np.uint8)


def make_native(optimizer: Any, update: str, layer_name: str) -> Optimizer:
    """Return our optimizer with the rule and the hyper-parameters of one of Keras's.

    Raises
    ------
    ValueError
        If there is none, or an option cannot be honoured.
    """
    kind = _kind_of(optimizer)
    if kind is None:
        raise ValueError(
            f"The layer {layer_name!r} follows the optimizers of Keras and not subclasses of them, whose formulas it "
            f"does not know. Received: {type(optimizer).__name__}. {WAY_OUT}"
        )
    _check_options(optimizer, layer_name)
    with framework().outside_graphs():
        config = optimizer.get_config()
    config = {key: value for key, value in config.items() if key not in (*LEFT_TO_KERAS, *AVERAGES)}
    try:
        native = optimizers.get({"class_name": kind, "config": config | {"update": update}})
    except ValueError as error:
        raise ValueError(f"The layer {layer_name!r} cannot follow {kind}. {error} {WAY_OUT}") from None
    assert native is not None
    return native


def _kind_of(optimizer: Any) -> str | None:
    """Return the name that Keras has for the class of an optimizer, also of a backend's version of it."""
    cls = type(optimizer)
    is_own = cls.__module__.split(".")[0] == "keras" and hasattr(keras.optimizers, cls.__name__)
    return cls.__name__ if is_own else None


def _check_options(optimizer: Any, layer_name: str) -> None:
    if optimizer.use_ema:
        raise ValueError(
            f"`use_ema` must be False to train the layer {layer_name!r}: an average of the table would cost a pass "
            f"over it in every step. Received: True. {WAY_OUT}"
        )
    if optimizer.global_clipnorm and optimizer.gradient_accumulation_steps:
        raise ValueError(
            f"`global_clipnorm` and `gradient_accumulation_steps` do not go together for the layer {layer_name!r}. "
            f"Received: {optimizer.global_clipnorm} and {optimizer.gradient_accumulation_steps}. `clipnorm`, which "
            f"clips each weight by itself, does. {WAY_OUT}"
        )
