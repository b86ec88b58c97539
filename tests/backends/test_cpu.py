"""Every operation of the CPU backend: judged by the reference, for any number of threads, and with bad ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import assert_close, assert_same_bits
from strategies import DIMS, KERNEL_TYPES, bag_offsets, flat_ids, matrices, winners_and_places

from fastembed_layer import RowGradient, set_threads
from fastembed_layer.backends import cpu, sorting
from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.dispatch import backend_for
from fastembed_layer.kernels.rules import RULES
from fastembed_layer.kernels.threads import run_parallel
from fastembed_layer.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Ftrl,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    RowwiseAdagrad,
    RowwiseAdam,
    RowwiseLamb,
)
from fastembed_layer.table import Parameter, Table

Array = np.ndarray[Any, Any]

BACKEND = backend_for("cpu:0")
TABLE_TYPES = ("float32", "float64")
TOLERANCE = {"float32": 2e-5, "float64": 1e-13}
# Each pair takes the compiler a second; the kernels of float64 tables differ in nothing but the type.
RULES_BY_TYPE = [
    *product(RULES, ["float32"]),
    *product(["sgd", "adagrad", "rmsprop_centered_momentum", "amsgrad", "lion"], ["float64"]),
]
# The sign that Lion takes of a number near 0 hangs on its last bits, which drawn float32 numbers do get wrong.
DRAWN_RULES = [pair for pair in RULES_BY_TYPE if pair != ("lion", "float32")]
INPUT_DIM = 30
THREADS = (1, 2, 3, 8)
BAD_IDS = (INPUT_DIM, -1, "least", "most")

# A gradient as layers make it: one vector per id, or one per bag, which all its ids share.
FORMS = {  # with sources, scales, winners
    "one vector per id": (False, False, False),
    "one vector per bag": (True, False, False),
    "one scaled vector per bag": (True, True, False),
    "one scaled vector per id": (False, True, False),
    "winners of one vector per bag": (True, False, True),
    "winners of one scaled vector per bag": (True, True, True),
}

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(0.1),
    "momentum": SGD(0.1, momentum=0.8),
    "nesterov": SGD(0.1, momentum=0.8, nesterov=True),
    "adagrad": Adagrad(0.1, epsilon=1e-3),
    "rmsprop": RMSprop(0.1, rho=0.8),
    "rmsprop_momentum": RMSprop(0.1, rho=0.8, momentum=0.7),
    "rmsprop_centered": RMSprop(0.1, rho=0.8, centered=True),
    "rmsprop_centered_momentum": RMSprop(0.1, rho=0.8, momentum=0.7, centered=True),
    "adam": Adam(0.1, beta_1=0.8, beta_2=0.95),
    "amsgrad": Adam(0.1, beta_1=0.8, beta_2=0.95, amsgrad=True),
    "adadelta": Adadelta(0.1, rho=0.8),
    "adamax": Adamax(0.1, beta_1=0.8, beta_2=0.95),
    "nadam": Nadam(0.1, beta_1=0.8, beta_2=0.95),
    "lion": Lion(0.1, beta_1=0.8, beta_2=0.95),
    "ftrl": Ftrl(
        0.1,
        learning_rate_power=-0.6,
        l1_regularization_strength=0.3,
        l2_regularization_strength=0.2,
        l2_shrinkage_regularization_strength=0.1,
        beta=0.4,
    ),
    "rowwise_adagrad": RowwiseAdagrad(0.1),
    "rowwise_adam": RowwiseAdam(0.1, beta_1=0.8, beta_2=0.95),
    "rowwise_lamb": RowwiseLamb(0.1, beta_1=0.8, beta_2=0.95),
}


RATE = 0.1
DECAYS = (0.0, 0.5)  # of the weights


class Trained(NamedTuple):
    """A table with the slots of one rule, and the rule's numbers for one step."""

    table: Table
    slots: dict[str, Array]
    numbers: tuple[float, ...]

    def copy_bits(self) -> list[Array]:
        """Copies of table and slots."""
        return [array.copy() for array in (self.table.value, *self.slots.values())]


def slot_shape(rule: str, name: str, weights: Array) -> tuple[int, ...]:
    """The shape of a slot: that of the weights, or one number per row."""
    return (*weights.shape[:-1], 1) if name in OPTIMIZERS[rule].row_wise_slots else weights.shape


