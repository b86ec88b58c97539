"""The memory of a training step: nothing of the size of the table, however large the table is."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from fastembed_layer import Embedding, EmbeddingBag, GradientTape, RowGradient, Sequential
from fastembed_layer.backends.buffers import drop_free_memory
from fastembed_layer.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop, RowwiseAdagrad
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

INPUT_DIM, OUTPUT_DIM = 10_000_000, 16
TABLE_BYTES = INPUT_DIM * OUTPUT_DIM * 4
BATCH = (4096, 10)
ROWS_BYTES = BATCH[0] * BATCH[1] * OUTPUT_DIM * 4  # 2.6 MB, where the table has 640 MB

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "SGD": lambda: SGD(0.1),
    "SGD with momentum": lambda: SGD(0.1, momentum=0.9),
    "Adagrad": lambda: Adagrad(0.1, initial_accumulator_value=0.0),  # zeros take up no memory until they are written
    "RMSprop, centered, with momentum": lambda: RMSprop(0.1, momentum=0.9, centered=True),
    "Adam": lambda: Adam(0.1),
    "AMSGrad": lambda: Adam(0.1, amsgrad=True),
    "row-wise Adagrad": lambda: RowwiseAdagrad(0.1),
}


USUAL = ("SGD", "Adam", "row-wise Adagrad")


class Peak(NamedTuple):
    """The most bytes that were allocated at one time and not before, and those that stayed."""

    most: int
    left: int


def measure_peak(action: Callable[[], Any]) -> Peak:
    """Measure what an action allocates; numpy reports its arrays to tracemalloc."""
    drop_free_memory()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        action()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Peak(peak - before, after - before)


@pytest.fixture(scope="module")
def zeros() -> Array:
    """The values of the large table, which the system hands out page by page as rows are touched."""
    return np.zeros((INPUT_DIM, OUTPUT_DIM), "float32")


def make_layer(zeros: Array, layer_class: type[Embedding] = Embedding, **keywords: Any) -> Embedding:
    """A layer of 10 million rows without the time it takes to fill them."""
    layer = layer_class(INPUT_DIM, OUTPUT_DIM, **keywords)
    layer._table = Table(zeros)
    layer.built = True
    return layer


def batches(count: int) -> list[Array]:
    """Ids of some batches; every batch has other rows."""
    random = np.random.default_rng(0)
    return [random.integers(0, INPUT_DIM, BATCH) for _ in range(count)]


def train(layer: Embedding, optimizer: Optimizer, many_ids: Iterable[Array]) -> None:
    """One step for each batch of ids."""
    for ids in many_ids:
        train_step(layer, optimizer, ids)


def train_step(layer: Embedding, optimizer: Optimizer, ids: Array) -> None:
    """Look up, go back, update; the loss is the sum of the output."""
    with GradientTape() as tape:
        rows = layer(ids)
    gradients = tape.gradient(rows, layer.trainable_weights)
    assert isinstance(gradients[0], RowGradient)
    optimizer.apply_gradients(zip(gradients, layer.trainable_weights, strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_on_ten_million_rows_allocates_less_than_three_times_the_rows_of_the_batch(
    name: str, zeros: Array, request: pytest.FixtureRequest
) -> None:
    if name not in USUAL and not request.config.getoption("--long"):
        pytest.skip("takes seconds of compiling, and allocates as the others do: with --long")
    layer, optimizer = make_layer(zeros), OPTIMIZERS[name]()
    first, second, *steps = batches(5)
    train(layer, optimizer, [first, second])  # makes the slots and, with rows that were idle, compiles all kernels
    peak = measure_peak(lambda: train(layer, optimizer, steps))
    assert peak.most < 3 * ROWS_BYTES


@pytest.mark.parametrize("combiner", ["mean", "max"])
def test_a_step_over_bags_allocates_less_than_the_rows_it_reads(combiner: str, zeros: Array) -> None:
    layer, optimizer = make_layer(zeros, EmbeddingBag, combiner=combiner), SGD(0.1)
    train_step(layer, optimizer, batches(1)[0])
    peak = measure_peak(lambda: train_step(layer, optimizer, batches(2)[1]))
    assert peak.most < ROWS_BYTES


def test_a_step_of_a_model_allocates_a_few_times_the_rows_of_the_batch(zeros: Array) -> None:
    """The loss has arrays of the size of the rows too: predictions less targets, their squares, the gradient."""
    model = Sequential([make_layer(zeros)])
    model.compile("adam", "mse")
    targets = np.ones((*BATCH, OUTPUT_DIM), "float32")
    first, second = batches(2)
    model.train_on_batch(first, targets)
    assert measure_peak(lambda: model.train_on_batch(second, targets)).most < 8 * ROWS_BYTES


@pytest.mark.parametrize("initializer", ["uniform", "zeros"])
def test_building_a_layer_allocates_its_table_once(initializer: str) -> None:
    Embedding(10, OUTPUT_DIM, embeddings_initializer=initializer).build()
    layer = Embedding(INPUT_DIM // 10, OUTPUT_DIM, embeddings_initializer=initializer)
    assert measure_peak(layer.build).most < 1.05 * TABLE_BYTES / 10


def test_a_lookup_allocates_its_result_and_no_more(zeros: Array) -> None:
    layer = make_layer(zeros)
    ids = batches(1)[0]
    layer(ids)
    assert measure_peak(lambda: layer(ids)).most < 1.2 * ROWS_BYTES


def test_a_loop_takes_no_more_memory_the_longer_it_runs(zeros: Array) -> None:
    layer, optimizer = make_layer(zeros), SGD(0.1)
    train_step(layer, optimizer, batches(1)[0])
    short = measure_peak(lambda: train(layer, optimizer, batches(2)))
    long = measure_peak(lambda: train(layer, optimizer, batches(12)))
    ids_bytes = 12 * BATCH[0] * BATCH[1] * 8
    assert long.most < short.most + 1.5 * ids_bytes


def test_the_rows_of_one_step_use_the_memory_of_the_step_before(zeros: Array) -> None:
    layer, ids = make_layer(zeros), batches(1)[0]
    addresses = {layer(ids).__array_interface__["data"][0] for _ in range(5)}
    assert len(addresses) == 1


def test_rows_that_are_kept_are_never_overwritten() -> None:
    random = np.random.default_rng(0)
    value = random.standard_normal((1000, 64)).astype("float32")
    layer = Embedding(1000, 64, embeddings_initializer=value)
    kept: list[tuple[Array, Array]] = []
    for _ in range(200):
        ids = random.integers(0, 1000, (random.integers(400, 900),))
        rows = layer(ids)
        start, move = int(random.integers(0, 300)), random.integers(0, 4)
        if move == 0:
            kept.append((ids, rows))
        elif move == 1:
            kept.append((ids[start:], rows[start:]))
        elif kept and move == 2:
            del kept[int(random.integers(0, len(kept)))]
        del rows
    assert kept
    for ids, rows in kept:
        assert np.array_equal(rows, value[ids])


def resident_peak(action: Callable[[], Any]) -> int:
    """How far an action lifts the memory of the process; kernels' own allocations count here too."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from the present
    before = read_peak()
    action()
    return read_peak() - before


def read_peak() -> int:
    """The most bytes that the process has had in memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def can_reset_peak() -> bool:
    """Whether the system lets a process reset its peak."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return "VmHWM:" in Path("/proc/self/status").read_text()


@pytest.mark.skipif(not can_reset_peak(), reason="the system does not tell the peak memory of a stretch of time")
def test_a_step_lifts_the_memory_of_the_process_by_far_less_than_the_table(zeros: Array) -> None:
    zeros.fill(0)  # every page is in memory, so that touching rows takes none
    layer, optimizer = make_layer(zeros), SGD(0.1)
    first, second = batches(2)
    train_step(layer, optimizer, first)
    assert resident_peak(lambda: train_step(layer, optimizer, second)) < TABLE_BYTES / 10


@pytest.mark.skipif(not can_reset_peak(), reason="the system does not tell the peak memory of a stretch of time")
def test_a_temporary_of_the_size_of_the_table_is_noticed_by_both_measures() -> None:
    def allocate() -> None:
        np.ones(TABLE_BYTES, np.uint8)

    assert measure_peak(allocate).most >= TABLE_BYTES
    assert resident_peak(allocate) > TABLE_BYTES / 2
