"""Moving averages of weights against the average of the whole table at every step."""

from __future__ import annotations

import numpy as np
import pytest

from fastembed_layer import RowGradient, constraints, optimizers
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

SHAPE = (20, 3)


def run(optimizer, steps=40, momentum=0.9, constraint=None):
    """Train, and average the whole table of a twin beside it, in float64, before each step's constraint."""
    rng = np.random.default_rng(5)
    table = Table(rng.normal(size=SHAPE))
    twin, beside = Table(table.numpy()), type(optimizer).from_config(optimizer.get_config() | {"use_ema": False})
    table.constraint = constraint
    average = None
    for _ in range(steps):
        ids = rng.integers(0, SHAPE[0], 3)
        gradient = RowGradient(ids, rng.normal(size=(3, 3)), SHAPE)
        optimizer.apply_gradients([(gradient, table)])
        beside.apply_gradients([(gradient, twin)])
        weight = twin.numpy()
        average = weight if average is None else momentum * average + (1 - momentum) * weight
        if constraint is not None:
            moved = np.unique(ids) if constraint.is_row_local else slice(None)
            twin.value[moved] = constraint(weight[moved])
    np.testing.assert_allclose(table.numpy(), twin.numpy(), rtol=0, atol=1e-12)
    return table, average


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9),
        optimizers.Adagrad(0.1, use_ema=True, ema_momentum=0.9),
        optimizers.Adam(0.1, update="lazy", use_ema=True, ema_momentum=0.9),
        optimizers.RMSprop(0.1, use_ema=True, ema_momentum=0.9),
        optimizers.RMSprop(0.1, centered=True, use_ema=True, ema_momentum=0.9),
        optimizers.Adadelta(1.0, use_ema=True, ema_momentum=0.9),
        optimizers.RowwiseAdagrad(0.1, use_ema=True, ema_momentum=0.9),
    ],
    ids=["sgd", "adagrad", "lazy adam", "rmsprop", "centered rmsprop", "adadelta", "row-wise adagrad"],
)
@pytest.mark.parametrize("constraint", [None, constraints.MaxNorm(0.5, axis=1)], ids=str)
def test_average_of_touched_rows_equals_the_average_of_the_table(optimizer, constraint):
    optimizer = type(optimizer).from_config(optimizer.get_config())
    table, average = run(optimizer, constraint=constraint)
    np.testing.assert_allclose(optimizer.moving_average(table), average, rtol=0, atol=1e-12)


def test_average_follows_idle_rows_that_move_and_says_what_it_costs():
    optimizer = optimizers.Adam(0.1, use_ema=True, ema_momentum=0.9)
    with pytest.warns(UserWarning, match="`use_ema` for the weight 'embeddings' visits every row at every step"):
        table, average = run(optimizer)
    np.testing.assert_allclose(optimizer.moving_average(table), average, rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [optimizers.RMSprop, optimizers.Adadelta], ids=["rmsprop", "adadelta"])
def test_slots_that_fade_make_no_row_visited(make):
    """The rows of these stay where they are, so nothing brings their slots up to date before they are needed."""
    table, optimizer = Table(np.ones(SHAPE)), make(0.1, use_ema=True)
    for row_id in (3, 4, 5):
        optimizer.apply_gradients([(RowGradient(np.array([row_id]), np.ones((1, 3)), SHAPE), table)])
    assert not table.idle.is_finished
    assert table.idle.last_steps[[3, 4, 5]].tolist() == [1, 2, 3]


def test_weight_decay_moves_the_rows_of_any_optimizer():
    optimizer = optimizers.Adadelta(1.0, weight_decay=0.1, use_ema=True, ema_momentum=0.9)
    with pytest.warns(
        UserWarning, match=r"because this optimizer moves idle rows\. Pass update='lazy' to the optimizer"
    ):
        table, average = run(optimizer)
    np.testing.assert_allclose(optimizer.moving_average(table), average, rtol=0, atol=1e-12)


def test_a_constraint_over_the_vocabulary_moves_rows_too():
    optimizer = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    with pytest.warns(UserWarning, match="every row at every step") as caught:
        table, average = run(optimizer, constraint=constraints.MaxNorm(0.5, axis=0))
    np.testing.assert_allclose(optimizer.moving_average(table), average, rtol=0, atol=1e-12)
    texts = [str(warning.message) for warning in caught]
    assert [text.partition(" the weight ")[0] for text in texts] == ["`use_ema` for", "The constraint of"]
    reason = "the constraint does not treat each row by itself. Pass a constraint that does"
    assert all(reason in text for text in texts)


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
