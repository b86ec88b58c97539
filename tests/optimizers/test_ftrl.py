"""`Ftrl` against Keras's own runs, and against its formulas in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from judge import assert_touched_rows_follow_the_formula, assert_untouched_rows_keep_their_bits
from keras_vectors import (
    TOLERANCE,
    assert_follows_keras,
    expected_slots,
    expected_tables,
    follow,
    make_optimizer,
    start_table,
)

from fastembed_layer import RowGradient
from fastembed_layer.optimizers import Ftrl, schedules
from fastembed_layer.tables.table import Table

CASES = ["ftrl", "ftrl_reg"]
PENALTIES = ["l1_regularization_strength", "l2_regularization_strength", "l2_shrinkage_regularization_strength"]


@pytest.mark.parametrize("case", CASES)
def test_every_step_with_dense_gradients_is_that_of_keras(case: str) -> None:
    assert_follows_keras(make_optimizer(case), case, "dense")


def assert_rows_of_the_first_batch_follow_keras(case: str, update: str) -> None:
    """Compare rows 1 and 3, which are in the first batch and then idle for some steps."""
    table, optimizer = start_table(), make_optimizer(case, update=update)
    seen = np.array(follow(optimizer, table, "rows"))
    np.testing.assert_allclose(seen[:, [1, 3]], expected_tables(case)[:, [1, 3]], rtol=0, atol=TOLERANCE)
    optimizer.finish(table)
    for name, slot in optimizer.slots_of(table).items():
        np.testing.assert_allclose(slot[[1, 3]], expected_slots(case)[name][[1, 3]], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_every_step_with_rows_is_that_of_keras_from_the_first_batch_of_a_row_on(case: str) -> None:
    assert_rows_of_the_first_batch_follow_keras(case, "exact")


def test_lazy_steps_with_shrinkage_are_not_those_of_keras() -> None:
    with pytest.raises(AssertionError):
        assert_rows_of_the_first_batch_follow_keras("ftrl_reg", "lazy")


def test_every_row_is_that_of_keras_if_those_outside_the_first_batch_start_at_zero() -> None:
    """Keras sets them to zero itself."""
    table = start_table()
    table.array[[0, 2]] = 0
    assert_follows_keras(make_optimizer("ftrl"), "ftrl", "rows", table)


@pytest.mark.parametrize("case", CASES)
def test_a_row_that_keras_overwrites_unseen_is_kept_here(case: str) -> None:
    table = start_table()
    seen = follow(make_optimizer(case), table, "rows")
    np.testing.assert_array_equal(seen[-1][2], start_table().numpy()[2])
    assert (np.abs(expected_tables(case)[-1][2] - seen[-1][2]) > 0.01).all()


@pytest.mark.parametrize("power", [-0.5, -0.7, 0.0])
@pytest.mark.parametrize("seed", range(3))
def test_touched_rows_follow_the_formula(power: float, seed: int) -> None:
    optimizer = Ftrl(0.01, power, 0.2, *(0.1, 0.2, 0.3), beta=0.4, update="lazy")
    assert_touched_rows_follow_the_formula(optimizer, optimizer.get_config(), seed)


@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.5}, {"l2_shrinkage_regularization_strength": 0.1}], ids=str)
def test_rows_that_were_never_touched_keep_their_bits(options: dict[str, float], update: str) -> None:
    assert_untouched_rows_keep_their_bits(Ftrl(update=update, **options))


def test_an_idle_row_follows_the_rate() -> None:
    rates = [0.1, 0.1, 0.05]
    table, optimizer = Table(np.zeros((2, 1))), Ftrl(lambda step: rates[step])
    optimizer.apply_gradients([(RowGradient(np.array([1]), np.array([[2.0]]), (2, 1)), table)])
    nothing = RowGradient(np.empty(0, np.int64), np.empty((0, 1)), (2, 1))
    seen = [table.numpy()[1, 0]]
    for _ in range(2):
        optimizer.apply_gradients([(nothing, table)])
        seen.append(table.numpy()[1, 0])
    np.testing.assert_allclose(seen, -2 * np.array(rates) / math.sqrt(4.1), rtol=1e-12)


def test_an_element_without_gradient_or_accumulator_becomes_zero_and_not_nan() -> None:
    table, optimizer = Table(np.ones((1, 2))), Ftrl(0.1, initial_accumulator_value=0.0)
    optimizer.apply_gradients([(RowGradient(np.array([0]), np.array([[1.0, 0.0]]), (1, 2)), table)])
    assert np.isfinite(table.numpy()).all()
    assert table.numpy()[0, 1] == 0


def rows_of(seed: int, table: Table) -> RowGradient:
    rng = np.random.default_rng(seed)
    return RowGradient(rng.integers(0, len(table), 3), rng.normal(size=(3, table.shape[1])), table.shape)


@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("options", [{}, {"l2_shrinkage_regularization_strength": 0.1}, {"weight_decay": 0.1}], ids=str)
@pytest.mark.parametrize("rates", [[0.0, 0.1, 0.2], [0.1, 0.0, 0.0, 0.2], [0.1, 0.2, 0.0]], ids=str)
@pytest.mark.parametrize("dense", [False, True])
def test_a_step_at_rate_zero_changes_nothing_and_the_next_goes_on(
    rates: list[float], options: dict[str, float], update: str, dense: bool
) -> None:
    tables = [Table(np.ones((5, 2))) for _ in range(2)]
    optimizers = [Ftrl(lambda step: rates[step], update=update, **options), Ftrl(0.1, update=update, **options)]
    for step, rate in enumerate(rates):
        gradient = rows_of(step, tables[0])
        given = gradient.to_dense() if dense else gradient
        assert optimizers[0].apply_gradients([(given, tables[0])]) == step + 1
        if rate > 0:
            optimizers[1].learning_rate = rate
            optimizers[1].apply_gradients([(given, tables[1])])
        np.testing.assert_array_equal(tables[0].numpy(), tables[1].numpy())
        slots = [optimizer.slots.get(table, {}) for optimizer, table in zip(optimizers, tables, strict=True)]
        for name in slots[1]:
            np.testing.assert_array_equal(slots[0][name], slots[1][name])


def test_the_steps_of_a_warm_up_are_those_of_the_formula_of_keras() -> None:
    rates, gradients = [0.0, 0.05, 0.1], [2.0, -1.0, 3.0]
    weight, linear, accumulator = 1.0, 0.0, 0.1
    table, optimizer = Table(np.ones((1, 1))), Ftrl(schedules.LinearWarmup(0.1, 2))
    for rate, gradient in zip(rates, gradients, strict=True):
        optimizer.apply_gradients([(np.array([[gradient]]), table)])
        if rate > 0:  # at 0 Keras divides by it and gives NaN
            grown = accumulator + gradient**2
            linear += gradient - (math.sqrt(grown) - math.sqrt(accumulator)) / rate * weight
            weight, accumulator = -linear / (math.sqrt(grown) / rate), grown
        assert table.numpy()[0, 0] == pytest.approx(weight, rel=1e-12)


def test_bad_ids_are_an_error_at_rate_zero_too() -> None:
    gradient = RowGradient(np.array([9]), np.ones((1, 3), "float32"), start_table().shape)
    with pytest.raises(IndexError):
        Ftrl(0.0).apply_gradients([(gradient, start_table())])


def test_defaults_are_those_of_keras() -> None:
    assert Ftrl().get_config() == {
        **{"name": "ftrl", "update": "exact", "learning_rate": 0.001, "learning_rate_power": -0.5},
        **{"initial_accumulator_value": 0.1, "beta": 0.0},
        **dict.fromkeys(PENALTIES, 0.0),
    }
