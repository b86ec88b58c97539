"""Exact mode against the dense optimizer, run step by step over the whole table in float64."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from dense_optimizers import (
    DenseAdadelta,
    DenseAdamax,
    DenseFtrl,
    DenseLion,
    DenseNadam,
    DenseRowwiseAdagrad,
    DenseRowwiseAdam,
    DenseRowwiseLamb,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fastembed_layer import EmbeddingBag, GradientTape, RowGradient, constraints, optimizers
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.optimizers.step.idle_series import centered_series, interpolation_weights
from fastembed_layer.tables import idle_rows
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

ROWS, COLUMNS = 12, 5


class DenseSGD:
    def __init__(self, start, momentum=0.0, nesterov=False, weight_decay=0.0):
        self.weight_decay = weight_decay
        self.w, self.m = start.astype(float), np.zeros(start.shape)
        self.momentum, self.nesterov = momentum, nesterov

    def step(self, g, rate, t):
        self.w = self.w * (1 - rate * self.weight_decay)
        self.m = self.momentum * self.m - rate * g
        self.w = self.w + (self.momentum * self.m - rate * g if self.nesterov else self.m)


class DenseAdagrad:
    def __init__(self, start, weight_decay=0.0):
        self.weight_decay = weight_decay
        self.w, self.a = start.astype(float), np.full(start.shape, 0.1)

    def step(self, g, rate, t):
        self.w = self.w * (1 - rate * self.weight_decay)
        self.a = self.a + g**2
        self.w = self.w - rate * g / np.sqrt(self.a + 1e-7)


class DenseRMSprop:
    def __init__(self, start, rho=0.9, momentum=0.0, centered=False, epsilon=1e-7, weight_decay=0.0):
        self.weight_decay = weight_decay
        self.w, self.v, self.a, self.m = start.astype(float), *(np.zeros(start.shape) for _ in range(3))
        self.rho, self.momentum, self.centered, self.epsilon = rho, momentum, centered, epsilon

    def step(self, g, rate, t):
        self.w = self.w * (1 - rate * self.weight_decay)
        self.v = self.rho * self.v + (1 - self.rho) * g**2
        self.a = self.rho * self.a + (1 - self.rho) * g
        size = self.v + self.epsilon - (self.a**2 if self.centered else 0)
        self.m = self.momentum * self.m + rate * g / np.sqrt(size)
        self.w = self.w - self.m


class DenseAdam:
    def __init__(self, start, beta_1=0.9, beta_2=0.999, amsgrad=False, epsilon=1e-7, weight_decay=0.0):
        self.weight_decay = weight_decay
        self.w, self.m, self.v, self.h = start.astype(float), *(np.zeros(start.shape) for _ in range(3))
        self.beta_1, self.beta_2, self.amsgrad, self.epsilon = beta_1, beta_2, amsgrad, epsilon

    def step(self, g, rate, t):
        self.w = self.w * (1 - rate * self.weight_decay)
        alpha = rate * np.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g**2
        self.h = np.maximum(self.h, self.v)
        self.w = self.w - alpha * self.m / (np.sqrt(self.h if self.amsgrad else self.v) + self.epsilon)


CASES = [
    ("SGD", DenseSGD, {}),
    ("SGD", DenseSGD, {"momentum": 0.9}),
    ("SGD", DenseSGD, {"momentum": 0.9, "nesterov": True}),
    ("SGD", DenseSGD, {"momentum": 1.0}),  # the geometric sum has no closed form here
    ("RMSprop", DenseRMSprop, {}),
    ("RMSprop", DenseRMSprop, {"rho": 0.0}),  # the averages are gone after one idle step
    ("RMSprop", DenseRMSprop, {"momentum": 0.8}),
    ("RMSprop", DenseRMSprop, {"centered": True}),
    ("RMSprop", DenseRMSprop, {"centered": True, "momentum": 0.8}),
    ("Adam", DenseAdam, {}),
    ("Adam", DenseAdam, {"amsgrad": True}),
    ("Adam", DenseAdam, {"beta_1": 0.0}),
    ("Adam", DenseAdam, {"beta_1": 0.9, "beta_2": 0.99}),
    ("Adam", DenseAdam, {"beta_1": 0.9, "beta_2": 0.8}),  # beta_1 >= sqrt(beta_2): walked step by step
    ("Adam", DenseAdam, {"beta_1": 0.9, "beta_2": 0.0}),
    ("Adam", DenseAdam, {"epsilon": 1e-3}),
    ("SGD", DenseSGD, {"weight_decay": 0.5}),
    ("SGD", DenseSGD, {"momentum": 0.9, "weight_decay": 0.5}),
    ("Adagrad", DenseAdagrad, {}),
    ("Adagrad", DenseAdagrad, {"weight_decay": 0.5}),
    ("RMSprop", DenseRMSprop, {"weight_decay": 0.5}),
    ("RMSprop", DenseRMSprop, {"momentum": 0.8, "weight_decay": 0.5}),
    ("Adam", DenseAdam, {"weight_decay": 0.5}),
    ("Adam", DenseAdam, {"amsgrad": True, "weight_decay": 0.5}),
    ("Adam", DenseAdam, {"beta_1": 0.9, "beta_2": 0.8, "weight_decay": 0.5}),
    ("AdamW", DenseAdam, {"weight_decay": 0.004}),
    ("AdamW", DenseAdam, {"weight_decay": 0.5, "amsgrad": True}),
    ("Adadelta", DenseAdadelta, {}),
    ("Adadelta", DenseAdadelta, {"rho": 0.5, "weight_decay": 0.5}),
    ("Adamax", DenseAdamax, {}),
    ("Adamax", DenseAdamax, {"epsilon": 1e-3, "weight_decay": 0.5}),
    ("Adamax", DenseAdamax, {"beta_1": 0.9, "beta_2": 0.9}),  # walked step by step
    ("Nadam", DenseNadam, {}),
    ("Nadam", DenseNadam, {"beta_1": 0.0}),
    ("Nadam", DenseNadam, {"beta_2": 0.99, "weight_decay": 0.5}),  # few steps are walked, and most summed
    ("Nadam", DenseNadam, {"beta_1": 0.9, "beta_2": 0.8, "weight_decay": 0.5}),  # all are walked
    ("Nadam", DenseNadam, {"epsilon": 1e-3}),
    ("Ftrl", DenseFtrl, {}),
    ("Ftrl", DenseFtrl, {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2, "beta": 0.3}),
    ("Ftrl", DenseFtrl, {"l2_shrinkage_regularization_strength": 0.3, "l1_regularization_strength": 0.1}),
    ("Ftrl", DenseFtrl, {"l2_shrinkage_regularization_strength": 0.3, "weight_decay": 0.5}),
    ("Ftrl", DenseFtrl, {"learning_rate_power": -0.7, "weight_decay": 0.5}),
    ("Lion", DenseLion, {}),
    ("Lion", DenseLion, {"beta_1": 0.5, "beta_2": 0.9, "weight_decay": 0.5}),
    ("Lion", DenseLion, {"beta_1": 0.0}),  # an idle row has no direction
    ("Lion", DenseLion, {"beta_2": 0.0}),  # it has one for one step
    ("RowwiseAdagrad", DenseRowwiseAdagrad, {}),
    ("RowwiseAdagrad", DenseRowwiseAdagrad, {"weight_decay": 0.5}),
    ("RowwiseAdam", DenseRowwiseAdam, {}),
    ("RowwiseAdam", DenseRowwiseAdam, {"beta_2": 0.99, "weight_decay": 0.5}),
    ("RowwiseAdam", DenseRowwiseAdam, {"beta_1": 0.9, "beta_2": 0.8}),
    ("RowwiseLamb", DenseRowwiseLamb, {}),
    ("RowwiseLamb", DenseRowwiseLamb, {"weight_decay": 0.5}),
]
NAMES = [f"{name}-{options}" for name, _, options in CASES]
# One case of each way to keep account: sums, walked steps, recorded and then summed steps, running totals, rates.
WAYS = [
    ("Adam", DenseAdam, {}),
    ("Adam", DenseAdam, {"beta_1": 0.9, "beta_2": 0.8}),
    ("Nadam", DenseNadam, {"beta_2": 0.99}),
    ("Lion", DenseLion, {"weight_decay": 0.5}),
    ("Ftrl", DenseFtrl, {"l2_shrinkage_regularization_strength": 0.3}),
    ("RowwiseAdam", DenseRowwiseAdam, {"beta_2": 0.99}),
    ("RowwiseLamb", DenseRowwiseLamb, {}),
]
each_way = pytest.mark.parametrize(("name", "dense", "options"), WAYS, ids=[f"{way[0]}-{way[2]}" for way in WAYS])


def draw_steps(seed, count, dtype, sizes=(1e-7, 1e-3, 1.0)):
    """Batches with repeated ids; gradients from far below epsilon to far above it; some rows stay idle for long."""
    rng = np.random.default_rng(seed)
    size_of_row = rng.choice(sizes, ROWS)
    often = rng.random(ROWS) ** 4
    for _ in range(count):
        ids = rng.choice(ROWS, rng.integers(1, 6), p=often / often.sum())
        yield ids, (rng.normal(size=(len(ids), COLUMNS)) * size_of_row[ids, None]).astype(dtype)


def to_dense(ids, values):
    dense = np.zeros((ROWS, COLUMNS))
    np.add.at(dense, ids, values.astype(float))
    return dense


def start_table(dtype):
    return Table(np.random.default_rng(7).normal(size=(ROWS, COLUMNS)).astype(dtype))


def look_up(table):
    return backend_of(table).gather_rows(table, np.arange(len(table)))


def schedule(step):
    return 0.01 / (1 + 0.01 * step)


@pytest.mark.parametrize(("name", "dense", "options"), CASES, ids=NAMES)
def test_exact_mode_follows_the_dense_optimizer_in_float64(name, dense, options):
    table = start_table("float64")
    reference = dense(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(schedule, **options)
    for step, (ids, values) in enumerate(draw_steps(1, 400, "float64")):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        reference.step(to_dense(ids, values), schedule(step), step + 1)
        if step % 37 == 0:
            np.testing.assert_allclose(look_up(table), reference.w, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(look_up(table), reference.w, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(table.numpy(), reference.w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "dense", "options"), CASES, ids=NAMES)
def test_exact_mode_follows_the_dense_optimizer_in_float32(name, dense, options):
    table = start_table("float32")
    reference = dense(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(0.01, **options)
    for step, (ids, values) in enumerate(draw_steps(2, 400, "float32", sizes=(1e-2, 1.0))):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        reference.step(to_dense(ids, values), 0.01, step + 1)
    scale = np.abs(reference.w - start_table("float32").numpy()).max() + 1
    np.testing.assert_allclose(table.numpy(), reference.w, rtol=0, atol=2e-5 * scale)


def test_the_judge_sees_a_lazy_run():
    table = start_table("float64")
    reference = DenseAdam(table.numpy())
    optimizer = optimizers.Adam(0.01, update="lazy")
    for step, (ids, values) in enumerate(draw_steps(1, 50, "float64")):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        reference.step(to_dense(ids, values), 0.01, step + 1)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(table.numpy(), reference.w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "dense", "options"), CASES, ids=NAMES)
def test_lookup_writes_nothing_and_finish_writes_what_the_lookup_saw(name, dense, options):
    table = start_table("float32")
    optimizer = getattr(optimizers, name)(0.01, **options)
    for ids, values in draw_steps(3, 30, "float32"):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
    before = table.array.copy()
    seen = look_up(table).copy()
    np.testing.assert_array_equal(table.array, before)
    optimizer.finish(table)
    np.testing.assert_array_equal(table.array, seen)
    np.testing.assert_array_equal(look_up(table), seen)


def test_finishing_at_any_time_changes_nothing_beyond_rounding():
    plain, finished = start_table("float64"), start_table("float64")
    first, second = optimizers.Adam(0.01), optimizers.Adam(0.01)
    for step, (ids, values) in enumerate(draw_steps(4, 200, "float64")):
        first.apply_gradients([(RowGradient(ids, values, plain.shape), plain)])
        second.apply_gradients([(RowGradient(ids, values, finished.shape), finished)])
        if step % 3 == 0:
            second.finish(finished)
    np.testing.assert_allclose(finished.numpy(), plain.numpy(), rtol=0, atol=1e-12)


@each_way
def test_the_clock_starts_afresh_when_it_is_full(monkeypatch, name, dense, options):
    monkeypatch.setattr(idle_rows, "LONGEST", 16)
    table = start_table("float64")
    reference = dense(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(schedule, **options)
    for step, (ids, values) in enumerate(draw_steps(5, 100, "float64")):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        reference.step(to_dense(ids, values), schedule(step), step + 1)
    assert table.idle.clock.now - table.idle.clock.base <= 16
    np.testing.assert_allclose(table.numpy(), reference.w, rtol=1e-9, atol=1e-9)


def test_the_sums_are_bounded_over_many_steps():
    clock = idle_rows.Clock(np.ones((300, 6)))
    for _ in range(idle_rows.LONGEST):
        clock.advance(1.0)
    assert clock.is_full
    assert clock.series.nbytes <= 2 * idle_rows.LONGEST * 7 * 8
    clock.restart()
    assert not clock.is_full


def test_the_clock_starts_afresh_before_weight_decay_has_left_too_little(monkeypatch):
    monkeypatch.setattr(idle_rows, "SMALLEST_SHRINK", 0.5)
    table = start_table("float64")
    reference = DenseAdam(table.numpy(), weight_decay=0.5)
    optimizer = optimizers.Adam(0.1, weight_decay=0.5)
    for step, (ids, values) in enumerate(draw_steps(5, 100, "float64")):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        reference.step(to_dense(ids, values), 0.1, step + 1)
    assert table.idle.clock.base > 0
    np.testing.assert_allclose(table.numpy(), reference.w, rtol=1e-9, atol=1e-9)


def test_lazy_weight_decay_leaves_rows_outside_the_batch_alone():
    table = start_table("float32")
    before = table.numpy()
    optimizer = optimizers.Adam(0.1, weight_decay=0.5, update="lazy")
    optimizer.apply_gradients([(RowGradient(np.array([3]), np.ones((1, COLUMNS), "float32"), table.shape), table)])
    np.testing.assert_array_equal(np.delete(table.numpy(), 3, axis=0), np.delete(before, 3, axis=0))
    assert (table.numpy()[3] != before[3]).all()


def test_weight_decay_that_would_change_the_sign_is_refused_before_anything_is_written():
    table = start_table("float32")
    before = table.numpy()
    gradient = RowGradient(np.array([3]), np.ones((1, COLUMNS), "float32"), table.shape)
    with pytest.raises(ValueError, match="`weight_decay` times the learning rate must be below 1"):
        optimizers.SGD(2.0, weight_decay=0.5).apply_gradients([(gradient, table)])
    np.testing.assert_array_equal(table.numpy(), before)


@pytest.mark.parametrize(("name", "dense", "options"), [("SGD", DenseSGD, {"momentum": 0.9}), *WAYS])
def test_a_table_that_misses_a_step_stays_as_it_is_meanwhile(name, dense, options):
    """Keras does not touch a variable that is not among the pairs, not even its momentum."""
    often, seldom = start_table("float64"), start_table("float64")
    references = [dense(table.numpy(), **options) for table in (often, seldom)]
    optimizer = getattr(optimizers, name)(0.1, **options)
    for step, (ids, values) in enumerate(draw_steps(6, 60, "float64")):
        pairs = [(RowGradient(ids, values, often.shape), often)]
        references[0].step(to_dense(ids, values), 0.1, step + 1)
        if step % 3 != 1:
            pairs.append((RowGradient(ids, values, seldom.shape), seldom))
            references[1].step(to_dense(ids, values), 0.1, step + 1)
        optimizer.apply_gradients(pairs)
    np.testing.assert_allclose(often.numpy(), references[0].w, rtol=0, atol=1e-9)
    np.testing.assert_allclose(seldom.numpy(), references[1].w, rtol=0, atol=1e-9)


def test_tables_that_are_stepped_together_share_one_clock():
    tables = [start_table("float32") for _ in range(3)]
    optimizer = optimizers.Adam()
    for ids, values in draw_steps(8, 5, "float32"):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table) for table in tables])
    assert len({id(table.idle.clock) for table in tables}) == 1


def test_a_dense_gradient_in_between_moves_every_row():
    table = start_table("float64")
    reference = DenseAdam(table.numpy())
    optimizer = optimizers.Adam(0.01)
    for step, (ids, values) in enumerate(draw_steps(9, 60, "float64")):
        gradient = RowGradient(ids, values, table.shape)
        dense = to_dense(ids, values) + (0.1 if step % 7 == 0 else 0.0)
        optimizer.apply_gradients([(dense if step % 7 == 0 else gradient, table)])
        reference.step(dense, 0.01, step + 1)
    np.testing.assert_allclose(table.numpy(), reference.w, rtol=1e-9, atol=1e-9)


def test_another_optimizer_takes_over_a_finished_table():
    table = start_table("float64")
    adam, sgd = optimizers.Adam(0.01), optimizers.SGD(0.1)
    for ids, values in draw_steps(10, 20, "float64"):
        adam.apply_gradients([(RowGradient(ids, values, table.shape), table)])
    seen = look_up(table).copy()
    nothing = RowGradient(np.empty(0, np.int64), np.empty((0, COLUMNS)), table.shape)
    sgd.apply_gradients([(nothing, table)])
    np.testing.assert_array_equal(table.array, seen)
    assert table.idle is None


@each_way
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_of_table_and_optimizer_goes_on_with_the_same_bits(clone, name, dense, options):
    table, optimizer = start_table("float32"), getattr(optimizers, name)(0.01, **options)
    steps = list(draw_steps(11, 40, "float32"))
    for ids, values in steps[:20]:
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
    twin_table, twin_optimizer = clone((table, optimizer))
    for ids, values in steps[20:]:
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        twin_optimizer.apply_gradients([(RowGradient(ids, values, table.shape), twin_table)])
    np.testing.assert_array_equal(twin_table.numpy(), table.numpy())


@settings(max_examples=60)
@given(
    actions=st.lists(st.sampled_from(["look", "update", "finish", "copy", "empty"]), min_size=1, max_size=40),
    seed=st.integers(0, 2**16),
    case=st.sampled_from([*(CASES[case] for case in (1, 6, 9, 10)), *WAYS]),
)
def test_any_sequence_of_lookups_updates_and_finishes_equals_the_dense_run(actions, seed, case):
    name, dense, options = case
    table = start_table("float64")
    reference = dense(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(0.01, **options)
    steps = draw_steps(seed, len(actions), "float64")
    done = 0
    for action, (ids, values) in zip(actions, steps, strict=True):
        if action in ("update", "empty"):
            ids, values = (ids, values) if action == "update" else (ids[:0], values[:0])
            optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
            done += 1
            reference.step(to_dense(ids, values), 0.01, done)
        elif action == "finish":
            optimizer.finish(table)
        elif action == "copy":
            table, optimizer = copy.deepcopy((table, optimizer))
        np.testing.assert_allclose(look_up(table), reference.w, rtol=1e-9, atol=1e-9)


def test_adam_polynomial_is_as_near_as_the_docstring_says():
    weights = interpolation_weights(0.9, np.sqrt(0.999))
    horizon = np.arange(1.0, len(weights) + 1)
    root = np.sqrt(0.999)
    for u in np.linspace(0, 1, 33):
        exact = ((0.9 / root) ** horizon / (1 + u * (root**-horizon - 1))).sum()
        assert abs((weights.sum(axis=0) * u ** np.arange(6)).sum() / exact - 1) < 7e-14


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.99), (0.5, 0.999), (0.0, 0.999)])
def test_sums_with_a_growing_epsilon_are_as_near_as_the_docstring_says(betas):
    series = centered_series(*betas)
    assert series.first_step <= 128
    for last_step in np.unique(np.geomspace(series.first_step - 1, 1e5, 50).astype(int)):
        assert series.largest_error(last_step) < 1e-9


def test_sums_with_a_growing_epsilon_that_do_not_converge_are_not_used():
    assert centered_series(0.9, 0.81).first_step == np.inf


@each_way
def test_bags_of_idle_rows_are_sums_of_what_a_lookup_sees(name, dense, options):
    table, optimizer = start_table("float32"), getattr(optimizers, name)(0.01, **options)
    for ids, values in draw_steps(12, 10, "float32"):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
    ids, offsets = np.array([3, 3, 0, 11, 5]), np.array([0, 2, 2, 5])
    bags = backend_of(table).gather_bags(table, ids, offsets, None)
    seen = look_up(table)
    np.testing.assert_allclose(bags, [2 * seen[3], 0 * seen[3], seen[0] + seen[11] + seen[5]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn", "max", "min"])
def test_bags_of_idle_rows_and_their_gradients_are_those_of_a_finished_table(combiner):
    """Combined values, and the gradients of the weights, come from the rows as they are now; nothing is written."""
    layer, optimizer = EmbeddingBag(ROWS, COLUMNS, combiner=combiner), optimizers.Adam(0.1)
    for ids, values in draw_steps(12, 10, "float32"):
        optimizer.apply_gradients([(RowGradient(ids, values, (ROWS, COLUMNS)), layer.embeddings)])
    ids, weights = np.array([[3, 3, 0], [11, 5, 2]]), np.array([[0.5, 1.0, 2.0], [-1.0, 1.5, 0.25]], "float32")
    behind = layer.embeddings.array.copy()

    def differentiate():
        with GradientTape() as tape:
            output = layer(ids, weights)
        gradients = tape.gradient(output, [layer.embeddings, weights])
        return output, gradients[0].to_dense(), gradients[1]

    moving = differentiate()
    np.testing.assert_array_equal(layer.embeddings.array, behind)
    layer.embeddings.finish()
    assert not np.array_equal(layer.embeddings.array, behind)
    for part, finished in zip(moving, differentiate(), strict=True):
        np.testing.assert_allclose(part, finished, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("betas", [(0.9, 0.81), (0.9, 0.5), (0.99, 0.9)])
def test_adam_series_that_do_not_converge_are_not_used(betas):
    assert interpolation_weights(betas[0], np.sqrt(betas[1])) is None


@pytest.mark.parametrize("update", ["eager", "", None, True, 1])
def test_unknown_update_mode_is_refused(update):
    with pytest.raises(ValueError, match="`update` must be one of 'exact', 'lazy'"):
        optimizers.Adam(update=update)


@pytest.mark.filterwarnings("ignore:.* every row at every step")
def test_a_row_local_constraint_reaches_idle_rows_that_move():
    """Dense Keras projects after every step, also rows that only their momentum moves."""
    table, dense = Table(np.full((3, 2), 0.01)), Parameter(np.full((3, 2), 0.01))
    first, second = optimizers.Adam(0.01), optimizers.Adam(0.01)
    for weight in (table, dense):
        weight.constraint = constraints.MaxNorm(0.05, axis=1)
    for step in range(60):
        gradient = RowGradient(np.array([0 if step < 5 else 1]), np.full((1, 2), -1.0), (3, 2))
        first.apply_gradients([(gradient, table)])
        second.apply_gradients([(gradient.to_dense(), dense)])
    np.testing.assert_allclose(table.numpy(), dense.numpy(), rtol=0, atol=1e-9)
