"""Callbacks of Keras itself, where it is installed: they work in `fit`, and ours do the same."""

from __future__ import annotations

from typing import Any

import pytest
from told import make_constant, run

from fastembed_layer import callbacks

VALUES = [5.0, 4.0, 4.5, 4.00005, 3.0, 3.5, 3.5, 3.5, 2.9, 3.0, 3.0]


@pytest.fixture(scope="module")
def keras_callbacks() -> Any:
    return pytest.importorskip("keras").callbacks


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("EarlyStopping", {"patience": 1}),
        ("EarlyStopping", {"patience": 2, "restore_best_weights": True, "min_delta": 0.2}),
        ("EarlyStopping", {"patience": 3, "baseline": 3.2, "start_from_epoch": 2}),
        ("EarlyStopping", {"patience": 2, "mode": "max", "restore_best_weights": True}),
        ("ReduceLROnPlateau", {"patience": 1, "factor": 0.5}),
        ("ReduceLROnPlateau", {"patience": 1, "factor": 0.5, "cooldown": 2, "min_lr": 0.2}),
        ("TerminateOnNaN", {}),
    ],
    ids=str,
)
def test_a_callback_of_keras_does_in_fit_what_ours_does(keras_callbacks: Any, name: str, arguments: Any) -> None:
    results = []
    for module in (keras_callbacks, callbacks):
        model = make_constant(rate=1.0)
        history = run(getattr(module, name)(**arguments), VALUES, model=model)
        assert model.optimizer is not None
        results.append((history.epoch, history.history, model.get_weights(), model.optimizer.learning_rate))
    assert results[0] == results[1]


def test_a_scheduler_of_keras_works(keras_callbacks: Any) -> None:
    scheduler = keras_callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    assert run(scheduler, [1, 2], model=make_constant(rate=1.0)).history["learning_rate"] == [0.5, 0.25]
