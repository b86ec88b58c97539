"""`ModelCheckpoint`: the weights of a model, written while it is trained."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastembed_layer.callbacks.callback import Logs
from fastembed_layer.callbacks.monitor import MonitorCallback
from fastembed_layer.checks import warn_caller
from fastembed_layer.files import write_beside

WEIGHTS_SUFFIX = ".npz"


class ModelCheckpoint(MonitorCallback):
    """Writes the weights of the model at the end of each epoch, or every so many batches.

    They are written to a file beside `filepath` that then takes its name, so an older file stays whole until a new one
    is, and a training that is interrupted leaves no half file.

    Parameters
    ----------
    filepath : str or path
        The file, which may hold fields of `str.format`: ``epoch``, which counts from 1 here, ``batch``, and the names
        of numbers, as in ``"weights.{epoch:02d}-{val_loss:.2f}.npz"``. Folders are made where they are missing.
    monitor : str
        Name of the number that decides with `save_best_only`.
    verbose : {0, 1}
        Whether it is printed when something is written.
    save_best_only : bool
        Whether only weights are written that are better than all before.
    save_weights_only : bool
        Whether ``model.save_weights(filepath)`` writes the file, which then ends in ``.npz``; otherwise
        ``model.save(filepath)`` does, of a model that has this method.
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; "auto" decides by the name.
    save_freq : "epoch" or int
        When to write: after each epoch, or after so many batches.
    initial_value_threshold : float, optional
        What the first value is compared with, with `save_best_only`.

    Raises
    ------
    ValueError
        If `save_freq` is something else, or `filepath` does not end in ``.npz`` with `save_weights_only`.
    TypeError
        At the beginning of a training without `save_weights_only` of a model that has no method ``save``.

    Examples
    --------
    >>> from fastembed_layer import callbacks
    >>> keep = callbacks.ModelCheckpoint("best.{epoch:02d}-{val_loss:.2f}.npz", save_weights_only=True)
    >>> keep.path_for(epoch=0, batch=None, logs={"val_loss": 0.25})
    'best.01-0.25.npz'
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = _checked_frequency(save_freq)
        self._epoch = self._unsaved = 0
        self._last_batch: int | None = None
        if save_weights_only and not self.filepath.endswith(WEIGHTS_SUFFIX):
            raise ValueError(
                f"`filepath` must end in {WEIGHTS_SUFFIX} with `save_weights_only=True`. Received: {self.filepath!r}."
            )

    def set_model(self, model: Any) -> None:
        """Be told of the model, which needs a method that saves it."""
        method = "save_weights" if self.save_weights_only else "save"
        if not callable(getattr(model, method, None)):
            remedy = "" if self.save_weights_only else " Pass `save_weights_only=True` and a path that ends in .npz."
            raise TypeError(f"ModelCheckpoint needs a model with a method `{method}`.{remedy} Received: {model!r}.")
        super().set_model(model)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save after every `save_freq` batches."""
        if self.save_freq == "epoch":
            return
        is_new_epoch = self._last_batch is None or batch <= self._last_batch
        self._unsaved += batch + 1 if is_new_epoch else batch - (self._last_batch or 0)
        self._last_batch = batch
        if self._unsaved >= self.save_freq:
            self._unsaved = 0
            self._save(self._epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save after each epoch."""
        self.find_direction()
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def path_for(self, epoch: int, batch: int | None, logs: Logs) -> str:
        """Return the path with its fields filled in.

        Raises
        ------
        KeyError
            If a field names a number that is not there.
        """
        numbers = logs if batch is None or "batch" in logs else {"batch": batch + 1} | logs
        try:
            return self.filepath.format(**({"epoch": epoch + 1} | numbers))
        except KeyError as error:
            raise KeyError(
                f"`filepath` has a field for {error}, which is not among the numbers. "
                f"Received: filepath={self.filepath!r} and the numbers {['epoch', *numbers]}."
            ) from error

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        path = self.path_for(epoch, batch, logs)
        if not self._is_wanted(epoch, logs, path):
            return
        if os.path.isdir(path):
            raise IsADirectoryError(f"`filepath` must be a file, and there is a folder of that name. Received: {path}.")
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        write_beside(path, self.model.save_weights if self.save_weights_only else self.model.save)
        self._tell(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _is_wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        if not self.save_best_only:
            self._tell(f"\nEpoch {epoch + 1}: saving model to {path}")
            return True
        current = logs.get(self.monitor)
        if current is None:
            warn_caller(f"Can save best model only with {self.monitor} available.")
            return True
        if np.ndim(current):
            warn_caller(f"Can save best model only when `monitor` is a scalar value. Received: {current}.")
            return True
        return self._is_best(epoch, current, path)

    def _is_best(self, epoch: int, current: Any, path: str) -> bool:
        self.find_direction()
        before = "None" if self.best is None else f"{self.best:.5f}"
        if not self.is_improvement(current, self.best):
            self._tell(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {before}")
            return False
        self._tell(
            f"\nEpoch {epoch + 1}: {self.monitor} improved from {before} to {current:.5f}, saving model to {path}"
        )
        self.best = current
        return True

    def _tell(self, text: str) -> None:
        if self.verbose > 0:
            print(text)


def _checked_frequency(save_freq: Any) -> Any:
    is_count = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
    if save_freq != "epoch" and not is_count:
        raise ValueError(f"`save_freq` must be 'epoch' or a positive number of batches. Received: {save_freq!r}.")
    return save_freq