def make_trained(rule: str, value: Array, step: int = 1) -> Trained:
    """A table with slots as they are in the middle of a training: positive where they sum squares."""
    optimizer, random = OPTIMIZERS[rule], np.random.default_rng(len(rule))
    names = optimizer.slot_values()
    slots = {name: np.asarray(random.uniform(0.5, 1.0, slot_shape(rule, name, value))) for name in names}
    if "average" in slots:  # the square of an average is never above the average of the squares
        slots["average"] = slots["average"] / 3
    slots = {name: slot.astype(value.dtype) for name, slot in slots.items()}
    return Trained(Table(value.copy()), slots, optimizer.scalars(RATE, step))


def numbers_of(rule: str, decay: float = 0.0) -> dict[str, Any]:
    """The numbers that the reference asks for."""
    return OPTIMIZERS[rule].get_config() | {"learning_rate": RATE, "weight_decay": decay}


def update_rows(trained: Trained, rule: str, gradient: RowGradient, keep: float = 1.0) -> None:
    """One step by the backend."""
    grouped = BACKEND.group_gradient(gradient)
    BACKEND.update_rows(trained.table, grouped, rule, list(trained.slots.values()), trained.numbers, keep)


@st.composite
def gradients(draw: st.DrawFn, columns: int, dtype: str, form: str) -> RowGradient:
    """Row gradients of one form for a table of `INPUT_DIM` rows."""
    has_sources, has_scales, has_winners = FORMS[form]
    ids = draw(flat_ids(INPUT_DIM, draw(st.sampled_from(KERNEL_TYPES))))
    bags = 4 if has_sources else len(ids)
    owners = st.lists(st.integers(0, bags - 1), min_size=len(ids), max_size=len(ids))
    sources = np.array(draw(owners), np.int64) if has_sources else None
    scales = draw(matrices(len(ids), 1, dtype)).reshape(-1) if has_scales else None
    won = draw(winners_and_places(bags, columns, len(ids))) if has_winners else ()
    return RowGradient(ids, draw(matrices(bags, columns, dtype)), (INPUT_DIM, columns), sources, scales, *won)


def sum_by_reference(gradient: RowGradient) -> tuple[Array, Array]:
    """The summed gradient as the reference has it."""
    won = gradient.winners, gradient.places
    return reference.sum_duplicates(gradient.ids, gradient.values, gradient.sources, gradient.scales, *won)


@contextmanager
def many_threads(count: int) -> Iterator[list[int]]:
    """Split even small work among `count` threads; yields how many ranges each launch has had."""
    launches: list[int] = []

    def run_noted(task: Callable[[int, int], Any], size: int, grain: int) -> list[Any]:
        results = run_parallel(task, size, 1)
        launches.append(len(results))
        return results

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "run_parallel", run_noted)
        patch.setattr(sorting, "KEYS_PER_THREAD", 16)
        patch.setattr(sorting, "SMALL_SORT", 32)
        previous = set_threads(count)
        yield launches
        set_threads(previous)


def test_every_rule_has_a_reference_and_an_optimizer() -> None:
    assert set(RULES) == set(reference.STEPS) == set(OPTIMIZERS)
    assert {rule: optimizer.rule for rule, optimizer in OPTIMIZERS.items()} == {rule: rule for rule in RULES}


# ---- Judged by the reference


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("id_type", KERNEL_TYPES)
@given(data=st.data())
def test_gather_rows_copies_the_row_of_each_id(data: st.DataObject, dtype: str, id_type: str) -> None:
    value = data.draw(matrices(INPUT_DIM, data.draw(st.sampled_from(DIMS)), dtype))
    ids = data.draw(flat_ids(INPUT_DIM, id_type))
    rows = BACKEND.gather_rows(Table(value), ids)
    assert_same_bits(rows, reference.gather_rows(value, ids).astype(dtype))


