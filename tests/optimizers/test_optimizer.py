"""What all optimizers share: names, configs, the checks before a step, rates, constraints, threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from keras_vectors import TOLERANCE, expected_tables, follow, make_optimizer, start_table
from reference import assert_same_bits

from fastembed_layer import RowGradient, constraints, optimizers, set_threads
from fastembed_layer.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

CLASSES = [SGD, Adagrad, RMSprop, Adam]
MAKERS: dict[str, Any] = {
    "sgd": SGD,
    "momentum": lambda **options: SGD(momentum=0.9, **options),
    "nesterov": lambda **options: SGD(momentum=0.9, nesterov=True, **options),
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "rmsprop centered momentum": lambda **options: RMSprop(momentum=0.9, centered=True, **options),
    "adam": Adam,
    "amsgrad": lambda **options: Adam(amsgrad=True, **options),
}
SHAPE = (6, 3)


def make_table(seed: int = 0) -> Table:
    return Table(np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32))


def make_gradient(*ids: int, shape: tuple[int, int] = SHAPE) -> RowGradient:
    values = np.random.default_rng(1).normal(size=(len(ids), shape[1])).astype(np.float32)
    return RowGradient(np.array(ids, np.int64), values, shape)


# Names and configs


@pytest.mark.parametrize("name", ["SGD", "sgd", "Adagrad", "adagrad", "RMSprop", "rmsprop", "Adam", "adam"])
def test_an_optimizer_is_found_by_name(name: str) -> None:
    found = optimizers.get(name)
    assert type(found).__name__.lower() == name.lower()


@pytest.mark.parametrize(("name", "near"), [("adaam", "adam"), ("rmspropp", "rmsprop"), ("SDG", "SGD")])
def test_an_unknown_name_comes_with_the_nearest_known_one(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=rf"Unknown optimizer: '{name}'\. Did you mean .*'{near}'"):
        optimizers.get(name)


@pytest.mark.parametrize("identifier", [1, 0.1, True, b"adam", int])
def test_another_kind_of_identifier_is_refused(identifier: Any) -> None:
    with pytest.raises(TypeError, match=r"Could not interpret the optimizer identifier.*Received"):
        optimizers.get(identifier)


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_a_config_makes_an_equal_optimizer(maker: Any) -> None:
    config = maker(learning_rate=0.3, update="lazy", check_numerics=True).get_config()
    twin = optimizers.get({"class_name": type(maker()).__name__, "config": config})
    assert twin is not None
    assert twin.get_config() == config


KERAS_3 = {
    **dict.fromkeys(("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "ema_overwrite_frequency")),
    **dict.fromkeys(("loss_scale_factor", "gradient_accumulation_steps")),
    "name": "sgd",
    "learning_rate": 0.009999999776482582,
    "use_ema": False,
    "ema_momentum": 0.99,
}
KERAS_2 = {
    **dict.fromkeys(("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "ema_overwrite_frequency")),
    "name": "SGD",
    "use_ema": False,
    "ema_momentum": 0.99,
    "jit_compile": False,
    "is_legacy_optimizer": False,
    "learning_rate": 0.01,
}
OWN_KEYS = {
    SGD: {"momentum": 0.0, "nesterov": False},
    Adagrad: {"initial_accumulator_value": 0.1, "epsilon": 1e-07},
    RMSprop: {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-07, "centered": False},
    Adam: {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": False},
}


@pytest.mark.parametrize("dialect", [KERAS_2, KERAS_3], ids=["tf.keras 2", "keras 3"])
@pytest.mark.parametrize("cls", CLASSES)
def test_a_config_of_keras_is_read(cls: type[Optimizer], dialect: dict[str, Any]) -> None:
    optimizer = cls.from_config(dialect | OWN_KEYS[cls])
    assert optimizer.learning_rate == dialect["learning_rate"]


@pytest.mark.parametrize(
    "options",
    [
        {"weight_decay": 0.1},
        {"clipnorm": 1.0},
        {"global_clipnorm": 1.0},
        {"clipvalue": 0.5},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 8.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("cls", CLASSES)
def test_the_common_options_of_keras_survive_the_round_trip(cls: type[Optimizer], options: dict[str, Any]) -> None:
    config = cls.from_config(KERAS_3 | OWN_KEYS[cls] | options).get_config()
    assert config.items() >= options.items()
    assert cls.from_config(config).get_config() == config


def test_a_config_with_an_unknown_key_names_it() -> None:
    with pytest.raises(ValueError, match="colour"):
        optimizers.get({"class_name": "SGD", "config": {"colour": 1}})


# Common options


@pytest.mark.parametrize("form", ["rows", "dense"])
@pytest.mark.parametrize(
    "case", ["sgd_wd", "sgd_clipvalue", "sgd_globalclip", "adam_clipnorm", "adam_accum2", "sgd_ema"]
)
def test_the_common_options_do_what_they_do_in_keras(case: str, form: str) -> None:
    seen = follow(make_optimizer(case), start_table(), form)
    np.testing.assert_allclose(seen, expected_tables(case), rtol=0, atol=TOLERANCE)


# Learning rates


@pytest.mark.parametrize(
    ("value", "error"),
    [(True, TypeError), ("0.1", TypeError), (None, TypeError), (math.nan, ValueError), (math.inf, ValueError)]
    + [(-0.1, ValueError), ([0.1], TypeError)],
)
@pytest.mark.parametrize("cls", CLASSES)
def test_a_wrong_learning_rate_is_refused(cls: type[Optimizer], value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`learning_rate` must be .*Received: "):
        cls(value)
    optimizer = cls()
    with pytest.raises(error, match=r"`learning_rate` must be .*Received: "):
        optimizer.learning_rate = value


def test_a_schedule_is_asked_with_the_number_of_finished_steps() -> None:
    asked = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 0.5**step

    table = Table(np.zeros(SHAPE, np.float32))
    optimizer = SGD(schedule)
    gradient = RowGradient(np.array([2]), np.ones((1, 3), np.float32), SHAPE)
    for _ in range(3):
        optimizer.apply_gradients([(gradient, table)])
    assert asked == [0, 1, 2]
    np.testing.assert_allclose(table.value[2], -(1 + 0.5 + 0.25))


def test_a_rate_may_be_set_between_steps() -> None:
    table, optimizer = Table(np.zeros(SHAPE, np.float32)), SGD(1.0)
    gradient = RowGradient(np.array([2]), np.ones((1, 3), np.float32), SHAPE)
    optimizer.apply_gradients([(gradient, table)])
    optimizer.learning_rate = 0.5
    optimizer.apply_gradients([(gradient, table)])
    np.testing.assert_allclose(table.value[2], -1.5)


@pytest.mark.parametrize("rate", [math.nan, math.inf, -0.1])
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_a_schedule_that_returns_no_rate_refuses_the_step_and_writes_nothing(maker: Any, rate: float) -> None:
    table, optimizer = make_table(), maker()
    before = table.numpy()
    optimizer.learning_rate = lambda step: rate
    with pytest.raises(ValueError, match=r"`learning_rate` must be a finite number.*at step 0"):
        optimizer.apply_gradients([(make_gradient(1, 2), table)])
    assert_same_bits(table.array, before)
    assert optimizer.iterations == 0


# One step


def test_steps_are_counted() -> None:
    table, optimizer = make_table(), SGD()
    assert optimizer.apply_gradients([(make_gradient(1), table)]) == 1
    assert optimizer.apply([(make_gradient(1), table)]) == 2
    assert optimizer.iterations == 2


def test_pairs_without_a_gradient_are_left_out() -> None:
    table, other = make_table(), make_table()
    before = other.numpy()
    SGD().apply_gradients([(make_gradient(1), table), (None, other)])
    assert_same_bits(other.array, before)


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_gradients_of_one_table_in_several_pairs_are_added_before_one_update(maker: Any) -> None:
    together, apart = make_table(), make_table()
    first, second = make_gradient(1, 2), make_gradient(2, 5, 5)
    maker().apply_gradients([(first + second, together)])
    maker().apply_gradients([(first, apart), (second, apart)])
    assert_same_bits(apart.numpy(), together.numpy())


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_an_empty_gradient_of_a_fresh_table_changes_nothing(maker: Any) -> None:
    table = make_table()
    before = table.numpy()
    maker().apply_gradients([(make_gradient(), table)])
    assert_same_bits(table.numpy(), before)


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (2, 2, 2)])
def test_parameters_of_any_rank_are_trained(maker: Any, shape: tuple[int, ...]) -> None:
    parameter = Parameter(np.ones(shape))
    optimizer = maker()
    optimizer.apply_gradients([(np.ones(shape), parameter)])
    assert parameter.value.shape == shape
    assert (parameter.value < 1).all()


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
@pytest.mark.parametrize("bad_id", [-1, SHAPE[0], np.iinfo(np.int64).min, np.iinfo(np.int64).max])
def test_a_bad_id_in_the_second_table_leaves_the_first_one_as_it_was(maker: Any, bad_id: int) -> None:
    tables = [make_table(1), make_table(2)]
    optimizer = maker()
    optimizer.apply_gradients([(make_gradient(0, 1), table) for table in tables])
    tables_before = [table.array.copy() for table in tables]
    slots_before = [{name: slot.copy() for name, slot in optimizer.slots_of(table).items()} for table in tables]
    with pytest.raises(IndexError, match=rf"{bad_id} is not in \[0, {SHAPE[0]}\)"):
        optimizer.apply_gradients([(make_gradient(3, 4), tables[0]), (make_gradient(1, bad_id), tables[1])])
    assert optimizer.iterations == 1
    for table, before, slots in zip(tables, tables_before, slots_before, strict=True):
        assert_same_bits(table.array, before)
        for name, slot in optimizer.slots_of(table).items():
            assert_same_bits(slot, slots[name])


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_a_refused_step_leaves_no_trace_in_later_ones(maker: Any) -> None:
    table, undisturbed = make_table(), make_table()
    optimizer, calm = maker(), maker()
    for ids in [(0, 1), (2, 2), (0, 5)]:
        with pytest.raises(IndexError):
            optimizer.apply_gradients([(make_gradient(SHAPE[0]), table)])
        optimizer.apply_gradients([(make_gradient(*ids), table)])
        calm.apply_gradients([(make_gradient(*ids), undisturbed)])
    assert_same_bits(table.numpy(), undisturbed.numpy())


def test_a_gradient_of_the_wrong_shape_refuses_the_whole_step() -> None:
    first, second = make_table(1), make_table(2)
    before = first.numpy()
    wrong = make_gradient(1, shape=(SHAPE[0] + 1, SHAPE[1]))
    with pytest.raises(ValueError, match=r"gradient of the weight 'embeddings' must have its shape, \(6, 3\)"):
        SGD().apply_gradients([(make_gradient(1), first), (wrong, second)])
    assert_same_bits(first.array, before)


# Numbers that are none


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_propagate_by_default(value: float) -> None:
    table = make_table()
    gradient = make_gradient(1, 2)
    gradient.values[0, 0] = value
    SGD().apply_gradients([(gradient, table)])
    assert not np.isfinite(table.value[1, 0])
    assert np.isfinite(np.delete(table.value.ravel(), SHAPE[1])).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_check_numerics_refuses_the_whole_step_naming_the_parameter(maker: Any, value: float) -> None:
    table, kernel = make_table(), Parameter(np.ones(3, np.float32), "kernel")
    before = table.numpy()
    optimizer = maker(check_numerics=True)
    bad = np.array([0, value, 1], np.float32)
    with pytest.raises(ValueError, match=r"weight 'kernel' must be finite with check_numerics=True.*of 3 values"):
        optimizer.apply_gradients([(make_gradient(1), table), (bad, kernel)])
    assert_same_bits(table.array, before)
    assert_same_bits(kernel.array, np.ones(3, np.float32))
    assert optimizer.iterations == 0


def test_check_numerics_counts_what_it_found_in_a_row_gradient() -> None:
    gradient = make_gradient(1, 2)
    gradient.values[0, :2] = np.nan, np.inf
    with pytest.raises(ValueError, match="Received: 1 NaN and 1 infinite of 6 values"):
        SGD(check_numerics=True).apply_gradients([(gradient, make_table())])


# Constraints


def test_a_constraint_along_rows_projects_the_touched_rows_only() -> None:
    table = make_table()
    table.constraint = constraints.UnitNorm(axis=1)
    before = table.numpy()
    SGD().apply_gradients([(make_gradient(1, 4, 4), table)])
    np.testing.assert_allclose(np.linalg.norm(table.value[[1, 4]], axis=1), 1, rtol=1e-5)
    assert_same_bits(table.array[[0, 2, 3, 5]], before[[0, 2, 3, 5]])


def test_a_constraint_along_the_vocabulary_projects_the_table() -> None:
    table = make_table()
    table.constraint = constraints.UnitNorm(axis=0)
    with pytest.warns(UserWarning, match="the constraint does not treat each row by itself"):
        SGD().apply_gradients([(make_gradient(1), table)])
    np.testing.assert_allclose(np.linalg.norm(table.value, axis=0), 1, rtol=1e-5)


# Threads


@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_one_two_and_more_threads_give_the_same_bits(maker: Any, update: str) -> None:
    shape = (5000, 32)
    rng = np.random.default_rng(5)
    start = rng.normal(size=shape).astype(np.float32)
    steps = [(rng.zipf(1.2, 6000) % shape[0], rng.normal(size=(6000, 32)).astype(np.float32)) for _ in range(3)]
    results = []
    for threads in (1, 2, 5):
        set_threads(threads)
        table, optimizer = Table(start.copy()), maker(update=update)
        for ids, values in steps:
            optimizer.apply_gradients([(RowGradient(ids, values, shape), table)])
        results.append((table.numpy(), *optimizer.slots_of(table).values()))
    for other in results[1:]:
        for ours, theirs in zip(results[0], other, strict=True):
            assert_same_bits(theirs, ours)


def test_a_schedule_survives_the_round_trip_through_a_config() -> None:
    optimizer = optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 100))
    twin = optimizers.Adam.from_config(optimizer.get_config())
    assert [twin.learning_rate(step) for step in (0, 50, 100)] == [
        optimizer.learning_rate(step) for step in (0, 50, 100)
    ]


def test_apply_takes_gradients_and_weights_one_after_the_other() -> None:
    first, second = Parameter(np.ones(2, "float32"), "first"), Parameter(np.ones(3, "float32"), "second")
    optimizer = SGD(1.0)
    assert optimizer.apply([np.ones(2, "float32"), None], [first, second]) == 1
    optimizer.build([first, second])
    assert optimizer.apply([np.ones(2, "float32"), np.ones(3, "float32")]) == 2
    assert optimizer.apply([(np.ones(2, "float32"), first)]) == 3
    assert (first.value.tolist(), second.value.tolist()) == ([-2, -2], [0, 0, 0])
    with pytest.raises(ValueError, match="one gradient for each of the 2 weights"):
        optimizer.apply([np.ones(2, "float32")])
