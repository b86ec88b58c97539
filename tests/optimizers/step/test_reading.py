"""What is read back is judged as a whole before anything is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Embedding, RowGradient, optimizers

SHAPE = (5, 2)


def make() -> tuple[Embedding, Any]:
    """A table after one step of an optimizer that accumulates and averages."""
    layer = Embedding(*SHAPE, weights=[np.ones(SHAPE, "float32")])
    optimizer = optimizers.Adam(0.1, gradient_accumulation_steps=2, use_ema=True, update="lazy")
    for _ in range(3):
        optimizer.apply_gradients([(RowGradient(np.array([1]), np.ones((1, 2), "float32"), SHAPE), layer.embeddings)])
    return layer, optimizer


def save(optimizer: Any) -> dict[str, Any]:
    store: dict[str, Any] = {}
    optimizer.save_own_variables(store)
    return store


def filled(value: Any, dtype: Any = "float32") -> Any:
    return np.full(SHAPE, value, dtype)


SPOILED: dict[str, list[Any]] = {
    "iterations": [np.nan, [1, 2], -5, 1.5, "x", 2**40, True],
    "skipped_steps": [np.nan, -1],
    "averaged_steps": [np.nan, -1, 1.5],
    "accumulated_calls": [2, 7, -1, np.nan],
    "learning_rate": [-1.0, np.nan, np.inf, [0.1, 0.2], "fast"],
    "weights": [np.nan, 2, -1],
    "0.slot.momentum": [filled(np.nan), filled("a", object), filled(1, complex), filled("a", "U1"), np.ones((5, 3))],
    "0.slot.velocity": [filled(np.inf), filled(-1.0), np.ones(5)],
    "0.average": [filled(np.nan), filled(1, complex)],
    "0.average_steps": [np.nan, -1, [1, 2]],
    "0.gradient.ids": [np.array([0.5]), np.array([[1]])],
    "0.gradient.values": [np.ones((1, 3), "float32"), np.array([["a", "b"]])],
}


@pytest.mark.parametrize(("entry", "value"), [(entry, value) for entry, values in SPOILED.items() for value in values])
def test_a_spoiled_store_is_refused_and_changes_nothing(entry: str, value: Any) -> None:
    store = save(make()[1])
    assert entry in store
    layer, optimizer = make()
    before = save(optimizer)
    spoiled = {name: array + 1 if name.endswith("momentum") else array for name, array in store.items()}
    with pytest.raises((ValueError, TypeError)):
        optimizer.load_own_variables(spoiled | {entry: np.asarray(value)})
    for name, array in save(optimizer).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    optimizer.load_own_variables(store)
    assert np.isfinite(layer.get_weights()[0]).all()


@pytest.mark.parametrize("value", [filled(1, complex), filled("a", object), filled("a", "U1")])
def test_weights_that_are_no_numbers_are_refused(value: Any) -> None:
    layer = Embedding(*SHAPE, weights=[np.ones(SHAPE, "float32")])
    layer.build()
    for load in (lambda: layer.load_own_variables({"0": value}), lambda: layer.set_weights([value])):
        with pytest.raises(TypeError, match="numbers"):
            load()
    assert (layer.get_weights()[0] == 1).all()


@pytest.mark.parametrize("flag", ["touched", "shrinks"])
def test_entries_of_idle_rows_are_bools(flag: str) -> None:
    layer, optimizer = Embedding(*SHAPE), optimizers.Adam(0.1)
    gradient = RowGradient(np.array([1]), np.ones((1, 2), "float32"), SHAPE)
    optimizer.apply_gradients([(gradient, layer.embeddings)])
    store = save(optimizer)
    with pytest.raises(TypeError, match=f"`{flag}`"):
        optimizer.load_own_variables(store | {f"0.{flag}": store[f"0.{flag}"].astype("float32")})
