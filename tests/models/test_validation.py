"""On how much of the validation data, and after which epochs, a training is validated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from told import Told, make_constant

X, Y = np.zeros(6), np.arange(6.0)[:, None]


@pytest.mark.parametrize(
    ("frequency", "epochs"), [(1, [0, 1, 2, 3, 4]), (2, [1, 3]), (9, []), ([1, 4], [0, 3]), (range(2, 4), [1, 2])]
)
def test_a_validation_follows_the_epochs_that_were_named(frequency: Any, epochs: list[int]) -> None:
    validated: list[int] = []

    def note(epoch: int, logs: dict[str, float]) -> None:
        if "val_loss" in logs:
            validated.append(epoch)

    history = make_constant().fit(
        X, Y, epochs=5, validation_data=(X, Y), validation_freq=frequency, callbacks=note, verbose=0
    )
    assert validated == epochs
    assert len(history.history.get("val_loss", [])) == len(epochs)


def test_a_number_of_batches_is_validated_on_from_the_beginning() -> None:
    history = make_constant().fit(X, Y, batch_size=2, epochs=2, validation_data=(X, Y), validation_steps=2, verbose=0)
    assert history.history["val_loss"] == [pytest.approx((0 + 1 + 4 + 9) / 4)] * 2


def test_a_validation_has_batches_of_its_own_size() -> None:
    told = Told()
    make_constant().fit(
        X, Y, batch_size=2, validation_data=(X, Y), validation_batch_size=6, callbacks=[told], verbose=0
    )
    assert told.names().count("on_train_batch_end") == 3
    assert told.names().count("on_test_batch_end") == 1


def test_steps_end_evaluate_and_predict_early() -> None:
    model = make_constant()
    assert model.evaluate(X, Y, batch_size=2, steps=2, verbose=0) == pytest.approx((0 + 1 + 4 + 9) / 4)
    assert model.predict(X, batch_size=2, steps=2).shape == (4, 1)
    assert model.predict(X, batch_size=2, steps=9).shape == (6, 1)


def test_a_validation_split_of_batches_is_refused() -> None:
    with pytest.raises(ValueError, match="`validation_split` must be 0 when `x` is an iterable of batches"):
        make_constant().fit(iter([(X, Y)]), validation_split=0.5, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"validation_freq": 0}, ValueError),
        ({"validation_freq": 1.5}, TypeError),
        ({"validation_freq": "2"}, TypeError),
        ({"validation_freq": [1, 0]}, ValueError),
        ({"validation_freq": None}, TypeError),
        ({"validation_steps": 0}, ValueError),
        ({"validation_steps": True}, TypeError),
        ({"validation_batch_size": 0}, ValueError),
        ({"validation_batch_size": 2.5}, TypeError),
        ({"initial_epoch": -1}, ValueError),
        ({"initial_epoch": 1.5}, TypeError),
        ({"shuffle": "batch"}, TypeError),
    ],
    ids=str,
)
@pytest.mark.parametrize("with_data", [True, False])
def test_a_wrong_argument_is_refused(arguments: dict[str, Any], error: type[Exception], with_data: bool) -> None:
    [name] = arguments
    data = {"validation_data": (X, Y)} if with_data else {}
    with pytest.raises(error, match=rf"`{name}` must .*Received: "):
        make_constant().fit(X, Y, verbose=0, **data, **arguments)
