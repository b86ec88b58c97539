"""Which weights are written, when and to which file, and that no half file is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from told import Constant, Scripted, run

from fastembed_layer import callbacks, optimizers


class Saves(Constant):
    """Writes its weight, as `save_weights` of a model does."""

    def save_weights(self, path: str) -> None:
        np.savez(path, weight=self.get_weights()[0])

    def save(self, path: str) -> None:
        Path(path).write_text(str(self.get_weights()[0].item()))


def make_saving() -> Saves:
    model = Saves()
    model.compile(optimizers.SGD(0.0), "mse")
    return model


def save(path: Path, values: list[Any], name: str = "val_loss", **options: Any) -> callbacks.ModelCheckpoint:
    keep = callbacks.ModelCheckpoint(path, save_weights_only=True, **options)
    run(keep, values, name, model=make_saving())
    return keep


def weight_in(path: Path) -> float:
    with np.load(path) as stored:
        return float(stored["weight"].item())


def test_every_epoch_is_written_to_one_file(tmp_path: Path) -> None:
    save(tmp_path / "weights.npz", [1, 2, 3])
    assert weight_in(tmp_path / "weights.npz") == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_fields_of_the_path_are_filled_in(tmp_path: Path) -> None:
    save(tmp_path / "w.{epoch:02d}-{val_loss:.2f}.npz", [0.5, 0.256])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.01-0.50.npz", "w.02-0.26.npz"]
    assert weight_in(tmp_path / "w.02-0.26.npz") == 1.0


def test_folders_are_made(tmp_path: Path) -> None:
    save(tmp_path / "run" / "{epoch}" / "w.npz", [1, 2])
    assert (tmp_path / "run" / "2" / "w.npz").is_file()


@pytest.mark.parametrize(
    ("options", "values", "kept"),
    [
        ({}, [3, 1, 2, 1], 1.0),
        ({"mode": "max"}, [3, 1, 4, 4], 2.0),
        ({"initial_value_threshold": 2.0}, [3, 1.5, 1.7], 1.0),
    ],
    ids=str,
)
def test_only_the_best_weights_are_kept(tmp_path: Path, options: Any, values: list[float], kept: float) -> None:
    keep = save(tmp_path / "best.npz", values, save_best_only=True, **options)
    assert weight_in(tmp_path / "best.npz") == kept
    assert keep.best == values[int(kept)]


def test_nothing_better_than_the_threshold_writes_nothing(tmp_path: Path) -> None:
    save(tmp_path / "best.npz", [3, 2], save_best_only=True, initial_value_threshold=1.0)
    assert not list(tmp_path.iterdir())


def test_a_number_that_is_not_there_is_warned_of_and_the_weights_are_written(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Can save best model only with val_loss available"):
        save(tmp_path / "best.npz", [3], "other", save_best_only=True)
    assert (tmp_path / "best.npz").is_file()


def test_a_number_of_batches_may_be_the_frequency(tmp_path: Path) -> None:
    keep = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.npz", save_weights_only=True, save_freq=2)
    make_saving().fit(np.zeros(6), np.zeros((6, 1)), batch_size=2, epochs=3, callbacks=[keep], verbose=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-2.npz", "2-1.npz", "2-3.npz", "3-2.npz"]


def test_a_failed_write_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    class Fails(Saves):
        def save_weights(self, path: str) -> None:
            super().save_weights(path)
            if self.get_weights()[0].item() == 1.0:
                raise OSError("no space left")

    model = Fails()
    model.compile(optimizers.SGD(0.0), "mse")
    keep = callbacks.ModelCheckpoint(tmp_path / "w.npz", save_weights_only=True)
    with pytest.raises(OSError, match="no space left"):
        run(keep, [1, 2], model=model)
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]
    assert weight_in(tmp_path / "w.npz") == 0.0


def test_a_whole_model_is_written_by_its_save(tmp_path: Path) -> None:
    keep = callbacks.ModelCheckpoint(tmp_path / "model.txt")
    make_saving().fit(np.zeros(2), np.zeros((2, 1)), callbacks=[Scripted("n", [1]), keep], verbose=0)
    assert (tmp_path / "model.txt").read_text() == "0.0"


def test_a_model_that_cannot_be_saved_is_an_error_before_the_first_step(tmp_path: Path) -> None:
    model = make_saving()
    model.save = None  # type: ignore[method-assign, assignment]
    keep = callbacks.ModelCheckpoint(tmp_path / "model.keras")
    with pytest.raises(TypeError, match=r"a method `save`. Pass `save_weights_only=True` and a path that ends in .npz"):
        run(keep, [1], model=model)


def test_weights_need_a_path_of_their_kind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`filepath` must end in \.npz with .*Received: .*w\.weights\.h5"):
        callbacks.ModelCheckpoint(tmp_path / "w.weights.h5", save_weights_only=True)


@pytest.mark.parametrize("frequency", ["batch", 0, -1, 2.5, True, None], ids=str)
def test_another_frequency_is_refused(frequency: Any) -> None:
    with pytest.raises(ValueError, match=r"`save_freq` must be 'epoch' or a positive number.*Received: "):
        callbacks.ModelCheckpoint("w.npz", save_freq=frequency)


def test_a_field_of_an_unknown_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"`filepath` has a field for 'val_auc', which is not among the numbers"):
        save(tmp_path / "{val_auc}.npz", [1])


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "w.npz").mkdir()
    with pytest.raises(IsADirectoryError, match="`filepath` must be a file"):
        save(tmp_path / "w.npz", [1])


def test_verbose_tells_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "best.npz"
    save(path, [3, 2, 4], save_best_only=True, verbose=1)
    assert [line for line in capsys.readouterr().out.splitlines() if line] == [
        f"Epoch 1: val_loss improved from None to 3.00000, saving model to {path}",
        f"Epoch 1: finished saving model to {path}",
        f"Epoch 2: val_loss improved from 3.00000 to 2.00000, saving model to {path}",
        f"Epoch 2: finished saving model to {path}",
        "Epoch 3: val_loss did not improve from 2.00000",
    ]
