"""Tables on a device, moved there and back: results live where the ids live, and a move changes no bit."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fake_device import FakeArray, FakeDevice, bare
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastembed_layer import (
    Dense,
    Embedding,
    EmbeddingBag,
    EmbeddingGroup,
    Flatten,
    GradientTape,
    RowGradient,
    Sequential,
    constraints,
    initializers,
    optimizers,
)
from fastembed_layer.backends.arrays import move_array, placement_of
from fastembed_layer.optimizers import SGD, Adagrad, Adam, Ftrl, Optimizer, RMSprop, RowwiseAdagrad
from fastembed_layer.tables.table import Table

ROWS, COLUMNS = 12, 4
RNG = np.random.default_rng(5)
VALUES = RNG.normal(size=(ROWS, COLUMNS)).astype("float32")
DEVICES = ("cpu:0", "gpu:0", "gpu:1")

pytestmark = pytest.mark.usefixtures("fake_gpu")


def make_layer(device: str = "gpu:0", kind: Any = Embedding, **keywords: Any) -> Any:
    return kind(ROWS, COLUMNS, weights=VALUES, device=device, **keywords)


def to_device(array: Any, number: int = 0) -> Any:
    return move_array(np.ascontiguousarray(array), f"gpu:{number}")


def batches(count: int, seed: int = 1) -> Iterator[tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield rng.integers(ROWS, size=(3, 2)), rng.normal(size=(3, 2, COLUMNS)).astype("float32")


def take_step(layer: Any, optimizer: Optimizer, ids: Any, d_rows: Any) -> None:
    _, pull_back = layer.forward(layer.prepare(ids))
    [(table, gradient)] = pull_back(d_rows).parameters
    optimizer.apply_gradients([(gradient, table)])


# ---- Results live where the ids live


@pytest.mark.parametrize("home", DEVICES)
@pytest.mark.parametrize("target", DEVICES)
@pytest.mark.parametrize("dtype", ["int32", "int64", "int8", "uint64"])
def test_rows_live_where_the_ids_live(home: str, target: str, dtype: str) -> None:
    layer, ids = make_layer(home), np.array([[3, 1], [1, 11]], dtype)
    rows = layer(move_array(ids, target))
    assert (placement_of(rows), rows.shape, layer.placement) == (target, (2, 2, COLUMNS), home)
    np.testing.assert_array_equal(move_array(rows, "cpu:0"), VALUES[ids])


@pytest.mark.parametrize("home", DEVICES)
@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn", "max", "min"])
def test_bags_of_a_table_on_a_device_are_those_of_the_host(home: str, combiner: str) -> None:
    ids, weights = [[1, 2, 2], [], [11]], [[0.5, 1.0, -1.0], [], [2.0]]
    layer, twin = (make_layer(where, EmbeddingBag, combiner=combiner) for where in (home, "cpu:0"))
    np.testing.assert_array_equal(layer(ids), twin(ids))
    np.testing.assert_array_equal(layer(ids, weights), twin(ids, weights))


@pytest.mark.parametrize("home", DEVICES)
@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn", "max"])
@pytest.mark.parametrize("target", ["gpu:0", "gpu:1"])
def test_bags_of_ids_on_a_device_give_bags_and_gradients_there(home: str, combiner: str, target: str) -> None:
    ids, weights = np.array([[1, 2, 0], [11, 1, 2]]), RNG.normal(size=(2, 3)).astype("float32")
    results = []
    for where, at in ((home, target), ("cpu:0", "cpu:0")):
        layer = make_layer(where, EmbeddingBag, combiner=combiner, mask_zero=True)
        given_ids, given = move_array(ids, at), move_array(weights, at)
        with GradientTape() as tape:
            bags, plain = layer(given_ids, given), layer(given_ids)
        gradient, d_weights = tape.gradient([bags, plain], [layer.embeddings, given])
        found = [bags, plain, gradient.to_dense(), d_weights]
        assert {placement_of(array) for array in found} == {at}
        results.append([move_array(array, "cpu:0") for array in found])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_ids_and_weights_of_bags_on_two_devices_are_refused() -> None:
    layer = make_layer("gpu:0", EmbeddingBag)
    with pytest.raises(ValueError, match=r"must live on one device.*`ids` on gpu:0, `scales` on cpu:0"):
        layer(to_device([[1, 2]]), np.ones((1, 2), "float32"))


@pytest.mark.parametrize("home", DEVICES)
@pytest.mark.parametrize("combiner", ["mean", "max"])
def test_the_gradient_of_weights_of_a_bag_comes_from_the_device(home: str, combiner: str) -> None:
    def gradient_of(layer: Any) -> tuple[Any, Any]:
        ids, weights = np.array([[1, 2], [11, 1]]), np.array([[0.5, 1.0], [2.0, 3.0]], "float32")
        with GradientTape() as tape:
            bags = layer(ids, weights)
        table, d_weights = tape.gradient(bags, [layer.embeddings, weights])
        return table.to_dense(), d_weights

    layers = [make_layer(where, EmbeddingBag, combiner=combiner) for where in (home, "cpu:0")]
    for found, expected in zip(*map(gradient_of, layers), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("combiner", [None, "mean", "max"])
def test_a_group_of_features_works_on_a_device(combiner: str | None) -> None:
    ids = np.array([[0, 3, 1], [4, 0, 1]])
    groups = [
        EmbeddingGroup([5, 4, 2], [3, 3, 2], ["ones", "zeros", np.eye(2)], combiner, device=where)
        for where in ("gpu:1", "cpu:0")
    ]
    there, here = groups
    np.testing.assert_array_equal(there(ids), here(ids))
    assert there.placement == "gpu:1"
    kept = there.embeddings_of(0)
    there.to("cpu:0")
    assert (kept.placement, placement_of(kept.value)) == ("cpu:0", "cpu:0")
    for optimizer, group in zip((Adam(), Adam()), groups, strict=True):
        with GradientTape() as tape:
            output = group(ids)
        optimizer.apply_gradients(
            zip(tape.gradient(output, group.trainable_weights), group.trainable_weights, strict=True)
        )
    for found, expected in zip(there.get_weights(), here.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("home", DEVICES)
@pytest.mark.parametrize("target", ["gpu:0", "gpu:1"])
@pytest.mark.parametrize(("combiner", "widths"), [(None, 3), (None, [3, 2, 3]), ("mean", [3, 2, 3]), ("max", 2)])
def test_features_on_a_device_are_looked_up_and_trained_from_there(
    home: str, target: str, combiner: str | None, widths: Any
) -> None:
    ids = np.array([[0, 3, 1], [4, 0, 1]])
    results, texts = [], []
    for where, at in ((home, target), ("cpu:0", "cpu:0")):
        kinds = [initializers.RandomNormal(seed=seed) for seed in range(3)]
        group = EmbeddingGroup([5, 4, 2], widths, kinds, combiner, device=where, name="features")
        with GradientTape() as tape:
            output = group(move_array(ids, at))
        assert placement_of(output) == at
        Adam(0.1).apply_gradients(
            zip(tape.gradient(output, group.trainable_weights), group.trainable_weights, strict=True)
        )
        results.append([move_array(output, "cpu:0"), *group.get_weights()])
        with pytest.raises(IndexError) as caught:
            group(move_array(ids + 1, at))
        texts.append(str(caught.value))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert texts[0] == texts[1]


def test_ids_out_of_range_are_the_same_error_on_every_device() -> None:
    texts = []
    for home in DEVICES:
        for target in DEVICES:
            layer = make_layer(home, name="words")
            with pytest.raises(IndexError) as caught:
                layer(move_array(np.array([[1, ROWS]]), target))
            texts.append(str(caught.value))
    assert set(texts) == {
        "indices[0,1] = 12 is not in [0, 12) (layer 'words', 1 of 2 ids are out of range). Did you mean input_dim=13?"
    }


@pytest.mark.parametrize("policy", ["zero", "clip", "wrap", 3])
@pytest.mark.parametrize("target", DEVICES)
def test_policies_for_ids_out_of_range_hold_on_a_device(policy: Any, target: str) -> None:
    ids, layers = np.array([[1, 40], [-1, 5]]), [make_layer(home, out_of_range=policy) for home in ("gpu:0", "cpu:0")]
    found, expected = [], []
    for layer, results, where in zip(layers, (found, expected), (target, "cpu:0"), strict=True):
        with pytest.warns(UserWarning, match="out of range"):
            results.append(move_array(layer(move_array(ids, where)), "cpu:0"))
    np.testing.assert_array_equal(found, expected)


def test_padding_and_masks_hold_on_a_device() -> None:
    layer = make_layer(padding_id=0, mask_zero=True)
    ids = np.array([[0, 5]])
    rows = layer(to_device(ids))
    np.testing.assert_array_equal(bare(rows), np.stack([np.zeros_like(VALUES[5]), VALUES[5]])[None])
    assert bare(layer.compute_mask(to_device(ids))).tolist() == [[False, True]]


def test_ids_on_a_device_must_be_integers() -> None:
    with pytest.raises(TypeError, match=r"must be integers\. Received: an array of dtype float32\."):
        make_layer()(to_device(np.zeros(2, "float32")))


# ---- Arrays on two devices


def test_a_gradient_whose_arrays_are_apart_is_refused_with_the_places() -> None:
    ids, values = np.array([1]), np.ones((1, COLUMNS), "float32")
    with pytest.raises(ValueError, match=r"must live on one device.*`ids` on gpu:0, `values` on cpu:0.*table\.to"):
        RowGradient(to_device(ids), values, (ROWS, COLUMNS))
    with pytest.raises(ValueError, match="`ids` on gpu:0, `values` on gpu:1"):
        RowGradient(to_device(ids), to_device(values, 1), (ROWS, COLUMNS))


@pytest.mark.parametrize("left", DEVICES)
@pytest.mark.parametrize("right", DEVICES)
@pytest.mark.parametrize("form", ["plain", "bags", "won", "dense"])
def test_gradients_of_different_places_add_up_where_the_first_lives(left: str, right: str, form: str) -> None:
    first, ids = RowGradient(np.array([1, 3]), VALUES[:2], (ROWS, COLUMNS)), np.array([3, 5])
    sources, scales = np.array([0, 0]), np.array([2, 3], "float32")
    won = (np.zeros((1, COLUMNS), "int32"), np.array([0, 1], "int32"))
    second: Any = {
        "plain": RowGradient(ids, VALUES[2:4], (ROWS, COLUMNS)),
        "bags": RowGradient(ids, VALUES[2:3], (ROWS, COLUMNS), sources, scales),
        "won": RowGradient(ids, VALUES[2:3], (ROWS, COLUMNS), sources, None, *won),
    }.get(form, VALUES)
    expected = first + second
    total = first.to(left) + (move_array(VALUES, right) if form == "dense" else second.to(right))
    if form == "dense":
        assert placement_of(total) == left
        np.testing.assert_array_equal(move_array(total, "cpu:0"), expected)
        return
    assert placement_of(total.ids) == placement_of(total.values) == left
    np.testing.assert_array_equal(move_array(total.to_dense(), "cpu:0"), expected.to_dense())
    np.testing.assert_array_equal(bare(total.to("gpu:0").expand().values), expected.expand().values)
    assert total.norm() == expected.norm()


def test_a_fake_array_refuses_to_mix_with_numpy() -> None:
    there = to_device([1.0, 2.0])
    for mixing in (
        lambda: there + np.ones(2),
        lambda: np.concatenate([there, np.ones(2)]),
        lambda: there[np.array([0])],
        lambda: np.asarray(there),
        lambda: np.ascontiguousarray(there),
        lambda: there.__setitem__(0, np.ones(1)),
    ):
        with pytest.raises(TypeError):
            mixing()
    with pytest.raises(ValueError, match="device"):
        there + to_device([1.0, 2.0], 1)
    assert isinstance(np.unique(there * 2), FakeArray)


# ---- Training


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "sgd": lambda: SGD(0.1),
    "momentum": lambda: SGD(0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda: Adagrad(0.1),
    "adam": lambda: Adam(0.1),
    "lazy adam": lambda: Adam(0.1, update="lazy"),
    "amsgrad": lambda: Adam(0.1, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.1, weight_decay=0.1),
    "rmsprop": lambda: RMSprop(0.1, momentum=0.5, centered=True),
    "ftrl": lambda: Ftrl(0.1, l1_regularization_strength=0.01),
    "row-wise": lambda: RowwiseAdagrad(0.1),
    "averages": lambda: SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    "averages of all rows": lambda: Adam(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    "clipped norm": lambda: Adam(0.1, clipnorm=0.1),
    "clipped together": lambda: Adam(0.1, global_clipnorm=0.1),
    "clipped values": lambda: Adam(0.1, clipvalue=0.1),
    "accumulated": lambda: Adam(0.1, gradient_accumulation_steps=2),
    "checked": lambda: Adam(0.1, check_numerics=True, loss_scale_factor=2.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("route", [("gpu:0",) * 6, ("cpu:0", "gpu:0", "gpu:1", "cpu:0", "gpu:0", "gpu:0")], ids=str)
@pytest.mark.parametrize("ids_follow", [False, True])
@pytest.mark.filterwarnings("ignore:.* every row at every step")
def test_moving_a_table_during_training_changes_no_bit(name: str, route: tuple[str, ...], ids_follow: bool) -> None:
    layer, twin, optimizer, other = make_layer("cpu:0"), make_layer("cpu:0"), OPTIMIZERS[name](), OPTIMIZERS[name]()
    for target, (ids, d_rows) in zip(route, batches(6), strict=True):
        assert layer.to(target) is layer
        assert (layer.placement, placement_of(layer.embeddings.array)) == (target, target)
        given = (to_device(ids), to_device(d_rows)) if ids_follow else (ids, d_rows)
        np.testing.assert_array_equal(move_array(layer(given[0]), "cpu:0"), twin(ids))
        take_step(layer, optimizer, *given)
        take_step(twin, other, ids, d_rows)
        slots = optimizer.slots.get(layer.embeddings, {})
        assert {placement_of(slot) for slot in slots.values()} <= {target}
    np.testing.assert_array_equal(layer.get_weights()[0], twin.get_weights()[0])
    assert optimizer.iterations == other.iterations
    if optimizer.averages.use_ema:
        averages = (each.moving_average(of.embeddings) for each, of in ((optimizer, layer), (other, twin)))
        np.testing.assert_array_equal(*(move_array(average, "cpu:0") for average in averages))


ROUTES = st.lists(st.sampled_from(DEVICES), min_size=1, max_size=8)


@given(route=ROUTES, name=st.sampled_from(["adam", "adagrad", "adamw", "ftrl"]), reads=st.sets(st.integers(0, 7)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_route_of_a_table_changes_no_bit(route: list[str], name: str, reads: set[int]) -> None:
    layer, twin, optimizer, other = make_layer("cpu:0"), make_layer("cpu:0"), OPTIMIZERS[name](), OPTIMIZERS[name]()
    for step, (target, (ids, d_rows)) in enumerate(zip(route, batches(len(route)), strict=True)):
        layer.to(target)
        take_step(layer, optimizer, ids, d_rows)
        take_step(twin, other, ids, d_rows)
        if step in reads:  # brings idle rows up to date
            np.testing.assert_array_equal(layer.embeddings.numpy(), twin.embeddings.numpy())
    np.testing.assert_array_equal(layer.embeddings.numpy(), twin.embeddings.numpy())


def test_two_optimizers_in_turns_move_their_slots_when_they_step() -> None:
    layer, twin = make_layer("cpu:0"), make_layer("cpu:0")
    pairs = [(Adam(0.1), Adam(0.1)), (Adagrad(0.1), Adagrad(0.1)), (Adam(0.2), Adam(0.2))]
    devices = ("gpu:0", "cpu:0", "gpu:1", "gpu:0", "cpu:0", "cpu:0", "gpu:0")
    for step, (target, (ids, d_rows)) in enumerate(zip(devices, batches(7), strict=True)):
        layer.to(target)
        for moved, optimizer in zip((layer, twin), pairs[step % 3], strict=True):
            take_step(moved, optimizer, ids, d_rows)
    np.testing.assert_array_equal(layer.embeddings.numpy(), twin.embeddings.numpy())


@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "ftrl", "averages"])
@pytest.mark.parametrize("target", ["cpu:0", "gpu:0"])
def test_frozen_rows_and_rates_of_rows_hold_on_a_device(optimizer: str, target: str) -> None:
    rates = np.linspace(0.1, 1, ROWS)
    keywords = {"trainable_rows": slice(2, 9)} if optimizer == "ftrl" else {"row_rates": rates}
    layer, twin = make_layer("gpu:0", **keywords), make_layer("cpu:0", **keywords)
    if optimizer == "averages":
        layer, twin = make_layer("gpu:0", trainable_rows=[1, 2]), make_layer("cpu:0", trainable_rows=[1, 2])
    first, second = OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()
    for step, (ids, d_rows) in enumerate(batches(6)):
        take_step(layer, first, move_array(ids, target), move_array(d_rows, target))
        take_step(twin, second, ids, d_rows)
        if step == 3:
            layer.trainable_rows = twin.trainable_rows = [0, 3, 5, 7]
    np.testing.assert_array_equal(layer.embeddings.numpy(), twin.embeddings.numpy())


def test_factors_of_rows_are_copied_to_a_device_once(fake_gpu: FakeDevice) -> None:
    rates = make_layer(row_rates=np.linspace(0, 1, ROWS)).embeddings.row_rates
    assert rates is not None
    assert placement_of(rates.factors_on("gpu:1")) == "gpu:1"
    assert rates.factors_on("gpu:1") is rates.factors_on("gpu:1")
    assert rates.factors_on("cpu:0") is rates.factors


@pytest.mark.filterwarnings("ignore:.* every row at every step")
@pytest.mark.parametrize("constraint", ["non_neg", constraints.MaxNorm(0.5, axis=1), constraints.UnitNorm(axis=0)])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("target", ["cpu:0", "gpu:0"])
def test_constraints_hold_on_a_device(constraint: Any, optimizer: str, target: str) -> None:
    layer, twin = (make_layer(home, embeddings_constraint=constraint) for home in ("gpu:0", "cpu:0"))
    first, second = OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()
    for ids, d_rows in batches(3):
        take_step(layer, first, move_array(ids, target), move_array(d_rows, target))
        take_step(twin, second, ids, d_rows)
    np.testing.assert_array_equal(layer.embeddings.numpy(), twin.embeddings.numpy())


@pytest.mark.parametrize("scope", ["table", "batch"])
def test_a_native_model_trains_around_a_table_on_a_device(scope: str) -> None:
    def train(home: str) -> list[Any]:
        layer = make_layer(home, embeddings_regularizer="l2", regularizer_scope=scope, input_length=2)
        kernel = np.linspace(-1, 1, 2 * COLUMNS).reshape(-1, 1)
        model = Sequential([layer, Flatten(), Dense(1, weights=[kernel, np.zeros(1)])])
        model.compile(Adam(0.1), "mse")
        ids = np.arange(24).reshape(12, 2) % ROWS
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the gradient of a term over the whole table is dense
            history = model.fit(ids, np.ones((12, 1)), batch_size=4, epochs=2, shuffle=False, verbose=0)
        return [history.history["loss"], model.predict(ids), *model.get_weights()]

    for found, expected in zip(train("gpu:0"), train("cpu:0"), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_tape_returns_gradients_where_the_ids_live() -> None:
    layer, ids = make_layer("gpu:0"), to_device([1, 1, 5])
    with GradientTape(persistent=True) as tape:
        rows = layer(ids)
    gradient = tape.gradient(rows, layer.embeddings)
    assert placement_of(gradient.values) == "gpu:0"
    [same] = tape.gradient([rows], [layer.embeddings])
    np.testing.assert_array_equal(bare(same.to_dense())[:, 0], [0, 2, 0, 0, 0, 1] + [0] * 6)


def test_a_table_used_from_two_places_in_one_step_gets_both_gradients() -> None:
    layer, twin = make_layer("gpu:0"), make_layer("cpu:0")
    (ids, d_rows), (more, d_more) = batches(2)
    gradients = []
    for first, second in ((layer, (to_device(ids), to_device(d_rows))), (twin, (ids, d_rows))):
        parts = [
            first.forward(first.prepare(given))[1](d_given).parameters[0] for given, d_given in (second, (more, d_more))
        ]
        gradients.append([(gradient, table) for table, gradient in parts])
    for pairs in gradients:
        SGD(0.1).apply_gradients(pairs)
    np.testing.assert_array_equal(layer.embeddings.numpy(), twin.embeddings.numpy())


def test_a_dense_gradient_may_live_anywhere() -> None:
    tables = [make_layer(home).embeddings for home in ("gpu:0", "gpu:0", "cpu:0", "cpu:0")]
    for table, target in zip(tables, ("cpu:0", "gpu:0", "gpu:1", "cpu:0"), strict=True):
        Adam(0.1).apply_gradients([(move_array(VALUES, target), table)])
    for table in tables:
        np.testing.assert_array_equal(table.numpy(), tables[-1].numpy())


def test_nothing_is_written_for_bad_ids_of_a_gradient_on_a_device() -> None:
    table, optimizer = make_layer("gpu:0").embeddings, Adam()
    gradient = RowGradient(to_device([ROWS]), to_device(VALUES[:1]), (ROWS, COLUMNS))
    with pytest.raises(IndexError):
        optimizer.apply_gradients([(gradient, table)])
    np.testing.assert_array_equal(table.numpy(), VALUES)


# ---- The table itself


def test_a_table_on_a_device_is_read_and_written_by_numpy_arrays() -> None:
    table = make_layer("gpu:0").embeddings
    assert isinstance(table.value, FakeArray)
    for read in (table.numpy(), np.asarray(table), table[:], table[np.arange(ROWS)]):
        assert isinstance(read, np.ndarray)
        np.testing.assert_array_equal(read, VALUES)
    table.assign(2.0 * VALUES.astype("float64"))
    np.testing.assert_array_equal(table.numpy(), 2 * VALUES)
    table.assign(to_device(VALUES))
    np.testing.assert_array_equal(table[3], VALUES[3])
    with pytest.raises(ValueError, match="must have the shape"):
        table.assign(np.zeros(2))
    assert repr(table) == "<Table 'embeddings' (12, 4) float32 on gpu:0>"


def test_a_table_on_the_host_is_overwritten_from_a_device() -> None:
    table = make_layer("cpu:0").embeddings
    table.assign(to_device(VALUES + 1))
    np.testing.assert_array_equal(table.numpy(), VALUES + 1)


def test_a_move_leaves_no_memory_behind_and_keeps_the_name(fake_gpu: FakeDevice) -> None:
    layer, optimizer = make_layer("gpu:0"), Adam()
    for ids, d_rows in batches(2):
        take_step(layer, optimizer, ids, d_rows)
    table = layer.embeddings
    assert table.to("/device:CPU:0") is table
    assert (fake_gpu.used, table.name, layer.embeddings is table) == (0, "embeddings", True)


def test_a_table_that_does_not_fit_stays_where_it_is(fake_gpu: FakeDevice) -> None:
    layer, optimizer = make_layer("cpu:0"), Adam()
    for ids, d_rows in batches(2):
        take_step(layer, optimizer, ids, d_rows)
    before = layer(np.arange(ROWS))
    fake_gpu.capacity = 1000
    with pytest.raises(MemoryError, match=r"'embeddings' does not fit on gpu:1: table 192 B \+ slots 432 B"):
        layer.embeddings.to("gpu:1")
    fake_gpu.capacity = 1 << 40
    fake_gpu.failing = [False, False, True]  # in the middle of the slots
    with pytest.raises(MemoryError, match="does not fit on gpu:1"):
        layer.embeddings.to("gpu:1")
    assert (layer.placement, fake_gpu.used) == ("cpu:0", 0)
    np.testing.assert_array_equal(layer(np.arange(ROWS)), before)


@pytest.mark.parametrize(("name", "error"), [("tpu:0", ValueError), ("gpu:9", ValueError), (3, TypeError)])
def test_a_move_to_no_device_is_refused(name: Any, error: type[Exception]) -> None:
    layer = make_layer("gpu:0")
    layer.build()
    with pytest.raises(error, match="`device` must be"):
        layer.to(name)
    assert layer.placement == "gpu:0"


def test_a_layer_may_be_moved_before_it_is_built() -> None:
    layer = make_layer("cpu:0").to("gpu:1")
    assert layer.placement == "gpu:1"
    layer.build()
    assert layer.embeddings.placement == "gpu:1"
    assert layer.embeddings.device_is_chosen


def test_a_layer_on_the_host_can_be_copied_after_a_move() -> None:
    layer = make_layer("gpu:0")
    layer(np.array([1]))
    twin = pickle.loads(pickle.dumps(layer.to("cpu:0")))
    np.testing.assert_array_equal(twin.embeddings.numpy(), VALUES)


def test_a_table_is_a_matrix_in_c_order_on_a_device_too() -> None:
    with pytest.raises(ValueError, match="must be a C-contiguous, aligned matrix"):
        Table(to_device(VALUES)[:, :2])
