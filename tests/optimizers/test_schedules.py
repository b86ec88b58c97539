"""Learning-rate schedules, judged by Keras's formulas written out step by step, and by values of Keras itself."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastembed_layer import RowGradient
from fastembed_layer.optimizers import SGD, schedules
from fastembed_layer.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    LinearWarmup,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from fastembed_layer.tables.table import Table

# Rates of Keras 3.15 on TensorFlow, in float32, at these steps.
STEPS = (0, 1, 7, 10, 29, 30, 31, 70, 100, 150, 1000)
KERAS_CASES: list[tuple[LearningRateSchedule, str]] = [
    (
        ExponentialDecay(0.1, 100, 0.5),
        "0.1 0.0993093 0.0952638 0.0933033 0.0817902 0.0812252 0.0806642 0.0615572 0.05 0.0353553 9.76563e-05",
    ),
    (
        ExponentialDecay(0.1, 30, 0.9, staircase=True),
        "0.1 0.1 0.1 0.1 0.1 0.09 0.09 0.081 0.0729 0.059049 0.00309031",
    ),
    (
        InverseTimeDecay(0.1, 100, 0.5),
        "0.1 0.0995025 0.0966184 0.0952381 0.0873363 0.0869565 0.0865801 0.0740741 0.0666667 0.0571429 0.0166667",
    ),
    (
        InverseTimeDecay(0.1, 30, 0.9, staircase=True),
        "0.1 0.1 0.1 0.1 0.1 0.0526316 0.0526316 0.0357143 0.027027 0.0181818 0.00325733",
    ),
    (
        PolynomialDecay(0.1, 100),
        "0.1 0.099001 0.093007 0.09001 0.071029 0.07003 0.069031 0.03007 0.0001 0.0001 0.0001",
    ),
    (
        PolynomialDecay(0.1, 30, 0.01, power=0.5, cycle=True),
        "0.1 0.0984873 0.0888035 0.0834847 0.0264317 0.01 0.07257 0.0524264 0.0467424 0.01 0.0226025",
    ),
    (
        CosineDecay(0.1, 100, alpha=0.1),
        "0.1 0.0999778 0.0989162 0.0977975 0.0825808 0.0814503 0.0802937 0.0285497 0.01 0.01 0.01",
    ),
    (
        CosineDecay(0.01, 100, warmup_target=0.1, warmup_steps=30),
        "0.01 0.013 0.031 0.04 0.097 0.1 0.0999753 0.0654509 0.0206107 0 0",
    ),
    (
        CosineDecayRestarts(0.1, 10),
        "0.1 0.0975528 0.0206107 0.1 0.000615582 0.1 0.0998459 0.1 0.0691342 0.1 0.037851",
    ),
    (
        CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.9, alpha=0.1),
        "0.1 0.0977975 0.0285497 0.091 0.011784 0.07561 0.0740044 0.0530467 0.0413811 0.0285302 0.0100024",
    ),
    (
        PiecewiseConstantDecay([10, 30], [0.1, 0.05, 0.01]),
        "0.1 0.1 0.1 0.1 0.05 0.05 0.01 0.01 0.01 0.01 0.01",
    ),
]
EXAMPLES = [case[0] for case in KERAS_CASES]

steps = st.integers(0, 3000)
rates = st.floats(0, 2)
lengths = st.one_of(st.integers(1, 500), st.floats(0.5, 500))


@pytest.mark.parametrize(("schedule", "expected"), KERAS_CASES, ids=str)
def test_rates_are_those_of_keras(schedule: LearningRateSchedule, expected: str) -> None:
    rates = [schedule(step) for step in STEPS]
    np.testing.assert_allclose(rates, np.array(expected.split(), float), rtol=1e-5, atol=1e-8)


@given(step=steps, rate=rates, length=lengths, factor=st.floats(0, 1.01), staircase=st.booleans())
def test_exponential_and_inverse_time_decay(
    step: int, rate: float, length: float, factor: float, staircase: bool
) -> None:
    periods = float(np.floor(step / length)) if staircase else step / length
    exponential = ExponentialDecay(rate, length, factor, staircase)
    assert exponential(step) == pytest.approx(rate * np.power(factor, periods), rel=1e-12)
    inverse = InverseTimeDecay(rate, length, factor, staircase)
    assert inverse(step) == pytest.approx(rate / (1 + factor * periods), rel=1e-12)


@given(step=steps, first=rates, last=rates, length=lengths, power=st.floats(0, 3))
def test_polynomial_decay(step: int, first: float, last: float, length: float, power: float) -> None:
    expected = (first - last) * np.power(1 - min(step, length) / length, power) + last
    assert PolynomialDecay(first, length, last, power)(step) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@given(step=steps, length=st.integers(1, 500))
def test_polynomial_decay_that_cycles_ends_at_the_next_multiple_of_its_steps(step: int, length: int) -> None:
    end = next(multiple for multiple in range(length, 4000, length) if multiple >= step)
    expected = 0.9 * (1 - step / end) ** 2 + 0.1
    assert PolynomialDecay(1.0, length, 0.1, 2.0, cycle=True)(step) == pytest.approx(expected, rel=1e-12)


@given(step=steps, rate=rates, length=lengths, alpha=st.floats(0, 1))
def test_cosine_decay(step: int, rate: float, length: float, alpha: float) -> None:
    wave = (1 + np.cos(np.pi * min(step, length) / length)) / 2
    expected = rate * ((1 - alpha) * wave + alpha)
    assert CosineDecay(rate, length, alpha)(step) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@given(step=steps, first=rates, target=rates, warmup=st.integers(0, 500))
def test_cosine_decay_warms_up_in_a_straight_line_and_then_starts_anew(
    step: int, first: float, target: float, warmup: int
) -> None:
    schedule = CosineDecay(first, 300, 0.1, warmup_target=target, warmup_steps=warmup)
    later = CosineDecay(target, 300, 0.1)(step - warmup)
    expected = np.interp(step, [0, warmup], [first, target]) if step < warmup else later
    assert schedule(step) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def walk_waves(step: int, first_length: int, t_mul: float) -> tuple[int, float]:
    """The number of the wave that a step is in and the share of it that is over, by going from wave to wave."""
    wave, begin, length = 0, 0.0, float(first_length)
    while step >= begin + length * (1 - 1e-12):
        wave, begin, length = wave + 1, begin + length, length * t_mul
    return wave, max(0.0, (step - begin) / length)


@given(
    step=steps,
    length=st.integers(1, 200),
    t_mul=st.sampled_from([1.0, 1.001, 1.1, 1.5, 2.0, 3.0]),
    m_mul=st.floats(0, 1.1),
    alpha=st.floats(0, 1),
)
def test_cosine_decay_with_restarts(step: int, length: int, t_mul: float, m_mul: float, alpha: float) -> None:
    wave, share = walk_waves(step, length, t_mul)
    expected = 0.3 * ((1 - alpha) * m_mul**wave * (1 + math.cos(math.pi * share)) / 2 + alpha)
    schedule = CosineDecayRestarts(0.3, length, t_mul, m_mul, alpha)
    assert schedule(step) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("t_mul", [1.0, 2.0, 3.0])
def test_a_wave_restarts_at_its_very_step(t_mul: float) -> None:
    schedule = CosineDecayRestarts(1.0, 10, t_mul)
    begin, length = 0, 10
    while begin < 10_000:
        assert schedule(begin) == pytest.approx(1.0, abs=1e-9)
        assert schedule(begin + length - 1) < 0.03
        begin, length = begin + length, int(length * t_mul)


@given(step=steps, boundaries=st.lists(st.integers(0, 3000), min_size=0, max_size=5, unique=True).map(sorted))
def test_piecewise_constant_decay_counts_the_boundaries_that_have_been_passed(step: int, boundaries: list[int]) -> None:
    values = [1.0 / (1 + number) for number in range(len(boundaries) + 1)]
    passed = sum(step > boundary for boundary in boundaries)
    assert PiecewiseConstantDecay(boundaries, values)(step) == values[passed]


@given(step=steps, warmup=st.integers(1, 500), first=rates)
def test_warmup_leads_to_the_first_rate_of_what_follows(step: int, warmup: int, first: float) -> None:
    follower = InverseTimeDecay(0.7, 100, 0.5)
    expected = np.interp(step, [0, warmup], [first, 0.7]) if step < warmup else follower(step - warmup)
    assert LinearWarmup(follower, warmup, first)(step) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_warmup_to_a_number_stays_there() -> None:
    schedule = LinearWarmup(0.5, 4)
    assert [schedule(step) for step in (0, 1, 3, 4, 5, 10**6)] == [0.0, 0.125, 0.375, 0.5, 0.5, 0.5]


def test_warmup_asks_a_plain_function_with_whole_steps() -> None:
    asked: list[Any] = []

    def constant(step: int) -> float:
        asked.append(step)
        return 0.5

    schedule = LinearWarmup(constant, 2)
    assert [schedule(step) for step in range(4)] == [0.0, 0.25, 0.5, 0.5]
    assert asked == [0, 0, 0, 1]
    assert all(type(step) is int for step in asked)


def test_a_rate_too_large_for_a_float_is_infinite_and_the_optimizer_refuses_it() -> None:
    table = Table(np.zeros((2, 1), "float32"))
    optimizer = SGD(ExponentialDecay(1.0, 1, 1e200))
    gradient = RowGradient(np.array([1]), np.ones((1, 1), "float32"), (2, 1))
    optimizer.iterations = 2
    with pytest.raises(ValueError, match="a schedule that returned inf at step 2"):
        optimizer.apply_gradients([(gradient, table)])
    assert not table.numpy().any()


@pytest.mark.parametrize("schedule", EXAMPLES, ids=str)
def test_a_schedule_comes_back_from_its_config(schedule: LearningRateSchedule) -> None:
    config = json.loads(json.dumps(schedules.serialize(schedule)))
    twin = schedules.deserialize(config)
    assert type(twin) is type(schedule)
    assert twin.get_config() == schedule.get_config()
    assert [twin(step) for step in STEPS] == [schedule(step) for step in STEPS]
    assert repr(twin) == repr(schedule)


def test_warmup_keeps_the_schedule_that_follows_in_its_config() -> None:
    schedule = LinearWarmup(PolynomialDecay(0.5, 100), 10, name="start")
    twin = schedules.deserialize(json.loads(json.dumps(schedules.serialize(schedule))))
    assert twin.get_config() == schedule.get_config()
    assert twin.name == "start"
    assert [twin(step) for step in STEPS] == [schedule(step) for step in STEPS]


def test_configs_of_both_kerases_are_understood() -> None:
    arguments = {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": True, "name": None}
    old = {"class_name": "ExponentialDecay", "config": arguments}
    new = {**old, "module": "keras.optimizers.schedules", "registered_name": None}
    assert [schedules.deserialize(config)(15) for config in (old, new)] == [0.05, 0.05]


def test_numbers_and_plain_functions_are_their_own_configs() -> None:
    def rate(step: int) -> float:
        return 0.1

    assert schedules.serialize(0.5) == 0.5
    assert schedules.serialize(rate) is rate
    assert schedules.get(rate) is rate
    assert schedules.get(np.float32(0.5)) == 0.5
    schedule = CosineDecay(0.1, 10)
    assert schedules.get(schedule) is schedule


def test_positional_arguments_stand_where_keras_has_them() -> None:
    assert CosineDecay(0.0, 10, 0.1, "cosine", 0.5, 5).get_config() == {
        "initial_learning_rate": 0.0, "decay_steps": 10.0, "alpha": 0.1,
        "name": "cosine", "warmup_target": 0.5, "warmup_steps": 5.0,
    }  # fmt: skip
    assert PolynomialDecay(0.1, 10, 0.01, 2.0, True, "polynomial").cycle is True
    assert CosineDecayRestarts(0.1, 10, 3.0, 0.5, 0.1, "restarts").t_mul == 3.0


def test_a_schedule_of_ones_own_needs_a_config_only_where_it_is_asked_for_one() -> None:
    class Halving(LearningRateSchedule):
        def __call__(self, step: int) -> float:
            return 0.5**step

    table = Table(np.zeros((2, 1)))
    optimizer = SGD(Halving())
    for _ in range(3):
        optimizer.apply_gradients([(RowGradient(np.array([1]), np.ones((1, 1)), (2, 1)), table)])
    assert table.numpy().tolist() == [[0.0], [-1.75]]
    with pytest.raises(NotImplementedError, match=r"Halving must override `get_config\(self\)`"):
        schedules.serialize(Halving())


def test_the_base_class_has_no_rate() -> None:
    with pytest.raises(NotImplementedError, match=r"LearningRateSchedule must override `__call__\(self, step\)`"):
        LearningRateSchedule()(0)


VALID: dict[type[LearningRateSchedule], dict[str, Any]] = {
    ExponentialDecay: {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    InverseTimeDecay: {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    PolynomialDecay: {"initial_learning_rate": 0.1, "decay_steps": 10},
    CosineDecay: {"initial_learning_rate": 0.1, "decay_steps": 10, "warmup_target": 0.2},
    CosineDecayRestarts: {"initial_learning_rate": 0.1, "first_decay_steps": 10},
    LinearWarmup: {"learning_rate": 0.1, "warmup_steps": 10},
    PiecewiseConstantDecay: {"boundaries": [10], "values": [0.2, 0.1]},
}
NUMBERS = {
    ExponentialDecay: ["initial_learning_rate", "decay_steps", "decay_rate"],
    InverseTimeDecay: ["initial_learning_rate", "decay_steps", "decay_rate"],
    PolynomialDecay: ["initial_learning_rate", "decay_steps", "end_learning_rate", "power"],
    CosineDecay: ["initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps"],
    CosineDecayRestarts: ["initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha"],
    LinearWarmup: ["learning_rate", "warmup_steps", "initial_learning_rate"],
}
WRONG_NUMBERS: list[tuple[Any, type[Exception]]] = [
    (True, TypeError),
    ("0.1", TypeError),
    ([0.1], TypeError),
    (1j, TypeError),
    (-1, ValueError),
]


@pytest.mark.parametrize(("wrong", "error"), WRONG_NUMBERS)
@pytest.mark.parametrize(("cls", "argument"), [(cls, name) for cls, names in NUMBERS.items() for name in names])
def test_wrong_numbers_are_refused(cls: Any, argument: str, wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"`{argument}` must be .*Received: "):
        cls(**(VALID[cls] | {argument: wrong}))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("cls", "argument"), [(cls, name) for cls, names in NUMBERS.items() for name in names if cls is not LinearWarmup]
)
def test_numbers_that_are_not_finite_are_refused(cls: Any, argument: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must be a finite number .*Received: "):
        cls(**(VALID[cls] | {argument: wrong}))


@pytest.mark.parametrize("cls", [ExponentialDecay, InverseTimeDecay, PolynomialDecay, CosineDecay])
def test_no_steps_are_no_decay(cls: Any) -> None:
    with pytest.raises(ValueError, match=r"`decay_steps` must be positive. Received: decay_steps=0\."):
        cls(**(VALID[cls] | {"decay_steps": 0}))


def test_waves_do_not_get_shorter() -> None:
    with pytest.raises(ValueError, match=r"`t_mul` must be a finite number in \[1.0, inf\]. Received: t_mul=0.5"):
        CosineDecayRestarts(0.1, 10, t_mul=0.5)


@pytest.mark.parametrize(
    ("boundaries", "values", "error", "message"),
    [
        ([1, 2], [0.1, 0.2], ValueError, "`values` must have one element more than `boundaries`. Received: 2 values"),
        ([2, 2], [0.1, 0.2, 0.3], ValueError, r"`boundaries` must increase. Received: boundaries=\[2, 2\]"),
        ([1], [0.1, -0.2], ValueError, "`values` must be a finite number"),
        ([1], [0.1, True], TypeError, "`values` must be a number"),
        (["1"], [0.1, 0.2], TypeError, "`boundaries` must be a number"),
        (3, [0.1, 0.2], TypeError, "`boundaries` must be a list of numbers. Received: boundaries=3"),
        ([1], "ab", TypeError, "`values` must be a list of numbers. Received: values='ab'"),
    ],
)
def test_stages_that_do_not_fit_are_refused(boundaries: Any, values: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        PiecewiseConstantDecay(boundaries, values)


@pytest.mark.parametrize("cls", [ExponentialDecay, InverseTimeDecay])
@pytest.mark.parametrize("wrong", [1, 0, "yes", None])
def test_staircase_is_a_flag(cls: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"`staircase` must be a bool\. Received: staircase="):
        cls(0.1, 10, 0.5, staircase=wrong)


@pytest.mark.parametrize("cls", VALID)
def test_a_name_is_a_string(cls: Any) -> None:
    assert cls(**VALID[cls]).name == cls.__name__
    with pytest.raises(TypeError, match=r"`name` must be a string\. Received: 3 "):
        cls(**VALID[cls], name=3)


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        ({"class_name": "ExponentialDeca", "config": {}}, ValueError, "Did you mean 'ExponentialDecay'"),
        ({"class_name": "CosineDecay", "config": {"decay_stps": 3}}, ValueError, "CosineDecay cannot be built from"),
        ({"config": {}}, ValueError, "needs the key 'class_name'"),
        (ExponentialDecay, TypeError, "must be a number or a schedule, not a class"),
        ("exponential_decay", TypeError, "`learning_rate` must be a number"),
        (None, TypeError, "`learning_rate` must be a number"),
        (True, TypeError, "`learning_rate` must be a number"),
        (-0.1, ValueError, "`learning_rate` must be a finite number"),
        (math.nan, ValueError, "`learning_rate` must be a finite number"),
    ],
)
def test_what_is_no_learning_rate_is_refused(identifier: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        schedules.get(identifier)


@pytest.mark.parametrize("config", ["ExponentialDecay", None, 0.1])
def test_what_is_no_config_is_refused(config: Any) -> None:
    with pytest.raises(TypeError, match=r"`config` must be a dict\. Received: "):
        schedules.deserialize(config)
