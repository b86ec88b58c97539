"""Constraints after a step: on the touched rows where that is enough, else on the table, which is said once."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastembed_layer import Embedding, GradientTape, RowGradient, constraints, optimizers, regularizers
from fastembed_layer.tables.table import Table

SHAPE = (1000, 64)
EACH_ROW, VOCABULARY = constraints.MaxNorm(1.0, axis=1), constraints.MaxNorm(1.0)
IDLE = "this optimizer moves idle rows"
NOT_LOCAL = "the constraint does not treat each row by itself"
MOVING = {
    "momentum": {"class_name": "SGD", "config": {"momentum": 0.9}},
    "decay": {"class_name": "SGD", "config": {"weight_decay": 0.1}},
    **{name: {"class_name": name} for name in ("Adam", "Adamax", "Nadam", "Lion", "Ftrl", "RowwiseAdam")},
}
STAYING = ("SGD", "Adagrad", "RMSprop", "Adadelta", "RowwiseAdagrad")


def train(optimizer, constraint, tables=1, steps=3):
    """Some steps on new tables, and the warnings that they gave."""
    made = [Table(np.ones(SHAPE, "float32"), f"table {number}") for number in range(tables)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for table in made:
            table.constraint = constraint
            for step in range(steps):
                gradient = RowGradient(np.array([step, step + 1]), np.ones((2, 64), "float32"), SHAPE)
                optimizer.apply_gradients([(gradient, table)])
    return made, caught


@pytest.mark.parametrize("config", MOVING.values(), ids=MOVING)
def test_idle_rows_that_move_are_projected_and_each_table_says_once_what_that_costs(config):
    _, caught = train(optimizers.get(config), EACH_ROW, tables=2)
    assert [warning.category for warning in caught] == [UserWarning, UserWarning]
    assert [warning.filename for warning in caught] == [__file__, __file__]
    for number, warning in enumerate(caught):
        assert str(warning.message) == (
            f"The constraint of the weight 'table {number}' projects every row at every step, 1000.0 KiB or more, "
            f"because {IDLE}. Pass update='lazy' to the optimizer to visit the rows of each batch only."
        )


@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("name", STAYING)
def test_rows_that_stay_are_left_alone_and_nothing_is_said(name, update):
    [table], caught = train(getattr(optimizers, name)(update=update), EACH_ROW)
    assert caught == []
    norms = np.linalg.norm(table.numpy(), axis=1)
    assert (norms[:4] < 1.00001).all()
    np.testing.assert_array_equal(norms[4:], 8)


@pytest.mark.parametrize("config", MOVING.values(), ids=MOVING)
def test_lazy_updates_project_the_touched_rows_and_say_nothing(config):
    arguments = config.get("config", {}) | {"update": "lazy"}
    [table], caught = train(optimizers.get({**config, "config": arguments}), EACH_ROW)
    assert caught == []
    np.testing.assert_array_equal(np.linalg.norm(table.numpy(), axis=1)[4:], 8)


@pytest.mark.parametrize(("name", "reasons"), [("SGD", NOT_LOCAL), ("Adam", f"{IDLE} and {NOT_LOCAL}")])
def test_a_constraint_over_the_vocabulary_says_so(name, reasons):
    [table], caught = train(getattr(optimizers, name)(), VOCABULARY)
    [warning] = caught
    assert f"because {reasons}. Pass " in str(warning.message)
    assert "MaxNorm with axis=1" in str(warning.message)
    assert (np.linalg.norm(table.numpy(), axis=0) < 1.00001).all()


def test_a_dense_gradient_visits_every_row_anyway_and_nothing_is_said():
    table, optimizer = Table(np.ones(SHAPE, "float32")), optimizers.Adam()
    table.constraint = EACH_ROW
    optimizer.apply_gradients([(np.ones(SHAPE, "float32"), table)])
    np.testing.assert_allclose(np.linalg.norm(table.numpy(), axis=1), 1, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:The constraint of the weight")
@pytest.mark.parametrize("constraint", [constraints.NonNeg(), EACH_ROW], ids=str)
def test_an_l2_penalty_counts_the_rows_as_the_constraint_has_left_them(constraint):
    """Its gradient is a decay under SGD, which moves all rows, and its value a running sum."""
    layer = Embedding(40, 3, embeddings_constraint=constraint, embeddings_regularizer=regularizers.L2(0.01))
    optimizer, rng = optimizers.SGD(1.0), np.random.default_rng(3)
    for _ in range(30):
        with GradientTape() as tape:
            targets = [layer(rng.integers(0, 40, 5)), *layer.losses]
        weights = layer.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(targets, weights), weights, strict=True))
        penalty = layer.losses[0].item()
        assert penalty == pytest.approx(0.01 * (layer.get_weights()[0].astype(float) ** 2).sum(), rel=1e-5)
