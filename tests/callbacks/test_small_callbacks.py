"""`LambdaCallback` and `TerminateOnNaN`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from told import make_constant

from fastembed_layer import callbacks

X, Y = np.zeros(4), np.ones((4, 1))


def test_functions_are_called_at_their_moments() -> None:
    calls: list[Any] = []
    tell = callbacks.LambdaCallback(
        on_train_begin=lambda logs: calls.append("begin"),
        on_train_batch_end=lambda batch, logs: calls.append(batch),
        on_epoch_end=lambda epoch, logs: calls.append(sorted(logs)),
        on_test_end=lambda logs: calls.append("tested"),
    )
    make_constant().fit(X, Y, batch_size=2, validation_data=(X, Y), callbacks=[tell], verbose=0)
    assert calls == ["begin", 0, 1, "tested", ["loss", "val_loss"]]


def test_names_that_are_no_moments_become_attributes() -> None:
    assert callbacks.LambdaCallback(patience=3).patience == 3  # type: ignore[attr-defined]


def test_an_unknown_moment_is_refused_with_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"LambdaCallback has no argument 'on_epochs_end'. Did you mean 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epochs_end=print)
    with pytest.raises(TypeError, match=r"`on_epoch_end` must be a function. Received: 3"):
        callbacks.LambdaCallback(on_epoch_end=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_training(bad: float, capsys: pytest.CaptureFixture[str]) -> None:
    targets = np.array([[1.0], [1.0], [bad], [1.0]])
    told: list[int] = []
    tell = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: told.append(batch))
    history = make_constant().fit(
        X, targets, batch_size=1, epochs=5, shuffle=False, callbacks=[callbacks.TerminateOnNaN(), tell], verbose=0
    )
    assert told == [0, 1, 2]
    assert history.epoch == [0]
    assert capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n"


def test_it_may_be_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"NaN or Inf loss encountered at batch 0. Loss value: nan"):
        make_constant().fit(X, Y * math.nan, callbacks=[callbacks.TerminateOnNaN(raise_error=True)], verbose=0)
