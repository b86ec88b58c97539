"""A callback that writes down what it is told, and a model whose losses can be written down."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer import Embedding, Model, callbacks, optimizers
from fastembed_layer.callbacks.callback import HOOKS


class Told(callbacks.Callback):
    """Writes down the name, the number and the names of the logs of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


def _writer(name: str) -> Any:
    def write(self: Told, *arguments: Any) -> None:
        *number, logs = arguments
        self.calls.append((name, *number, sorted(logs)))

    return write


for _name in HOOKS:
    if "on_batch" not in _name:
        setattr(Told, _name, _writer(_name))


class Constant(Model):
    """Predicts its one weight for every sample."""

    def __init__(self, value: float = 0.0):
        super().__init__()
        self.embedding = Embedding(1, 1, weights=[[[value]]], dtype="float64")

    def call(self, inputs: Any) -> Any:
        return self.embedding(np.zeros(len(inputs), int))


def make_constant(value: float = 0.0, rate: float = 0.0, **options: Any) -> Constant:
    model = Constant(value)
    model.compile(optimizers.SGD(rate), "mse", **options)
    return model


class Scripted(callbacks.Callback):
    """Puts numbers of its own among those of each epoch, as the first of the callbacks, and moves the weight."""

    def __init__(self, name: str, values: list[Any]):
        super().__init__()
        self.name, self.values = name, values

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs[self.name] = self.values[epoch]
        self.model.set_weights([np.full((1, 1), float(epoch))])


def run(callback: Any, values: list[Any], name: str = "val_loss", **options: Any) -> Any:
    """Train for as many epochs as there are values of one number, and return the model's history."""
    model = options.pop("model", None) or make_constant()
    chosen = [Scripted(name, values), callback]
    return model.fit(np.zeros(2), np.zeros((2, 1)), epochs=len(values), callbacks=chosen, verbose=0, **options)
