"""`CallbackList`: several callbacks that are called as one, whatever kind of thing each of them is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from fastembed_layer.callbacks.callback import HOOKS, Callback, Logs
from fastembed_layer.callbacks.history import History

Hook = Callable[..., Any]


class CallbackList(Callback):
    """Callbacks that are called together, for `fit` and for training loops of your own.

    Parameters
    ----------
    callbacks : callback, or list of callbacks, optional
        Objects with methods of `Callback`, all of them or some, such as callbacks of Keras; or functions, which are
        called as ``function(epoch, logs)`` after each epoch.
    add_history : bool
        Whether a `History` is added at the end unless there is one.
    add_progbar : bool
        As in Keras, and without effect: the bar belongs to `fit`.
    model : Model, optional
        Handed to ``set_model`` of each.
    **params
        Handed to ``set_params`` of each.

    Raises
    ------
    TypeError
        If one is no callback.

    Examples
    --------
    >>> from fastembed_layer import callbacks
    >>> calls = callbacks.CallbackList([lambda epoch, logs: print(epoch, logs)], add_history=True)
    >>> calls.on_train_begin()
    >>> calls.on_epoch_end(0, {"loss": 0.5})
    0 {'loss': 0.5}
    >>> calls.history.history
    {'loss': [0.5]}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        super().__init__()
        self.callbacks = [_as_callback(thing) for thing in _flatten(callbacks)]
        found = [callback for callback in self.callbacks if isinstance(callback, History)]
        if add_history and not found:
            found = [History()]
            self.callbacks += found
        self.history: History | None = found[-1] if found else None
        self._hooks = {name: [*_hooks_of(self.callbacks, name)] for name in HOOKS}
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def append(self, callback: Any) -> None:
        """Add a callback at the end."""
        added = _as_callback(callback)
        self.callbacks.append(added)
        for name in HOOKS:
            self._hooks[name] += _hooks_of([added], name)

    def set_model(self, model: Any) -> None:
        """Tell all of the model."""
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell all of the parameters of the run; an empty dict is kept to itself."""
        super().set_params(params)
        for callback in self.callbacks if params else ():
            callback.set_params(params)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_epoch_begin", logs, epoch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call all with one dict, which later ones find as earlier ones leave it."""
        self._call("on_epoch_end", logs, epoch)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_train_batch_begin", logs, batch)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_train_batch_end", logs, batch)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_batch_begin", logs, batch)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_batch_end", logs, batch)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_test_end", logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_test_batch_begin", logs, batch)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_test_batch_end", logs, batch)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_predict_end", logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_predict_batch_begin", logs, batch)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call all."""
        self._call("on_predict_batch_end", logs, batch)

    def _call(self, name: str, logs: Logs | None, *number: int) -> None:
        hooks = self._hooks[name]
        if hooks:
            shared = {} if logs is None else logs
            for hook in hooks:
                hook(*number, shared)


class _AfterEpoch(Callback):
    """A plain function that is called after each epoch, with numbers of its own."""

    def __init__(self, function: Callable[[int, Logs], Any]):
        super().__init__()
        self.function = function

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.function(epoch, dict(logs or {}))


class _Adapted(Callback):
    """An object that has some of the methods of a callback."""

    def __init__(self, thing: Any):
        super().__init__()
        for name in (*HOOKS, "set_model", "set_params"):
            if callable(method := getattr(thing, name, None)):
                setattr(self, name, method)


def _flatten(callbacks: Any) -> Iterator[Any]:
    if callbacks is None:
        return
    if isinstance(callbacks, list | tuple):
        for callback in callbacks:
            yield from _flatten(callback)
    else:
        yield callbacks


def _as_callback(thing: Any) -> Callback:
    if isinstance(thing, Callback):
        return thing
    if inspect.isclass(thing):
        raise TypeError(
            f"`callbacks` must be objects, not classes: pass an instance, {thing.__name__}(...). Received: {thing!r}."
        )
    if any(callable(getattr(thing, name, None)) for name in HOOKS):
        return _Adapted(thing)
    if callable(thing):
        return _AfterEpoch(thing)
    raise TypeError(
        "`callbacks` must be functions of (epoch, logs) or objects with methods of a Callback, such as "
        f"on_epoch_end(epoch, logs) or on_train_batch_end(batch, logs). Received: {thing!r}."
    )


def _hooks_of(callbacks: list[Callback], name: str) -> Iterator[Hook]:
    """The methods of one name that do something; those of the base class do nothing, and cost nothing."""
    for callback in callbacks:
        hook = getattr(callback, name)
        older = getattr(callback, name.replace("_train", "")) if "train_batch" in name else hook
        if not (_is_default(hook) and _is_default(older)):
            yield hook


def _is_default(hook: Hook) -> bool:
    function = getattr(hook, "__func__", None)
    return function is not None and function is getattr(Callback, function.__name__, None)
