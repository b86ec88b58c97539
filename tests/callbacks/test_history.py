"""The numbers that `fit` returns."""

from __future__ import annotations

import gc
import pickle
import weakref

import numpy as np
from told import make_constant

from fastembed_layer import callbacks

X, Y = np.zeros(4), np.ones((4, 1))


def test_a_history_has_a_list_per_number() -> None:
    history = callbacks.History()
    history.on_epoch_end(0, {"loss": 2.0})
    history.on_epoch_end(1, {"loss": 1.0, "val_loss": 3.0})
    assert history.epoch == [0, 1]
    assert history.history == {"loss": [2.0, 1.0], "val_loss": [3.0]}


def test_fit_returns_the_history_that_the_model_holds() -> None:
    model = make_constant()
    history = model.fit(X, Y, epochs=2, verbose=0)
    assert isinstance(history, callbacks.History)
    assert model.history is history
    assert history.params == {"verbose": 0, "epochs": 2, "steps": 1}


def test_a_history_among_the_callbacks_is_the_one_that_is_returned() -> None:
    own = callbacks.History()
    model = make_constant()
    assert model.fit(X, Y, callbacks=[own], verbose=0) is own
    model.fit(X, Y, initial_epoch=1, epochs=3, callbacks=[own], verbose=0)
    assert own.epoch == [1, 2]
    assert own.history["loss"] == [1.0, 1.0, 1.0]


def test_a_model_is_freed_with_its_last_name_though_its_history_is_kept() -> None:
    model = make_constant()
    history = model.fit(X, Y, verbose=0)
    assert history.model is model
    watch = weakref.ref(model)
    gc.disable()
    try:
        del model
        assert watch() is None
    finally:
        gc.enable()
    assert history.model is None


def test_a_history_can_be_pickled() -> None:
    model = make_constant()
    history = model.fit(X, Y, verbose=0)
    assert pickle.loads(pickle.dumps(history)).history == history.history