def test_gather_rows_fills_the_array_it_is_given() -> None:
    value, ids = np.arange(6.0, dtype="float32").reshape(3, 2), np.array([2, 0])
    out = np.empty((2, 2), "float32")
    assert BACKEND.gather_rows(Table(value), ids, out) is out
    assert_same_bits(out, value[ids])


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("has_scales", [False, True], ids=["plain", "scaled"])
@given(data=st.data())
def test_gather_bags_sums_the_rows_of_each_bag(data: st.DataObject, dtype: str, has_scales: bool) -> None:
    value = data.draw(matrices(INPUT_DIM, data.draw(st.sampled_from(DIMS)), dtype))
    ids = data.draw(flat_ids(INPUT_DIM, data.draw(st.sampled_from(KERNEL_TYPES))))
    scales = data.draw(matrices(len(ids), 1, dtype)).reshape(-1) if has_scales else None
    offsets = data.draw(bag_offsets(len(ids)))
    combiner = data.draw(st.sampled_from(["sum", "mean", "sqrtn"]))
    if scales is not None and combiner == "mean":
        scales = np.abs(scales)  # the mean by numbers that nearly cancel is large and loses its digits
    bags = BACKEND.gather_bags(Table(value), ids, offsets, scales, combiner)
    assert bags.dtype == dtype
    assert_close(bags, reference.gather_bags(value, ids, offsets, scales, combiner), TOLERANCE[dtype])


@pytest.mark.parametrize(("combiner", "expected"), [("sum", [1, 1, 1]), ("mean", [3, 0.5, np.inf])])
def test_gather_bags_tells_what_it_divided_by(combiner: str, expected: list[float]) -> None:
    ids, scales, divisors = np.array([0, 1, 0, 1]), np.array([1.0, 2, 0.5, 0], "float32"), np.empty(3, "float32")
    bags = BACKEND.gather_bags(
        Table(np.ones((2, 1), "float32")), ids, np.array([0, 2, 3, 4]), scales, combiner, divisors
    )
    assert divisors.tolist() == expected
    assert bags[2] == 0


def test_bags_whose_scales_cancel_are_zero() -> None:
    scales = np.array([1.0, -1.0], "float32")
    for combiner, expected in (("mean", 0.0), ("sqrtn", -1 / np.sqrt(2))):
        bags = BACKEND.gather_bags(
            Table(np.array([[1.0], [2.0]], "float32")), np.arange(2), np.array([0, 2]), scales, combiner
        )
        np.testing.assert_allclose(bags, [[expected]], rtol=1e-6)


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("has_scales", [False, True], ids=["plain", "scaled"])
@given(data=st.data())
def test_gather_extremes_keeps_the_first_of_the_largest(data: st.DataObject, dtype: str, has_scales: bool) -> None:
    value = data.draw(matrices(INPUT_DIM, data.draw(st.sampled_from(DIMS)), dtype)).round(1)  # so that some are equal
    ids = data.draw(flat_ids(INPUT_DIM))
    scales = data.draw(matrices(len(ids), 1, dtype)).reshape(-1).round() if has_scales else None
    offsets, combiner = data.draw(bag_offsets(len(ids))), data.draw(st.sampled_from(["max", "min"]))
    winners = np.empty((len(offsets) - 1, value.shape[1]), np.int32)
    bags = BACKEND.gather_extremes(Table(value), ids, offsets, scales, combiner, winners)
    expected, expected_winners = reference.gather_extremes(value, ids, offsets, scales, combiner)
    np.testing.assert_array_equal(winners, expected_winners)
    assert_close(bags, expected, TOLERANCE[dtype])
    assert_same_bits(BACKEND.gather_extremes(Table(value), ids, offsets, scales, combiner), bags)


