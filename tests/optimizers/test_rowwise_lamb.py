"""`RowwiseLamb` against its formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest
from judge import assert_touched_rows_follow_the_formula, assert_untouched_rows_keep_their_bits

from fastembed_layer import RowGradient
from fastembed_layer.optimizers import RowwiseLamb
from fastembed_layer.tables.table import Table


@pytest.mark.parametrize("seed", range(3))
def test_touched_rows_follow_the_formula(seed: int) -> None:
    optimizer = RowwiseLamb(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3, update="lazy")
    assert_touched_rows_follow_the_formula(optimizer, optimizer.get_config(), seed)


@pytest.mark.parametrize("update", ["exact", "lazy"])
def test_rows_that_were_never_touched_keep_their_bits(update: str) -> None:
    assert_untouched_rows_keep_their_bits(RowwiseLamb(update=update))


def test_defaults_are_those_of_its_docstring() -> None:
    config = RowwiseLamb().get_config()
    assert config == {
        "name": "rowwiselamb",
        "update": "exact",
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
    }


def test_a_row_of_zeros_takes_the_steps_of_adam() -> None:
    table, optimizer = Table(np.zeros((2, 3))), RowwiseLamb(0.1, update="lazy")
    optimizer.apply_gradients([(RowGradient(np.array([1]), np.array([[2.0, -3.0, 4.0]]), (2, 3)), table)])
    np.testing.assert_allclose(table.numpy(), [[0, 0, 0], [-0.1, 0.1, -0.1]], rtol=1e-6)


def test_a_step_has_the_length_of_the_row_times_the_rate() -> None:
    start = np.array([[3.0, 4.0], [0.3, 0.4]])
    table, optimizer = Table(start.copy()), RowwiseLamb(0.1, update="lazy")
    optimizer.apply_gradients([(RowGradient(np.array([0, 1]), np.array([[1.0, 7.0], [1.0, 7.0]]), (2, 2)), table)])
    np.testing.assert_allclose(np.linalg.norm(table.numpy() - start, axis=1), [0.5, 0.05], rtol=1e-6)
