"""Long trainings side by side with Keras, which gets the whole gradient: idle rows, repeated ids, a schedule.

Keras is no dependency: these tests run where it is installed together with a backend, and are skipped elsewhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.optimizers import schedules
from fastembed_layer.tables.table import Table

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        import keras
    except ImportError as error:
        pytest.skip(f"keras and a backend are needed: {error}", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")

Array = np.ndarray[Any, Any]

ROWS, COLUMNS, STEPS = 80, 6, 500
LARGEST_DIFFERENCE = 1e-5  # relative to the largest weight
DECAY = {"weight_decay": 0.1}

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "clipnorm": 0.5, **DECAY}),
    ("RMSprop", {"clipvalue": 0.1, **DECAY}),
    ("RMSprop", {"momentum": 0.8, "centered": True, "clipnorm": 0.5, **DECAY}),
    ("Adagrad", {"clipvalue": 0.1, **DECAY}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.8, "clipnorm": 0.5, **DECAY}),
    ("Adam", {"clipnorm": 0.5, **DECAY}),
    ("Adam", {"amsgrad": True, "global_clipnorm": 0.5, **DECAY}),
    ("AdamW", {"clipvalue": 0.1}),
    ("Adamax", {}),
    ("Adamax", {"beta_2": 0.9, "clipnorm": 0.5, **DECAY}),
    ("Nadam", {}),
    ("Nadam", {"clipnorm": 0.5, **DECAY}),
    ("Ftrl", {}),
    ("Ftrl", {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.1, "beta": 0.1, "clipvalue": 0.1}),
    ("Ftrl", {"l2_shrinkage_regularization_strength": 0.1, "global_clipnorm": 0.5, **DECAY}),
    ("Lion", {"clipnorm": 0.5, **DECAY}),
    ("Lion", {"beta_2": 0.9, "clipvalue": 0.1, **DECAY}),
]
NAMES = [f"{name}-{options}" for name, options in CASES]


def draw_steps(rows: int, seed: int = 0) -> Iterator[tuple[Array, Array]]:
    """Batches with repeated ids, some of them empty; rows differ in their gradients' size, and most are often idle."""
    rng = np.random.default_rng(seed)
    sizes = rng.choice([1e-3, 1e-2, 1.0], rows)
    often = rng.random(rows) ** 4 + 1e-3
    for _ in range(STEPS):
        ids = rng.choice(rows, rng.integers(0, 8), p=often / often.sum())
        yield ids, (rng.normal(size=(len(ids), COLUMNS)) * sizes[ids, None]).astype("float32")


def train_both(ours: Any, theirs: Any, start: Array) -> tuple[list[Array], list[Array]]:
    """Make the same steps with both; every fiftieth time what a lookup sees, and what Keras has."""
    table, variable = Table(start.copy()), keras.Variable(start)
    seen, expected = [], []
    for step, (ids, values) in enumerate(draw_steps(len(start))):
        ours.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        dense = np.zeros(start.shape, "float32")
        np.add.at(dense, ids, values)
        theirs.apply([keras.ops.convert_to_tensor(dense)], [variable])
        if step % 50 == 49:
            seen.append(backend_of(table).gather_rows(table, np.arange(len(table))).copy())
            expected.append(keras.ops.convert_to_numpy(variable).copy())
    return [*seen, table.numpy()], [*expected, expected[-1]]


def find_difference(ours: Any, theirs: Any, start: Array) -> float:
    """The largest difference of any weight at any time, relative to the largest weight."""
    seen, expected = train_both(ours, theirs, start)
    assert np.isfinite(expected).all()
    pairs = zip(seen, expected, strict=True)
    return float(max(np.abs(mine - keras_s).max() / np.abs(keras_s).max() for mine, keras_s in pairs))


def make_start(rows: int, name: str = "") -> Array:
    """First weights; zeros for Ftrl, which under Keras overwrites rows it has not seen."""
    scale = 0.0 if name == "Ftrl" else 1.0
    return (scale * np.random.default_rng(1).normal(size=(rows, COLUMNS))).astype("float32")


def make_rates(rate: float = 0.01) -> tuple[Any, Any]:
    """The same falling rate for both."""
    arguments = (rate, 100, 0.8)
    return schedules.ExponentialDecay(*arguments), keras.optimizers.schedules.ExponentialDecay(*arguments)


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_exact_mode_is_dense_keras(name: str, options: dict[str, Any]) -> None:
    mine, keras_s = make_rates(1.0 if name == "Adadelta" else 0.01)
    ours, theirs = getattr(optimizers, name)(mine, **options), getattr(keras.optimizers, name)(keras_s, **options)
    assert find_difference(ours, theirs, make_start(ROWS, name)) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("options", [{}, DECAY], ids=str)
def test_row_wise_lamb_over_one_row_is_keras_s_lamb(options: dict[str, Any]) -> None:
    mine, keras_s = make_rates()
    ours, theirs = optimizers.RowwiseLamb(mine, **options), keras.optimizers.Lamb(keras_s, **options)
    assert find_difference(ours, theirs, make_start(1)) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("name", ["RMSprop", "Adam", "Adamax", "Nadam", "Lion"])
def test_lazy_mode_is_not(name: str) -> None:
    ours, theirs = getattr(optimizers, name)(0.01, update="lazy"), getattr(keras.optimizers, name)(0.01)
    assert find_difference(ours, theirs, make_start(ROWS)) > 100 * LARGEST_DIFFERENCE
