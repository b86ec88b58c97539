"""What `fit`, `evaluate` and `predict` show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dense, EmbeddingBag, Sequential

IDS, TARGETS = np.arange(40).reshape(10, 4) % 7, np.ones(10)


def make_model() -> Sequential:
    model = Sequential([EmbeddingBag(7, 3), Dense(1)])
    model.compile("sgd", "mse", ["mae"])
    return model


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
