"""A cache on a GPU of the rows of a table on the host: the bits of a table that is there as a whole, whatever happens.

Each run is made twice: with the table on the host and a cache on the device, and with the table on the device. The
device computes with the operations of the CPU, or with the CUDA kernels that run on the CPU.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from devices import refusal_of
from fake_device import FakeDevice
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import assert_same_bits

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
)
from fastembed_layer.backends.arrays import move_array, placement_of
from fastembed_layer.backends.cpu import CpuBackend
from fastembed_layer.optimizers import SGD, Adagrad, Adam, AdamW, Ftrl, Nadam, Optimizer, RMSprop, RowwiseAdam
from fastembed_layer.tables.row_cache import RowCache
from fastembed_layer.tables.row_cache.columns import Columns
from fastembed_layer.tables.table import Table

Array = Any

ROWS, COLUMNS = 100, 3
VALUES = np.random.default_rng(5).normal(size=(ROWS, COLUMNS)).astype("float32")
SIZES = (1, 33, 100)  # one set of 32 places, two, and four, which have a place for nearly every row

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "sgd": lambda: SGD(0.1),
    "momentum": lambda: SGD(0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda: Adagrad(0.1),
    "adam": lambda: Adam(0.1),
    "lazy adam": lambda: Adam(0.1, update="lazy"),
    "adamw": lambda: AdamW(0.1, weight_decay=0.1),
    "nadam": lambda: Nadam(0.1),
    "rmsprop": lambda: RMSprop(0.1, momentum=0.5, centered=True),
    "ftrl": lambda: Ftrl(0.1, l1_regularization_strength=0.01),
    "row-wise": lambda: RowwiseAdam(0.1),
    "averages": lambda: SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    "clipped": lambda: Adam(0.1, clipnorm=0.1),
    "accumulated": lambda: Adam(0.1, gradient_accumulation_steps=2),
}


@pytest.fixture(params=["fake", "cuda-on-cpu"])
def gpu(request: pytest.FixtureRequest, fake_gpu: FakeDevice) -> FakeDevice:
    """A device, and what computes there."""
    if request.param == "cuda-on-cpu":
        refusal = refusal_of(request.param)
        if refusal is not None:
            pytest.skip(refusal)
        from emulated_cuda import BACKEND

        fake_gpu.operations = BACKEND
    return fake_gpu


def make_pair(n_rows: int, policy: str = "lru", kind: Any = Embedding, **keywords: Any) -> tuple[Any, Any]:
    """The same layer with a cache, and with its table on the device."""
    cached, there = (kind(ROWS, COLUMNS, weights=VALUES, device=home, **keywords) for home in ("cpu:0", "gpu:0"))
    return cached.cache_rows("gpu:0", n_rows, policy), there


def draw_batch(random: np.random.Generator, count: int = 60) -> tuple[Array, Array]:
    """Skewed ids with repetitions, and a gradient for each."""
    ids = random.permutation(ROWS)[random.zipf(1.5, count) % ROWS]
    return ids, random.normal(size=(count, COLUMNS)).astype("float32")


def take_step(layer: Any, optimizer: Optimizer, ids: Array, d_rows: Array, where: str = "cpu:0") -> Array:
    """Look up and train; returns the rows."""
    rows, pull_back = layer.forward(layer.prepare(move_array(ids, where)))
    [(table, gradient)] = pull_back(move_array(d_rows, where)).parameters
    optimizer.apply_gradients([(gradient, table)])
    assert placement_of(rows) == where
    return move_array(rows, "cpu:0")


def assert_same_state(pair: tuple[Any, Any], optimizers: tuple[Optimizer, Optimizer]) -> None:
    """Tables and slots have the same bits."""
    tables = [layer.embeddings for layer in pair]
    assert_same_bits(tables[0].numpy(), tables[1].numpy())
    assert (tables[0].placement, placement_of(tables[0].value)) == ("cpu:0", "cpu:0")
    slots = [optimizer.slots.get(table, {}) for optimizer, table in zip(optimizers, tables, strict=True)]
    for name, slot in slots[0].items():
        assert_same_bits(slot, move_array(slots[1][name], "cpu:0"))


# ---- Training


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("n_rows", SIZES)
@pytest.mark.parametrize(("policy", "where"), [("lru", "cpu:0"), ("lfu", "gpu:0")])
def test_training_with_a_cache_has_the_bits_of_a_table_on_the_device(
    gpu: FakeDevice, name: str, n_rows: int, policy: str, where: str
) -> None:
    pair, both, random = make_pair(n_rows, policy), (OPTIMIZERS[name](), OPTIMIZERS[name]()), np.random.default_rng(3)
    for _ in range(8):
        batch = draw_batch(random)
        rows = [take_step(layer, optimizer, *batch, where) for layer, optimizer in zip(pair, both, strict=True)]
        assert_same_bits(*rows)
    assert_same_state(pair, both)
    assert pair[0].embeddings.cache.hits > 0


def test_ids_whose_gradients_are_summed_in_pieces_have_the_same_bits_in_any_place(gpu: FakeDevice) -> None:
    pair, both, random = make_pair(1), (Adagrad(0.1), Adagrad(0.1)), np.random.default_rng(2)
    count = 20_000 if isinstance(gpu.operations, CpuBackend) else 1_000  # pieces of 4,096 vectors, and of 4
    for _ in range(2):
        ids = np.where(random.random(count) < 0.4, 77, random.integers(0, 40, count))
        d_rows = random.normal(size=(count, COLUMNS)).astype("float32")
        for layer, optimizer in zip(pair, both, strict=True):
            take_step(layer, optimizer, ids, d_rows)
    assert_same_state(pair, both)


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize("where", ["cpu:0", "gpu:0", "gpu:1"])
def test_a_cache_on_a_second_device_takes_ids_from_anywhere(where: str) -> None:
    pair, both, random = make_pair(1), (Adam(0.1), Adam(0.1)), np.random.default_rng(3)
    pair[0].cache_rows("gpu:1", 33)
    for _ in range(4):
        batch = draw_batch(random)
        rows = [take_step(layer, optimizer, *batch, where) for layer, optimizer in zip(pair, both, strict=True)]
        assert_same_bits(*rows)
    assert_same_state(pair, both)


@pytest.mark.usefixtures("fake_gpu")
def test_a_model_trains_around_a_table_with_a_cache() -> None:
    seen = []
    for n_rows in (None, 33):
        layer = Embedding(ROWS, COLUMNS, weights=VALUES, device="cpu:0", input_length=2)
        model = Sequential([layer, Flatten(), Dense(1, weights=[np.ones((6, 1)), np.zeros(1)])])
        model.compile(Adam(0.1), "mse")
        if n_rows is not None:
            layer.cache_rows("gpu:0", n_rows)
        ids = np.random.default_rng(0).integers(0, ROWS, (40, 2))
        model.fit(ids, np.ones((40, 1)), batch_size=8, epochs=2, shuffle=False, verbose=0)
        seen.append([model.predict(ids), *model.get_weights()])
    for one, other in zip(*seen, strict=True):
        assert_same_bits(one, other)


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_on_a_device_that_computes_as_the_cpu_the_bits_are_those_without_a_cache(name: str) -> None:
    cached, plain = (Embedding(ROWS, COLUMNS, weights=VALUES, device="cpu:0") for _ in range(2))
    cached.cache_rows("gpu:0", 32)
    both, random = (OPTIMIZERS[name](), OPTIMIZERS[name]()), np.random.default_rng(4)
    for _ in range(8):
        ids, d_rows = draw_batch(random)
        for layer, optimizer in zip((cached, plain), both, strict=True):
            take_step(layer, optimizer, ids, d_rows)
    assert_same_state((cached, plain), both)


EVENTS = ("step", "step", "step", "step", "look", "read", "slots", "save", "move", "drop", "flush", "other", "freeze")


def play(event: str, layer: Any, optimizers: list[Optimizer], batch: tuple[Array, Array], n_rows: int) -> list[Array]:
    """Let something happen to a layer with a cache, or to its twin on the device; returns what can be seen of it."""
    ids, d_rows = batch
    table, is_cached = layer.embeddings, layer.placement == "cpu:0"
    if event == "look":
        return [layer(ids)]
    if event == "read":
        return [table.numpy()]
    if event == "slots":
        return [move_array(slot, "cpu:0") for slot in optimizers[0].slots.get(table, {}).values()]
    if event == "save":
        store: dict[str, Array] = {}
        optimizers[0].save_own_variables(store)
        optimizers[0].load_own_variables(store)
        return list(store.values())
    if event == "move" and is_cached:
        layer.to("gpu:0").to("cpu:0")
        assert table.cache is None
    if event == "drop" and is_cached:
        layer.drop_cache()
    if event == "flush" and is_cached and table.cache is not None:
        table.cache.flush()
    if event == "freeze":
        layer.trainable_rows = slice(int(ids[0]) % 50, None)
    if is_cached and table.cache is None:
        layer.cache_rows("gpu:0", n_rows, "lfu")
    return [take_step(layer, optimizers[event == "other"], ids, d_rows)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    events=st.lists(st.sampled_from(EVENTS), max_size=14),
    names=st.tuples(*[st.sampled_from(["sgd", "momentum", "adagrad", "adam", "lazy adam", "adamw", "row-wise"])] * 2),
    n_rows=st.sampled_from(SIZES),
    seed=st.integers(0, 99),
    count=st.sampled_from([1, 30, 90]),
)
def test_whatever_happens_a_table_with_a_cache_is_the_table_on_the_device(
    gpu: FakeDevice, events: list[str], names: tuple[str, str], n_rows: int, seed: int, count: int
) -> None:
    pair, random = make_pair(n_rows), np.random.default_rng(seed)
    optimizers = [[OPTIMIZERS[name]() for name in names] for _ in pair]
    for event in ["step", *events]:
        batch = draw_batch(random, count)
        for seen, expected in zip(
            *(play(event, layer, own, batch, n_rows) for layer, own in zip(pair, optimizers, strict=True)), strict=True
        ):
            assert_same_bits(seen, expected)
    for one in (0, 1):
        assert_same_state(pair, (optimizers[0][one], optimizers[1][one]))


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize("part", [Columns.store, Columns.load, RowCache.write_back, RowCache.note_update])
def test_a_cache_that_forgets_a_copy_is_noticed(part: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Columns if part.__name__ in ("store", "load") else RowCache
    pair, both, random = make_pair(1), (Adagrad(0.1), Adagrad(0.1)), np.random.default_rng(3)
    monkeypatch.setattr(owner, part.__name__, lambda *arguments: None)
    for _ in range(4):
        batch = draw_batch(random)
        for layer, optimizer in zip(pair, both, strict=True):
            take_step(layer, optimizer, *batch)
    with pytest.raises(AssertionError):
        assert_same_state(pair, both)


@pytest.mark.parametrize("name", ["sgd", "adagrad", "adam"])
@pytest.mark.parametrize("n_rows", SIZES)
def test_rates_of_rows_and_padding_hold_in_a_cache(gpu: FakeDevice, name: str, n_rows: int) -> None:
    pair = make_pair(n_rows, row_rates=np.linspace(0, 1, ROWS), padding_id=7)
    both, random = (OPTIMIZERS[name](), OPTIMIZERS[name]()), np.random.default_rng(1)
    for step in range(8):
        batch = draw_batch(random)
        for layer, optimizer in zip(pair, both, strict=True):
            take_step(layer, optimizer, *batch)
            if step == 4:
                layer.trainable_rows = slice(10, 80)
    assert_same_state(pair, both)
    assert_same_bits(pair[0].embeddings.numpy()[7], VALUES[7])


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn", "max", "min"])
@pytest.mark.parametrize("n_rows", SIZES)
@pytest.mark.parametrize("name", ["adagrad", "adam"])
def test_bags_of_a_table_with_a_cache(gpu: FakeDevice, combiner: str, n_rows: int, name: str) -> None:
    pair, both = make_pair(n_rows, kind=EmbeddingBag, combiner=combiner), (OPTIMIZERS[name](), OPTIMIZERS[name]())
    random = np.random.default_rng(2)
    for _ in range(5):
        ids, weights = random.integers(0, ROWS, (20, 4)), random.normal(size=(20, 4)).astype("float32")
        seen = []
        for layer, optimizer in zip(pair, both, strict=True):
            with GradientTape() as tape:
                bags = layer(ids, weights)
            gradient, d_weights = tape.gradient(bags, [layer.embeddings, weights])
            optimizer.apply_gradients([(gradient, layer.embeddings)])
            seen.append((bags, d_weights))
        for one, other in zip(*seen, strict=True):
            assert_same_bits(one, other)
    assert_same_state(pair, both)


@pytest.mark.usefixtures("fake_gpu")
def test_every_table_of_a_group_has_a_cache() -> None:
    groups = [EmbeddingGroup([90, 40, 5], [3, 3, 2], "uniform", device="cpu:0") for _ in range(2)]
    groups[0].cache_rows("gpu:0", 100)
    groups[1].set_weights(groups[0].get_weights())
    both, random = (Adam(0.1), Adam(0.1)), np.random.default_rng(1)
    for _ in range(4):
        ids = random.integers(0, [90, 40, 5], (50, 3))
        for group, optimizer in zip(groups, both, strict=True):
            with GradientTape() as tape:
                output = group(ids)
            gradients = tape.gradient(output, group.trainable_weights)
            optimizer.apply_gradients(zip(gradients, group.trainable_weights, strict=True))
    assert [table.cache.capacity for table in groups[0].tables] == [128, 32]
    for one, other in zip(groups[0].get_weights(), groups[1].get_weights(), strict=True):
        assert_same_bits(one, other)
    assert_same_bits(groups[0].embeddings_of(1).numpy(), groups[1].embeddings_of(1).numpy())
    groups[0].drop_cache()
    assert [table.cache for table in groups[0].tables] == [None, None]


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.filterwarnings("ignore:.* every row at every step")
@pytest.mark.parametrize("constraint", ["non_neg", constraints.MaxNorm(0.5, axis=1), constraints.UnitNorm(axis=0)])
@pytest.mark.parametrize("name", ["adagrad", "adam"])
def test_constraints_hold_in_a_cache(constraint: Any, name: str) -> None:
    pair, both = make_pair(33, embeddings_constraint=constraint), (OPTIMIZERS[name](), OPTIMIZERS[name]())
    random = np.random.default_rng(8)
    for _ in range(4):
        batch = draw_batch(random)
        for layer, optimizer in zip(pair, both, strict=True):
            take_step(layer, optimizer, *batch)
    assert_same_state(pair, both)


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.filterwarnings("ignore:.* every training step")
@pytest.mark.parametrize("name", ["sgd", "adam"])
@pytest.mark.parametrize("scope", ["table", "batch"])
@pytest.mark.parametrize("n_rows", [1, 33])
def test_penalties_hold_in_a_cache(name: str, scope: str, n_rows: int) -> None:
    pair, both = (
        make_pair(n_rows, embeddings_regularizer="l2", regularizer_scope=scope),
        (OPTIMIZERS[name](), OPTIMIZERS[name]()),
    )
    random = np.random.default_rng(9)
    for _ in range(4):
        ids, _ = draw_batch(random)
        losses = []
        for layer, optimizer in zip(pair, both, strict=True):
            with GradientTape() as tape:
                targets = [layer(ids), *layer.losses]
            losses.append(float(targets[1]))
            optimizer.apply_gradients([(tape.gradient(targets, layer.embeddings), layer.embeddings)])
        assert losses[0] == losses[1]
    assert_same_state(pair, both)


@pytest.mark.parametrize("name", ["sgd", "adam", "lazy adam", "row-wise"])
def test_a_dense_gradient_passes_through_the_cache_block_by_block(
    gpu: FakeDevice, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[int, ...]] = []
    take = gpu.from_cpu
    monkeypatch.setattr(gpu, "from_cpu", lambda array, number=0: (taken.append(array.shape), take(array, number))[1])
    pair, both, random = make_pair(1), (OPTIMIZERS[name](), OPTIMIZERS[name]()), np.random.default_rng(1)
    for step in range(6):
        batch, dense = draw_batch(random), random.normal(size=(ROWS, COLUMNS)).astype("float32")
        for layer, optimizer in zip(pair, both, strict=True):
            if step % 2:
                taken.clear()
                optimizer.apply_gradients([(dense, layer.embeddings)])
                assert layer.embeddings.cache is None or dense.shape not in taken
            else:
                take_step(layer, optimizer, *batch)
    assert_same_state(pair, both)


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize("staged", [1, 40])
def test_rows_pass_through_locked_memory_in_pieces(monkeypatch: pytest.MonkeyPatch, staged: int) -> None:
    monkeypatch.setattr("fastembed_layer.tables.row_cache.columns.STAGED_BYTES", staged)
    pair, both, random = make_pair(1), (Adam(0.1), Adam(0.1)), np.random.default_rng(1)
    for _ in range(4):
        batch = draw_batch(random)
        for layer, optimizer in zip(pair, both, strict=True):
            take_step(layer, optimizer, *batch)
    assert_same_state(pair, both)


# ---- Hits, misses and who leaves


@pytest.mark.usefixtures("fake_gpu")
def test_only_missing_rows_are_copied_and_hits_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, loads, load = make_pair(33)[0], [], Columns.load

    def note(columns: Columns, ids: Array, locations: Array) -> None:
        loads.append(sorted(ids))
        load(columns, ids, locations)

    monkeypatch.setattr(Columns, "load", note)
    cache = layer.embeddings.cache
    layer(np.array([5, 3, 5]))
    layer(np.array([3, 9]))
    layer(np.array([3, 9, 5]))
    assert loads == [[3, 5], [9]]
    assert (cache.hits, cache.misses, cache.hit_rate, cache.capacity) == (4, 4, 0.5, 64)
    assert repr(cache).startswith("<RowCache of 64 rows of 'embeddings' on gpu:0, lru, ")
    assert "4 hits, 4 misses, hit rate 0.500" in repr(cache)


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize(("policy", "left"), [("lru", 1), ("lfu", 2)])
def test_the_row_that_leaves_is_the_least_recently_or_the_least_frequently_used(policy: str, left: int) -> None:
    layer = make_pair(1, policy)[0]
    cache = layer.embeddings.cache
    for ids in ([1, 1, 1], [2], np.arange(3, 33).repeat(2), [50]):  # 32 rows, and one more
        layer(np.array(ids))
    misses = cache.misses
    layer(np.array([50, *sorted({1, 2} - {left})]))
    assert cache.misses == misses
    layer(np.array([left]))
    assert cache.misses == misses + 1


@pytest.mark.usefixtures("fake_gpu")
def test_a_batch_of_more_rows_than_its_sets_hold_works_and_keeps_nothing_of_the_rest() -> None:
    layer = make_pair(1)[0]
    rows = layer(np.arange(ROWS))
    assert_same_bits(rows, VALUES)
    SGD(1.0).apply_gradients([(RowGradient(np.arange(ROWS), np.ones_like(VALUES), VALUES.shape), layer.embeddings)])
    assert_same_bits(layer(np.arange(ROWS)[::-1]), (VALUES - 1)[::-1])
    assert layer.embeddings.cache.misses == ROWS + ROWS - 32


@pytest.mark.usefixtures("fake_gpu")
def test_a_skewed_stream_hits_more_than_a_uniform_one() -> None:
    rates = []
    for exponent in (1.05, 1.5):
        layer, random = make_pair(33)[0], np.random.default_rng(0)
        for _ in range(30):
            layer((random.zipf(exponent, 50) - 1) % ROWS)
        rates.append(layer.embeddings.cache.hit_rate)
    assert 0.5 < rates[0] < rates[1]


# ---- The host


@pytest.mark.usefixtures("fake_gpu")
def test_what_is_written_to_the_table_reaches_the_cache_and_back() -> None:
    layer = make_pair(33)[0]
    table, ids = layer.embeddings, np.array([1, 2, 3])
    layer(ids)
    table.assign(VALUES * 2)
    assert_same_bits(layer(ids), VALUES[ids] * 2)
    table.value[2] = 7
    assert layer(ids)[1].tolist() == [7, 7, 7]
    layer.set_weights([VALUES])
    assert_same_bits(layer(ids), VALUES[ids])
    Adagrad(0.5).apply_gradients([(RowGradient(ids, np.ones((3, 3), "float32"), VALUES.shape), table)])
    assert (table.write_back()[ids] != VALUES[ids]).all()


@pytest.mark.usefixtures("fake_gpu")
def test_flushed_rows_are_on_the_host_and_still_in_the_cache() -> None:
    layer = make_pair(33)[0]
    table, cache = layer.embeddings, layer.embeddings.cache
    take_step(layer, SGD(1.0), np.array([4]), np.ones((1, 3), "float32"))
    assert_same_bits(table.array[4], VALUES[4])
    cache.flush()
    assert_same_bits(table.array[4], VALUES[4] - 1)
    misses = cache.misses
    layer(np.array([4]))
    assert cache.misses == misses


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_of_a_layer_has_its_rows_and_no_cache(twin_of: Callable[[Any], Any]) -> None:
    layer = make_pair(33)[0]
    take_step(layer, SGD(1.0), np.array([4]), np.ones((1, 3), "float32"))
    twin = twin_of(layer)
    assert twin.embeddings.cache is None
    assert_same_bits(twin(np.array([4])), layer(np.array([4])))


@pytest.mark.usefixtures("fake_gpu")
def test_threads_look_up_side_by_side() -> None:
    layer, random = make_pair(1)[0], np.random.default_rng(0)
    batches = [random.integers(0, ROWS, 40) for _ in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for ids, rows in zip(batches, pool.map(layer, batches), strict=True):
            assert_same_bits(rows, VALUES[ids])


def test_a_cache_that_ends_leaves_no_memory_behind(fake_gpu: FakeDevice) -> None:
    layer = Embedding(ROWS, COLUMNS, weights=VALUES, device="cpu:0")
    for end in (layer.drop_cache, lambda: layer.to("gpu:1").to("cpu:0")):
        layer.cache_rows("gpu:0", 33)
        take_step(layer, Adam(), np.arange(90), np.ones((90, 3), "float32"))
        assert fake_gpu.used > 0
        end()
        layer.drop_cache()
        assert fake_gpu.used == 0


@pytest.mark.usefixtures("fake_gpu")
def test_an_explanation_of_the_placement_shows_the_cache(capsys: pytest.CaptureFixture[str]) -> None:
    make_pair(33)[0].explain_placement()
    assert "<RowCache of 64 rows of 'embeddings' on gpu:0, lru" in capsys.readouterr().out


# ---- What fails


def spoil_nothing(layer: Any, twin: Any, optimizers: tuple[Optimizer, Optimizer], fail: Callable[[], Any]) -> None:
    """Train, fail, train on; the failure must have changed nothing."""
    random = np.random.default_rng(6)
    for step in range(6):
        batch = draw_batch(random)
        if step in (2, 4):
            fail()
        for each, optimizer in zip((layer, twin), optimizers, strict=True):
            take_step(each, optimizer, *batch)
    assert_same_state((layer, twin), optimizers)


@pytest.mark.parametrize("name", ["adagrad", "adam"])
def test_bad_ids_are_refused_with_their_place_and_change_nothing(gpu: FakeDevice, name: str) -> None:
    layer, twin = make_pair(1)
    both, ids = (OPTIMIZERS[name](), OPTIMIZERS[name]()), np.array([90, 91, ROWS, 92])

    def fail() -> None:
        gradient = RowGradient(ids, np.ones((4, 3), "float32"), VALUES.shape)
        with pytest.raises(IndexError, match=rf"\[2\] = {ROWS}"):
            layer(ids)
        with pytest.raises(IndexError, match=r"indices\[2\] = 100 is not in \[0, 100\)"):
            both[0].apply_gradients([(gradient, layer.embeddings)])

    spoil_nothing(layer, twin, both, fail)


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("name", ["adagrad", "adam"])
def test_a_step_without_memory_changes_nothing(fake_gpu: FakeDevice, name: str, at: int) -> None:
    """More and more ids make the room behind the places grow, and allocations fail at any point of that."""
    layer, twin = make_pair(1)
    both, counts, failures = (OPTIMIZERS[name](), OPTIMIZERS[name]()), iter((60, 95)), []

    def fail() -> None:
        count = next(counts)
        gradient = RowGradient(np.arange(count), np.ones((count, 3), "float32"), VALUES.shape)
        fake_gpu.failing = [False] * at + [True] * 40
        try:
            both[0].apply_gradients([(gradient, layer.embeddings)])
        except MemoryError as error:
            failures.append(str(error))
        fake_gpu.failing = []
        layer.embeddings.write_back()

    spoil_nothing(layer, twin, both, fail)
    assert len(failures) == 2


def test_a_batch_for_which_there_is_no_room_says_what_would_help(fake_gpu: FakeDevice) -> None:
    layer = make_pair(1)[0]
    fake_gpu.capacity = fake_gpu.used + 1500
    with pytest.raises(MemoryError, match=r"'embeddings' on gpu:0 has no room for 58 more rows of a batch.*Fewer ids"):
        layer(np.arange(90))
    fake_gpu.capacity = 1 << 40
    assert_same_bits(layer(np.arange(90)), VALUES[:90])


def test_an_optimizer_whose_slots_do_not_fit_is_refused_before_anything_is_written(fake_gpu: FakeDevice) -> None:
    layer = Embedding(ROWS, COLUMNS, weights=VALUES, device="cpu:0").cache_rows("gpu:0", 100)
    fake_gpu.capacity = fake_gpu.used + 2500
    with pytest.raises(MemoryError, match=r"cache of the weight 'embeddings' does not fit on gpu:0: .*slots 3.5 KiB"):
        take_step(layer, Adam(), np.array([1]), np.ones((1, 3), "float32"))
    assert_same_bits(layer.embeddings.numpy(), VALUES)
    assert_same_bits(take_step(layer, SGD(), np.array([1]), np.ones((1, 3), "float32"))[0], VALUES[1])


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("gpu:0", 32, "fifo"), ValueError, "`policy` must be one of 'lru', 'lfu'. Received: 'fifo'"),
        (("gpu:0", 0), ValueError, "`n_rows` must be a positive integer"),
        (("gpu:0", -5), ValueError, "`n_rows` must be a positive integer"),
        (("gpu:0", 3.5), TypeError, "`n_rows` must be a positive integer"),
        (("gpu:0", "all"), TypeError, "`n_rows` must be a positive integer"),
        (("gpu:0", 101), ValueError, "at most the number of rows of the table, 100. Received: 101"),
        (("cpu:0", 32), ValueError, "on a GPU, of a table on the host. Received: device='cpu:0'"),
        (("gpu:7", 32), ValueError, "`device` must be one of gpu:0, gpu:1"),
        ((0, 32), TypeError, "`device` must be a string"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_and_an_earlier_cache_stays(
    arguments: tuple[Any, ...], error: type[Exception], text: str
) -> None:
    layer = make_pair(33)[0]
    cache = layer.embeddings.cache
    with pytest.raises(error) as caught:
        layer.cache_rows(*arguments)
    assert text in str(caught.value)
    assert layer.embeddings.cache is cache


@pytest.mark.usefixtures("fake_gpu")
def test_a_table_on_a_device_has_no_cache() -> None:
    layer = Embedding(ROWS, COLUMNS, device="gpu:0")
    with pytest.raises(ValueError, match=r"for a table on gpu:0; `to\('cpu:0'\)` moves a table"):
        layer.cache_rows("gpu:0", 32)


def test_a_device_that_cannot_be_used_is_the_usual_error(fake_gpu: FakeDevice) -> None:
    fake_gpu.reason = "No GPU was found."
    with pytest.raises(ValueError, match=r"`device` must be a device that can be used.*No GPU was found"):
        Embedding(ROWS, COLUMNS, device="cpu:0").cache_rows("gpu:0", 32)


def test_a_cache_that_does_not_fit_is_refused_with_the_sum(fake_gpu: FakeDevice) -> None:
    layer = Embedding(ROWS, COLUMNS, weights=VALUES, device="cpu:0")
    fake_gpu.capacity = 1000
    with pytest.raises(MemoryError, match=r"does not fit on gpu:0: table 1.5 KiB .*1000 B are available.*`n_rows`"):
        layer.cache_rows("gpu:0", 100)
    assert layer.embeddings.cache is None
    assert_same_bits(layer(np.array([1])), VALUES[[1]])


def test_a_system_that_locks_no_memory_is_an_error_with_the_remedy(fake_gpu: FakeDevice) -> None:
    fake_gpu.lockable = 1000
    with pytest.raises(MemoryError, match=r"16.0 MiB of page-locked memory of the host.*`ulimit -l`"):
        Embedding(ROWS, COLUMNS, device="cpu:0").cache_rows("gpu:0", 32)
    assert fake_gpu.used == 0


def test_a_cache_leaves_all_tables_of_a_group_without_one_if_one_does_not_fit(fake_gpu: FakeDevice) -> None:
    group = EmbeddingGroup([90, 40], [3, 2], device="cpu:0")
    group.ensure_built(None)
    fake_gpu.failing = [False] * 5 + [True] * 9
    with pytest.raises(MemoryError, match="does not fit"):
        group.cache_rows("gpu:0", 50)
    assert [table.cache for table in group.tables] == [None, None]


def test_a_table_that_is_handed_around_alone_has_a_cache_too(fake_gpu: FakeDevice) -> None:
    table = Table(VALUES.copy())
    assert table.cache_rows("gpu:1", 32, "lfu") is table.cache
    assert table.cache is not None
    assert (table.cache.placement, table.cache.policy, table.cache.hit_rate) == ("gpu:1", "lfu", 0.0)
