"""When a training that gets no better ends, and with which weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from told import make_constant, run

from fastembed_layer import callbacks


@pytest.mark.parametrize(
    ("arguments", "values", "epochs"),
    [
        ({}, [3, 2, 2, 1], 3),  # patience 0: the first epoch that is no better
        ({"patience": 1}, [3, 4, 2, 2, 1, 0], 2),
        ({"patience": 2}, [3, 4, 2, 2, 2, 0], 5),
        ({"patience": 3}, [3, 4, 5, 2, 2, 1], 6),
        ({"mode": "max"}, [1, 2, 3, 3, 4], 4),
        ({"min_delta": 0.5}, [3, 2, 1.7, 1], 3),
        ({"min_delta": -0.5}, [3, 2, 1.7, 1], 3),  # its size counts
        ({"mode": "max", "min_delta": 1}, [1, 2.5, 3, 9], 3),
        ({"baseline": 1.0, "patience": 2}, [3, 2.5, 2, 1.5, 1.2], 5),  # ever better: never ended, if never good enough
        ({"baseline": 1.0, "patience": 2}, [3, 2.5, 2.6, 1.5, 1.2], 3),
        ({"baseline": 2.0, "patience": 2}, [1, 3, 3, 3], 3),
        ({"start_from_epoch": 2}, [1, 5, 4, 4, 3], 4),
        ({"start_from_epoch": 2, "patience": 2}, [1, 5, 4, 4, 4, 0], 5),
    ],
    ids=str,
)
def test_the_training_ends_where_keras_ends_it(arguments: dict[str, Any], values: list[float], epochs: int) -> None:
    stop = callbacks.EarlyStopping(**arguments)
    assert len(run(stop, values).epoch) == epochs
    assert stop.stopped_epoch == (epochs - 1 if epochs < len(values) else 0)


def test_the_best_weights_are_restored() -> None:
    model = make_constant()
    stop = callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    run(stop, [3, 1, 2, 2, 2], model=model)
    assert (stop.best, stop.best_epoch) == (1, 1)
    assert model.get_weights()[0].item() == 1.0


def test_the_best_weights_are_restored_also_if_the_training_ends_by_itself() -> None:
    model = make_constant()
    run(callbacks.EarlyStopping(patience=9, restore_best_weights=True), [3, 1, 2], model=model)
    assert model.get_weights()[0].item() == 1.0


def test_without_it_the_last_weights_stay() -> None:
    model = make_constant()
    stop = callbacks.EarlyStopping(patience=2)
    run(stop, [3, 1, 2, 2, 2], model=model)
    assert stop.best_epoch == 1
    assert model.get_weights()[0].item() == 3.0


def test_where_no_epoch_reaches_the_baseline_the_best_one_is_restored() -> None:
    model = make_constant()
    run(callbacks.EarlyStopping(patience=3, baseline=0.5, restore_best_weights=True), [3, 2, 2.5, 4, 4], model=model)
    assert model.get_weights()[0].item() == 1.0


def test_epochs_before_the_first_are_neither_compared_nor_restored() -> None:
    model = make_constant()
    stop = callbacks.EarlyStopping(start_from_epoch=2, patience=1, restore_best_weights=True)
    run(stop, [0, 0, 5, 6, 7], model=model)
    assert stop.best_epoch == 2
    assert model.get_weights()[0].item() == 2.0


def test_an_instance_starts_afresh_with_each_training() -> None:
    stop = callbacks.EarlyStopping(patience=1)
    assert len(run(stop, [1, 2, 3]).epoch) == 2
    assert len(run(stop, [9, 8, 8, 7]).epoch) == 3


@pytest.mark.parametrize(
    ("monitor", "metric", "values", "epochs"),
    [("accuracy", "accuracy", [0.1, 0.2, 0.2], 3), ("val_mae", "mae", [3, 2, 2, 1], 3), ("AUC", "AUC", [1, 1, 2], 2)],
)
def test_the_direction_follows_the_metric(monitor: str, metric: str, values: list[float], epochs: int) -> None:
    model = make_constant(metrics=[metric])
    assert len(run(callbacks.EarlyStopping(monitor), values, monitor, model=model).epoch) == epochs


def test_a_direction_that_is_not_known_has_to_be_given() -> None:
    with pytest.raises(ValueError, match=r"does not know whether 'score' is better.*Pass `mode='max'` or `mode='min'`"):
        run(callbacks.EarlyStopping("score"), [1, 2], "score")
    assert len(run(callbacks.EarlyStopping("score", mode="max"), [1, 2, 2, 3], "score").epoch) == 3


def test_a_number_that_is_not_there_is_warned_of_and_the_training_goes_on() -> None:
    stop = callbacks.EarlyStopping()
    with pytest.warns(UserWarning, match="conditioned on metric `val_loss` which is not available.*: loss"):
        history = make_constant().fit(np.zeros(2), np.zeros((2, 1)), epochs=1, callbacks=[stop], verbose=0)
    assert history.epoch == [0]


def test_an_unknown_mode_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="EarlyStopping mode 'least' is unknown, fallback to auto mode"):
        assert callbacks.EarlyStopping(mode="least").mode == "auto"


def test_verbose_tells_of_the_end_and_of_the_weights(capsys: pytest.CaptureFixture[str]) -> None:
    run(callbacks.EarlyStopping(verbose=1, restore_best_weights=True), [1, 2, 3])
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 2: early stopping",
        "Restoring model weights from the end of the best epoch: 1.",
    ]
