"""`LambdaCallback`: a callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastembed_layer.callbacks.callback import HOOKS, Callback
from fastembed_layer.named import nearest_names

Function = Callable[..., Any]


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called as ``function(epoch, logs)``.
    on_train_begin, on_train_end : callable, optional
        Called as ``function(logs)``.
    on_train_batch_begin, on_train_batch_end : callable, optional
        Called as ``function(batch, logs)``.
    **kwargs
        Any other method of `Callback` by its name, such as ``on_test_end=``; other names become attributes.

    Raises
    ------
    TypeError
        For a name that begins with ``on_`` and is no method of a callback, or for what is no function in its place.

    Examples
    --------
    >>> from fastembed_layer import callbacks
    >>> tell = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    >>> tell.on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Function | None = None,
        on_epoch_end: Function | None = None,
        on_train_begin: Function | None = None,
        on_train_end: Function | None = None,
        on_train_batch_begin: Function | None = None,
        on_train_batch_end: Function | None = None,
        **kwargs: Any,
    ):
        super().__init__()
        given = kwargs | {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name, function in given.items():
            if function is not None:
                _check_hook(name, function)
                setattr(self, name, function)


def _check_hook(name: str, function: Any) -> None:
    if name.startswith("on_") and name not in HOOKS:
        raise TypeError(f"LambdaCallback has no argument {name!r}. {nearest_names(name, list(HOOKS))}")
    if name in HOOKS and not callable(function):
        raise TypeError(f"`{name}` must be a function. Received: {function!r}.")
