"""Frozen rows and rows with rates of their own, against the dense optimizer in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import assert_same_bits
from test_exact import CASES, COLUMNS, NAMES, ROWS, draw_steps, look_up, schedule, start_table, to_dense

from fastembed_layer import Embedding, RowGradient, constraints, optimizers
from fastembed_layer.backends.cpu import BACKEND
from fastembed_layer.tables.row_rates import RowRates
from fastembed_layer.tables.table import Table

PHASES = ({0, 1, 2, 3, 4, 5, 6}, {4, 5, 6, 7, 8, 9, 10, 11}, {0, 2, 5, 7, 11}, set(range(ROWS)))
FACTORS = np.array([1.0, 0.5, 2.0, 0.0, 0.25, 1.0, 3.0, 0.1, 1.0, 0.0, 0.7, 0.9])
FAMILIES = [  # one case of each way in which idle rows move, without weight decay
    ("SGD", {"momentum": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.8}),
    ("Adam", {}),
    ("Adam", {"beta_1": 0.9, "beta_2": 0.8}),
    ("Nadam", {}),
    ("Lion", {}),
    ("RowwiseAdam", {}),
]
LAZY_FAMILIES = [
    ("SGD", {"momentum": 0.9}),
    ("Adagrad", {"weight_decay": 0.5}),
    ("AdamW", {"weight_decay": 0.5, "amsgrad": True}),
    ("RowwiseAdagrad", {}),
    ("RowwiseLamb", {"weight_decay": 0.5}),
]


def dense_class(name, options):
    return next(dense for other, dense, known in CASES if other == name and known == options)


def mask_of(rows):
    return np.isin(np.arange(ROWS), list(rows))


def step_dense(judge, g, rate, t, factors):
    """One step of the dense optimizer: rows go their shares of it, and those that go none keep their slots, too."""
    before = {name: array.copy() for name, array in vars(judge).items() if isinstance(array, np.ndarray)}
    judge.step(np.where(factors[:, None] > 0, g, 0), rate, t)
    for name, old in before.items():
        trains = (factors > 0).reshape(-1, *[1] * (old.ndim - 1))
        setattr(judge, name, np.where(trains, getattr(judge, name), old))
    judge.w = before["w"] + factors[:, None] * (judge.w - before["w"])


def apply(optimizer, table, ids, values):
    optimizer.apply_gradients([(RowGradient(np.asarray(ids), values, table.shape), table)])


@pytest.mark.parametrize(("name", "dense", "options"), CASES, ids=NAMES)
def test_rows_that_stop_and_begin_to_train_follow_the_dense_optimizer(name, dense, options):
    table = start_table("float64")
    judge = dense(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(schedule, **options)
    for step, (ids, values) in enumerate(draw_steps(1, 60, "float64")):
        trainable = mask_of(PHASES[step // 15])
        if step % 15 == 0:
            table.row_rates = RowRates(trainable)
        before = look_up(table).copy()
        apply(optimizer, table, ids, values)
        step_dense(judge, to_dense(ids, values), schedule(step), step + 1, trainable.astype(float))
        seen = look_up(table)
        assert_same_bits(seen[~trainable], before[~trainable])
        np.testing.assert_allclose(seen, judge.w, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(table.numpy(), judge.w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "options"), FAMILIES, ids=str)
def test_rows_with_rates_of_their_own_follow_the_dense_optimizer(name, options):
    table = start_table("float64")
    table.row_rates = RowRates(FACTORS > 0, FACTORS)
    judge = dense_class(name, options)(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(schedule, **options)
    for step, (ids, values) in enumerate(draw_steps(1, 40, "float64")):
        apply(optimizer, table, ids, values)
        step_dense(judge, to_dense(ids, values), schedule(step), step + 1, FACTORS)
        if step % 7 == 0:
            np.testing.assert_allclose(look_up(table), judge.w, rtol=1e-9, atol=1e-9)
    seen = look_up(table).copy()
    bags = BACKEND.gather_bags(table, np.arange(ROWS), np.arange(ROWS + 1), None)
    np.testing.assert_array_equal(bags, seen)
    np.testing.assert_array_equal(table.numpy(), seen)
    np.testing.assert_allclose(seen, judge.w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", ["row gradient", "dense gradient"])
@pytest.mark.parametrize(("name", "options"), LAZY_FAMILIES, ids=str)
def test_lazy_rows_take_their_share_of_step_and_decay(name, options, form):
    """Every batch holds every row, so the lazy optimizer is the dense one."""
    table, random = start_table("float64"), np.random.default_rng(2)
    table.row_rates = RowRates(FACTORS > 0, FACTORS)
    judge = dense_class(name, options)(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(0.1, update="lazy", **options)
    for step in range(6):
        ids = np.append(random.permutation(ROWS), [1, 3, 3])
        values = random.normal(size=(len(ids), COLUMNS))
        gradient = RowGradient(ids, values, table.shape) if form == "row gradient" else to_dense(ids, values)
        optimizer.apply_gradients([(gradient, table)])
        step_dense(judge, to_dense(ids, values), 0.1, step + 1, FACTORS)
    np.testing.assert_allclose(table.numpy(), judge.w, rtol=1e-9, atol=1e-9)


def test_the_judge_sees_a_rate_that_is_not_heeded():
    table = start_table("float64")
    judge = dense_class("Adam", {})(table.numpy())
    apply(optimizers.Adam(0.1), table, np.arange(ROWS), np.ones(table.shape))
    step_dense(judge, np.ones(table.shape), 0.1, 1, FACTORS)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(table.numpy(), judge.w, rtol=1e-9, atol=1e-9)


@st.composite
def gradients_with_frozen_rows(draw):
    """A gradient in any form, and a mask of rows."""
    ids = np.array(draw(st.lists(st.integers(0, ROWS - 1), max_size=12)), np.int64)
    in_bags, scaled = draw(st.booleans()), draw(st.booleans())
    random = np.random.default_rng(draw(st.integers(0, 99)))
    values = random.normal(size=(4 if in_bags else len(ids), COLUMNS))
    sources = random.integers(0, 4, len(ids)) if in_bags else None
    scales = random.normal(size=len(ids)) if scaled else None
    gradient = RowGradient(ids, values, (ROWS, COLUMNS), sources, scales)
    return gradient, np.array(draw(st.lists(st.booleans(), min_size=ROWS, max_size=ROWS)))


@settings(max_examples=25)
@given(drawn=gradients_with_frozen_rows(), clipped=st.booleans())
def test_a_frozen_row_in_a_batch_is_as_if_it_had_not_been_there(drawn, clipped):
    gradient, trainable = drawn
    expanded = gradient.expand()
    kept = trainable[expanded.ids]
    other = RowGradient(expanded.ids[kept], expanded.values[kept], gradient.shape)
    outcomes = []
    for each in (gradient, other):
        table = start_table("float64")
        table.row_rates = RowRates(trainable)
        optimizer = optimizers.Adam(0.1, weight_decay=0.1, clipnorm=0.5 if clipped else None)
        for _ in range(2):
            optimizer.apply_gradients([(each, table)])
        outcomes.append(table.numpy())
    np.testing.assert_allclose(outcomes[0], outcomes[1], rtol=0, atol=1e-12)
    assert_same_bits(outcomes[0][~trainable], start_table("float64").numpy()[~trainable])


def test_bags_go_on_sharing_their_vectors_and_whole_gradients_are_not_copied(monkeypatch):
    table = start_table("float64")
    seen = []
    monkeypatch.setattr("fastembed_layer.optimizers.optimizer.take_step", lambda _, pairs: seen.append(pairs[0][1]))
    values, sources = np.ones((2, COLUMNS)), np.array([0, 0, 1])
    gradient = RowGradient(np.array([1, 2, 4]), values, table.shape, sources)
    table.row_rates = RowRates(mask_of({1, 2, 4, 5}))
    optimizers.SGD().apply_gradients([(gradient, table)])
    assert seen[-1] is gradient
    table.row_rates = RowRates(mask_of({2, 4}))
    optimizers.SGD().apply_gradients([(gradient, table)])
    assert seen[-1].values is values
    assert seen[-1].ids.tolist() == [2, 4]


def test_what_spoils_the_gradient_of_a_frozen_row_trips_nothing():
    trainable, spoilt = mask_of({1, 2}), np.ones((2, COLUMNS))
    spoilt[1] = np.nan
    forms = [
        RowGradient(np.array([1, 5]), spoilt, (ROWS, COLUMNS)),
        RowGradient(np.array([1, 2, 5]), spoilt, (ROWS, COLUMNS), np.array([0, 0, 1])),
    ]
    for gradient in forms:
        table = start_table("float64")
        table.row_rates = RowRates(trainable)
        for options in ({"check_numerics": True}, {"loss_scale_factor": 2.0}, {"clipnorm": 1.0}):
            optimizer = optimizers.SGD(0.1, **options)
            assert optimizer.apply_gradients([(gradient, table)]) == 1
        assert np.isfinite(table.value).all()
        table.row_rates = None
        with pytest.raises(ValueError, match="must be finite with check_numerics=True"):
            optimizers.SGD(0.1, check_numerics=True).apply_gradients([(gradient, table)])


@pytest.mark.parametrize("bad", [-1, ROWS])
def test_ids_that_are_no_rows_are_refused_beside_frozen_rows(bad):
    table = start_table("float64")
    table.row_rates = RowRates(mask_of({1}))
    with pytest.raises(IndexError, match=rf"indices\[1\] = {bad} is not in \[0, {ROWS}\)"):
        apply(optimizers.SGD(), table, [1, bad], np.ones((2, COLUMNS)))


def test_rows_that_stop_training_while_gradients_accumulate_stay():
    table = start_table("float64")
    before = table.numpy()
    optimizer = optimizers.Adam(0.1, gradient_accumulation_steps=2)
    apply(optimizer, table, [1, 2], np.ones((2, COLUMNS)))
    table.row_rates = RowRates(mask_of({2, 3}))
    apply(optimizer, table, [1, 3], np.ones((2, COLUMNS)))
    assert optimizer.iterations == 1
    assert np.flatnonzero((table.value != before).all(axis=1)).tolist() == [2, 3]


SPOILT = {0: -0.0, 3: np.inf, 9: np.nan}  # what a product, a sum or a difference would not leave as it is


@pytest.mark.filterwarnings("ignore:.* every row at every step")
@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_nothing_that_walks_the_table_touches_a_frozen_row(update):
    table = start_table("float64")
    for row_id, number in SPOILT.items():
        table.array[row_id] = number
    table.row_rates = RowRates(~mask_of(SPOILT))
    table.constraint = constraints.get(lambda weights: np.clip(weights, -0.5, 0.5))
    before = table.numpy()
    optimizer = optimizers.AdamW(0.1, update=update, use_ema=True, ema_overwrite_frequency=2)
    for ids, values in draw_steps(4, 4, "float64"):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table), (np.ones(table.shape), table)])
    optimizer.finalize_variable_values([table])
    assert_same_bits(table.numpy()[list(SPOILT)], before[list(SPOILT)])
    assert (np.delete(table.numpy(), list(SPOILT), axis=0) != np.delete(before, list(SPOILT), axis=0)).all()


@pytest.mark.filterwarnings("ignore:.* every row at every step")
def test_a_norm_over_the_vocabulary_counts_frozen_rows_and_moves_the_others():
    table = start_table("float64")
    table.row_rates = RowRates(mask_of({1, 2}))
    table.constraint = constraints.MaxNorm(0.1, axis=0)
    before = table.numpy()
    apply(optimizers.SGD(0.0), table, [1], np.ones((1, COLUMNS)))
    np.testing.assert_allclose(table.value[[1, 2]], constraints.MaxNorm(0.1, axis=0)(before)[[1, 2]], rtol=1e-12)
    assert_same_bits(np.delete(table.value, [1, 2], axis=0), np.delete(before, [1, 2], axis=0))


@pytest.mark.parametrize("optimizer", [optimizers.Adagrad(), optimizers.RowwiseAdagrad(initial_accumulator_value=0.1)])
def test_a_slot_gets_its_first_value_when_its_row_begins_to_train(optimizer):
    table = start_table("float64")
    table.row_rates = RowRates(mask_of({1, 2}))
    apply(optimizer, table, [1, 5], np.full((2, COLUMNS), 2.0))
    accumulator = optimizer.slots_of(table)["accumulator"]
    assert accumulator[:, 0].tolist() == [0, 4.1, 0.1] + [0] * (ROWS - 3)
    table.row_rates = RowRates(mask_of({2, 5}))
    apply(optimizer, table, [2], np.full((1, COLUMNS), 2.0))
    assert accumulator[:, 0].tolist() == [0, 4.1, 4.1, 0, 0, 0.1] + [0] * (ROWS - 6)
    table.row_rates = None
    assert optimizer.slots_of(table)["accumulator"][:, 0].tolist() == [0.1, 4.1, 4.1] + [0.1] * (ROWS - 3)


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (optimizers.Ftrl(), "trained by Ftrl: a weight is solved anew from sums in which the rate is no factor"),
        (optimizers.RowwiseLamb(), "idle steps of a row depend on the row itself. Pass update='lazy'"),
        (optimizers.AdamW(), "trained by AdamW: in exact mode weight decay reaches idle rows, .* Pass update='lazy'"),
        (optimizers.SGD(weight_decay=0.1), "or leave the table out by exclude_from_weight_decay"),
    ],
    ids=["Ftrl", "RowwiseLamb", "AdamW", "SGD"],
)
def test_rates_that_an_optimizer_cannot_heed_are_refused_before_anything_is_written(optimizer, reason):
    first, table = start_table("float64"), start_table("float64")
    table.row_rates = RowRates(None, FACTORS + 1)
    gradient = RowGradient(np.array([1]), np.ones((1, COLUMNS)), table.shape)
    with pytest.raises(ValueError, match=f"`row_rates` of the weight 'embeddings' cannot be .*{reason}"):
        optimizer.apply_gradients([(gradient, first), (gradient, table)])
    assert optimizer.iterations == 0
    assert optimizer.slots == {}
    for each in (first, table):
        assert_same_bits(each.value, start_table("float64").value)


def test_rates_are_taken_where_decay_does_not_reach():
    table = start_table("float64")
    table.row_rates = RowRates(None, FACTORS + 1)
    optimizer = optimizers.AdamW(0.1)
    optimizer.exclude_from_weight_decay(var_list=[table])
    apply(optimizer, table, [1], np.ones((1, COLUMNS)))
    assert optimizer.iterations == 1


def test_rates_that_are_replaced_leave_earlier_idle_steps_as_they_were():
    table = start_table("float64")
    table.row_rates = RowRates(None, np.full(ROWS, 0.5))
    judge = dense_class("SGD", {"momentum": 0.9})(table.numpy(), momentum=0.9)
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    for step, (ids, values) in enumerate(draw_steps(5, 20, "float64")):
        factor = 0.5 if step < 10 else 2.0
        if step == 10:
            table.row_rates = RowRates(None, np.full(ROWS, 2.0))
            np.testing.assert_allclose(look_up(table), judge.w, rtol=0, atol=1e-12)
        apply(optimizer, table, ids, values)
        step_dense(judge, to_dense(ids, values), 0.1, step + 1, np.full(ROWS, factor))
    np.testing.assert_allclose(table.numpy(), judge.w, rtol=0, atol=1e-12)


def test_two_optimizers_may_take_turns_while_rows_stop_and_begin_to_train():
    """As in the phases above, but each optimizer has its own slots, which rest while the other is at work."""
    table = start_table("float64")
    pair = [optimizers.SGD(0.1, momentum=0.9), optimizers.SGD(0.1, momentum=0.5)]
    velocities, weights = [np.zeros(table.shape), np.zeros(table.shape)], table.numpy()
    for step, (ids, values) in enumerate(draw_steps(6, 40, "float64")):
        turn, trains = step // 5 % 2, mask_of(PHASES[step // 8 % 4])[:, None]
        table.row_rates = RowRates(trains[:, 0])
        apply(pair[turn], table, ids, values)
        moved = (0.9, 0.5)[turn] * velocities[turn] - 0.1 * to_dense(ids, values)
        velocities[turn] = np.where(trains, moved, velocities[turn])
        weights = weights + np.where(trains, moved, 0)
        np.testing.assert_allclose(look_up(table), weights, rtol=0, atol=1e-12)


def test_a_layer_is_unfrozen_between_steps():
    layer = Embedding(ROWS, COLUMNS, trainable_rows=slice(0, 2))
    before, optimizer = layer.embeddings.numpy(), optimizers.Adam(0.1)
    gradient = RowGradient(np.arange(ROWS), np.ones((ROWS, COLUMNS), "float32"), (ROWS, COLUMNS))
    optimizer.apply_gradients([(gradient, layer.embeddings)])
    layer.trainable_rows = [0, 1, 4]
    moved = layer(np.arange(ROWS)) != before
    assert np.flatnonzero(moved.all(axis=1)).tolist() == [0, 1]
    optimizer.apply_gradients([(gradient, layer.embeddings)])
    moved = layer(np.arange(ROWS)) != before
    assert np.flatnonzero(moved.all(axis=1)).tolist() == [0, 1, 4]
    layer.set_weights([np.zeros((ROWS, COLUMNS))])
    assert not layer.embeddings.value.any()


def test_a_gradient_of_frozen_rows_alone_is_a_step_all_the_same():
    table = Table(np.ones((ROWS, COLUMNS)))
    table.row_rates = RowRates(np.zeros(ROWS, bool))
    optimizer = optimizers.Adam(0.1, clipnorm=1.0)
    apply(optimizer, table, [1, 2], np.ones((2, COLUMNS)))
    assert optimizer.apply_gradients([(np.ones(table.shape), table)]) == 2
    assert (table.value == 1).all()
