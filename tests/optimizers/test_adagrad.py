"""`Adagrad` against Keras's own runs, and against its formula in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from judge import assert_touched_rows_follow_the_formula, assert_untouched_rows_keep_their_bits
from keras_vectors import assert_follows_keras, make_optimizer

from fastembed_layer import RowGradient
from fastembed_layer.optimizers import Adagrad
from fastembed_layer.tables.table import Table


@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("form", ["rows", "dense"])
def test_every_step_is_that_of_keras(form: str, update: str) -> None:
    assert_follows_keras(make_optimizer("adagrad", update=update), "adagrad", form)


@pytest.mark.parametrize("seed", range(3))
def test_touched_rows_follow_the_formula(seed: int) -> None:
    optimizer = Adagrad(0.05, initial_accumulator_value=0.2, epsilon=1e-3, update="lazy")
    assert_touched_rows_follow_the_formula(optimizer, {"learning_rate": 0.05, "epsilon": 1e-3}, seed)


@pytest.mark.parametrize("update", ["exact", "lazy"])
def test_rows_that_were_never_touched_keep_their_bits(update: str) -> None:
    assert_untouched_rows_keep_their_bits(Adagrad(0.05, update=update))


def test_repeated_ids_are_summed_before_they_are_squared() -> None:
    table = Table(np.zeros((2, 1)))
    optimizer = Adagrad(1.0, initial_accumulator_value=0.1, epsilon=0.0)
    optimizer.apply_gradients([(RowGradient(np.array([1, 1]), np.ones((2, 1)), (2, 1)), table)])
    np.testing.assert_allclose(optimizer.slots_of(table)["accumulator"], [[0.1], [4.1]])
    np.testing.assert_allclose(table.value, [[0.0], [-2 / math.sqrt(4.1)]])


def test_defaults_are_those_of_keras() -> None:
    optimizer = Adagrad()
    assert (optimizer.learning_rate, optimizer.initial_accumulator_value, optimizer.epsilon) == (0.001, 0.1, 1e-7)
