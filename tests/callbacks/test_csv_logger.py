"""The numbers of epochs as lines of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from told import make_constant

from fastembed_layer import callbacks

X, Y = np.zeros(2), np.ones((2, 1))


def test_each_epoch_is_a_line_below_the_names(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    make_constant(metrics=["mae"]).fit(X, Y, epochs=2, callbacks=[callbacks.CSVLogger(path)], verbose=0)
    assert path.read_text().splitlines() == [
        "epoch,loss,mae,val_loss,val_mae",
        "0,1.0,1.0,NA,NA",
        "1,1.0,1.0,NA,NA",
    ]


def test_validations_and_another_separator(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = callbacks.CSVLogger(str(path), separator=";")
    make_constant().fit(X, Y, validation_data=(X, 2 * Y), callbacks=[log], verbose=0)
    assert path.read_text().splitlines() == ["epoch;loss;val_loss", "0;1.0;4.0"]


def test_a_second_training_overwrites_or_goes_on(tmp_path: Path) -> None:
    path, model = tmp_path / "log.csv", make_constant()
    model.fit(X, Y, callbacks=[callbacks.CSVLogger(path)], verbose=0)
    model.fit(X, Y, callbacks=[callbacks.CSVLogger(path)], verbose=0)
    assert len(path.read_text().splitlines()) == 2
    model.fit(X, Y, initial_epoch=1, epochs=2, callbacks=[callbacks.CSVLogger(path, append=True)], verbose=0)
    assert path.read_text().splitlines() == ["epoch,loss,val_loss", "0,1.0,NA", "1,1.0,NA"]


def test_what_is_written_can_be_read_while_the_training_runs(tmp_path: Path) -> None:
    path, lines = tmp_path / "log.csv", []
    watch = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: lines.append(path.read_text().count("\n")))
    make_constant().fit(X, Y, epochs=2, callbacks=[callbacks.CSVLogger(path), watch], verbose=0)
    assert lines == [2, 3]


@pytest.mark.parametrize("value", [np.array([1, 2]), [1, 2], (1, 2)], ids=str)
def test_several_numbers_are_written_as_a_list(tmp_path: Path, value: object) -> None:
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    log.on_train_begin()
    log.on_epoch_end(0, {"val_loss": value, "val_name": "a", "val_one": np.array(3)})
    assert (tmp_path / "log.csv").read_text().splitlines()[1] == '0,"""[1, 2]""",a,3'
