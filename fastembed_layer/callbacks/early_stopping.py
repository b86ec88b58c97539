"""`EarlyStopping`: end a training that gets no better."""

from __future__ import annotations

from typing import Any

from fastembed_layer.callbacks.callback import Logs
from fastembed_layer.callbacks.monitor import MonitorCallback
from fastembed_layer.checks import warn_caller


class EarlyStopping(MonitorCallback):
    """Ends the training when a number has not got better for some epochs.

    Parameters
    ----------
    monitor : str
        Name of the number, such as ``"val_loss"`` or ``"accuracy"``.
    min_delta : float
        The least change that counts as better.
    patience : int
        Number of epochs without a better value after which the training ends.
    verbose : {0, 1}
        Whether it is printed when the training ends.
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; "auto" decides by the name.
    baseline : float, optional
        A value that has to be reached: epochs that are worse count as no better.
    restore_best_weights : bool
        Whether the model gets back the weights of its best epoch. They are kept in memory meanwhile, so this needs as
        much memory as the model's weights once more.
    start_from_epoch : int
        Number of the epoch from which on values are looked at.

    Attributes
    ----------
    stopped_epoch : int
        The epoch at which the training was ended, else 0.
    best, best_epoch, best_weights
        The best value, its epoch, and the weights then.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Dense, EmbeddingBag, Sequential, callbacks
    >>> model = Sequential([EmbeddingBag(10, 2), Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> stop = callbacks.EarlyStopping("loss", patience=2, min_delta=100)
    >>> history = model.fit(np.zeros((4, 3), int), np.ones(4), epochs=10, verbose=0, callbacks=[stop])
    >>> history.epoch
    [0, 1, 2]
    """

    wait: int
    stopped_epoch: int
    best_epoch: int
    best_weights: list[Any] | None

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._start_afresh()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._start_afresh()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the number with the best one so far."""
        self.find_direction()
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep_weights(epoch)
        self.wait += 1
        if self.is_improvement(current, self.best):
            self.best = current
            self._keep_weights(epoch)
            if self.baseline is None or self.is_improvement(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Give the model its best weights back, where that was asked for."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def get_monitor_value(self, logs: Logs | None) -> Any:
        """Return the number among the logs; None, with a warning, where there is none."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warn_caller(
                f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}"
            )
        return value

    def _start_afresh(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def _keep_weights(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()
