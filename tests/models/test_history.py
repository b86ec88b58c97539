"""What `fit` tells: history, callbacks, progress."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dense, EmbeddingBag, Sequential
from fastembed_layer.models.history import History

IDS, TARGETS = np.arange(40).reshape(10, 4) % 7, np.ones(10)


def make_model() -> Sequential:
    model = Sequential([EmbeddingBag(7, 3), Dense(1)])
    model.compile("sgd", "mse", ["mae"])
    return model


def test_a_history_has_a_list_per_number() -> None:
    history = History()
    history.append(0, {"loss": 2.0})
    history.append(1, {"loss": 1.0, "val_loss": 3.0})
    assert history.epoch == [0, 1]
    assert history.history == {"loss": [2.0, 1.0], "val_loss": [3.0]}


@pytest.mark.parametrize("as_list", [True, False])
def test_a_function_is_called_after_each_epoch_with_the_numbers(as_list: bool) -> None:
    told: list[tuple[int, dict[str, float]]] = []

    def tell(epoch: int, logs: dict[str, float]) -> None:
        told.append((epoch, logs))

    history = make_model().fit(IDS, TARGETS, epochs=2, callbacks=[tell] if as_list else tell, verbose=0)
    assert [epoch for epoch, _ in told] == [0, 1]
    assert [logs["loss"] for _, logs in told] == history.history["loss"]
    assert told[0][1].keys() == history.history.keys()


def test_what_a_callback_does_to_its_numbers_does_not_reach_the_history() -> None:
    history = make_model().fit(IDS, TARGETS, callbacks=lambda epoch, logs: logs.clear(), verbose=0)
    assert "loss" in history.history


def test_the_methods_of_an_object_are_called_in_keras_order() -> None:
    calls: list[tuple[str, int]] = []

    class Recorder:
        model: Any = None

        def set_model(self, model: Any) -> None:
            self.model = model

        def on_epoch_begin(self, epoch: int, logs: Any) -> None:
            calls.append(("begin", epoch))

        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            assert set(logs) == {"loss"}
            calls.append(("batch", batch))

        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            calls.append(("end", epoch))

    recorder, model = Recorder(), make_model()
    model.fit(IDS, TARGETS, epochs=2, batch_size=5, callbacks=recorder, verbose=0)
    epoch = [("batch", 0), ("batch", 1)]
    assert calls == [("begin", 0), *epoch, ("end", 0), ("begin", 1), *epoch, ("end", 1)]
    assert recorder.model is model


def test_an_object_may_have_some_of_the_methods() -> None:
    ends = []

    class OnlyEnd:
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            ends.append(epoch)

    make_model().fit(IDS, TARGETS, epochs=2, callbacks=[OnlyEnd()], verbose=0)
    assert ends == [0, 1]


def test_stop_training_ends_after_the_epoch() -> None:
    model = make_model()

    def stop(epoch: int, logs: Any) -> None:
        model.stop_training = epoch == 1

    assert model.fit(IDS, TARGETS, epochs=9, callbacks=stop, verbose=0).epoch == [0, 1]
    assert model.fit(IDS, TARGETS, epochs=1, verbose=0).epoch == [0]


@pytest.mark.parametrize("callback", [3, "stop", object()], ids=str)
def test_what_is_no_callback_is_refused(callback: Any) -> None:
    with pytest.raises(TypeError, match=r"`callbacks` must be functions of \(epoch, logs\) or objects.*Received: "):
        make_model().fit(IDS, TARGETS, callbacks=[callback], verbose=0)


@pytest.mark.parametrize("verbose", [0, False])
def test_verbose_0_is_silent(verbose: Any, capfd: pytest.CaptureFixture[str]) -> None:
    model = make_model()
    model.fit(IDS, TARGETS, verbose=verbose)
    model.evaluate(IDS, TARGETS, verbose=verbose)
    model.predict(IDS, verbose=verbose)
    assert capfd.readouterr() == ("", "")


def test_predict_is_silent_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    make_model().predict(IDS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", ["auto", 1, True])
def test_verbose_1_shows_a_bar_with_the_numbers(verbose: Any, capfd: pytest.CaptureFixture[str]) -> None:
    make_model().fit(IDS, TARGETS, epochs=2, batch_size=5, verbose=verbose)
    printed = capfd.readouterr()
    assert "Epoch 1/2" in printed.err
    assert "Epoch 2/2" in printed.err
    assert "2/2" in printed.err
    assert "loss=" in printed.err
    assert printed.out == ""


def test_verbose_2_prints_a_line_per_epoch(capfd: pytest.CaptureFixture[str]) -> None:
    make_model().fit(IDS, TARGETS, epochs=2, validation_split=0.2, verbose=2)
    printed = capfd.readouterr()
    lines = printed.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
    assert all("loss 0." in line or "loss 1." in line for line in lines)
    assert all("val_loss" in line for line in lines)
    assert printed.err == ""


def test_evaluate_and_predict_show_what_they_do(capfd: pytest.CaptureFixture[str]) -> None:
    model = make_model()
    model.evaluate(IDS, TARGETS, verbose=2)
    model.predict(IDS, verbose=1)
    printed = capfd.readouterr()
    assert printed.out.startswith("evaluate: loss ")
    assert "predict" in printed.err


@pytest.mark.parametrize("verbose", ["loud", 3, -1, None])
def test_another_verbose_is_refused(verbose: Any) -> None:
    with pytest.raises(ValueError, match=r"`verbose` must be 'auto', 0, 1 or 2\. Received: "):
        make_model().fit(IDS, TARGETS, verbose=verbose)
