"""L2 over a whole table under gradient descent: Keras's result at the cost of the touched rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import assert_same_bits

from fastembed_layer import Embedding, GradientTape, PenalisedGradient, RowGradient, optimizers
from fastembed_layer.optimizers import SGD
from fastembed_layer.tables.running_squares import REFRESH, RunningSquares, sum_squares
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

ROWS, COLUMNS, L2 = 7, 3, 0.05


def make_layer(dtype: str = "float64", **options: Any) -> Embedding:
    start = np.random.default_rng(3).normal(size=(ROWS, COLUMNS))
    options = {"embeddings_regularizer": {"class_name": "L2", "config": {"l2": L2}}} | options
    layer = Embedding(ROWS, COLUMNS, weights=[start], dtype=dtype, **options)
    layer.build()
    return layer


def train(layer: Embedding, optimizer: Any, ids: Array, d_rows: Array) -> float:
    """One step with a given gradient of the rows; returns the penalty that the loss held."""
    with GradientTape() as tape:
        rows, [penalty] = layer(ids), layer.losses
    pulled = tape.gradient([penalty], layer.embeddings)
    optimizer.apply_gradients(
        [(pulled, layer.embeddings), (RowGradient(ids, d_rows, (ROWS, COLUMNS)), layer.embeddings)]
    )
    assert rows.shape == (len(ids), COLUMNS)
    return float(penalty)


def dense_step(table: Array, batch: tuple[Array, Array], rate: float, decay: float) -> tuple[Array, float]:
    """The formula: one step on all rows, and the penalty before it."""
    gradient = 2 * L2 * table
    np.add.at(gradient, *batch)
    return table * (1 - rate * decay) - rate * gradient, L2 * float((table**2).sum())


batches = st.lists(st.tuples(st.lists(st.integers(0, ROWS - 1), max_size=5), st.booleans()), min_size=1, max_size=12)


@given(batches, st.sampled_from([0.0, 0.3]), st.sampled_from([None, [0, 2, 3], [5]]))
@settings(max_examples=60, deadline=None)
def test_weights_and_loss_are_those_of_the_dense_formula(batches: Any, decay: float, rows: list[int] | None) -> None:
    layer, rng = make_layer(trainable_rows=rows), np.random.default_rng(0)
    frozen = np.setdiff1d(np.arange(ROWS), np.arange(ROWS) if rows is None else rows)
    optimizer = SGD(lambda step: 0.3 / (1 + step), weight_decay=decay)
    start = expected = layer.get_weights()[0]
    for step, (batch, read) in enumerate(batches):
        ids = np.array(batch, np.int64)
        d_rows = rng.normal(size=(len(ids), COLUMNS))
        expected, penalty = dense_step(expected, (ids, d_rows), 0.3 / (1 + step), decay)
        expected[frozen] = start[frozen]
        assert train(layer, optimizer, ids, d_rows) == pytest.approx(penalty, rel=1e-12)
        if read:
            np.testing.assert_allclose(layer.get_weights()[0], expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(layer(np.arange(ROWS)), expected, rtol=1e-12, atol=1e-14)
    assert_same_bits(layer.get_weights()[0][frozen], start[frozen])


def test_the_gradient_is_the_penalty_over_all_rows_and_that_of_the_lookups() -> None:
    layer = make_layer()
    with GradientTape() as tape:
        targets = [layer(np.array([1, 1])), *layer.losses]
    gradient = tape.gradient(targets, layer.embeddings)
    assert isinstance(gradient, PenalisedGradient)
    expected = 2 * L2 * layer.embeddings.numpy()
    expected[1] += 2
    np.testing.assert_allclose(gradient.to_dense(), expected, rtol=1e-14)
    np.testing.assert_allclose(np.asarray(gradient * 0.5), expected / 2, rtol=1e-14)
    np.testing.assert_allclose((gradient + np.ones((ROWS, COLUMNS))), expected + 1, rtol=1e-14)
    np.testing.assert_allclose((np.ones((ROWS, COLUMNS)) + gradient), expected + 1, rtol=1e-14)
    np.testing.assert_allclose((gradient + gradient.copy()).to_dense(), expected * 2, rtol=1e-14)


def test_a_step_neither_reads_nor_writes_the_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, optimizer = make_layer(), SGD(0.1)
    train(layer, optimizer, np.array([1]), np.ones((1, COLUMNS)))
    others = layer.embeddings.array[2:].copy()
    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr(RunningSquares, "__init__", lambda *_: pytest.fail("a pass over the table"))
        for _ in range(5):
            train(layer, optimizer, np.array([1]), np.ones((1, COLUMNS)))
    assert_same_bits(layer.embeddings.array[2:], others)
    assert (layer.embeddings.value[2:] != others).all()


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.1, momentum=0.9),
        SGD(0.1, clipnorm=1.0),
        SGD(0.1, use_ema=True),
        SGD(0.1, update="lazy"),
        optimizers.Adam(0.1),
    ],
    ids=["momentum", "clipnorm", "ema", "lazy", "adam"],
)
@pytest.mark.filterwarnings("ignore:.* every row at every step")
def test_where_it_is_no_decay_the_whole_gradient_is_taken_with_one_warning(optimizer: Any) -> None:
    layer, twin = make_layer(), Table(make_layer().get_weights()[0])
    rule = type(optimizer).from_config(optimizer.get_config())
    ids, d_rows = np.array([2, 2, 5]), np.ones((3, COLUMNS))
    with pytest.warns(UserWarning, match="of the layer 'embedding.*' is a term over the whole table"):
        train(layer, optimizer, ids, d_rows)
    for _ in range(2):  # warnings are errors here: there is no second one
        train(layer, optimizer, ids, d_rows)
    for _ in range(3):
        gradient = 2 * L2 * twin.numpy()
        np.add.at(gradient, ids, d_rows)
        rule.apply_gradients([(gradient, twin)])
    np.testing.assert_allclose(layer.get_weights()[0], twin.numpy(), rtol=1e-12)


def test_a_penalty_that_turns_the_sign_is_taken_whole() -> None:
    layer, optimizer = make_layer(), SGD(15.0)
    expected = layer.get_weights()[0] * (1 - 15.0 * 2 * L2)
    train(layer, optimizer, np.array([], np.int64), np.empty((0, COLUMNS)))
    np.testing.assert_allclose(layer.get_weights()[0], expected, rtol=1e-12)


def test_it_accumulates_and_is_scaled_with_the_loss() -> None:
    layer, twin = make_layer(), make_layer().get_weights()[0]
    optimizer = SGD(0.1, gradient_accumulation_steps=2, loss_scale_factor=8.0)
    ids, d_rows = np.array([4]), np.full((1, COLUMNS), 8.0)
    for _ in range(2):
        with GradientTape() as tape:
            [penalty] = layer.losses
            scaled = optimizer.scale_loss(penalty)
        gradient = tape.gradient(scaled, layer.embeddings)
        optimizer.apply_gradients([(gradient + RowGradient(ids, d_rows, (ROWS, COLUMNS)), layer.embeddings)])
    gradient = 2 * L2 * twin
    gradient[4] += 1
    np.testing.assert_allclose(layer.get_weights()[0], twin - 0.1 * gradient, rtol=1e-12)


def test_tables_with_different_penalties_shrink_each_at_its_own_rate() -> None:
    first, second = make_layer(), make_layer(embeddings_regularizer={"class_name": "L2", "config": {"l2": 0.2}})
    plain, optimizer = make_layer(embeddings_regularizer=None), SGD(0.1)
    layers = [first, second, plain]
    starts = [layer.get_weights()[0] for layer in layers]
    for penalised in (False, True, True):
        with GradientTape() as tape:
            targets = [penalty for layer in layers for penalty in layer.losses] if penalised else []
        gradients = tape.gradient(targets, [layer.embeddings for layer in layers])
        touched = RowGradient(np.array([0]), np.zeros((1, COLUMNS)), (ROWS, COLUMNS))
        pairs = [
            (touched if one is None else one, layer.embeddings) for one, layer in zip(gradients, layers, strict=True)
        ]
        optimizer.apply_gradients(pairs)
    for layer, start, l2 in zip(layers, starts, (L2, 0.2, 0.0), strict=True):
        np.testing.assert_allclose(layer.get_weights()[0], start * (1 - 0.1 * 2 * l2) ** 2, rtol=1e-12)


def test_a_subclass_with_a_formula_of_its_own_is_not_taken_for_l2() -> None:
    from fastembed_layer.regularizers import L1L2

    class Half(L1L2):
        def __call__(self, weights: Any) -> float:
            return super().__call__(weights) / 2

    assert Half(l2=0.1).proportion is None
    assert L1L2(l2=0.1).proportion == 0.2
    assert L1L2(l1=0.1, l2=0.1).proportion is None


# ---- The running sum


def test_the_sum_is_taken_anew_when_somebody_may_have_written() -> None:
    layer = make_layer()
    table = layer.embeddings
    before = sum_squares(table)
    table.value[0] = 100.0
    assert sum_squares(table) == pytest.approx(before + 3e4, rel=1e-2)
    table.assign(np.ones((ROWS, COLUMNS)))
    assert sum_squares(table) == ROWS * COLUMNS
    layer.set_weights([np.zeros((ROWS, COLUMNS))])
    assert sum_squares(table) == 0


def test_other_optimizers_drop_the_sum() -> None:
    layer = make_layer()
    known = sum_squares(layer.embeddings)
    gradient = RowGradient(np.array([1]), np.ones((1, COLUMNS)), (ROWS, COLUMNS))
    for optimizer in (optimizers.Adam(0.5), SGD(0.5), SGD(0.5, momentum=0.9)):
        optimizer.apply_gradients([(gradient, layer.embeddings)])
        assert sum_squares(layer.embeddings) == pytest.approx((layer.embeddings.numpy() ** 2).sum(), rel=1e-12)
        assert sum_squares(layer.embeddings) != known


def test_rows_that_stop_training_are_told_apart() -> None:
    layer, optimizer = make_layer(), SGD(0.5)
    nothing = np.array([], np.int64), np.empty((0, COLUMNS))
    train(layer, optimizer, *nothing)
    layer.trainable_rows = [0]
    for _ in range(2):
        train(layer, optimizer, *nothing)
    running = sum_squares(layer.embeddings)
    assert running == pytest.approx((layer.embeddings.numpy() ** 2).sum(), rel=1e-12)


def test_after_many_steps_the_table_is_summed_again() -> None:
    table = make_layer().embeddings
    sum_squares(table)
    assert table.squares is not None
    table.squares._steps = REFRESH
    known = table.squares
    sum_squares(table)
    assert table.squares is not known


def test_a_projection_of_touched_rows_drops_the_sum() -> None:
    layer = make_layer(embeddings_constraint="non_neg")
    before = sum_squares(layer.embeddings)
    gradient = RowGradient(np.array([1]), np.full((1, COLUMNS), 9.0), (ROWS, COLUMNS))
    SGD(1.0).apply_gradients([(gradient, layer.embeddings)])
    assert sum_squares(layer.embeddings) == pytest.approx((layer.embeddings.numpy() ** 2).sum(), rel=1e-12)
    assert sum_squares(layer.embeddings) != before


def test_a_step_that_fails_leaves_no_wrong_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = make_layer()
    sum_squares(layer.embeddings)
    monkeypatch.setattr(
        "fastembed_layer.optimizers.step.order._prepare_update", lambda *_: (_ for _ in ()).throw(MemoryError)
    )
    gradient = RowGradient(np.array([1]), np.ones((1, COLUMNS)), (ROWS, COLUMNS))
    with pytest.raises(MemoryError):
        SGD(1.0).apply_gradients([(gradient, layer.embeddings)])
    assert sum_squares(layer.embeddings) == pytest.approx((layer.embeddings.numpy() ** 2).sum(), rel=1e-12)
