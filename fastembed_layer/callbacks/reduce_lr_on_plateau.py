"""`ReduceLROnPlateau`: a smaller learning rate when a number gets no better."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.callbacks.callback import Logs
from fastembed_layer.callbacks.monitor import MonitorCallback
from fastembed_layer.callbacks.rates import read_rate, set_rate
from fastembed_layer.checks import warn_caller


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` when a number has not got better for some epochs.

    Parameters
    ----------
    monitor : str
        Name of the number.
    factor : float
        What the rate is multiplied with, below 1.
    patience : int
        Number of epochs without a better value after which the rate is reduced.
    verbose : {0, 1}
        Whether it is printed.
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; "auto" decides by the name.
    min_delta : float
        The least change that counts as better.
    cooldown : int
        Number of epochs after a reduction in which nothing is counted.
    min_lr : float
        The rate does not go below it.

    Raises
    ------
    ValueError
        If `factor` is 1 or larger.
    TypeError
        When the rate is to be reduced and the optimizer has a schedule.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Dense, EmbeddingBag, Sequential, callbacks
    >>> model = Sequential([EmbeddingBag(10, 2), Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> reduce = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100)
    >>> history = model.fit(np.zeros((4, 3), int), np.ones(4), epochs=3, verbose=0, callbacks=[reduce])
    >>> history.history["learning_rate"], model.optimizer.learning_rate
    ([0.01, 0.01, 0.005], 0.0025)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0. Received: factor={factor}.")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._start_afresh()

    def in_cooldown(self) -> bool:
        """Tell whether the rate was reduced a short while ago."""
        return self.cooldown_counter > 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._start_afresh()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the number with the best one so far, and add the rate of the epoch to its numbers."""
        self.find_direction()
        logs = {} if logs is None else logs
        logs["learning_rate"] = read_rate(self.model.optimizer)
        current = logs.get(self.monitor)
        if current is None:
            warn_caller(
                f"Learning rate reduction is conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}."
            )
        else:
            self._compare(epoch, current)

    def _compare(self, epoch: int, current: Any) -> None:
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        rate = read_rate(self.model.optimizer)
        if rate > np.float32(self.min_lr):
            rate = max(rate * self.factor, self.min_lr)
            set_rate(self.model.optimizer, rate, type(self).__name__)
            if self.verbose > 0:
                print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
            self.cooldown_counter = self.cooldown
            self.wait = 0

    def _start_afresh(self) -> None:
        self.best: Any = None
        self.cooldown_counter = self.wait = 0
