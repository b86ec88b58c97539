"""What Keras users read from and set on an optimizer: the rate, the options, the variables."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.optimizers import SGD, Adam, AdamW, Ftrl, RMSprop, schedules
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

CLASSES = sorted(set(optimizers.OPTIMIZERS.classes.values()), key=lambda cls: cls.__name__)
every_optimizer = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def make_weights() -> list[Any]:
    return [Table(np.ones((5, 2), np.float32), "embeddings"), Parameter(np.ones(3, np.float32), "bias")]


def make_gradients(weights: list[Any], seed: int) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    rows = RowGradient(rng.integers(0, 4, 3), rng.normal(size=(3, 2)).astype("float32"), (5, 2))
    return [(rows, weights[0]), (rng.normal(size=3).astype("float32"), weights[1])]


# The rate


@every_optimizer
def test_a_rate_is_a_number_that_is_read_set_and_assigned_to(cls: Any) -> None:
    optimizer = cls(learning_rate=0.5)
    assert optimizer.learning_rate == 0.5
    assert isinstance(optimizer.learning_rate, float)
    optimizer.learning_rate.assign(0.25)
    assert optimizer.learning_rate == 0.25
    optimizer.learning_rate = optimizer.learning_rate * 0.5
    assert (optimizer.learning_rate.numpy(), optimizer.learning_rate.value) == (0.125, 0.125)
    with pytest.raises(ValueError, match=r"`learning_rate` must be .*Received: "):
        optimizer.learning_rate.assign(-1.0)


def test_a_rate_that_is_copied_or_written_is_a_plain_number() -> None:
    rate = SGD(0.5).learning_rate
    assert type(copy.copy(rate)) is type(pickle.loads(pickle.dumps(rate))) is float
    assert json.dumps({"rate": rate}) == '{"rate": 0.5}'
    assert type(SGD(0.5).get_config()["learning_rate"]) is float


def test_an_assigned_rate_is_that_of_the_next_step() -> None:
    weight, optimizer = Parameter(np.zeros(1)), SGD(1.0)
    for rate in (1.0, 0.5):
        optimizer.learning_rate.assign(rate)
        optimizer.apply_gradients([(np.ones(1), weight)])
    assert weight.value[0] == -1.5


def test_a_schedule_is_returned_as_it_is_and_a_function_without_arguments_is_one() -> None:
    schedule = schedules.ExponentialDecay(0.1, 10, 0.5)
    assert Adam(schedule).learning_rate is schedule
    weight, optimizer = Parameter(np.array([1.0, 2.0])), SGD(learning_rate=lambda: 0.1)
    optimizer.apply_gradients([(np.ones(2), weight)])
    np.testing.assert_allclose(weight.value, [0.9, 1.9])


# The options


@every_optimizer
def test_options_are_attributes(cls: Any) -> None:
    optimizer = cls(
        weight_decay=0.01,
        clipnorm=2.0,
        gradient_accumulation_steps=3,
        use_ema=True,
        ema_momentum=0.9,
        ema_overwrite_frequency=4,
        loss_scale_factor=8.0,
    )
    assert (optimizer.weight_decay, optimizer.clipnorm) == (0.01, 2.0)
    assert (optimizer.clipvalue, optimizer.global_clipnorm) == (None, None)
    assert (optimizer.use_ema, optimizer.ema_momentum, optimizer.ema_overwrite_frequency) == (True, 0.9, 4)
    assert (optimizer.gradient_accumulation_steps, optimizer.loss_scale_factor) == (3, 8.0)
    assert (cls(clipvalue=0.5).clipvalue, cls(global_clipnorm=0.5).global_clipnorm) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "expected"), [("clipnorm", [0.6, 0.8]), ("global_clipnorm", [0.6, 0.8]), ("clipvalue", [1.0, 1.0])]
)
def test_a_clip_that_is_set_clips_the_next_step(name: str, expected: list[float]) -> None:
    weight, optimizer = Parameter(np.zeros(2)), SGD(1.0)
    setattr(optimizer, name, 1.0)
    optimizer.apply_gradients([(np.array([3.0, 4.0]), weight)])
    np.testing.assert_allclose(-weight.value, expected)
    setattr(optimizer, name, None)
    optimizer.apply_gradients([(np.array([3.0, 4.0]), weight)])
    np.testing.assert_allclose(-weight.value, np.add(expected, [3, 4]))
    assert optimizer.get_config() == SGD(1.0).get_config()


def test_clips_that_are_set_are_checked_as_arguments_are() -> None:
    optimizer = SGD(clipnorm=1.0)
    with pytest.raises(ValueError, match="Only one of"):
        optimizer.clipvalue = 1.0
    with pytest.raises(ValueError, match="`clipnorm` must be positive"):
        optimizer.clipnorm = 0.0
    with pytest.raises(ValueError, match="`weight_decay` must be"):
        optimizer.weight_decay = -1.0
    assert optimizer.clipnorm == 1.0


@pytest.mark.parametrize("update", ["exact", "lazy"])
def test_a_weight_decay_that_is_set_holds_from_the_next_step_on(update: str) -> None:
    weights = [Table(np.ones((3, 1))) for _ in range(2)]
    gradient = RowGradient(np.array([1]), np.ones((1, 1)), (3, 1))
    changed, decayed = AdamW(0.1, weight_decay=0.0, update=update), AdamW(0.1, weight_decay=0.5, update=update)
    changed.weight_decay = 0.5
    for _ in range(3):
        changed.apply_gradients([(gradient, weights[0])])
        decayed.apply_gradients([(gradient, weights[1])])
    np.testing.assert_array_equal(weights[0].numpy(), weights[1].numpy())


def test_a_loss_that_is_a_number_is_scaled() -> None:
    assert SGD(loss_scale_factor=1024.0).scale_loss(1.0) == 1024.0


# The variables


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        (SGD(), ["iteration", "learning_rate"]),
        (SGD(schedules.ExponentialDecay(0.1, 10, 0.5)), ["iteration"]),
        (SGD(momentum=0.9), ["iteration", "learning_rate", "embeddings_momentum", "bias_momentum"]),
        (
            Adam(use_ema=True, gradient_accumulation_steps=2),
            ["iteration", "learning_rate", "embeddings_average", "bias_average"]
            + ["embeddings_gradient_accumulator", "bias_gradient_accumulator"]
            + ["embeddings_momentum", "embeddings_velocity", "bias_momentum", "bias_velocity"],
        ),
        (
            Ftrl(),
            ["iteration", "learning_rate", "embeddings_accumulator", "embeddings_linear"]
            + ["bias_accumulator", "bias_linear"],
        ),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_variables_are_in_the_order_of_keras(optimizer: Any, names: list[str]) -> None:
    weights = make_weights()
    optimizer.build(weights)
    assert [variable.name for variable in optimizer.variables] == names
    shapes = {"embeddings": (5, 2), "bias": (3,)}
    for variable in optimizer.variables:
        assert variable.shape == variable.numpy().shape == shapes.get(variable.name.partition("_")[0], ())
        assert variable.dtype == variable.value.dtype


@every_optimizer
@pytest.mark.parametrize("update", ["exact", "lazy"])
def test_variables_saved_and_set_let_the_training_go_on(cls: Any, update: str) -> None:
    weights, optimizer = make_weights(), cls(0.1, update=update)
    for seed in range(3):
        optimizer.apply_gradients(make_gradients(weights, seed))
    saved = [variable.numpy() for variable in optimizer.variables]
    twins, resumed = [Table(weights[0].numpy()), Parameter(weights[1].numpy())], cls(0.7, update=update)
    resumed.build(twins)
    resumed.set_weights(saved)
    for number, variable in enumerate(resumed.variables):
        np.testing.assert_array_equal(variable.numpy(), saved[number])
    assert resumed.iterations == 3
    assert resumed.learning_rate == pytest.approx(0.1)
    resumed.learning_rate = 0.1  # the variable is a float32, as in Keras
    for seed in range(3, 6):
        optimizer.apply_gradients(make_gradients(weights, seed))
        resumed.apply_gradients(make_gradients(twins, seed))
    for weight, twin in zip(weights, twins, strict=True):
        np.testing.assert_allclose(twin.numpy(), weight.numpy(), rtol=1e-5, atol=1e-6)


def test_a_variable_of_a_table_is_up_to_date() -> None:
    table, dense = Table(np.ones((3, 1))), Parameter(np.ones((3, 1)))
    rows, whole = RMSprop(0.1, momentum=0.9), RMSprop(0.1, momentum=0.9)
    for step in range(4):
        gradient = RowGradient(np.array([0 if step == 0 else 1]), np.ones((1, 1)), (3, 1))
        rows.apply_gradients([(gradient, table)])
        whole.apply_gradients([(gradient.to_dense(), dense)])
    for mine, theirs in zip(rows.variables, whole.variables, strict=True):
        np.testing.assert_allclose(mine.value, theirs.value, rtol=1e-12)


def test_averages_and_accumulated_gradients_are_read() -> None:
    weight = Parameter(np.array([2.0]), "w")
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2)
    optimizer.apply_gradients([(np.array([1.0]), weight)])
    assert [variable.name for variable in optimizer.variables[2:]] == ["w_gradient_accumulator"]
    optimizer.build([weight])
    assert [variable.value.tolist() for variable in optimizer.variables[2:]] == [[0.0], [1.0]]
    for _ in range(2):
        optimizer.apply_gradients([(np.array([1.0]), weight)])
    assert [variable.value.tolist() for variable in optimizer.variables[2:]] == [[1.0], [1.0]]
    with pytest.raises(ValueError, match="'w_average' of an optimizer can only be read"):
        optimizer.variables[2].assign([3.0])


def test_a_single_variable_is_assigned_to() -> None:
    weights, optimizer = make_weights(), Adam()
    optimizer.build(weights)
    optimizer.variables[0].assign(7)
    optimizer.variables[3].assign(np.full((5, 2), 2.0))
    assert optimizer.iterations == 7
    np.testing.assert_array_equal(optimizer.slots[weights[0]]["velocity"], 2)
    with pytest.raises(ValueError, match="`velocity` of a stored state must hold finite numbers of at least 0"):
        optimizer.variables[3].assign(np.full((5, 2), -1.0))


def test_arrays_that_do_not_fit_are_refused_before_anything_is_written() -> None:
    optimizer = Adam()
    with pytest.raises(ValueError, match=r"You are calling `set_weights\(\)` on an optimizer that has not yet been"):
        optimizer.set_weights([0, 0.1])
    optimizer.build(make_weights())
    values = [variable.numpy() for variable in optimizer.variables]
    for wrong in (values[:-1], [*values[:-1], np.zeros(7)]):
        with pytest.raises(ValueError, match="`weights` must hold one array for each of the 6 variables"):
            optimizer.set_weights([9, *wrong[1:]])
    with pytest.raises(TypeError, match="must hold real numbers"):
        optimizer.set_weights([9, *values[1:-1], np.array(["a", "b", "c"])])
    assert optimizer.iterations == 0


def test_a_custom_optimizer_is_found_by_its_name() -> None:
    class Mine(SGD):
        pass

    config = optimizers.serialize(Mine(0.3))
    assert type(optimizers.deserialize(config, custom_objects={"Mine": Mine})) is Mine
    assert optimizers.deserialize("adam").name == "adam"
    assert optimizers.serialize(None) is None
    with pytest.raises(ValueError, match="not local to rows"):
        optimizers.deserialize("adafactor")
