"""`Lion` against Keras's own runs, and against its formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest
from judge import assert_touched_rows_follow_the_formula, assert_untouched_rows_keep_their_bits
from keras_vectors import assert_follows_keras, make_optimizer

from fastembed_layer import RowGradient
from fastembed_layer.optimizers import Lion
from fastembed_layer.tables.table import Table


@pytest.mark.parametrize("form", ["rows", "dense"])
def test_every_step_is_that_of_keras(form: str) -> None:
    assert_follows_keras(make_optimizer("lion"), "lion", form)


def test_lazy_steps_are_not_those_of_keras() -> None:
    with pytest.raises(AssertionError):
        assert_follows_keras(make_optimizer("lion", update="lazy"), "lion", "rows")


@pytest.mark.parametrize("seed", range(3))
def test_touched_rows_follow_the_formula(seed: int) -> None:
    optimizer = Lion(0.01, beta_1=0.8, beta_2=0.9, update="lazy")
    assert_touched_rows_follow_the_formula(optimizer, optimizer.get_config(), seed)


@pytest.mark.parametrize("update", ["exact", "lazy"])
def test_rows_that_were_never_touched_keep_their_bits(update: str) -> None:
    assert_untouched_rows_keep_their_bits(Lion(update=update))


def test_defaults_are_those_of_keras() -> None:
    own = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.99}
    assert Lion().get_config() == {"name": "lion", "update": "exact"} | own


def test_an_idle_row_goes_on_by_the_sum_of_the_rates() -> None:
    rates = [0.5, 0.25, 0.125, 1.0]
    table, optimizer = Table(np.zeros((3, 1))), Lion(lambda step: rates[step])
    optimizer.apply_gradients([(RowGradient(np.array([1]), np.array([[-3.0]]), (3, 1)), table)])
    for _ in range(3):
        optimizer.apply_gradients([(RowGradient(np.array([2]), np.array([[1e-9]]), (3, 1)), table)])
    np.testing.assert_array_equal(table.numpy()[:, 0], [0, sum(rates), -sum(rates[1:])])
