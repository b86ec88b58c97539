"""`LearningRateScheduler` and `ReduceLROnPlateau`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from told import make_constant, run

from fastembed_layer import callbacks, optimizers
from fastembed_layer.optimizers import schedules

X, Y = np.zeros(2), np.zeros((2, 1))


def test_a_scheduler_sets_the_rate_of_each_epoch() -> None:
    halve = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else rate)
    model = make_constant(rate=0.5)
    history = model.fit(X, Y, epochs=3, callbacks=[halve], verbose=0)
    assert history.history["learning_rate"] == [0.5, 0.25, 0.125]
    assert model.optimizer is not None
    assert model.optimizer.learning_rate == 0.125


def test_the_rate_is_that_of_the_steps_of_the_epoch() -> None:
    model = make_constant(1.0, rate=9.0)
    model.fit(X, Y, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.25)], verbose=0)
    assert model.get_weights()[0].item() == 1.0 - 0.25 * 2.0


@pytest.mark.parametrize("rate", [1, "fast", None, np.float16(0.5)], ids=str)
def test_a_rate_that_is_no_float_is_refused(rate: Any) -> None:
    scheduler = callbacks.LearningRateScheduler(lambda epoch, before: rate)
    with pytest.raises(ValueError, match=r"The output of the `schedule` function should be a float. Received: "):
        make_constant().fit(X, Y, callbacks=[scheduler], verbose=0)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`schedule` must be a function of \(epoch, learning_rate\)"):
        callbacks.LearningRateScheduler(0.1)  # type: ignore[arg-type]


def test_a_schedule_of_the_optimizer_is_not_overwritten() -> None:
    model = make_constant()
    model.compile(optimizers.SGD(schedules.ExponentialDecay(0.5, 1, 0.5)), "mse")
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    with pytest.raises(TypeError, match=r"a `LearningRateSchedule`.*not settable by LearningRateScheduler"):
        model.fit(X, Y, callbacks=[scheduler], verbose=0)


@pytest.mark.parametrize(
    ("options", "values", "rates"),
    [
        ({"patience": 1}, [3, 3, 2, 2], [1, 1, 0.1, 0.1]),
        ({"patience": 2, "factor": 0.5}, [3, 3, 3, 3, 3, 3], [1, 1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 1, "factor": 0.5, "cooldown": 2}, [3, 3, 3, 3, 3, 3], [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 1, "min_lr": 0.04}, [3, 3, 3, 3, 3], [1, 1, 0.1, 0.04, 0.04]),
        ({"patience": 1, "mode": "max"}, [1, 2, 2, 3], [1, 1, 1, 0.1]),
        ({"patience": 1}, [1, 0.99995, 0.5], [1, 1, 0.1]),  # min_delta is 1e-4
        ({"patience": 1, "min_delta": 0}, [1, 0.99995, 0.5], [1, 1, 1]),
    ],
    ids=str,
)
def test_the_rate_is_reduced_where_keras_reduces_it(options: Any, values: list[float], rates: list[float]) -> None:
    reduce = callbacks.ReduceLROnPlateau(**options)
    history = run(reduce, values, model=make_constant(rate=1.0))
    assert history.history["learning_rate"] == pytest.approx(rates)


def test_a_factor_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"does not support a factor >= 1\.0\. Received: factor=1\.0"):
        callbacks.ReduceLROnPlateau(factor=1.0)


def test_a_number_that_is_not_there_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="Learning rate reduction is conditioned on metric `val_loss` which is not"):
        make_constant().fit(X, Y, callbacks=[callbacks.ReduceLROnPlateau()], verbose=0)


def test_a_plateau_under_a_schedule_is_an_error() -> None:
    model = make_constant()
    model.compile(optimizers.SGD(schedules.ExponentialDecay(0.5, 1, 0.5)), "mse")
    with pytest.raises(TypeError, match=r"a `LearningRateSchedule`.*not settable by ReduceLROnPlateau"):
        run(callbacks.ReduceLROnPlateau(patience=1), [1, 1], model=model)


def test_verbose_tells_of_each_rate(capsys: pytest.CaptureFixture[str]) -> None:
    model = make_constant(rate=0.5)
    model.fit(X, Y, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.25, verbose=1)], verbose=0)
    assert capsys.readouterr().out == "\nEpoch 1: LearningRateScheduler setting learning rate to 0.25.\n"
    run(callbacks.ReduceLROnPlateau(patience=1, factor=0.5, verbose=1), [1, 1], model=model)
    assert capsys.readouterr().out == "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.125.\n"
