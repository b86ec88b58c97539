"""`Callback`: the base of all callbacks, and the names of its hooks."""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any]

NUMBERED_HOOKS = (  # called with the number of an epoch or of a batch, and logs
    *("on_epoch_begin", "on_epoch_end"),
    *("on_train_batch_begin", "on_train_batch_end"),
    *("on_test_batch_begin", "on_test_batch_end"),
    *("on_predict_batch_begin", "on_predict_batch_end"),
    *("on_batch_begin", "on_batch_end"),
)
OTHER_HOOKS = (  # called with logs
    *("on_train_begin", "on_train_end"),
    *("on_test_begin", "on_test_end"),
    *("on_predict_begin", "on_predict_end"),
)
HOOKS = NUMBERED_HOOKS + OTHER_HOOKS


class Callback:
    """Base of all callbacks: a subclass writes the methods for the moments that it wants to be told of.

    `logs` hold the numbers so far: at the end of a training or test batch those of the epoch up to it, at the end of an
    epoch those of the epoch, with ``val_`` before the names of the validation's. Epochs and batches count from 0.
    Setting ``self.model.stop_training = True`` ends the training after the batch or the epoch.

    Attributes
    ----------
    model : Model or None
        The model that is trained.
    params : dict or None
        ``verbose``, ``epochs`` and ``steps`` of the run.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Dense, Embedding, Flatten, Sequential, callbacks
    >>> class Tell(callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, sorted(logs))
    >>> model = Sequential([Embedding(10, 2, input_length=3), Flatten(), Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.zeros((4, 3), int), np.ones(4), epochs=2, verbose=0, callbacks=[Tell()])
    0 ['loss']
    1 ['loss']
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model that is trained."""
        return self._model

    def set_model(self, model: Any) -> None:
        """Be told of the model."""
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Be told ``verbose``, ``epochs`` and ``steps``."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """`fit` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """`fit` ends; `logs` are those of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch begins."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch ends, its validation included."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A training step begins."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A training step ends."""
        self.on_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """The older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """The older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """`evaluate`, or a validation, begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """`evaluate`, or a validation, ends; `logs` are its numbers."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `evaluate` or of a validation begins."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `evaluate` or of a validation ends."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """`predict` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """`predict` ends."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `predict` begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `predict` ends; ``logs["outputs"]`` are its predictions."""
