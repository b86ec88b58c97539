"""`EmbeddingBag` with all its options at once, judged by a loop in float64: who takes part, what it gives, who learns.

An id of padding is left out, and so is id 0 with ``mask_zero``. Of the others, a bad one is what the policy makes of
it, and is left out if that is nothing or padding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from pullbacks import assert_pullback_agrees
from reference import assert_close, assert_same_bits

from fastembed_layer import EmbeddingBag, GradientTape, Ragged, optimizers, set_threads
from fastembed_layer.backends import launch
from fastembed_layer.tape import Cotangents, record

Array = np.ndarray[Any, Any]

ROWS, COLUMNS = 6, 3
COMBINERS = ("sum", "mean", "sqrtn", "max", "min")
SUMS = COMBINERS[:3]
VALUE = np.random.default_rng(1).normal(size=(ROWS, COLUMNS))
pytestmark = pytest.mark.filterwarnings("ignore:indices")


class Case(NamedTuple):
    """Options of a layer, and a batch for it."""

    options: dict[str, Any]
    bags: list[list[int]]
    weights: list[list[float]] | None

    @property
    def ragged(self) -> Ragged:
        return Ragged.from_lists(self.bags)

    @property
    def flat_weights(self) -> Array | None:
        """The weights, one after the other."""
        return None if self.weights is None else np.array([one for bag in self.weights for one in bag])

    def make(self, dtype: str = "float64", **more: Any) -> EmbeddingBag:
        layer = EmbeddingBag(ROWS, COLUMNS, dtype=dtype, embeddings_initializer=VALUE.astype(dtype), **self.options)
        layer.trainable_rows = more.get("trainable_rows")
        layer.build()
        return layer


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Every option, ids on both sides of the table, and weights whose sums are not near zero."""
    options = {
        "combiner": draw(st.sampled_from(COMBINERS)),
        "mask_zero": draw(st.booleans()),
        "padding_id": draw(st.sampled_from([None, -1, 0, 2, ROWS - 1])),
        "out_of_range": draw(st.sampled_from(["zero", "clip", "wrap", 0, 2])),
    }
    bags = draw(st.lists(st.lists(st.integers(-3, ROWS + 2), max_size=5), min_size=1, max_size=4))
    return Case(options, bags, draw(weights_for(bags)))


@st.composite
def weights_for(draw: st.DrawFn, bags: list[list[int]]) -> list[list[float]] | None:
    if not draw(st.booleans()):
        return None
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [random.uniform(0.5, 1.5, len(bag)).tolist() for bag in bags]


def find_row(row_id: int, options: dict[str, Any]) -> int | None:
    """The row that an id stands for; None if it takes no part."""
    padding, policy = options["padding_id"], options["out_of_range"]
    if row_id == padding or (options["mask_zero"] and row_id == 0):
        return None
    if not 0 <= row_id < ROWS:
        if policy == "zero":
            return None
        row_id = {"clip": min(max(row_id, 0), ROWS - 1), "wrap": row_id % ROWS}.get(policy, policy)
    return None if row_id == padding else row_id


class Kept(NamedTuple):
    """Those that take part: rows, weights, offsets of the bags, and positions among all ids."""

    rows: Array
    weights: Array
    offsets: Array
    positions: Array


def keep(case: Case) -> Kept:
    weights = case.flat_weights if case.weights is not None else np.ones(sum(map(len, case.bags)))
    rows, positions, offsets, position = [], [], [0], 0
    for bag in case.bags:
        for row_id in bag:
            row = find_row(row_id, case.options)
            if row is not None:
                rows.append(row)
                positions.append(position)
            position += 1
        offsets.append(len(rows))
    indices = np.array(positions, int)
    return Kept(np.array(rows, int), weights[indices], np.array(offsets), indices)


def combine(case: Case, table: Array) -> Array:
    kept, combiner = keep(case), case.options["combiner"]
    if combiner in SUMS:
        return reference.gather_bags(table, kept.rows, kept.offsets, kept.weights, combiner)
    return reference.gather_max(table, kept.rows, kept.offsets, kept.weights, combiner)[0]