@pytest.mark.parametrize("combiner", ["max", "min"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_extreme_of_what_is_not_a_number_is_not_a_number(combiner: str, place: int) -> None:
    value = np.zeros((3, 17), "float32")
    value[place] = np.nan
    for winners in (None, np.empty((1, 17), np.int32)):
        bags = BACKEND.gather_extremes(Table(value), np.arange(3), np.array([0, 3]), None, combiner, winners)
        assert np.isnan(bags).all()
        assert winners is None or (winners == place).all()


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("form", ["one vector per id", "one scaled vector per bag", "winners of one vector per bag"])
@given(data=st.data())
def test_dot_rows_multiplies_rows_by_their_gradients(data: st.DataObject, dtype: str, form: str) -> None:
    gradient = data.draw(gradients(data.draw(st.sampled_from(DIMS)), dtype, form))
    value = data.draw(matrices(*gradient.shape, dtype))
    vectors = reference.gradient_vectors(
        gradient.ids, gradient.values, gradient.sources, gradient.winners, gradient.places
    )
    products = BACKEND.dot_rows(Table(value), gradient)
    assert products.dtype == dtype
    assert_close(products, reference.dot_rows(value, gradient.ids, vectors), TOLERANCE[dtype])


def test_no_bags_give_an_array_without_rows() -> None:
    bags = BACKEND.gather_bags(Table(np.ones((3, 2), "float32")), np.zeros(0, "int64"), np.zeros(1, "int64"), None)
    assert bags.shape == (0, 2)


class Vocabularies(NamedTuple):
    """Ids of several vocabularies that lie under each other, as `offset_ids` takes them and as `offset_bags` does."""

    ids: Array
    values: Array
    offsets: Array
    input_dims: Array
    row_offsets: Array


def make_vocabularies(samples: int, count: int, id_type: str, seed: int = 0) -> Vocabularies:
    """Random ids and bags; the vocabularies have 1 to 20 rows and the bags up to 3 ids."""
    random = np.random.default_rng(seed)
    input_dims = random.integers(1, 21, count)
    lengths = random.integers(0, 4, (count, samples))
    ends = np.cumsum(lengths.reshape(-1)).reshape(count, samples)
    offsets = np.concatenate([ends[:, :1] - lengths[:, :1], ends], axis=1) if samples else np.zeros((count, 1), int)
    values = random.integers(0, np.repeat(input_dims, lengths.sum(axis=1)))
    ids = random.integers(0, input_dims, (samples, count))
    row_offsets = np.cumsum(input_dims) - input_dims
    return Vocabularies(ids.astype(id_type), values.astype(id_type), offsets, input_dims, row_offsets)


vocabularies = st.builds(
    make_vocabularies,
    samples=st.integers(0, 8),
    count=st.integers(1, 5),
    id_type=st.sampled_from(KERNEL_TYPES),
    seed=st.integers(0, 2**32 - 1),
)


@given(drawn=vocabularies, data=st.data())
def test_offset_ids_finds_the_rows_of_some_columns(drawn: Vocabularies, data: st.DataObject) -> None:
    every = range(len(drawn.input_dims))
    columns = np.array(sorted(data.draw(st.sets(st.sampled_from(every), min_size=1))))
    offsets, sizes = drawn.row_offsets[columns], drawn.input_dims[columns]
    rows = BACKEND.offset_ids(drawn.ids, columns, offsets, sizes)
    assert_same_bits(rows, reference.offset_ids(drawn.ids, columns, offsets))


@given(drawn=vocabularies)
def test_offset_bags_brings_bags_into_the_order_of_the_samples(drawn: Vocabularies) -> None:
    ids, offsets = BACKEND.offset_bags(drawn.values, drawn.offsets, drawn.row_offsets, drawn.input_dims)
    bags = [ids[begin:end].tolist() for begin, end in pairwise(offsets)]
    assert bags == reference.offset_bags(drawn.values, drawn.offsets, drawn.row_offsets)


@given(data=st.data(), id_type=st.sampled_from(KERNEL_TYPES))
def test_group_gradient_orders_positions_by_id(data: st.DataObject, id_type: str) -> None:
    ids = data.draw(flat_ids(INPUT_DIM, id_type))
    gradient = RowGradient(ids, np.zeros((len(ids), 1), "float32"), (INPUT_DIM, 1))
    grouped = BACKEND.group_gradient(gradient)
    assert grouped.gradient is gradient
    assert [(int(key) >> 32, int(key) & 0xFFFFFFFF) for key in grouped.keys] == reference.group_gradient(ids)


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_sum_duplicates_gives_every_id_once_with_its_sum(data: st.DataObject, dtype: str, form: str) -> None:
    gradient = data.draw(gradients(data.draw(st.sampled_from(DIMS)), dtype, form))
    ids, sums = BACKEND.sum_duplicates(gradient)
    expected_ids, expected = sum_by_reference(gradient)
    assert ids.tolist() == expected_ids.tolist()
    assert sums.dtype == dtype
    assert_close(sums, expected, TOLERANCE[dtype])


@given(data=st.data())
def test_gradients_of_an_id_are_added_in_the_order_of_their_positions(data: st.DataObject) -> None:
    ids = data.draw(flat_ids(3, "int64", max_size=200))
    values = data.draw(matrices(len(ids), 3, "float32")) * np.float32(1e6) ** (np.arange(len(ids)) % 3)[:, None]
    _, sums = BACKEND.sum_duplicates(RowGradient(ids, values.astype("float32"), (3, 3)))
    in_order = np.zeros((3, 3), "float32")
    np.add.at(in_order, ids, values.astype("float32"))
    assert_same_bits(sums, in_order[np.unique(ids)])


def judge_update(rule: str, value: Array, gradient: RowGradient, step: int = 1, decay: float = 0.0) -> None:
    """Compare one update with the reference; rows without an id must keep their bits."""
    trained = make_trained(rule, value, step)
    before = trained.copy_bits()
    expected, expected_slots = reference.update_rows(
        rule, value, trained.slots, sum_by_reference(gradient), numbers_of(rule, decay), step
    )
    update_rows(trained, rule, gradient, 1 - RATE * decay)
    tolerance = TOLERANCE[value.dtype.name]
    assert_close(trained.table.value, expected, tolerance)
    for name, slot in trained.slots.items():
        assert_close(slot, expected_slots[name], tolerance)
    idle = np.setdiff1d(np.arange(INPUT_DIM), gradient.ids)
    for after, then in zip((trained.table.value, *trained.slots.values()), before, strict=True):
        assert_same_bits(after[idle], then[idle])


@pytest.mark.parametrize(("rule", "dtype"), DRAWN_RULES)
@settings(max_examples=12)
@given(data=st.data())
def test_update_rows_applies_the_rule_to_the_summed_gradient(data: st.DataObject, rule: str, dtype: str) -> None:
    columns = data.draw(st.sampled_from(DIMS))
    value = data.draw(matrices(INPUT_DIM, columns, dtype))
    gradient = data.draw(gradients(columns, dtype, "one vector per id"))
    judge_update(rule, value, gradient, data.draw(st.integers(1, 50)), data.draw(st.sampled_from(DECAYS)))


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_update_rows_takes_every_form_of_gradient(data: st.DataObject, form: str) -> None:
    columns = data.draw(st.sampled_from(DIMS))
    value = data.draw(matrices(INPUT_DIM, columns, "float32"))
    judge_update("adagrad", value, data.draw(gradients(columns, "float32", form)))


def test_a_gradient_of_another_float_type_is_brought_to_the_type_of_the_table() -> None:
    value, gradient = np.ones((2, 3), "float32"), np.full((1, 3), 0.5)
    trained = make_trained("sgd", value)
    update_rows(trained, "sgd", RowGradient(np.array([1]), gradient, (2, 3)))
    assert_same_bits(trained.table.value[1], np.full(3, 0.95, "float32"))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_spoils_its_row_and_no_other(number: float) -> None:
    trained = make_trained("adam", np.ones((3, 2), "float32"))
    update_rows(trained, "adam", RowGradient(np.array([1]), np.full((1, 2), number, "float32"), (3, 2)))
    assert np.isfinite(trained.table.value).all(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize(("rule", "dtype"), RULES_BY_TYPE)
@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 3, 4)], ids=str)
def test_update_dense_applies_the_rule_to_every_element(shape: tuple[int, ...], rule: str, dtype: str) -> None:
    random = np.random.default_rng(1)
    start, gradient = (np.asarray(random.standard_normal(shape)).astype(dtype) for _ in range(2))
    names = OPTIMIZERS[rule].slot_values()
    for decay in DECAYS:
        parameter = Parameter(start.copy())
        memory = parameter.value
        slots = {
            name: np.full(slot_shape(rule, name, start), 0.3 if name == "average" else 0.9, dtype) for name in names
        }
        rows, parts = (array.reshape(shape or (1,)) for array in (start, gradient))
        expected, expected_slots = reference.update_dense(rule, rows, slots, parts, numbers_of(rule, decay), 2)
        scalars = OPTIMIZERS[rule].scalars(RATE, 2)
        BACKEND.update_dense(parameter, gradient, rule, list(slots.values()), scalars, 1 - RATE * decay)
        assert parameter.value is memory
        assert_close(memory, expected.reshape(shape), TOLERANCE[dtype])
        for name, slot in slots.items():
            assert_close(slot, expected_slots[name].reshape(slot.shape), TOLERANCE[dtype])


