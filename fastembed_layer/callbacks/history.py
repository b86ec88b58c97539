"""`History`: the numbers of a training, which `fit` returns."""

from __future__ import annotations

import weakref
from typing import Any

from fastembed_layer.callbacks.callback import Callback, Logs


class History(Callback):
    """The numbers of a training; every `fit` makes one and returns it.

    Attributes
    ----------
    epoch : list of int
        The epochs that were run.
    history : dict of list
        A list for the loss, each metric, and their ``val_`` twins, one entry per epoch.

    Examples
    --------
    >>> from fastembed_layer import callbacks
    >>> history = callbacks.History()
    >>> history.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
    >>> history.epoch, history.history
    ([0], {'loss': [0.5], 'val_loss': [0.75]})
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    @property
    def model(self) -> Any:
        """The model, as long as somebody else holds it: a history that is kept does not keep tables in memory."""
        return None if self._model is None else self._model()

    def set_model(self, model: Any) -> None:
        """Be told of the model."""
        self._model = weakref.ref(model)

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or what is written to a file, knows no model."""
        return vars(self) | {"_model": None}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Start the list of epochs afresh; numbers of an earlier training stay."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add one epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self
