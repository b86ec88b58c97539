"""Every operation of every backend: judged by the reference, with bad ids, and past 2**31 elements.

`pytest --backends=cpu,cuda-on-cpu,cuda` names the backends; one that is named has to run.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from devices import Device
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import assert_close, assert_same_bits
from strategies import DIMS, KERNEL_TYPES, bag_offsets, flat_ids, matrices
from training import (
    DECAYS,
    DRAWN_RULES,
    FORMS,
    INPUT_DIM,
    OPTIMIZERS,
    RATE,
    RULES_BY_TYPE,
    TABLE_TYPES,
    TOLERANCE,
    Vocabularies,
    gradients,
    make_trained,
    make_vocabularies,
    numbers_of,
    slot_shape,
    sum_by_reference,
    update_rows,
)

from fastembed_layer import RowGradient
from fastembed_layer.backends import sorting
from fastembed_layer.backends.contract import IdsOutOfRangeError, Step
from fastembed_layer.backends.dispatch import backend_for
from fastembed_layer.kernels.rules import RULES
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

BAD_IDS = (INPUT_DIM, -1, "least", "most")


def test_every_rule_has_a_reference_and_an_optimizer() -> None:
    assert set(RULES) == set(reference.STEPS) == set(OPTIMIZERS)
    assert {rule: optimizer.rule for rule, optimizer in OPTIMIZERS.items()} == {rule: rule for rule in RULES}


def test_the_backend_runs_here(refusal: str | None) -> None:
    if refusal is not None:
        pytest.skip(refusal)


# ---- Judged by the reference


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("id_type", KERNEL_TYPES)
@given(data=st.data())
def test_gather_rows_copies_the_row_of_each_id(device: Device, data: st.DataObject, dtype: str, id_type: str) -> None:
    value = data.draw(matrices(INPUT_DIM, data.draw(st.sampled_from(DIMS)), dtype))
    ids = data.draw(flat_ids(INPUT_DIM, id_type))
    rows = device.gather_rows(Table(value), ids)
    assert_same_bits(rows, reference.gather_rows(value, ids).astype(dtype))


def test_gather_rows_fills_the_array_it_is_given(device: Device) -> None:
    value, ids = np.arange(6.0, dtype="float32").reshape(3, 2), np.array([2, 0])
    out = np.empty((2, 2), "float32")
    assert device.gather_rows(Table(value), ids, out) is out
    assert_same_bits(out, value[ids])


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("has_scales", [False, True], ids=["plain", "scaled"])
@given(data=st.data())
def test_gather_bags_sums_the_rows_of_each_bag(
    device: Device, data: st.DataObject, dtype: str, has_scales: bool
) -> None:
    value = data.draw(matrices(INPUT_DIM, data.draw(st.sampled_from(DIMS)), dtype))
    ids = data.draw(flat_ids(INPUT_DIM, data.draw(st.sampled_from(KERNEL_TYPES))))
    scales = data.draw(matrices(len(ids), 1, dtype)).reshape(-1) if has_scales else None
    offsets = data.draw(bag_offsets(len(ids)))
    combiner = data.draw(st.sampled_from(["sum", "mean", "sqrtn"]))
    if scales is not None and combiner == "mean":
        scales = np.abs(scales)  # the mean by numbers that nearly cancel is large and loses its digits
    bags = device.gather_bags(Table(value), ids, offsets, scales, combiner)
    assert bags.dtype == dtype
    assert_close(bags, reference.gather_bags(value, ids, offsets, scales, combiner), TOLERANCE[dtype])


@pytest.mark.parametrize(("combiner", "expected"), [("sum", [1, 1, 1]), ("mean", [3, 0.5, np.inf])])
def test_gather_bags_tells_what_it_divided_by(device: Device, combiner: str, expected: list[float]) -> None:
    ids, scales, divisors = np.array([0, 1, 0, 1]), np.array([1.0, 2, 0.5, 0], "float32"), np.empty(3, "float32")
    bags = device.gather_bags(
        Table(np.ones((2, 1), "float32")), ids, np.array([0, 2, 3, 4]), scales, combiner, divisors
    )
    assert divisors.tolist() == expected
    assert bags[2] == 0


def test_bags_whose_scales_cancel_are_zero(device: Device) -> None:
    scales = np.array([1.0, -1.0], "float32")
    for combiner, expected in (("mean", 0.0), ("sqrtn", -1 / np.sqrt(2))):
        bags = device.gather_bags(
            Table(np.array([[1.0], [2.0]], "float32")), np.arange(2), np.array([0, 2]), scales, combiner
        )
        np.testing.assert_allclose(bags, [[expected]], rtol=1e-6)


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("has_scales", [False, True], ids=["plain", "scaled"])
@given(data=st.data())
def test_gather_max_keeps_the_first_of_the_largest(
    device: Device, data: st.DataObject, dtype: str, has_scales: bool
) -> None:
    value = data.draw(matrices(INPUT_DIM, data.draw(st.sampled_from(DIMS)), dtype)).round(1)  # so that some are equal
    ids = data.draw(flat_ids(INPUT_DIM))
    scales = data.draw(matrices(len(ids), 1, dtype)).reshape(-1).round() if has_scales else None
    offsets, combiner = data.draw(bag_offsets(len(ids))), data.draw(st.sampled_from(["max", "min"]))
    argmax = np.empty((len(offsets) - 1, value.shape[1]), np.int32)
    bags = device.gather_max(Table(value), ids, offsets, scales, combiner, argmax)
    expected, expected_argmax = reference.gather_max(value, ids, offsets, scales, combiner)
    np.testing.assert_array_equal(argmax, expected_argmax)
    assert_close(bags, expected, TOLERANCE[dtype])
    assert_same_bits(device.gather_max(Table(value), ids, offsets, scales, combiner), bags)


@pytest.mark.parametrize("combiner", ["max", "min"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_extreme_of_what_is_not_a_number_is_not_a_number(device: Device, combiner: str, position: int) -> None:
    value = np.zeros((3, 17), "float32")
    value[position] = np.nan
    for argmax in (None, np.empty((1, 17), np.int32)):
        bags = device.gather_max(Table(value), np.arange(3), np.array([0, 3]), None, combiner, argmax)
        assert np.isnan(bags).all()
        assert argmax is None or (argmax == position).all()


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("form", ["one vector per id", "one scaled vector per bag", "argmax of one vector per bag"])
@given(data=st.data())
def test_dot_rows_multiplies_rows_by_their_gradients(
    device: Device, data: st.DataObject, dtype: str, form: str
) -> None:
    gradient = data.draw(gradients(data.draw(st.sampled_from(DIMS)), dtype, form))
    value = data.draw(matrices(*gradient.shape, dtype))
    vectors = reference.gradient_vectors(
        gradient.ids, gradient.values, gradient.sources, gradient.argmax, gradient.bag_positions
    )
    products = device.dot_rows(Table(value), gradient)
    assert products.dtype == dtype
    assert_close(products, reference.dot_rows(value, gradient.ids, vectors), TOLERANCE[dtype])


def test_no_bags_give_an_array_without_rows(device: Device) -> None:
    bags = device.gather_bags(Table(np.ones((3, 2), "float32")), np.zeros(0, "int64"), np.zeros(1, "int64"), None)
    assert bags.shape == (0, 2)


def make_directory(sets: int, ids: Array) -> tuple[Array, Array]:
    """A directory in which the sets of some ids hold them, as far as they have places, and stamps."""
    tags = np.full((sets, 32), -1)
    for row_id, position in zip(ids, reference.find_locations(tags, ids), strict=True):
        ways = np.flatnonzero(tags[-1 - position] == -1)
        tags[-1 - position, ways[-1:]] = row_id
    return tags, np.random.default_rng(1).integers(0, 99, tags.shape)


@given(
    sets=st.integers(1, 5),
    present=st.sets(st.integers(0, 299), max_size=99),
    asked=st.lists(st.integers(0, 299), max_size=40),
    id_type=st.sampled_from(KERNEL_TYPES),
    tick=st.sampled_from([None, 0, 200]),
)
def test_find_locations_finds_the_rows_of_a_cache_and_stamps_them(
    device: Device, sets: int, present: set[int], asked: list[int], id_type: str, tick: int | None
) -> None:
    tags, stamps = make_directory(sets, np.array(sorted(present), np.int64))
    before, ids = stamps.copy().reshape(-1), np.array(asked, id_type)
    locations = device.find_locations(tags, stamps, ids, 300, tick)
    assert locations.tolist() == reference.find_locations(tags, ids)
    found, uses = np.unique(locations[locations >= 0], return_counts=True)
    before[found] = before[found] + uses if tick is None else tick
    assert_same_bits(stamps, before.reshape(sets, 32))


@pytest.mark.parametrize(("sets", "row_id"), [(1, 0), (7, 2**32 - 2), (2**20 + 1, 2**31 + 5)])
def test_the_set_of_a_large_id_is_that_of_the_reference(device: Device, sets: int, row_id: int) -> None:
    tags, ids = np.full((sets, 32), -1), np.array([row_id, 1])
    locations = device.find_locations(tags, np.zeros_like(tags), ids, 2**32 - 1, 1)
    assert locations.tolist() == reference.find_locations(tags[:, :0], ids)


vocabularies = st.builds(
    make_vocabularies,
    samples=st.integers(0, 8),
    count=st.integers(1, 5),
    id_type=st.sampled_from(KERNEL_TYPES),
    seed=st.integers(0, 2**32 - 1),
)


@given(drawn=vocabularies, data=st.data())
def test_offset_ids_finds_the_rows_of_some_columns(device: Device, drawn: Vocabularies, data: st.DataObject) -> None:
    every = range(len(drawn.input_dims))
    columns = np.array(sorted(data.draw(st.sets(st.sampled_from(every), min_size=1))))
    offsets, sizes = drawn.row_offsets[columns], drawn.input_dims[columns]
    rows = device.offset_ids(drawn.ids, columns, offsets, sizes)
    assert_same_bits(rows, reference.offset_ids(drawn.ids, columns, offsets))


@given(drawn=vocabularies)
def test_offset_bags_brings_bags_into_the_order_of_the_samples(device: Device, drawn: Vocabularies) -> None:
    ids, offsets = device.offset_bags(drawn.values, drawn.offsets, drawn.row_offsets, drawn.input_dims)
    bags = [ids[begin:end].tolist() for begin, end in pairwise(offsets)]
    assert bags == reference.offset_bags(drawn.values, drawn.offsets, drawn.row_offsets)


@given(data=st.data(), id_type=st.sampled_from(KERNEL_TYPES))
def test_group_gradient_orders_positions_by_id(device: Device, data: st.DataObject, id_type: str) -> None:
    ids = data.draw(flat_ids(INPUT_DIM, id_type))
    gradient = RowGradient(ids, np.zeros((len(ids), 1), "float32"), (INPUT_DIM, 1))
    grouped = device.group_gradient(gradient)
    assert grouped.gradient is gradient
    assert [(int(key) >> 32, int(key) & 0xFFFFFFFF) for key in grouped.keys] == reference.group_gradient(ids)


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_sum_duplicates_gives_every_id_once_with_its_sum(
    device: Device, data: st.DataObject, dtype: str, form: str
) -> None:
    gradient = data.draw(gradients(data.draw(st.sampled_from(DIMS)), dtype, form))
    ids, sums = device.sum_duplicates(gradient)
    expected_ids, expected = sum_by_reference(gradient)
    assert ids.tolist() == expected_ids.tolist()
    assert sums.dtype == dtype
    assert_close(sums, expected, TOLERANCE[dtype])


@given(data=st.data())
def test_gradients_of_an_id_are_added_in_the_order_of_their_positions(device: Device, data: st.DataObject) -> None:
    ids = data.draw(flat_ids(3, "int64", max_size=200))
    values = data.draw(matrices(len(ids), 3, "float32")) * np.float32(1e6) ** (np.arange(len(ids)) % 3)[:, None]
    _, sums = device.sum_duplicates(RowGradient(ids, values.astype("float32"), (3, 3)))
    in_order = np.zeros((3, 3), "float32")
    np.add.at(in_order, ids, values.astype("float32"))
    assert_same_bits(sums, in_order[np.unique(ids)])


def judge_update(
    device: Device, rule: str, value: Array, gradient: RowGradient, step: int = 1, decay: float = 0.0
) -> None:
    """Compare one update with the reference; rows without an id must keep their bits."""
    trained = make_trained(rule, value, step)
    before = trained.copy_bits()
    expected, expected_slots = reference.update_rows(
        rule, value, trained.slots, sum_by_reference(gradient), numbers_of(rule, decay), step
    )
    update_rows(device, trained, rule, gradient, 1 - RATE * decay)
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
def test_update_rows_applies_the_rule_to_the_summed_gradient(
    device: Device, data: st.DataObject, rule: str, dtype: str
) -> None:
    columns = data.draw(st.sampled_from(DIMS))
    value = data.draw(matrices(INPUT_DIM, columns, dtype))
    gradient = data.draw(gradients(columns, dtype, "one vector per id"))
    judge_update(device, rule, value, gradient, data.draw(st.integers(1, 50)), data.draw(st.sampled_from(DECAYS)))


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_update_rows_takes_every_form_of_gradient(device: Device, data: st.DataObject, form: str) -> None:
    columns = data.draw(st.sampled_from(DIMS))
    value = data.draw(matrices(INPUT_DIM, columns, "float32"))
    with pytest.MonkeyPatch.context() as patch:  # on the CPU large batches are sorted in another way
        patch.setattr(sorting, "SMALL_SORT", data.draw(st.sampled_from([0, sorting.SMALL_SORT])))
        judge_update(device, "adagrad", value, data.draw(gradients(columns, "float32", form)))


def test_a_gradient_of_another_float_type_is_brought_to_the_type_of_the_table(device: Device) -> None:
    value, gradient = np.ones((2, 3), "float32"), np.full((1, 3), 0.5)
    trained = make_trained("sgd", value)
    update_rows(device, trained, "sgd", RowGradient(np.array([1]), gradient, (2, 3)))
    assert_same_bits(trained.table.value[1], np.full(3, 0.95, "float32"))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_spoils_its_row_and_no_other(device: Device, number: float) -> None:
    trained = make_trained("adam", np.ones((3, 2), "float32"))
    update_rows(device, trained, "adam", RowGradient(np.array([1]), np.full((1, 2), number, "float32"), (3, 2)))
    assert np.isfinite(trained.table.value).all(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize(("rule", "dtype"), RULES_BY_TYPE)
@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 3, 4)], ids=str)
def test_update_dense_applies_the_rule_to_every_element(
    device: Device, shape: tuple[int, ...], rule: str, dtype: str
) -> None:
    random = np.random.default_rng(1)
    start, gradient = (np.asarray(random.standard_normal(shape)).astype(dtype) for _ in range(2))
    names = OPTIMIZERS[rule].slot_values()
    for decay in DECAYS:
        parameter = Parameter(start.copy())
        memory = parameter.value
        slots = {
            name: np.full(slot_shape(rule, name, start), 0.3 if name in ("average", "grad_avg") else 0.9, dtype)
            for name in names
        }
        rows, parts = (array.reshape(shape or (1,)) for array in (start, gradient))
        expected, expected_slots = reference.update_dense(rule, rows, slots, parts, numbers_of(rule, decay), 2)
        scalars = OPTIMIZERS[rule].scalars(RATE, 2)
        device.update_dense(parameter, gradient, Step(rule, list(slots.values()), scalars, 1 - RATE * decay))
        assert parameter.value is memory
        assert_close(memory, expected.reshape(shape), TOLERANCE[dtype])
        for name, slot in slots.items():
            assert_close(slot, expected_slots[name].reshape(slot.shape), TOLERANCE[dtype])


def test_fill_random_draws_the_rows_of_a_stream_from_its_first_row_on(device: Device) -> None:
    whole, part = np.empty((9, 3), "float32"), np.empty((4, 3), "float32")
    device.fill_random(whole, 5, "uniform", (0.0, 1.0))
    device.fill_random(part, 5, "uniform", (0.0, 1.0), first_row=5)
    assert_same_bits(part, whole[5:])


@pytest.mark.parametrize("dtype", TABLE_TYPES)
@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
def test_every_backend_draws_the_bits_of_the_cpu(device: Device, distribution: str, dtype: str) -> None:
    """A million normal numbers reach far into both tails."""
    drawn, expected = (np.empty((20_000, 51), dtype) for _ in range(2))
    for backend, out in ((device, drawn), (backend_for("cpu:0"), expected)):
        backend.fill_random(out, 2**63 + 5, distribution, (-0.5, 1.5), first_row=2**32 - 7)
    assert_same_bits(drawn, expected)


# ---- Ids that are no rows


def bad_id(kind: int | str, dtype: str) -> int:
    """The bad id, where it is named by its place in the type."""
    limits = np.iinfo(dtype)
    return {"least": int(limits.min), "most": int(limits.max)}[kind] if isinstance(kind, str) else kind


BAD_POSITIONS = list(product(BAD_IDS, KERNEL_TYPES, (0, 40, 99)))


@pytest.mark.parametrize(("kind", "dtype", "position"), BAD_POSITIONS, ids=str)
def test_an_id_that_is_no_row_is_refused_with_its_place_and_changes_nothing(
    device: Device, kind: int | str, dtype: str, position: int
) -> None:
    ids = (np.arange(100) % INPUT_DIM).astype(dtype)
    ids[position] = bad_id(kind, dtype)
    trained = make_trained("adagrad", np.ones((INPUT_DIM, 3), "float32"))
    before = trained.copy_bits()
    gradient = RowGradient(ids, np.ones((100, 3), "float32"), (INPUT_DIM, 3))
    tags, stamps = make_directory(2, np.arange(INPUT_DIM))
    old_stamps = stamps.copy()
    refused: list[Callable[[], Any]] = [
        lambda: device.gather_rows(trained.table, ids),
        lambda: device.gather_bags(trained.table, ids, np.arange(101), None),
        lambda: device.gather_max(trained.table, ids, np.arange(101), None),
        lambda: device.dot_rows(trained.table, gradient),
        lambda: device.group_gradient(gradient),
        lambda: device.sum_duplicates(gradient),
        lambda: update_rows(device, trained, "adagrad", gradient),
        lambda: device.find_locations(tags, stamps, ids, INPUT_DIM),
    ]
    for operation in refused:
        with pytest.raises(IdsOutOfRangeError) as caught:
            operation()
        assert caught.value.position == position
        assert str(caught.value) == f"indices[{position}] = {ids[position]} is not in [0, {INPUT_DIM})"
    assert_same_bits(stamps, old_stamps)
    for after, then in zip((trained.table.value, *trained.slots.values()), before, strict=True):
        assert_same_bits(after, then)


@pytest.mark.parametrize("kind", ["row of the next", -1, "least", "most"])
@pytest.mark.parametrize("dtype", KERNEL_TYPES)
def test_an_id_beyond_its_own_vocabulary_is_refused_with_its_place(device: Device, kind: int | str, dtype: str) -> None:
    sizes, row_offsets = np.array([5, 9]), np.array([0, 5])
    value = 5 if kind == "row of the next" else bad_id(kind, dtype)
    ids = np.tile(np.array([0, 5], dtype), (50, 1))
    ids[20, 0] = ids[40, 0] = value
    offsets = np.array([np.arange(51), np.arange(50, 101)])
    refused: list[tuple[int, Callable[[], Any]]] = [
        (40, lambda: device.offset_ids(ids, np.array([0, 1]), row_offsets, sizes)),
        (20, lambda: device.offset_bags(ids.T.reshape(-1), offsets, row_offsets, sizes)),
    ]
    for position, operation in refused:
        with pytest.raises(IdsOutOfRangeError) as caught:
            operation()
        assert str(caught.value) == f"indices[{position}] = {value} is not in [0, 5)"


def test_the_first_of_several_bad_ids_is_named(device: Device) -> None:
    ids = np.zeros(100, "int64")
    ids[[20, 45, 90]] = -1
    with pytest.raises(IdsOutOfRangeError, match=r"indices\[20\]"):
        device.gather_rows(Table(np.ones((2, 1), "float32")), ids)


def test_more_rows_than_a_sort_key_holds_are_refused(device: Device) -> None:
    gradient = RowGradient(np.array([0]), np.ones((1, 1), "float32"), (1 << 32, 1))
    with pytest.raises(ValueError, match=r"up to 4294967295 rows. Received: input_dim=4294967296 and 1 ids"):
        device.group_gradient(gradient)


# ---- Tables past 2**31 elements


def map_sparse(folder: Path, shape: tuple[int, int], name: str) -> Array:
    """A matrix of zeros that takes up disk space only where it is written."""
    return np.memmap(folder / name, "float32", "w+", shape=shape)


@pytest.mark.parametrize(
    ("shape", "id_type"),
    [((1 << 28, 16), "int32"), ((1 << 28, 16), "int64"), (((1 << 32) - 1, 1), "int64")],
    ids=["2**32 elements, int32 ids", "2**32 elements, int64 ids", "2**32 - 1 rows"],
)
def test_rows_past_two_to_the_31_elements_are_found(
    device: Device, tmp_path: Path, shape: tuple[int, int], id_type: str
) -> None:
    value, slot = (map_sparse(tmp_path, shape, name) for name in ("table", "slot"))
    rows = np.array([0, shape[0] // 2, shape[0] // 2 + 1, shape[0] - 1])
    value[rows] = np.arange(1, 5, dtype="float32")[:, None]
    table, ids = Table(value), rows[[3, 0, 3, 1, 2]].astype(id_type)
    assert device.gather_rows(table, ids)[:, -1].tolist() == [4, 1, 4, 2, 3]
    assert device.gather_bags(table, ids, np.array([0, 3, 5]), None)[:, -1].tolist() == [9, 5]
    gradient = RowGradient(ids, np.ones((5, shape[1]), "float32"), shape)
    device.update_rows(table, device.group_gradient(gradient), Step("momentum", [slot], (1.0, 0.5)))
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


@pytest.mark.parametrize("wrong", ["sgd", "nesterov"])
def test_a_reference_of_another_rule_is_noticed(device: Device, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reference.STEPS, "momentum", reference.STEPS[wrong])
    gradient = RowGradient(np.array([1]), np.ones((1, 3), "float32"), (INPUT_DIM, 3))
    with pytest.raises(AssertionError, match="off by"):
        judge_update(device, "momentum", np.ones((INPUT_DIM, 3), "float32"), gradient)