# ---- The same bits for any number of threads


def many_ids(input_dim: int, count: int) -> Array:
    """Ids of which a third are one and the same, so that a row's gradients spread over several ranges."""
    ids = np.random.default_rng(3).integers(0, input_dim, count)
    ids[::3] = input_dim // 2
    return ids


def outcomes_by_threads(run: Callable[[], Sequence[Array]]) -> list[Sequence[Array]]:
    """What `run` returns with each number of threads; checks that so many ranges are really launched."""
    outcomes: list[Sequence[Array]] = []
    for count in THREADS:
        with many_threads(count) as launches:
            outcomes.append([array.copy() for array in run()])
        assert max(launches) == count
    return outcomes


def assert_all_alike(outcomes: list[Sequence[Array]]) -> None:
    """Check that every outcome has the bits of the first."""
    for outcome in outcomes[1:]:
        for array, first in zip(outcome, outcomes[0], strict=True):
            assert_same_bits(array, first)


@pytest.mark.parametrize("input_dim", [7, 50_000])
def test_lookups_have_the_same_bits_for_any_number_of_threads(input_dim: int) -> None:
    table = Table(np.random.default_rng(0).standard_normal((input_dim, 17)).astype("float32"))
    ids = many_ids(input_dim, 2_000)
    offsets = np.sort(np.append(np.random.default_rng(1).integers(0, 2_000, 99), [0, 2_000]))
    assert_all_alike(outcomes_by_threads(lambda: [BACKEND.gather_rows(table, ids)]))
    assert_all_alike(outcomes_by_threads(lambda: [BACKEND.gather_bags(table, ids, offsets, None)]))
    winners = np.empty((100, 17), np.int32)
    assert_all_alike(
        outcomes_by_threads(lambda: [BACKEND.gather_extremes(table, ids, offsets, None, "max", winners), winners])
    )
    vectors = np.random.default_rng(2).standard_normal((2_000, 17)).astype("float32")
    gradient = RowGradient(ids, vectors, (input_dim, 17))
    assert_all_alike(outcomes_by_threads(lambda: [BACKEND.dot_rows(table, gradient)]))


