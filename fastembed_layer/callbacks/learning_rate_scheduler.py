"""`LearningRateScheduler`: a learning rate for each epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from fastembed_layer.callbacks.callback import Callback, Logs
from fastembed_layer.callbacks.rates import read_rate, set_rate


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch.

    Parameters
    ----------
    schedule : callable
        ``schedule(epoch, learning_rate)`` returns the new rate, a float; epochs count from 0. A function of the epoch
        alone is understood too.
    verbose : int
        Whether the rate is printed.

    Raises
    ------
    TypeError
        If `schedule` is no function, or the optimizer has a schedule of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Dense, EmbeddingBag, Sequential, callbacks
    >>> model = Sequential([EmbeddingBag(10, 2), Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> halve = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    >>> history = model.fit(np.zeros((4, 3), int), np.ones(4), epochs=3, verbose=0, callbacks=[halve])
    >>> history.history["learning_rate"]
    [0.01, 0.005, 0.0025]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        super().__init__()
        if not callable(schedule):
            raise TypeError(f"`schedule` must be a function of (epoch, learning_rate). Received: {schedule!r}.")
        self.schedule = schedule
        self.verbose = verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate."""
        optimizer = self.model.optimizer
        rate = self.schedule(epoch, read_rate(optimizer)) if self._takes_rate else self.schedule(epoch)
        if not isinstance(rate, float | np.float32 | np.float64):
            raise ValueError(f"The output of the `schedule` function should be a float. Received: {rate!r}.")
        set_rate(optimizer, float(rate), type(self).__name__)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the rate to the numbers of the epoch."""
        if logs is not None:
            logs["learning_rate"] = read_rate(self.model.optimizer)


def _takes_two(schedule: Callable[..., float]) -> bool:
    try:
        inspect.signature(schedule).bind(0, 0.1)
    except TypeError:
        return False
    except ValueError:  # a function that is not written in Python may not tell
        return True
    return True
