"""Moving averages of weights against the average of the whole table at every step."""

from __future__ import annotations

import numpy as np
import pytest

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.table import Parameter, Table

SHAPE = (20, 3)


def run(optimizer, steps=40, momentum=0.9):
    """Train, and average the whole table beside it in float64."""
    rng = np.random.default_rng(5)
    table = Table(rng.normal(size=SHAPE))
    average = None
    for _ in range(steps):
        ids = rng.integers(0, SHAPE[0], 3)
        optimizer.apply_gradients([(RowGradient(ids, rng.normal(size=(3, 3)), SHAPE), table)])
        weight = table.numpy()
        average = weight if average is None else momentum * average + (1 - momentum) * weight
    return table, average


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9),
        optimizers.Adagrad(0.1, use_ema=True, ema_momentum=0.9),
        optimizers.Adam(0.1, update="lazy", use_ema=True, ema_momentum=0.9),
    ],
    ids=["sgd", "adagrad", "lazy adam"],
)
def test_average_of_touched_rows_equals_the_average_of_the_table(optimizer):
    table, average = run(optimizer)
    np.testing.assert_allclose(optimizer.moving_average(table), average, rtol=0, atol=1e-12)


def test_average_follows_idle_rows_that_move_and_says_what_it_costs():
    optimizer = optimizers.Adam(0.1, use_ema=True, ema_momentum=0.9)
    with pytest.warns(UserWarning, match="visits every row of the weight 'embeddings' at every step"):
        table, average = run(optimizer)
    np.testing.assert_allclose(optimizer.moving_average(table), average, rtol=0, atol=1e-12)


def test_finalizing_overwrites_the_weights_with_their_averages():
    optimizer = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    table, average = run(optimizer)
    optimizer.finalize_variable_values([table])
    np.testing.assert_allclose(table.numpy(), average, rtol=0, atol=1e-12)


def test_averages_overwrite_the_weights_at_the_chosen_frequency():
    weight = Parameter(np.zeros(2))
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    optimizer.apply_gradients([(np.full(2, -1.0), weight)])
    np.testing.assert_array_equal(weight.numpy(), 1.0)
    optimizer.apply_gradients([(np.full(2, -1.0), weight)])
    np.testing.assert_array_equal(weight.numpy(), 1.5)


def test_a_weight_without_average_is_an_error():
    with pytest.raises(ValueError, match="that this optimizer has trained with use_ema=True"):
        optimizers.SGD().moving_average(Parameter(np.zeros(2)))