def dense_gradient(case: Case, table: Array, d_bags: Array) -> Array:
    """The gradient of the table, as an array of its shape."""
    kept, combiner = keep(case), case.options["combiner"]
    d_table = np.zeros(table.shape)
    argmax = None
    if combiner not in SUMS:
        argmax = reference.gather_max(table, kept.rows, kept.offsets, kept.weights, combiner)[1]
    for bag in range(len(d_bags)):
        own = slice(kept.offsets[bag], kept.offsets[bag + 1])
        weights = kept.weights[own]
        divisor = {"mean": weights.sum(), "sqrtn": np.sqrt((weights**2).sum())}.get(combiner, 1.0)
        for index, (row, weight) in enumerate(zip(kept.rows[own], weights, strict=True)):
            won = 1.0 if argmax is None else argmax[bag] == index
            d_table[row] += won * weight / divisor * d_bags[bag]
    return d_table


def run(layer: EmbeddingBag, case: Case, d_bags: Array) -> tuple[Array, Any, Any]:
    """The output, and the gradients of table and weights behind a given gradient of the output."""
    weights = case.flat_weights
    with GradientTape() as tape:
        output = layer(case.ragged, weights)
        total = np.array((output * d_bags).sum())
        record([output], total, lambda d_total: Cotangents([d_bags * d_total]))
    gradients = tape.gradient(total, [layer.embeddings] + ([] if weights is None else [weights]))
    return output, gradients[0], None if weights is None else gradients[1]


def draw_d_bags(case: Case, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(len(case.bags), COLUMNS))


@settings(max_examples=100)
@given(case=cases(), dtype=st.sampled_from(["float32", "float64"]))
def test_bags_hold_what_the_options_leave_in_them(case: Case, dtype: str) -> None:
    layer = case.make(dtype)
    expected = combine(case, layer.embeddings.value)
    assert_close(layer(case.ragged, case.flat_weights), expected, 1e-6 if dtype == "float32" else 1e-12)
    assert_same_bits(layer.embeddings.array, VALUE.astype(dtype))


@settings(max_examples=60)
@given(case=cases())
def test_gradients_of_table_and_weights_agree_with_differences(case: Case) -> None:
    layer, weights = case.make(), case.flat_weights
    sources = [layer.embeddings] + ([] if weights is None else [weights])
    assert_pullback_agrees(lambda: layer(case.ragged, weights), sources, 1e-6)


@settings(max_examples=60)
@given(case=cases())
def test_ids_that_take_no_part_have_no_gradient_and_are_not_counted_twice(case: Case) -> None:
    layer, d_bags = case.make(), draw_d_bags(case)
    _, gradient, d_weights = run(layer, case, d_bags)
    assert_close(gradient.to_dense(), dense_gradient(case, VALUE, d_bags), 1e-12)
    assert set(gradient.ids.tolist()) <= set(keep(case).rows.tolist())
    padding = case.options["padding_id"]
    bad = [row_id for bag in case.bags for row_id in bag if not 0 <= row_id < ROWS and row_id != padding]
    assert layer.out_of_range_count == len(bad)
    if d_weights is not None:
        left_out = np.setdiff1d(np.arange(len(d_weights)), keep(case).positions)
        assert not d_weights[left_out].any()


@settings(max_examples=40)
@given(case=cases())
def test_an_array_of_ids_gives_what_its_lists_give(case: Case) -> None:
    length = max(map(len, case.bags))
    bags = [bag[:1] * (length - len(bag)) + bag if bag else [1] * length for bag in case.bags]
    layer, ids = case.make(), np.array(bags, "int32").reshape(len(bags), length)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, ids.shape)
    assert_same_bits(layer(ids, weights), layer(Ragged.from_lists(bags), weights.reshape(-1)))
    assert_same_bits(layer(ids.T.copy().T, weights.T.copy().T), layer(ids, weights))


def test_an_id_too_many_in_a_bag_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"combiner": "mean", "mask_zero": True, "padding_id": 2, "out_of_range": "zero"}
    case = Case(options, [[1, 2, 3, 0]], None)
    monkeypatch.setitem(globals(), "find_row", lambda row_id, options: row_id)
    with pytest.raises(AssertionError, match="off by"):
        assert_close(case.make()(case.ragged), combine(case, VALUE), 1e-6)


