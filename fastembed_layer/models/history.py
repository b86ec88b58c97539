"""What `fit` tells: the history, the callbacks and the progress bar."""

from __future__ import annotations

from typing import Any

Logs = dict[str, float]


class History:
    """The numbers of a training.

    Attributes
    ----------
    epoch : list of int
        The epochs that were run.
    history : dict of list
        A list for the loss, each metric, and their ``val_`` twins, one entry per epoch.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def append(self, epoch: int, logs: Logs) -> None:
        """Add one epoch."""
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


class Callbacks:
    """Calls plain functions after each epoch, and the Keras-style methods that objects have."""

    def __init__(self, callbacks: Any, model: Any):
        listed = callbacks if isinstance(callbacks, list | tuple) else [callbacks] if callbacks is not None else []
        for callback in listed:
            if not callable(callback) and not any(hasattr(callback, name) for name in _METHODS):
                raise TypeError(
                    "`callbacks` must be functions of (epoch, logs) or objects with one of the methods "
                    f"{', '.join(_METHODS)}. Received: {callback!r}."
                )
            if hasattr(callback, "set_model"):
                callback.set_model(model)
        self._callbacks = listed

    def begin_epoch(self, epoch: int) -> None:
        """Tell that an epoch begins."""
        self._call("on_epoch_begin", epoch, {})

    def end_batch(self, batch: int, logs: Logs) -> None:
        """Tell that a training step is done."""
        self._call("on_train_batch_end", batch, logs)

    def end_epoch(self, epoch: int, logs: Logs) -> None:
        """Tell that an epoch is done."""
        self._call("on_epoch_end", epoch, logs)
        for callback in self._callbacks:
            if not any(hasattr(callback, name) for name in _METHODS):
                callback(epoch, dict(logs))

    def _call(self, method: str, number: int, logs: Logs) -> None:
        for callback in self._callbacks:
            if hasattr(callback, method):
                getattr(callback, method)(number, dict(logs))


_METHODS = ("on_epoch_begin", "on_train_batch_end", "on_epoch_end")


class Progress:
    """A tqdm bar (verbose 1), one line at the end (2) or nothing (0)."""

    def __init__(self, title: str, steps: int | None, verbose: Any):
        if isinstance(verbose, bool) is False and verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {verbose!r}.")
        self._title = title
        self._verbose = 1 if verbose == "auto" else int(verbose)
        self._bar: Any = None
        self._steps = steps

    def __enter__(self) -> Progress:
        if self._verbose == 1:
            from tqdm.auto import tqdm  # a tenth of a second that importing the package need not cost

            self._bar = tqdm(total=self._steps, desc=self._title, unit="step", mininterval=0.2)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, logs: Logs) -> None:
        """Count one step."""
        if self._bar is not None:
            self._bar.update()
            if logs:
                self._bar.set_postfix(_rounded(logs), refresh=False)

    def close_with(self, logs: Logs) -> None:
        """Show the final numbers."""
        if self._bar is not None:
            self._bar.set_postfix(_rounded(logs), refresh=True)
        elif self._verbose == 2:
            print(f"{self._title}: " + ", ".join(f"{name} {value}" for name, value in _rounded(logs).items()))


def _rounded(logs: Logs) -> dict[str, str]:
    return {name: f"{value:.4f}" for name, value in logs.items()}
