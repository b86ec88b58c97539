"""Memory for tables: the estimate, what happens when it does not suffice, and first values on the final device."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import numpy as np
import pytest
from fake_device import FakeDevice

from fastembed_layer import (
    Embedding,
    EmbeddingBag,
    EmbeddingGroup,
    Sequential,
    device,
    initializers,
    memory_estimate,
    optimizers,
)
from fastembed_layer.backends import cpu_memory
from fastembed_layer.backends.arrays import allocate, copy_blocks, move_array
from fastembed_layer.initializers import base
from fastembed_layer.optimizers import SGD, Adagrad, Adam
from fastembed_layer.optimizers.step.placing import make_room
from fastembed_layer.placement.memory import (
    BATCH_IDS,
    BYTES_PER_ID,
    MARGIN_SHARE,
    SMALLEST_MARGIN,
    MemoryEstimate,
    allocate_table,
    estimate_memory,
)

ROWS, COLUMNS = 1000, 8
TABLE = ROWS * COLUMNS * 4
WORKSPACE = BATCH_IDS * (2 * COLUMNS * 4 + BYTES_PER_ID)
ADAM = 2 * TABLE + ROWS * 4  # slots and last steps
IDS = np.array([[1, 2], [2, 999]])


def room_for(*parts: int) -> int:
    """The smallest capacity in which so much fits with its work space and margin."""
    needed = sum(parts) + WORKSPACE
    return needed + max(SMALLEST_MARGIN, int(MARGIN_SHARE * needed))


# ---- On the host


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_table_is_allocated_in_its_shape_and_type(dtype: str) -> None:
    value = allocate_table((3, 2), dtype, "words")
    assert (value.shape, value.dtype, value.flags.carray) == ((3, 2), np.dtype(dtype), True)


def test_a_table_beyond_the_available_memory_is_refused_with_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_memory, "available_memory", lambda: 1 << 20)
    with pytest.raises(MemoryError) as caught:
        allocate_table((1_000_000, 64), "float32", "words")
    assert str(caught.value) == (
        "The table of the layer 'words' needs 244.1 MiB (1000000 rows x 64 columns of float32), and 1.0 MiB are "
        "available. Fewer rows (hash or drop rare ids) or fewer columns need less."
    )


@pytest.mark.parametrize("shape", [(10**15, 64), (10**18, 10**18), (10**30, 1)], ids=str)
@pytest.mark.parametrize("available", [None, 1 << 80])
def test_a_table_that_no_machine_has_memory_for_is_a_memory_error(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], available: int | None
) -> None:
    monkeypatch.setattr(cpu_memory, "available_memory", lambda: available)
    with pytest.raises(MemoryError, match=rf"The table of the layer 'words' needs .* \({shape[0]} rows x {shape[1]}"):
        allocate_table(shape, "float64", "words")


def test_a_layer_without_memory_for_its_table_says_so_when_it_is_built() -> None:
    layer = Embedding(10**14, 64, name="words")
    with pytest.raises(MemoryError, match=r"'words' needs 23283\.1 TiB"):
        layer(np.array([0]))


def test_a_table_that_just_fits_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_memory, "available_memory", lambda: 24)
    assert allocate_table((3, 2), "float32", "words").nbytes == 24
    with pytest.raises(MemoryError):
        allocate_table((7, 1), "float32", "words")


# ---- The estimate


def test_the_estimate_adds_up_table_slots_work_space_and_margin(fake_gpu: FakeDevice) -> None:
    estimate = memory_estimate(ROWS, COLUMNS, optimizer="adam")
    assert estimate == MemoryEstimate("gpu:0", TABLE, ADAM, WORKSPACE, SMALLEST_MARGIN, fake_gpu.capacity)
    assert estimate.total == TABLE + ADAM + WORKSPACE + SMALLEST_MARGIN
    assert fake_gpu.allocations == 0


def test_a_large_table_gets_a_margin_in_proportion(fake_gpu: FakeDevice) -> None:
    estimate = memory_estimate(10**9, 128, "float64", device="gpu:1")
    assert estimate.margin == int(MARGIN_SHARE * (estimate.table + estimate.workspace)) > SMALLEST_MARGIN
    assert (estimate.device, estimate.table, estimate.slots) == ("gpu:1", 10**9 * 128 * 8, 0)


@pytest.mark.parametrize(
    ("optimizer", "per_row"),
    [
        (SGD(), 0),
        (Adagrad(), COLUMNS * 4),
        (Adam(update="lazy"), 2 * COLUMNS * 4),
        (Adam(), 2 * COLUMNS * 4 + 4),
        (Adam(amsgrad=True), 3 * COLUMNS * 4 + 4),
        (optimizers.RowwiseAdagrad(), 4),
        (SGD(use_ema=True), COLUMNS * 4 + 8),
        (Adam(use_ema=True), 3 * COLUMNS * 4 + 4),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_an_optimizer_keeps_is_what_the_estimate_says(
    fake_gpu: FakeDevice, optimizer: optimizers.Optimizer, per_row: int
) -> None:
    layer = Embedding(ROWS, COLUMNS)
    assert layer.memory_estimate(optimizer).slots == ROWS * per_row
    rows, pull_back = layer.forward(layer.prepare(IDS))
    before = fake_gpu.used
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an average of all rows is expensive
        optimizer.apply_gradients([(pull_back(np.ones_like(rows)).parameters[0][1], layer.embeddings)])
    gc.collect()
    averages = [average.average.nbytes for average in optimizer.averages._averages.values()]  # results of arithmetic
    assert fake_gpu.used - before + sum(averages) == pytest.approx(ROWS * per_row, abs=1000)


def test_the_estimate_on_the_cpu_has_no_margin() -> None:
    estimate = Embedding(ROWS, COLUMNS, device="cpu:0").memory_estimate("adagrad")
    assert (estimate.device, estimate.slots, estimate.margin) == ("cpu:0", TABLE, 0)
    assert estimate.fits


def test_what_is_not_known_is_taken_to_fit() -> None:
    assert MemoryEstimate("gpu:0", 1 << 60, 0, 0, 0, None).fits
    assert "available       unknown on gpu:0" in MemoryEstimate("gpu:0", 1, 0, 0, 0, None).describe()


def test_several_tables_share_work_space_and_margin(fake_gpu: FakeDevice) -> None:
    group = EmbeddingGroup([ROWS, ROWS, 10], [COLUMNS, COLUMNS, 2])
    estimate = group.memory_estimate("adagrad")
    assert group.table_shapes() == [(2 * ROWS, COLUMNS), (10, 2)]
    assert (estimate.table, estimate.slots) == (2 * TABLE + 80, 2 * TABLE + 80)
    assert estimate.workspace == WORKSPACE


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((0, 8), ValueError, "`input_dim` must be a positive integer"),
        ((8, 1.5), TypeError, "`output_dim` must be a positive integer"),
        ((8, 8, "int8"), TypeError, "`dtype` must be float32 or float64"),
        ((8, 8, "float32", "adamant"), ValueError, "adamant"),
        ((8, 8, "float32", None, "tpu:0"), ValueError, "`device` must be a device string"),
    ],
)
def test_an_estimate_of_nonsense_is_an_error(arguments: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        memory_estimate(*arguments)


def test_the_placement_is_explained_by_its_sum(fake_gpu: FakeDevice, capsys: pytest.CaptureFixture[str]) -> None:
    fake_gpu.capacity = room_for(TABLE)
    layer = Embedding(ROWS, COLUMNS, name="words")
    layer.explain_placement()
    assert capsys.readouterr().out == (
        "words: gpu:0, by default, not built yet\n"
        "table          31.2 KiB\n"
        "slots               0 B\n"
        "work space     24.0 MiB\n"
        "margin        256.0 MiB\n"
        "sum           280.0 MiB\n"
        "available     280.0 MiB on gpu:0\n"
    )


def test_a_table_that_went_to_the_cpu_is_explained_by_the_sum_on_the_gpu(
    fake_gpu: FakeDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_gpu.capacity = room_for(TABLE) - 1
    layer = Embedding(ROWS, COLUMNS, name="words")
    with pytest.warns(UserWarning, match="It goes to cpu:0 now"):
        layer(IDS)
    layer.explain_placement()
    explained = capsys.readouterr().out
    assert explained.startswith("words: cpu:0, since not everything fits on gpu:0\n")
    assert "available     280.0 MiB on gpu:0" in explained


def test_without_a_gpu_the_explanation_says_why(fake_gpu: FakeDevice, capsys: pytest.CaptureFixture[str]) -> None:
    fake_gpu.reason = "The driver is too old."
    Embedding(ROWS, COLUMNS).explain_placement("adam")
    assert "No GPU can be used. The driver is too old.\n" in capsys.readouterr().out


# ---- The policy


def test_a_table_that_fits_goes_to_the_gpu_by_default(fake_gpu: FakeDevice) -> None:
    fake_gpu.capacity = room_for(TABLE)
    layer = Embedding(ROWS, COLUMNS)
    layer(IDS)
    assert (layer.placement, layer.embeddings.placement, fake_gpu.used) == ("gpu:0", "gpu:0", TABLE)


def test_a_table_that_does_not_fit_goes_to_the_cpu_with_the_sum_and_the_remedy(fake_gpu: FakeDevice) -> None:
    fake_gpu.capacity = room_for(TABLE) - 1
    layer = Embedding(ROWS, COLUMNS, name="words")
    with pytest.warns(UserWarning, match="does not fit") as caught:
        layer(IDS)
    assert str(caught[0].message) == (
        "The table of the layer 'words' does not fit on gpu:0: table 31.2 KiB + slots 0 B + work space 24.0 MiB + "
        "margin 256.0 MiB = 280.0 MiB, and 280.0 MiB are available on gpu:0. Place it on the CPU with `device='cpu:0'` "
        "or `with device('cpu:0'):` around its construction; training costs what the touched rows cost there, too. "
        "Fewer rows or columns, or an optimizer with fewer slots, need less. It goes to cpu:0 now."
    )
    assert (len(caught), layer.placement, fake_gpu.allocations) == (1, "cpu:0", 0)


@pytest.mark.parametrize("scope", [True, False])
def test_a_table_that_does_not_fit_where_the_caller_wants_it_is_a_memory_error(
    fake_gpu: FakeDevice, scope: bool
) -> None:
    fake_gpu.capacity = 1 << 20
    if scope:
        with device("gpu:1"):
            layer = Embedding(ROWS, COLUMNS)
    else:
        layer = Embedding(ROWS, COLUMNS, device="gpu:1")
    with pytest.raises(MemoryError, match=r"does not fit on gpu:1: table 31\.2 KiB .* Place it on the CPU with"):
        layer(IDS)
    assert (fake_gpu.allocations, layer.built) == (0, False)


def test_an_allocation_that_fails_all_the_same_is_tried_again_with_free_blocks_released(fake_gpu: FakeDevice) -> None:
    fake_gpu.failing = [True]
    layer = Embedding(ROWS, COLUMNS)
    layer.build()
    assert (layer.placement, fake_gpu.allocations, fake_gpu.releases) == ("gpu:0", 2, 1)


def test_an_allocation_that_fails_twice_leaves_the_table_to_the_cpu(fake_gpu: FakeDevice) -> None:
    fake_gpu.failing = [True, True]
    layer = Embedding(ROWS, COLUMNS)
    with pytest.warns(UserWarning, match=r"does not fit on gpu:0.*It goes to cpu:0 now"):
        layer.build()
    assert (layer.placement, fake_gpu.allocations, fake_gpu.used) == ("cpu:0", 2, 0)


def test_an_allocation_that_fails_twice_where_the_caller_wants_it_is_an_error(fake_gpu: FakeDevice) -> None:
    fake_gpu.failing = [True, True]
    with pytest.raises(MemoryError, match="does not fit on gpu:0"):
        Embedding(ROWS, COLUMNS, device="gpu:0").build()


def test_a_table_on_the_cpu_makes_no_allocation_on_the_gpu(fake_gpu: FakeDevice) -> None:
    with device("cpu:0"):
        model = Sequential([EmbeddingBag(ROWS, COLUMNS)])
    model.compile(Adam(use_ema=True, update="lazy"), "mse")
    model.fit(IDS, np.zeros((2, COLUMNS), "float32"), verbose=0)
    model.predict(IDS)
    model.layers[0].embeddings.numpy()
    assert (fake_gpu.allocations, fake_gpu.releases) == (0, 0)


# ---- The optimizer's share


def test_compile_moves_a_table_whose_slots_would_not_fit(fake_gpu: FakeDevice) -> None:
    fake_gpu.capacity = room_for(TABLE, ADAM) - 1
    layer = Embedding(ROWS, COLUMNS, name="words")
    model = Sequential([layer])
    before = model.predict(IDS)
    assert layer.placement == "gpu:0"
    with pytest.warns(UserWarning, match=r"'embeddings', with what Adam keeps of it, does not fit.*slots 66\.4 KiB"):
        model.compile("adam", "mse")
    gc.collect()
    assert (layer.placement, fake_gpu.used) == ("cpu:0", 0)
    np.testing.assert_array_equal(model.predict(IDS), before)


def test_compile_leaves_a_table_whose_slots_fit(fake_gpu: FakeDevice) -> None:
    fake_gpu.capacity = room_for(TABLE, ADAM)
    layer = Embedding(ROWS, COLUMNS)
    model = Sequential([layer])
    model.predict(IDS)
    model.compile("adam", "mse")
    model.fit(IDS, np.zeros((2, 2, COLUMNS), "float32"), verbose=0)
    assert layer.placement == "gpu:0"


def test_compile_refuses_slots_that_do_not_fit_where_the_caller_wants_the_table(fake_gpu: FakeDevice) -> None:
    fake_gpu.capacity = room_for(TABLE, ADAM) - 1
    model = Sequential([Embedding(ROWS, COLUMNS, device="gpu:0")])
    model.predict(IDS)
    with pytest.raises(MemoryError, match="with what Adam keeps of it, does not fit on gpu:0"):
        model.compile("adam", "mse")
    assert model.optimizer is None
    model.compile("sgd", "mse")
    model.fit(IDS, np.zeros((2, 2, COLUMNS), "float32"), verbose=0)


def test_the_largest_table_leaves_when_the_slots_of_two_do_not_fit(fake_gpu: FakeDevice) -> None:
    small, large = Embedding(ROWS, COLUMNS), Embedding(2 * ROWS, COLUMNS)
    fake_gpu.capacity = room_for(3 * TABLE, ADAM, ADAM)
    for layer in (large, small):
        layer.build()
    with pytest.warns(UserWarning, match="It goes to cpu:0 now"):
        make_room([large.embeddings, small.embeddings], Adam())
    assert (small.placement, large.placement) == ("gpu:0", "cpu:0")


def train_once(layer: Embedding, optimizer: optimizers.Optimizer) -> None:
    rows, pull_back = layer.forward(layer.prepare(IDS))
    assert pull_back is not None
    optimizer.apply_gradients([(pull_back(np.ones_like(rows)).parameters[0][1], layer.embeddings)])


@pytest.mark.parametrize("failing", [[True, True], [False] * 4 + [True, True], [False] * 2 + [True, True]], ids=str)
def test_a_step_that_finds_no_memory_goes_on_on_the_cpu_with_the_same_result(
    fake_gpu: FakeDevice, failing: list[bool]
) -> None:
    layer, twin = (Embedding(ROWS, COLUMNS, "ones", device=where) for where in (None, "cpu:0"))
    optimizer, other = Adam(), Adam()
    layer.build()
    rows, pull_back = layer.forward(layer.prepare(IDS))
    gradient = pull_back(np.ones_like(rows)).parameters[0][1]
    fake_gpu.failing = failing
    with pytest.warns(UserWarning, match="with what Adam keeps of it, does not fit on gpu:0"):
        optimizer.apply_gradients([(gradient, layer.embeddings)])
    train_once(twin, other)
    assert layer.placement == "cpu:0"
    for _ in range(3):
        train_once(layer, optimizer)
        train_once(twin, other)
    np.testing.assert_array_equal(layer.embeddings.numpy(), twin.embeddings.numpy())


def test_a_step_that_finds_no_memory_where_the_caller_wants_the_table_writes_nothing(fake_gpu: FakeDevice) -> None:
    layer, optimizer = Embedding(ROWS, COLUMNS, device="gpu:0"), Adam()
    rows, pull_back = layer.forward(layer.prepare(IDS))
    gradient, before = pull_back(np.ones_like(rows)).parameters[0][1], layer.embeddings.numpy()
    fake_gpu.failing = [False, False, True, True]
    with pytest.raises(MemoryError, match="with what Adam keeps of it, does not fit on gpu:0"):
        optimizer.apply_gradients([(gradient, layer.embeddings)])
    np.testing.assert_array_equal(layer.embeddings.numpy(), before)
    assert (optimizer.iterations, layer.placement) == (0, "gpu:0")
    optimizer.apply_gradients([(gradient, layer.embeddings)])


def test_a_lookup_that_finds_no_memory_is_tried_again_with_free_blocks_released(fake_gpu: FakeDevice) -> None:
    layer = Embedding(ROWS, COLUMNS, device="gpu:0")
    expected = layer(IDS)
    fake_gpu.failing = [True]
    np.testing.assert_array_equal(layer(IDS), expected)
    assert fake_gpu.releases == 1


# ---- First values


@pytest.mark.parametrize(
    "initializer",
    [
        *("uniform", "normal", "truncated_normal", "zeros", "ones", "glorot_uniform", "orthogonal", "identity"),
        np.arange(50.0).reshape(10, 5),
        lambda shape, dtype: np.arange(50, dtype=dtype).reshape(shape),
    ],
    ids=str,
)
def test_first_values_on_a_gpu_have_the_bits_of_the_cpu(fake_gpu: FakeDevice, initializer: Any) -> None:
    initializer = initializers.get(initializer)  # one seed for both
    there, here = (Embedding(10, 5, initializer, device=where) for where in ("gpu:0", "cpu:0"))
    np.testing.assert_array_equal(there.embeddings.numpy(), here.embeddings.numpy())


def test_first_values_are_copied_in_blocks(fake_gpu: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BLOCK_BYTES", 64)
    copied: list[int] = []
    monkeypatch.setattr(base, "copy_blocks", lambda out, block: (copied.append(len(block)), copy_blocks(out, block)))
    values = np.arange(50.0).reshape(10, 5)
    out = fake_gpu.empty((10, 5), "float32")
    initializers.get(values).fill(out)
    assert copied == [3, 3, 3, 1]
    np.testing.assert_array_equal(move_array(out, "cpu:0"), values)


def test_an_array_that_cannot_be_filled_is_refused_on_a_device_too(fake_gpu: FakeDevice) -> None:
    with pytest.raises(TypeError, match=r"`out` must be an array of float32 or float64\. Received: dtype int32\."):
        initializers.get("ones").fill(fake_gpu.empty((2, 2), "int32"))


def test_memory_is_filled_where_it_is(fake_gpu: FakeDevice) -> None:
    assert move_array(allocate((2,), "float32", "gpu:1", 3.0), "cpu:0").tolist() == [3, 3]
    assert estimate_memory((2, 2), "float32", "gpu:1", 5, is_there=True)[:3] == ("gpu:1", 0, 5)