@pytest.mark.parametrize("padding", [-(2**40), -(2**63)])
def test_padding_that_the_type_of_the_ids_does_not_hold_is_in_no_bag(padding: int) -> None:
    case = Case({"padding_id": padding}, [], None)
    assert_close(case.make()(np.array([[1, 2]], "int32")), VALUE[[1, 2]].mean(axis=0)[None], 1e-12)
    assert_close(case.make()(np.array([[1, 2, padding]])), VALUE[[1, 2]].mean(axis=0)[None], 1e-12)


# ---- Training


class DenseAdam:
    """Adam over the whole table, in which rows that do not train, and their slots, keep still."""

    def __init__(self, start: Array, rate: float):
        self.w, self.m, self.v, self.rate = start.astype(float), np.zeros(start.shape), np.zeros(start.shape), rate

    def step(self, g: Array, t: int, trains: Array) -> None:
        m, v = 0.9 * self.m + 0.1 * g, 0.999 * self.v + 0.001 * g**2
        alpha = self.rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        self.m, self.v = np.where(trains, m, self.m), np.where(trains, v, self.v)
        self.w = np.where(trains, self.w - alpha * m / (np.sqrt(v) + 1e-7), self.w)


@st.composite
def trainings(draw: st.DrawFn) -> list[tuple[Case, list[int] | None]]:
    """Batches for one set of options, each with the rows that train in that step."""
    first = draw(cases())
    frozen = st.none() | st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=ROWS, unique=True)
    steps = [(first, draw(frozen))]
    for _ in range(draw(st.integers(1, 5))):
        bags = draw(st.lists(st.lists(st.integers(-3, ROWS + 2), max_size=4), min_size=1, max_size=3))
        steps.append((Case(first.options, bags, draw(weights_for(bags))), draw(frozen)))
    return steps


@settings(max_examples=60)
@given(steps=trainings())
def test_exact_adam_trains_bags_like_its_dense_self_with_rows_that_freeze_and_thaw(steps: Any) -> None:
    layer, optimizer, judge = steps[0][0].make(), optimizers.Adam(0.1), DenseAdam(VALUE, 0.1)
    padding = steps[0][0].options["padding_id"]
    for t, (case, rows) in enumerate(steps, start=1):
        layer.trainable_rows = rows
        trains = np.isin(np.arange(ROWS), np.arange(ROWS) if rows is None else rows)[:, None]
        if padding is not None and padding >= 0:
            trains[padding] = False
        d_bags = draw_d_bags(case, t)
        output, gradient, _ = run(layer, case, d_bags)
        assert_close(output, combine(case, judge.w), 1e-9)
        optimizer.apply_gradients([(gradient, layer.embeddings)])
        judge.step(np.where(trains, dense_gradient(case, judge.w, d_bags), 0), t, trains)
    assert_close(layer.get_weights()[0], judge.w, 1e-9)


@pytest.mark.parametrize("combiner", COMBINERS)
@pytest.mark.parametrize("update", ["exact", "lazy"])
def test_the_bits_are_those_of_one_thread(combiner: str, update: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "BYTES_PER_THREAD", 256)
    random = np.random.default_rng(0)
    batches = [random.integers(-2, ROWS + 2, (200, 7)) for _ in range(4)]
    weights = random.uniform(0.5, 1.5, (200, 7))
    options = {"combiner": combiner, "mask_zero": True, "padding_id": -1, "out_of_range": "zero"}

    def train(threads: int) -> list[Array]:
        set_threads(threads)
        layer = Case(options, [], None).make("float32", trainable_rows=[0, 2, 3, 5])
        optimizer, kept = optimizers.Adam(0.1, update=update), []
        for ids in batches:
            with GradientTape() as tape:
                output = layer(ids, weights)
            gradients = tape.gradient(output, [layer.embeddings, weights])
            optimizer.apply_gradients([(gradients[0], layer.embeddings)])
            kept += [output, gradients[1]]
        return [*kept, *layer.get_weights()]

    alone = train(1)
    for threads in (2, 3, 8):
        for one, many in zip(alone, train(threads), strict=True):
            assert_same_bits(many, one)
