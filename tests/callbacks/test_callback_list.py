"""Who is called, when, in which order and with what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from told import Told, make_constant

from fastembed_layer import callbacks

X, Y = np.zeros(10), np.ones((10, 1))


def test_fit_calls_the_hooks_in_the_order_of_keras() -> None:
    told = Told()
    make_constant(metrics=["mae"]).fit(
        X, Y, batch_size=5, epochs=2, validation_data=(X[:5], Y[:5]), callbacks=[told], verbose=0
    )
    numbers = ["loss", "mae"]
    step = [("on_train_batch_begin", 0, []), ("on_train_batch_end", 0, numbers)]
    step += [("on_train_batch_begin", 1, []), ("on_train_batch_end", 1, numbers)]
    validation = [("on_test_begin", []), ("on_test_batch_begin", 0, []), ("on_test_batch_end", 0, numbers)]
    validation += [("on_test_end", numbers)]
    both = ["loss", "mae", "val_loss", "val_mae"]
    epochs = [[("on_epoch_begin", epoch, []), *step, *validation, ("on_epoch_end", epoch, both)] for epoch in range(2)]
    assert told.calls == [("on_train_begin", []), *epochs[0], *epochs[1], ("on_train_end", both)]


def test_evaluate_and_predict_call_their_own_hooks() -> None:
    told, model = Told(), make_constant()
    model.evaluate(X, Y, batch_size=10, callbacks=[told], verbose=0)
    assert told.names() == ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"]
    told.calls.clear()
    model.predict(X, batch_size=10, callbacks=told)
    assert told.names() == ["on_predict_begin", "on_predict_batch_begin", "on_predict_batch_end", "on_predict_end"]
    assert told.calls[2] == ("on_predict_batch_end", 0, ["outputs"])


def test_the_model_and_the_parameters_of_the_run_are_told() -> None:
    told, model = Told(), make_constant()
    model.fit(X, Y, batch_size=4, epochs=3, callbacks=told, verbose=0)
    assert told.model is model
    assert told.params == {"verbose": 0, "epochs": 3, "steps": 3}


def test_numbers_of_a_batch_are_those_of_the_epoch_so_far() -> None:
    seen: list[float] = []
    tell = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    targets = np.array([[1.0], [1.0], [3.0], [3.0]])
    make_constant().fit(np.zeros(4), targets, batch_size=2, shuffle=False, callbacks=[tell], verbose=0)
    assert seen == [1.0, 5.0]


@pytest.mark.parametrize("as_list", [True, False])
def test_a_function_is_called_after_each_epoch_with_the_numbers(as_list: bool) -> None:
    told: list[tuple[int, dict[str, float]]] = []

    def tell(epoch: int, logs: dict[str, float]) -> None:
        told.append((epoch, logs))

    history = make_constant(metrics=["mae"]).fit(X, Y, epochs=2, callbacks=[tell] if as_list else tell, verbose=0)
    assert [epoch for epoch, _ in told] == [0, 1]
    assert [logs["loss"] for _, logs in told] == history.history["loss"]
    assert told[0][1].keys() == history.history.keys()


def test_what_a_function_does_to_its_numbers_does_not_reach_the_history() -> None:
    history = make_constant().fit(X, Y, callbacks=lambda epoch, logs: logs.clear(), verbose=0)
    assert "loss" in history.history


def test_what_a_callback_adds_to_the_numbers_reaches_the_history_as_in_keras() -> None:
    class Adds(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["epochs_left"] = 1 - epoch

    assert make_constant().fit(X, Y, epochs=2, callbacks=[Adds()], verbose=0).history["epochs_left"] == [1, 0]


def test_an_object_may_have_some_of_the_methods() -> None:
    calls: list[Any] = []

    class Some:
        model: Any = None

        def set_model(self, model: Any) -> None:
            self.model = model

        def on_batch_end(self, batch: int, logs: Any) -> None:
            calls.append(("batch", batch))

        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            calls.append(("end", epoch))

    some, model = Some(), make_constant()
    model.fit(X, Y, epochs=2, batch_size=5, callbacks=[some], verbose=0)
    assert calls == [("batch", 0), ("batch", 1), ("end", 0)] + [("batch", 0), ("batch", 1), ("end", 1)]
    assert some.model is model


def test_the_older_names_of_batch_hooks_are_called_by_the_newer() -> None:
    calls: list[str] = []

    class Older(callbacks.Callback):
        def on_batch_begin(self, batch: int, logs: Any = None) -> None:
            calls.append("begin")

        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append("end")

    make_constant().fit(X, Y, callbacks=[Older()], verbose=0)
    assert calls == ["begin", "end"]


def test_lists_of_callbacks_may_be_nested() -> None:
    ends: list[int] = []
    make_constant().fit(X, Y, callbacks=[[lambda epoch, logs: ends.append(epoch)], None, ()], verbose=0)
    assert ends == [0]


def test_hooks_that_do_nothing_are_not_called() -> None:
    calls = callbacks.CallbackList([callbacks.Callback(), callbacks.History()])
    assert [name for name, hooks in calls._hooks.items() if hooks] == ["on_epoch_end", "on_train_begin"]


def test_a_callback_may_be_appended() -> None:
    told = Told()
    calls = callbacks.CallbackList()
    calls.append(told)
    calls.on_epoch_begin(3)
    calls.on_predict_end()
    assert told.calls == [("on_epoch_begin", 3, []), ("on_predict_end", [])]


def test_every_hook_reaches_the_callbacks() -> None:
    told = Told()
    calls = callbacks.CallbackList([told])
    for name in told.__class__.__dict__:
        if name.startswith("on_"):
            getattr(calls, name)(*([0, {}] if "epoch" in name or "batch" in name else [{}]))
            assert told.names()[-1] == name


@pytest.mark.parametrize("callback", [3, "stop", object()], ids=str)
def test_what_is_no_callback_is_refused_before_the_first_step(callback: Any) -> None:
    told, model = Told(), make_constant(rate=1.0)
    before = model.get_weights()
    with pytest.raises(TypeError, match=r"`callbacks` must be functions of \(epoch, logs\) or objects.*Received: "):
        model.fit(X, Y, callbacks=[told, callback], verbose=0)
    assert told.calls == []
    assert model.get_weights() == before


def test_a_class_in_place_of_an_object_is_refused() -> None:
    with pytest.raises(TypeError, match=r"pass an instance, EarlyStopping\(\.\.\.\)"):
        make_constant().fit(X, Y, callbacks=[callbacks.EarlyStopping], verbose=0)


def test_stop_training_ends_after_the_epoch() -> None:
    model = make_constant()

    def stop(epoch: int, logs: Any) -> None:
        model.stop_training = epoch == 1

    assert model.fit(X, Y, epochs=9, callbacks=stop, verbose=0).epoch == [0, 1]
    assert model.fit(X, Y, epochs=1, verbose=0).epoch == [0]


def test_stop_training_within_an_epoch_ends_it_after_the_batch() -> None:
    told, model = Told(), make_constant()

    def stop(batch: int, logs: Any) -> None:
        model.stop_training = batch == 1

    stopper = callbacks.LambdaCallback(on_train_batch_end=stop)
    history = model.fit(X, Y, epochs=9, batch_size=2, callbacks=[stopper, told], verbose=0)
    assert history.epoch == [0]
    assert told.names().count("on_train_batch_end") == 2
    assert told.names()[-2:] == ["on_epoch_end", "on_train_end"]
