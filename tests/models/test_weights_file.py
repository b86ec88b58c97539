"""Weights on disk: whole files only, judged before anything is written."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastembed_layer import BatchNormalization, Dense, Embedding, EmbeddingGroup, Flatten, Sequential, callbacks, files


def make_model(rows: int = 20) -> Sequential:
    return Sequential([Embedding(rows, 4, input_length=3), Flatten(), BatchNormalization(), Dense(1)])


def same_weights(one: Any, other: Any) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


def test_weights_come_back_with_their_bits(tmp_path: Path) -> None:
    model, other = make_model(), make_model()
    model.compile("adam", "mse")
    model.fit(np.arange(30).reshape(10, 3) % 20, np.ones(10), verbose=0)  # rows are idle, moving averages have moved
    model.save_weights(tmp_path / "a.npz")
    assert not same_weights(model, other)
    other.load_weights(tmp_path / "a.npz")
    assert same_weights(model, other)
    assert os.listdir(tmp_path) == ["a.npz"]
    with np.load(tmp_path / "a.npz") as arrays:  # an ordinary file of numpy
        assert len(arrays) == len(model.weights)


def test_tables_of_a_group_come_back(tmp_path: Path) -> None:
    models = [Sequential([EmbeddingGroup({"user": 9, "item": 5}, [3, 2], "uniform")]) for _ in range(2)]
    for model in models:
        model({"user": np.array([1]), "item": np.array([2])})
    models[0].save_weights(tmp_path / "a.npz")
    models[1].load_weights(tmp_path / "a.npz")
    assert same_weights(*models)


@pytest.mark.parametrize("name", ["a.weights.h5", "a.keras", "a"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    for method in (make_model().save_weights, make_model().load_weights):
        with pytest.raises(ValueError, match=r"must end in \.npz"):
            method(tmp_path / name)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = make_model(), tmp_path / "a.npz"
    model.save_weights(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=False"):
        model.save_weights(path, overwrite=False)

    def fail(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        model.save_weights(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.npz"]


def spoil(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "objects", "pickled"])
def test_a_damaged_file_changes_nothing(tmp_path: Path, damage: str) -> None:
    model, path = make_model(), tmp_path / "a.npz"
    model.save_weights(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "flipped":
        spoil(path, 300)
    elif damage == "text":
        path.write_text("no weights")
    elif damage == "objects":
        np.savez(path, *[np.array([None])] * len(model.weights))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("0.npy", b"\x80\x04.")
    before = model.get_weights()
    with pytest.raises(ValueError, match="damaged, or no file of weights"):
        model.load_weights(path)
    assert all(np.array_equal(left, right) for left, right in zip(before, model.get_weights(), strict=True))


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    model, path = make_model(21), tmp_path / "a.npz"
    make_model(20).save_weights(path)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"'embeddings' \(number 0\) .* shape \(21, 4\)\. Received: \(20, 4\)"):
        model.load_weights(path)
    assert np.array_equal(before[-2], model.get_weights()[-2])
    with pytest.warns(UserWarning, match="stay as they are"):
        model.load_weights(path, skip_mismatch=True)
    assert np.array_equal(before[0], model.get_weights()[0])
    assert not np.array_equal(before[-2], model.get_weights()[-2])
    with pytest.raises(ValueError, match="must hold the 2 weights"):
        Sequential([Dense(1, input_shape=(4,))]).load_weights(path)
    for method in (Sequential([Dense(1)]).load_weights, Sequential([Dense(1)]).save_weights):
        with pytest.raises(ValueError, match="has no weights yet"):
            method(path)


def rewrite(path: Path, change: Any) -> None:
    """Write a file anew with its arrays, by name, as `change` returns them."""
    with np.load(path) as arrays:
        changed = change(dict(arrays))
    np.savez(path, **changed)


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_weights_of_another_kind_are_refused(tmp_path: Path, dtype: str) -> None:
    model, path = make_model(), tmp_path / "a.npz"
    model.save_weights(path)
    before = model.get_weights()
    rewrite(path, lambda arrays: {name: array.astype(dtype) for name, array in arrays.items()})
    with pytest.raises(ValueError, match=f"holds float32. Received: {dtype}"):
        model.load_weights(path)
    assert all(np.array_equal(left, right) for left, right in zip(before, model.get_weights(), strict=True))


def test_weights_are_found_by_number_and_name(tmp_path: Path) -> None:
    model, path = Sequential([Dense(3, input_shape=(3,)), Dense(3)]), tmp_path / "a.npz"
    model.save_weights(path)
    before = model.get_weights()
    rewrite(path, lambda arrays: dict(reversed(arrays.items())))
    model.load_weights(path)
    assert all(np.array_equal(left, right) for left, right in zip(before, model.get_weights(), strict=True))
    rewrite(path, lambda arrays: {name.replace("kernel", "core"): array for name, array in arrays.items()})
    with pytest.raises(ValueError, match=r"'kernel' \(number 0\) .* must be called so in the file\. Received: 'core'"):
        model.load_weights(path)
    rewrite(path, lambda arrays: {f"w{name}": array for name, array in arrays.items()})
    with pytest.raises(ValueError, match=r"is no number and name of a weight"):
        model.load_weights(path)


def test_weights_of_more_digits_and_other_layouts_are_read(tmp_path: Path) -> None:
    model, path = make_model(), tmp_path / "a.npz"
    model.save_weights(path)
    before = model.get_weights()
    rewrite(path, lambda arrays: {name: np.asfortranarray(array, "float64") for name, array in arrays.items()})
    model.set_weights([np.zeros_like(weight) for weight in before])
    model.load_weights(path)
    assert all(np.array_equal(left, right) for left, right in zip(before, model.get_weights(), strict=True))


def test_a_table_is_written_and_read_without_a_copy(tmp_path: Path) -> None:
    model, path = Sequential([Embedding(1_000_000, 32)]), tmp_path / "a.npz"
    model(np.array([[1]]))
    for action in (model.save_weights, model.load_weights):
        tracemalloc.start()  # numpy and zipfile report what they allocate
        action(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 0.5 * model.layers[0].embeddings.nbytes


def test_an_array_that_is_shorter_than_it_says_is_refused(tmp_path: Path) -> None:
    """With right checksums: else the weights before it would be written."""
    model, path = make_model(), tmp_path / "a.npz"
    model.save_weights(path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    last = list(contents)[-1]
    contents[last] = contents[last][:-1]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    before = model.get_weights()
    model.set_weights([weight + 1 for weight in before])
    with pytest.raises(ValueError, match="bytes and not an array"):
        model.load_weights(path)
    assert all(np.array_equal(left + 1, right) for left, right in zip(before, model.get_weights(), strict=True))


def test_checkpoints_of_a_training_are_loaded(tmp_path: Path) -> None:
    model, ids = make_model(), np.arange(30).reshape(10, 3) % 20
    model.compile("sgd", "mse")
    keep = callbacks.ModelCheckpoint(tmp_path / "best.{epoch}.npz", "loss", save_weights_only=True)
    model.fit(ids, np.ones(10), epochs=2, callbacks=[keep], verbose=0)
    other = make_model()
    other.load_weights(tmp_path / "best.2.npz")
    assert same_weights(model, other)