def test_offsets_are_the_same_for_any_number_of_threads() -> None:
    drawn = make_vocabularies(500, 3, "int64")
    ids, columns = drawn.ids, np.arange(3)
    shared = (drawn.row_offsets, drawn.input_dims)
    assert_all_alike(outcomes_by_threads(lambda: [BACKEND.offset_ids(ids, columns, *shared)]))
    assert_all_alike(outcomes_by_threads(lambda: BACKEND.offset_bags(drawn.values, drawn.offsets, *shared)))


@pytest.mark.parametrize("input_dim", [1, 7, 50_000])
def test_sums_have_the_same_bits_for_any_number_of_threads(input_dim: int) -> None:
    ids = many_ids(input_dim, 150_000)  # sums are split into blocks of 16384 positions
    values = np.random.default_rng(0).standard_normal((len(ids), 3)).astype("float32")
    gradient = RowGradient(ids, values, (input_dim, 3))
    assert_all_alike(outcomes_by_threads(lambda: BACKEND.sum_duplicates(gradient)))


@pytest.mark.parametrize("rule", ["sgd", "adagrad", "adam"])
@pytest.mark.parametrize("input_dim", [1, 7, 5_000])
def test_updates_have_the_same_bits_for_any_number_of_threads(rule: str, input_dim: int) -> None:
    ids = many_ids(input_dim, 2_000)
    values = np.random.default_rng(0).standard_normal((len(ids), 16)).astype("float32")
    gradient = RowGradient(ids, values, (input_dim, 16))

    def train() -> list[Array]:
        trained = make_trained(rule, np.ones((input_dim, 16), "float32"))
        for _ in range(2):
            update_rows(trained, rule, gradient)
        return trained.copy_bits()

    assert_all_alike(outcomes_by_threads(train))


def test_dense_updates_and_random_rows_have_the_same_bits_for_any_number_of_threads() -> None:
    gradient = np.random.default_rng(0).standard_normal((100, 3)).astype("float32")

    def train() -> list[Array]:
        parameter, drawn = Parameter(np.ones((100, 3), "float32")), np.empty((100, 3), "float32")
        BACKEND.update_dense(parameter, gradient, "sgd", [], (0.1,))
        BACKEND.fill_random(drawn, 1, "uniform", (0.0, 1.0))
        return [parameter.value, drawn]

    assert_all_alike(outcomes_by_threads(train))


def test_fill_random_draws_the_rows_of_a_stream_from_its_first_row_on() -> None:
    whole, part = np.empty((9, 3), "float32"), np.empty((4, 3), "float32")
    BACKEND.fill_random(whole, 5, "uniform", (0.0, 1.0))
    BACKEND.fill_random(part, 5, "uniform", (0.0, 1.0), first_row=5)
    assert_same_bits(part, whole[5:])


