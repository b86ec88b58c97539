"""The state of an optimizer, saved and read back: training goes on with the same bits; and long histories at once.

The machine at the end mixes steps, lookups, whole reads, saving, resuming, other rates and frozen rows, and holds
every outcome against the dense optimizer in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from every_optimizer import EVERY
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import assert_same_bits
from test_exact import CASES, COLUMNS, NAMES, ROWS, look_up, start_table, to_dense

from fastembed_layer import Embedding, GradientTape, RowGradient, optimizers
from fastembed_layer.optimizers import SGD, Adam
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]


def draw_gradient(rng: np.random.Generator, table: Table) -> RowGradient:
    ids = rng.integers(0, ROWS, rng.integers(0, 6))
    return RowGradient(ids, rng.normal(size=(len(ids), COLUMNS)).astype(table.dtype), (ROWS, COLUMNS))


def resume(optimizer: Any, weights: list[Parameter]) -> tuple[Any, list[Parameter]]:
    """What a new process does: weights and state from their copies, in a new optimizer of the same arguments."""
    store: dict[str, Array] = {}
    optimizer.build(weights)
    optimizer.save_own_variables(store)
    twins = [type(weight)(weight.numpy(), weight.name) for weight in weights]
    for weight, twin in zip(weights, twins, strict=True):
        if isinstance(weight, Table):
            twin.row_rates = weight.row_rates  # type: ignore[attr-defined]
    resumed = type(optimizer).from_config(optimizer.get_config())
    resumed.build(twins)
    resumed.load_own_variables({name: array.copy() for name, array in store.items()})
    return resumed, twins


AROUND = [{}, {"clipnorm": 0.5}, {"use_ema": True}, {"gradient_accumulation_steps": 3}, {"loss_scale_factor": 4.0}]


@pytest.mark.filterwarnings("ignore:.* every row at every step")
@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("around", AROUND, ids=str)
@pytest.mark.parametrize("name", EVERY)
def test_training_goes_on_with_the_same_bits(name: str, around: dict[str, Any], update: str) -> None:
    optimizer = getattr(optimizers, name)(0.1, update=update, **around)
    weights: list[Parameter] = [start_table("float32"), Parameter(np.ones((3, 2), "float32"), "kernel")]
    rng = np.random.default_rng(5)

    def train(optimizer: Any, weights: list[Any], rng: np.random.Generator) -> None:
        for _ in range(7):
            kernel = rng.normal(size=(3, 2)).astype("float32")
            optimizer.apply_gradients([(draw_gradient(rng, weights[0]), weights[0]), (kernel, weights[1])])

    train(optimizer, weights, rng)
    resumed, twins = resume(optimizer, weights)
    for each, own in ((optimizer, weights), (resumed, twins)):
        train(each, own, np.random.default_rng(6))
    assert resumed.iterations == optimizer.iterations
    for weight, twin in zip(weights, twins, strict=True):
        assert_same_bits(twin.numpy(), weight.numpy())
        for left, right in zip(resumed.slots_of(twin).values(), optimizer.slots_of(weight).values(), strict=True):
            assert_same_bits(left, right)
        if "use_ema" in around:
            assert_same_bits(resumed.moving_average(twin), optimizer.moving_average(weight))


def test_sums_over_idle_steps_start_afresh_on_both_sides() -> None:
    table, optimizer = start_table("float64"), optimizers.AdamW(0.1, weight_decay=0.3)
    for seed in range(2):
        resumed, [twin] = resume(optimizer, [table])
        for each, own in ((optimizer, table), (resumed, twin)):
            rng = np.random.default_rng(seed)
            for _ in range(40):
                each.apply_gradients([(draw_gradient(rng, own), own)])
        assert_same_bits(twin.numpy(), table.numpy())


def test_penalties_and_skipped_steps_go_on_too() -> None:
    layer = Embedding(ROWS, COLUMNS, weights=[start_table("float32").numpy()], embeddings_regularizer="l2")
    optimizer = SGD(0.5, loss_scale_factor=2.0, gradient_accumulation_steps=2)
    with GradientTape() as tape:
        targets = [layer(np.array([1, 2])), *layer.losses]
    gradient = tape.gradient(targets, layer.embeddings)
    broken = RowGradient(np.array([0]), np.full((1, COLUMNS), np.nan, "float32"), (ROWS, COLUMNS))
    for each in (gradient, gradient, gradient, broken):
        optimizer.apply_gradients([(each, layer.embeddings)])
    resumed, [twin] = resume(optimizer, [layer.embeddings])
    assert (resumed.iterations, resumed.skipped_steps) == (1, 1)
    rows = RowGradient(np.array([3]), np.ones((1, COLUMNS), "float32"), (ROWS, COLUMNS))
    for each, table in ((optimizer, layer.embeddings), (resumed, twin)):
        each.apply_gradients([(rows, table)])
    assert_same_bits(twin.numpy(), layer.embeddings.numpy())


def test_a_gradient_of_bags_is_kept_in_its_own_form() -> None:
    table = start_table("float32")
    optimizer = Adam(gradient_accumulation_steps=2)
    ids, bags = np.array([1, 2, 3, 1]), np.array([0, 0, 1, 1])
    values, scales = np.ones((2, COLUMNS), "float32"), np.full(4, 0.5, "float32")
    argmax, bag_positions = np.zeros((2, COLUMNS), np.int32), np.array([0, 1, 0, 1], np.int32)
    optimizer.apply_gradients([(RowGradient(ids, values, (ROWS, COLUMNS), bags, scales, argmax, bag_positions), table)])
    store: dict[str, Array] = {}
    optimizer.save_own_variables(store)
    assert {"0.gradient.values", "0.gradient.sources", "0.gradient.argmax"} <= set(store)
    assert store["0.gradient.values"].shape == (2, COLUMNS)


def test_the_state_survives_numpys_own_files(tmp_path: Any) -> None:
    table, optimizer = start_table("float32"), Adam(0.25)
    rng = np.random.default_rng(0)
    for _ in range(3):
        optimizer.apply_gradients([(draw_gradient(rng, table), table)])
    store: dict[str, Array] = {}
    optimizer.save_own_variables(store)
    np.savez(tmp_path / "optimizer.npz", **store)  # type: ignore[arg-type]
    resumed = Adam()
    resumed.build([table])
    with np.load(tmp_path / "optimizer.npz") as stored:
        resumed.load_own_variables(stored)
    assert (resumed.iterations, resumed.learning_rate) == (3, 0.25)
    assert_same_bits(resumed.slots_of(table)["velocity"], optimizer.slots_of(table)["velocity"])


def spoil(store: dict[str, Array], name: str, value: Any) -> dict[str, Array]:
    spoilt = dict(store)
    if value is None:
        del spoilt[name]
    else:
        spoilt[name] = value
    return spoilt


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("iterations", None, ValueError, r"none of \['iterations'\]"),
        ("0.slot.velocity", None, ValueError, "arrays of the shapes"),
        ("0.slot.velocity", np.zeros((2, 2)), ValueError, r"Received: .*\(2, 2\)"),
        ("0.slot.extra", np.zeros((2, 2)), ValueError, "arrays of the shapes"),
        ("0.touched", np.zeros(3, bool), ValueError, "arrays of the shapes"),
        ("1.slot.velocity", np.zeros((2, 2)), ValueError, r"state of the 1 weights .* entries of \['0', '1'\]"),
        ("0.gradient.ids", np.zeros(3), TypeError, "ids"),
        ("0.gradient.values", np.zeros((1, COLUMNS + 1), "float32"), ValueError, "shape"),
    ],
)
def test_a_store_that_does_not_fit_is_refused_and_nothing_is_written(
    name: str, value: Any, error: type[Exception], text: str
) -> None:
    table, optimizer = start_table("float32"), Adam(gradient_accumulation_steps=2)
    rng = np.random.default_rng(0)
    for _ in range(5):
        optimizer.apply_gradients([(draw_gradient(rng, table), table)])
    store: dict[str, Array] = {}
    optimizer.save_own_variables(store)
    resumed = Adam(gradient_accumulation_steps=2)
    resumed.build([table])
    with pytest.raises(error, match=text):
        resumed.load_own_variables(spoil(store, name, value))
    assert resumed.iterations == 0
    assert not any(slot.any() for slot in resumed.slots_of(table).values())


# ---- Histories


EVENTS = st.lists(
    st.sampled_from(["step", "step", "step", "look up", "read", "finish", "resume", "other rate"]),
    min_size=3,
    max_size=30,
)


@pytest.mark.parametrize(("name", "dense", "options"), CASES, ids=NAMES)
@given(events=EVENTS, seed=st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_every_history_is_that_of_the_dense_optimizer(
    name: str, dense: Any, options: Any, events: Any, seed: int
) -> None:
    table, rate, rng = start_table("float64"), 0.02, np.random.default_rng(seed)
    reference = dense(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(rate, **options)
    for event in events:
        if event == "step":
            gradient = draw_gradient(rng, table)
            optimizer.apply_gradients([(gradient, table)])
            reference.step(to_dense(gradient.ids, gradient.values), rate, optimizer.iterations)
        elif event == "look up":
            np.testing.assert_allclose(look_up(table), reference.w, rtol=1e-9, atol=1e-9)
        elif event == "read":
            np.testing.assert_allclose(table.numpy(), reference.w, rtol=1e-9, atol=1e-9)
        elif event == "finish":
            optimizer.finish(table)
        elif event == "resume":
            optimizer, [table] = resume(optimizer, [table])
        elif name != "Ftrl":  # its closed form holds for rates that are told by a schedule or stay
            rate *= 0.9
            optimizer.learning_rate = rate
    np.testing.assert_allclose(table.numpy(), reference.w, rtol=1e-9, atol=1e-9)


@given(events=EVENTS, seed=st.integers(0, 1000), name=st.sampled_from(["SGD", "Adam", "AdamW", "Lion", "Adadelta"]))
@settings(max_examples=40, deadline=None)
def test_in_lazy_mode_no_history_touches_other_rows(events: Any, seed: int, name: str) -> None:
    table, rng = start_table("float32"), np.random.default_rng(seed)
    optimizer = getattr(optimizers, name)(0.1, update="lazy", weight_decay=0.1)
    for event in events:
        before, gradient = table.numpy(), draw_gradient(rng, table)
        if event == "resume":
            optimizer, [table] = resume(optimizer, [table])
        elif event == "look up":
            look_up(table)
        elif event != "read":
            optimizer.apply_gradients([(gradient, table)])
        others = np.setdiff1d(np.arange(ROWS), gradient.ids)
        assert_same_bits(table.numpy()[others], before[others])
