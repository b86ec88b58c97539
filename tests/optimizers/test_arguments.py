"""Every argument of every optimizer: what it takes, and what it refuses. One table of kinds, one of exceptions."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pytest

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.optimizers import Adam, AdamW, Lion, Optimizer, RMSprop
from fastembed_layer.optimizers.arguments import argument_names
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

CLASSES = sorted(set(optimizers.OPTIMIZERS.classes.values()), key=lambda cls: cls.__name__)
BELOW_ONE = math.nextafter(1.0, 0.0)


class Kind(NamedTuple):
    """What an argument takes."""

    right: tuple[Any, ...]
    wrong_kinds: tuple[Any, ...]
    wrong_values: tuple[Any, ...] = ()


NO_NUMBERS: tuple[Any, ...] = (True, np.True_, "0.1", b"1", [0.1], 1j)
NOT_FINITE = (math.nan, math.inf, -math.inf, np.float32("nan"))

AMOUNT = Kind((0, 0.0, 1e-9, np.float32(3.0), 100.0), (*NO_NUMBERS, None), (*NOT_FINITE, -1e-9, -1))
SHARE = Kind((0, 0.5, 1.0, 1), (*NO_NUMBERS, None), (*NOT_FINITE, -1e-9, 1.0 + 1e-9))
DECAY = Kind((0, 0.5, BELOW_ONE), (*NO_NUMBERS, None), (*NOT_FINITE, -1e-9, 1.0, 1))
NOT_ABOVE_ZERO = Kind((-0.5, 0.0, -2), (*NO_NUMBERS, None), (*NOT_FINITE, 1e-9))
MAYBE_AMOUNT = Kind((None, *AMOUNT.right), NO_NUMBERS, AMOUNT.wrong_values)
MAYBE_POSITIVE = Kind((None, 1e-9, 2), NO_NUMBERS, (*NOT_FINITE, 0, 0.0, -1.0))
MAYBE_COUNT = Kind((None, 1, np.int64(3)), (True, "1", 1.0, 1.5, math.nan), (0, -1))
FLAG = Kind((True, False, np.True_), (0, 1, "yes", None, math.nan))
RATE = Kind((*AMOUNT.right, lambda step: 0.1, {"class_name": "CosineDecay", "config": {
    "initial_learning_rate": 0.1, "decay_steps": 10}}), (*NO_NUMBERS, None, dict), AMOUNT.wrong_values)  # fmt: skip

KINDS = {
    "learning_rate": RATE,
    "name": Kind((None, "mine"), (1, True, b"mine", ["mine"])),
    "update": Kind(("exact", "lazy"), (), ("", "Exact", "sparse", None, True, 1)),
    **dict.fromkeys(("check_numerics", "use_ema", "nesterov", "centered", "amsgrad"), FLAG),
    **dict.fromkeys(("clipnorm", "global_clipnorm", "clipvalue", "loss_scale_factor"), MAYBE_POSITIVE),
    **dict.fromkeys(("gradient_accumulation_steps", "ema_overwrite_frequency"), MAYBE_COUNT),
    **dict.fromkeys(("rho", "momentum", "ema_momentum"), SHARE),
    **dict.fromkeys(("beta_1", "beta_2"), DECAY),
    **dict.fromkeys(("epsilon", "initial_accumulator_value", "beta"), AMOUNT),
    **{f"{name}_regularization_strength": AMOUNT for name in ("l1", "l2", "l2_shrinkage")},
    "learning_rate_power": NOT_ABOVE_ZERO,
    "weight_decay": MAYBE_AMOUNT,
}
EXCEPTIONS = {(Lion, "beta_1"): SHARE, (Lion, "beta_2"): SHARE}  # nothing is divided by what they leave
ARGUMENTS = [(cls, name) for cls in CLASSES for name in argument_names(cls)]
each_argument = pytest.mark.parametrize(
    ("cls", "argument"), ARGUMENTS, ids=[f"{cls.__name__}-{name}" for cls, name in ARGUMENTS]
)


def kind_of(cls: type[Optimizer], argument: str) -> Kind:
    """The kind of an argument; one that the table lacks is a KeyError."""
    return EXCEPTIONS.get((cls, argument)) or KINDS[argument]


def test_all_optimizers_and_their_own_arguments_are_in_the_table() -> None:
    assert len(CLASSES) == 13
    assert len(ARGUMENTS) > 150
    own = {"beta_1", "amsgrad", "rho", "learning_rate_power", "l2_shrinkage_regularization_strength", "nesterov"}
    assert own <= {name for _, name in ARGUMENTS}
    assert set(KINDS) == {name for _, name in ARGUMENTS}


@each_argument
def test_a_value_of_another_kind_is_a_type_error(cls: Any, argument: str) -> None:
    for value in kind_of(cls, argument).wrong_kinds:
        with pytest.raises(TypeError, match=rf"`{argument}` must be .*Received: "):
            cls(**{argument: value})


@each_argument
def test_a_value_out_of_range_is_a_value_error(cls: Any, argument: str) -> None:
    for value in kind_of(cls, argument).wrong_values:
        with pytest.raises(ValueError, match=rf"`{argument}` must be .*Received: "):
            cls(**{argument: value})


@each_argument
def test_a_value_at_the_end_of_the_range_is_taken(cls: Any, argument: str) -> None:
    for value in kind_of(cls, argument).right:
        assert isinstance(cls(**{argument: value}), cls)


def test_the_judge_sees_a_value_that_is_taken() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"), pytest.raises(ValueError, match="rho"):
        RMSprop(rho=1.0)


# Names of arguments


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(
    ("name", "near"),
    [("lr", "learning_rate"), ("learning_rte", "learning_rate"), ("weight_deacy", "weight_decay")]
    + [("clip_norm", "clipnorm"), ("updat", "update"), ("ema_momentun", "ema_momentum")],
)
def test_an_unknown_argument_comes_with_the_nearest_known_one(cls: Any, name: str, near: str) -> None:
    with pytest.raises(
        TypeError, match=rf"^{cls.__name__} got an unexpected keyword argument '{name}'\. Did you mean '{near}'"
    ):
        cls(**{name: 0.1})


@pytest.mark.parametrize(
    ("cls", "name", "near"), [(Adam, "eps", "epsilon"), (Adam, "betas", "beta_"), (RMSprop, "alpha", "rho")]
)
def test_names_of_other_libraries_lead_to_ours(cls: Any, name: str, near: str) -> None:
    with pytest.raises(TypeError, match=rf"'{name}'\. Did you mean '{near}"):
        cls(**{name: 0.1})


def test_a_name_like_none_lists_all_arguments() -> None:
    with pytest.raises(TypeError, match=r"'xyz'\. Known names: amsgrad, beta_1, .*weight_decay\."):
        AdamW(xyz=1)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_old_decay_of_the_rate_is_not_mistaken_for_weight_decay(cls: Any) -> None:
    with pytest.raises(TypeError, match=r"'decay'\. `decay` is a schedule now: pass learning_rate=InverseTimeDecay"):
        cls(decay=0.1)
    with pytest.raises(ValueError, match="`decay` is a schedule now"):
        cls.from_config({"decay": 0.1})


def test_an_unknown_key_of_a_config_comes_with_the_nearest_argument() -> None:
    with pytest.raises(ValueError, match=r"SGD cannot be built from .*'momentun'\. Did you mean 'momentum'"):
        optimizers.get({"class_name": "SGD", "config": {"momentun": 0.9}})


@pytest.mark.parametrize("config", [{"class_name": 3}, {"class_name": "SGD", "config": [1]}, {"class_name": None}])
def test_a_config_of_another_kind_is_refused(config: Any) -> None:
    with pytest.raises(TypeError, match=r"optimizer config must have a string under 'class_name' .*Received: "):
        optimizers.get(config)


@pytest.mark.parametrize("pair", list(combinations(["clipnorm", "global_clipnorm", "clipvalue"], 2)))
def test_two_ways_of_clipping_at_once_are_refused(pair: tuple[str, str]) -> None:
    for cls in CLASSES:
        with pytest.raises(ValueError, match="Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set"):
            cls(**dict.fromkeys(pair, 1.0))


# What a step is handed


def start_table() -> Table:
    return Table(np.ones((4, 2), np.float32))


def assert_step_is_refused(cls: Any, gradient: Any, error: type[Exception], message: str, **options: Any) -> None:
    """Hand a good gradient to one table and `gradient` to another: nothing of both may be written."""
    tables = [start_table(), start_table()]
    good = RowGradient(np.array([1, 1]), np.ones((2, 2), np.float32), (4, 2))
    optimizer = cls(**options)
    with pytest.raises(error, match=message):
        optimizer.apply_gradients([(good, tables[0]), (gradient, tables[1])])
    for table in tables:
        np.testing.assert_array_equal(table.array, 1.0)
    assert optimizer.iterations == optimizer.skipped_steps == 0
    assert table.idle is None


def rows(values: Any, width: int = 2) -> RowGradient:
    return RowGradient(np.array([3]), np.asarray(values, np.float32).reshape(1, width), (4, width))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("gradient", [rows([1, 1, 1], 3), np.ones((4, 3), np.float32), np.ones(2, np.float32)])
def test_a_gradient_of_the_wrong_width_is_refused_before_anything_is_written(cls: Any, gradient: Any) -> None:
    message = r"The gradient of the weight 'embeddings' must have its shape, \(4, 2\)\. Received: "
    assert_step_is_refused(cls, gradient, ValueError, message)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_check_numerics_refuses_before_anything_is_written(cls: Any, value: float) -> None:
    for gradient in (rows([1, value]), np.full((4, 2), value, np.float32)):
        message = "'embeddings' must be finite with check_numerics=True"
        assert_step_is_refused(cls, gradient, ValueError, message, check_numerics=True)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1])
def test_a_schedule_without_a_rate_is_refused_before_anything_is_written(cls: Any, value: float) -> None:
    message = rf"`learning_rate` must be a finite number that is not negative\. .*returned {value} at step 0"
    assert_step_is_refused(cls, rows([1, 1]), ValueError, message, learning_rate=lambda step: value)


@pytest.mark.parametrize("value", [None, "0.1", True, [0.1], np.array([0.1]), 1j])
def test_a_schedule_that_returns_no_number_is_refused_before_anything_is_written(value: Any) -> None:
    message = r"`learning_rate` must be a number\. Received: a schedule that returned .* at step 0"
    assert_step_is_refused(Adam, rows([1, 1]), TypeError, message, learning_rate=lambda step: value)


@pytest.mark.parametrize("rate", [np.float32(0.5), np.array(0.5), np.float64(0.5)])
def test_a_schedule_may_return_a_number_of_numpy(rate: Any) -> None:
    weight, optimizer = Parameter(np.ones(2)), optimizers.SGD(lambda step: rate)
    optimizer.apply_gradients([(np.ones(2), weight)])
    np.testing.assert_array_equal(weight.value, 0.5)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_scaling_skips_and_counts_every_step_that_overflowed(cls: Any, value: float) -> None:
    table, optimizer = start_table(), cls(loss_scale_factor=8.0)
    for count in (1, 2):
        optimizer.apply_gradients([(rows([1, value]), table)])
        assert (optimizer.iterations, optimizer.skipped_steps) == (0, count)
    np.testing.assert_array_equal(table.array, 1.0)
    optimizer.apply_gradients([(rows([1, 1]), table)])
    assert (optimizer.iterations, optimizer.skipped_steps) == (1, 2)


@pytest.mark.parametrize(
    "gradient",
    [1.0, "abc", [[1.0, 1.0]] * 4, np.ones((4, 2), int), np.ones((4, 2), complex), np.ones((4, 2), bool)],
    ids=["float", "str", "list", "integers", "complex", "bools"],
)
def test_what_is_no_gradient_is_refused_before_anything_is_written(gradient: Any) -> None:
    message = "The gradient of the weight 'embeddings' must be an array of floats or a RowGradient. Received: "
    assert_step_is_refused(Adam, gradient, TypeError, message)


def test_a_weight_in_the_place_of_the_gradient_is_refused() -> None:
    pairs: Any = [(start_table(), np.ones((4, 2), np.float32))]
    with pytest.raises(TypeError, match=r"a gradient and a weight, in this order\. Received: ndarray as the we"):
        Adam().apply_gradients(pairs)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"var_names": "bias"}, TypeError, "`var_names` must be a list of regular expressions. Received: 'bias'"),
        ({"var_names": [3]}, TypeError, "`var_names` must be a list of regular expressions"),
        ({"var_names": ["("]}, ValueError, r"`var_names` must hold regular expressions: .*Received: '\('"),
        ({"var_list": 3}, TypeError, "`var_list` must be a list of weights. Received: 3"),
        ({"var_list": ["bias"]}, TypeError, "`var_list` must be a list of weights"),
    ],
)
def test_what_names_no_weights_is_not_excluded_from_the_decay(options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        AdamW().exclude_from_weight_decay(**options)


def test_a_step_without_any_gradient_is_an_error() -> None:
    pairs: Any = [(None, start_table()), (None, start_table())]
    with pytest.raises(ValueError, match=r"No gradients provided for any variable\. Received: 2 weights"):
        Adam().apply_gradients(pairs)