# ---- Ids that are no rows


def bad_id(kind: int | str, dtype: str) -> int:
    """The bad id, where it is named by its place in the type."""
    limits = np.iinfo(dtype)
    return {"least": int(limits.min), "most": int(limits.max)}[kind] if isinstance(kind, str) else kind


BAD_PLACES = list(product(BAD_IDS, KERNEL_TYPES, (0, 40, 99)))


@pytest.mark.parametrize(("kind", "dtype", "place"), BAD_PLACES, ids=str)
def test_an_id_that_is_no_row_is_refused_with_its_place_and_changes_nothing(
    kind: int | str, dtype: str, place: int
) -> None:
    ids = (np.arange(100) % INPUT_DIM).astype(dtype)
    ids[place] = bad_id(kind, dtype)
    trained = make_trained("adagrad", np.ones((INPUT_DIM, 3), "float32"))
    before = trained.copy_bits()
    gradient = RowGradient(ids, np.ones((100, 3), "float32"), (INPUT_DIM, 3))
    refused: list[Callable[[], Any]] = [
        lambda: BACKEND.gather_rows(trained.table, ids),
        lambda: BACKEND.gather_bags(trained.table, ids, np.arange(101), None),
        lambda: BACKEND.gather_extremes(trained.table, ids, np.arange(101), None),
        lambda: BACKEND.dot_rows(trained.table, gradient),
        lambda: BACKEND.group_gradient(gradient),
        lambda: BACKEND.sum_duplicates(gradient),
        lambda: update_rows(trained, "adagrad", gradient),
    ]
    for operation, threads in product(refused, (1, 3)):
        with many_threads(threads), pytest.raises(IdsOutOfRangeError) as caught:
            operation()
        assert caught.value.position == place
        assert str(caught.value) == f"indices[{place}] = {ids[place]} is not in [0, {INPUT_DIM})"
    for after, then in zip((trained.table.value, *trained.slots.values()), before, strict=True):
        assert_same_bits(after, then)


@pytest.mark.parametrize("kind", ["row of the next", -1, "least", "most"])
@pytest.mark.parametrize("dtype", KERNEL_TYPES)
def test_an_id_beyond_its_own_vocabulary_is_refused_with_its_place(kind: int | str, dtype: str) -> None:
    sizes, row_offsets = np.array([5, 9]), np.array([0, 5])
    value = 5 if kind == "row of the next" else bad_id(kind, dtype)
    ids = np.tile(np.array([0, 5], dtype), (50, 1))
    ids[20, 0] = ids[40, 0] = value
    offsets = np.array([np.arange(51), np.arange(50, 101)])
    refused: list[tuple[int, Callable[[], Any]]] = [
        (40, lambda: BACKEND.offset_ids(ids, np.array([0, 1]), row_offsets, sizes)),
        (20, lambda: BACKEND.offset_bags(ids.T.reshape(-1), offsets, row_offsets, sizes)),
    ]
    for (place, operation), threads in product(refused, THREADS):
        with many_threads(threads), pytest.raises(IdsOutOfRangeError) as caught:
            operation()
        assert str(caught.value) == f"indices[{place}] = {value} is not in [0, 5)"


def test_the_first_of_several_bad_ids_is_named_for_any_number_of_threads() -> None:
    ids = np.zeros(100, "int64")
    ids[[20, 45, 90]] = -1
    for count in THREADS:
        with many_threads(count), pytest.raises(IdsOutOfRangeError, match=r"indices\[20\]"):
            BACKEND.gather_rows(Table(np.ones((2, 1), "float32")), ids)


def test_a_refused_step_of_two_tables_changes_neither() -> None:
    tables = [Table(np.ones((4, 2), "float32")) for _ in range(2)]
    good, bad = (RowGradient(np.array([row]), np.ones((1, 2), "float32"), (4, 2)) for row in (3, 4))
    optimizer = SGD(0.1)
    with pytest.raises(IndexError):
        optimizer.apply_gradients([(good, tables[0]), (bad, tables[1])])
    assert optimizer.iterations == 0
    for table in tables:
        assert_same_bits(table.value, np.ones((4, 2), "float32"))


def test_more_rows_than_a_sort_key_holds_are_refused() -> None:
    gradient = RowGradient(np.array([0]), np.ones((1, 1), "float32"), (1 << 32, 1))
    with pytest.raises(ValueError, match=r"up to 4294967295 rows. Received: input_dim=4294967296 and 1 ids"):
        BACKEND.group_gradient(gradient)


# ---- Tables past 2**31 elements


def map_sparse(folder: Path, shape: tuple[int, int], name: str) -> Array:
    """A matrix of zeros that takes up disk space only where it is written."""
    return np.memmap(folder / name, "float32", "w+", shape=shape)


@pytest.mark.parametrize(
    ("shape", "id_type"),
    [((1 << 28, 16), "int32"), ((1 << 28, 16), "int64"), (((1 << 32) - 1, 1), "int64")],
    ids=["2**32 elements, int32 ids", "2**32 elements, int64 ids", "2**32 - 1 rows"],
)
def test_rows_past_two_to_the_31_elements_are_found(tmp_path: Path, shape: tuple[int, int], id_type: str) -> None:
    value, slot = (map_sparse(tmp_path, shape, name) for name in ("table", "slot"))
    rows = np.array([0, shape[0] // 2, shape[0] // 2 + 1, shape[0] - 1])
    value[rows] = np.arange(1, 5, dtype="float32")[:, None]
    table, ids = Table(value), rows[[3, 0, 3, 1, 2]].astype(id_type)
    assert BACKEND.gather_rows(table, ids)[:, -1].tolist() == [4, 1, 4, 2, 3]
    assert BACKEND.gather_bags(table, ids, np.array([0, 3, 5]), None)[:, -1].tolist() == [9, 5]
    gradient = RowGradient(ids, np.ones((5, shape[1]), "float32"), shape)
    BACKEND.update_rows(table, BACKEND.group_gradient(gradient), "momentum", [slot], (1.0, 0.5))
    assert value[rows, -1].tolist() == [0, 1, 2, 2]
    assert slot[rows, -1].tolist() == [-1, -1, -1, -2]
    assert not value[rows[:-1] + 2].any()


# ---- The checking helpers, shown failing


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (np.ones(2), np.ones(3)),
        (np.ones(2), np.array([1.0, 1.1])),
        (np.array([np.nan]), np.array([1.0])),
        (np.array([np.inf]), np.array([np.inf])),
    ],
    ids=["shape", "value", "not a number", "infinite"],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_assert_close_fails_on_what_is_not_close(actual: Array, expected: Array) -> None:
    with pytest.raises(AssertionError):
        assert_close(actual, expected, 1e-3)


def test_assert_close_passes_on_empty_arrays() -> None:
    assert_close(np.ones((0, 3)), np.ones((0, 3)), 0.0)


@pytest.mark.parametrize(
    "other",
    [np.ones(3), np.ones((2, 1)), np.ones(2, "float32"), np.array([1.0, np.nextafter(1.0, 2.0)])],
    ids=["length", "rank", "type", "last bit"],
)
def test_assert_same_bits_fails_on_the_smallest_difference(other: Array) -> None:
    with pytest.raises(AssertionError):
        assert_same_bits(other, np.ones(2))


def test_assert_same_bits_tells_zero_from_minus_zero_and_knows_nan() -> None:
    assert_same_bits(np.array([np.nan]), np.array([np.nan]))
    with pytest.raises(AssertionError):
        assert_same_bits(np.array([0.0]), np.array([-0.0]))


def test_outcomes_that_differ_in_one_bit_are_noticed() -> None:
    with pytest.raises(AssertionError, match="bytes differ"):
        assert_all_alike([[np.zeros(2)], [np.array([0.0, 5e-324])]])


def test_work_that_stays_on_one_thread_is_noticed() -> None:
    with pytest.raises(AssertionError):
        outcomes_by_threads(lambda: [BACKEND.gather_rows(Table(np.ones((1, 1))), np.zeros(1, "int64"))])


@pytest.mark.parametrize("wrong", ["sgd", "nesterov"])
def test_a_reference_of_another_rule_is_noticed(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reference.STEPS, "momentum", reference.STEPS[wrong])
    gradient = RowGradient(np.array([1]), np.ones((1, 3), "float32"), (INPUT_DIM, 3))
    with pytest.raises(AssertionError, match="off by"):
        judge_update("momentum", np.ones((INPUT_DIM, 3), "float32"), gradient)
