"""The emulator of CUDA itself: kernels without and with mistakes, sanitizers, and the same bits for any grid."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from devices import Device, refusal_of
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_same_bits
from training import OPTIMIZERS, make_trained, update_rows

from fastembed_layer import RowGradient
from fastembed_layer.backends.contract import IdsOutOfRangeError, Step
from fastembed_layer.backends.cuda import CudaBackend
from fastembed_layer.tables.row_rates import RowRates
from fastembed_layer.tables.table import Table

REFUSAL = refusal_of("cuda-on-cpu")
if REFUSAL is not None:
    if os.environ.get("CI"):
        raise RuntimeError(f"The CUDA kernels have to be run in CI, but that {REFUSAL}.")
    pytest.skip(REFUSAL, allow_module_level=True)

from emulated_cuda import (  # noqa: E402
    BACKEND,
    COMPILER,
    FOLDER,
    Emulator,
    NumpyStandIn,
    box_argument,
    box_arguments,
    make_backend,
)

SANITIZERS = {"address,undefined": "libasan.so", "thread": "libtsan.so"}
FINDINGS = {"undefined": "signed integer overflow", "thread": "data race", "address": "heap-buffer-overflow"}
RUNS = [(name, False) for name in SANITIZERS] + [(name, True) for name in FINDINGS]


# ---- Sanitizers


def start_sanitized(sanitizer: str, is_planted: bool) -> subprocess.Popen[str]:
    """Start a process of its own, in which the sanitizer's runtime is loaded before anything else."""
    library = SANITIZERS["thread" if sanitizer == "thread" else "address,undefined"]
    runtime = subprocess.run([COMPILER, f"-print-file-name={library}"], capture_output=True, text=True, check=True)
    options = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1", "NUMBA_DISABLE_JIT": "1"}
    paths = os.pathsep.join([str(FOLDER.parents[0]), str(FOLDER.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | options | {"LD_PRELOAD": runtime.stdout.strip(), "PYTHONPATH": paths}
    command = [sys.executable, str(FOLDER / "sanitized.py"), sanitizer, *["planted"] * is_planted]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def sanitized() -> Any:
    """All runs, side by side: each spends most of its time with the compiler."""
    processes = {run: start_sanitized(*run) for run in RUNS}
    yield processes
    for process in processes.values():
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="loading a sanitizer first is done by LD_PRELOAD")
@pytest.mark.parametrize(("sanitizer", "is_planted"), RUNS, ids=str)
def test_sanitizers_find_planted_mistakes_and_no_others(sanitized: Any, sanitizer: str, is_planted: bool) -> None:
    output, errors = sanitized[sanitizer, is_planted].communicate(timeout=300)
    assert (output == "clean\n") is not is_planted, errors
    if is_planted:
        assert FINDINGS[sanitizer] in errors


# ---- Mistakes that the emulator itself refuses


def test_a_mistake_in_a_kernel_is_noticed_by_the_judge() -> None:
    from test_operations import judge_update

    gradient = RowGradient(np.array([1, 1]), np.ones((2, 3), "float32"), (30, 3))
    planted = make_backend(planted=("rate * gradient.at(column)", "rate * gradient.at(0)"))
    value = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    gradient.values[:] = value[:2]
    judge_update(Device("sound", BACKEND), "sgd", value, gradient)
    with pytest.raises(AssertionError, match="off by"):
        judge_update(Device("planted", planted), "sgd", value, gradient)


def test_a_kernel_that_does_not_compile_shows_what_the_compiler_said() -> None:
    with pytest.raises(RuntimeError, match=r"error: .*nonsense"):
        Emulator().load_module("nonsense", ())


@pytest.mark.parametrize(
    ("letter", "argument"),
    [
        ("F", np.zeros(2)),
        ("F", np.float32(1)),
        ("f", np.zeros(2, "float32")),
        ("l", 3),
        ("l", np.int32(3)),
        ("L", np.uint64(8)),
        ("F", np.zeros((2, 2), "float32").T[:1]),
        ("C", np.zeros(9, "uint8")[1:]),
    ],
    ids=str,
)
def test_an_argument_of_another_type_than_its_parameter_is_refused(letter: str, argument: Any) -> None:
    with pytest.raises(TypeError):
        box_argument("kernel", letter, argument)


def test_another_number_of_arguments_is_refused() -> None:
    with pytest.raises(TypeError, match=r"takes 2 arguments. Received: 1"):
        box_arguments("kernel", "ll", (np.int64(1),))


BAD_SHUFFLES = {
    "__shfl_sync(3u << 2, 1.0f, 0, 2)": "whose mask is not that of the lanes",
    "__shfl_sync(3u, 1.0f, 2, 2)": "reads a lane of another row",
}


@pytest.mark.parametrize("call", BAD_SHUFFLES)
def test_a_shuffle_beyond_the_lanes_of_its_row_ends_the_process(call: str) -> None:
    source = f'extern "C" __global__ void mix(float *out) {{ out[threadIdx.x] = {call}; }}'
    code = (
        "import numpy as np, emulated_cuda; module = emulated_cuda.Emulator().load_module({!r}, ()); "
        "module.get_function('mix')((1,), (2, 1), (np.zeros(2, 'float32'),))"
    )
    paths = os.pathsep.join([str(FOLDER.parent), *sys.path])
    command = [sys.executable, "-c", code.format(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode != 0
    assert BAD_SHUFFLES[call] in done.stderr


# ---- The same bits for any grid


def run_everything(backend: Any, rule: str) -> list[Any]:
    """Lookups and a step of one table."""
    random = np.random.default_rng(1)
    trained = make_trained(rule, random.normal(size=(9, 5)).astype("float32"))
    ids = random.integers(0, 9, 70)
    ids[::2] = 4
    offsets, device = np.array([0, 3, 3, 70]), Device("any", backend)
    gradient = RowGradient(ids, random.normal(size=(70, 5)).astype("float32"), (9, 5))
    update_rows(device, trained, rule, gradient)
    bags = [backend.gather_bags(trained.table, ids, offsets, None, "mean"), backend.dot_rows(trained.table, gradient)]
    out = np.empty((9, 5), "float32")
    backend.fill_random(out, 3, "normal", (0.0, 1.0))
    return [*trained.copy_bits(), *bags, *backend.sum_duplicates(gradient), out]


@pytest.mark.parametrize("rule", ["adagrad", "rowwise_adam"])
def test_results_have_the_same_bits_for_any_number_of_blocks(rule: str) -> None:
    results = [run_everything(make_backend(most_blocks=blocks), rule) for blocks in (1, 3)]
    for one, other in zip(*results, strict=True):
        assert_same_bits(one, other)


def test_the_first_of_many_bad_ids_is_named_whatever_thread_finds_it() -> None:
    ids = np.full(50, 3)
    ids[:17] = 0
    for _ in range(20):
        with pytest.raises(IdsOutOfRangeError, match=r"indices\[17\] = 3 "):
            BACKEND.gather_rows(Table(np.ones((3, 1))), ids)


# ---- Ids with many gradients


@given(
    lengths=st.lists(st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 31]), max_size=8),
    piece=st.sampled_from([1, 2, 4, 5]),
)
def test_pieces_of_long_segments_add_up_to_the_sum(lengths: list[int], piece: int) -> None:
    """Whole numbers, whose sums are exact in any order; each row of the table receives the sum of its gradients."""
    BACKEND._device.piece = piece
    try:
        ids = np.random.default_rng(sum(lengths)).permutation(np.repeat(np.arange(len(lengths)), lengths))
        values = np.random.default_rng(1).integers(-9, 9, (len(ids), 3)).astype("float32")
        table = Table(np.zeros((max(1, len(lengths)), 3), "float32"))
        grouped = BACKEND.group_gradient(RowGradient(ids, values, table.shape))
        BACKEND.update_rows(table, grouped, Step("sgd", [], (-1.0,)))
    finally:
        BACKEND._device.piece = 4
    expected = np.zeros(table.shape, "float32")
    np.add.at(expected, ids, values)
    np.testing.assert_array_equal(table.value, expected)


# ---- Waiting for the device, and copies of what does not change


class CountedFlag(np.ndarray):
    """A flag in the memory of a device: reading it there counts as waiting."""

    waits = 0

    def __getitem__(self, key: Any) -> Any:
        CountedFlag.waits += 1
        return np.asarray(self)[key]


class CountingStandIn(NumpyStandIn):
    """Numpy in the place of cupy, whose flags count how often they are read, and their copies to the host."""

    def full(self, *given: Any) -> Any:
        """Make a flag; nothing else is made by this function."""
        return np.full(*given).view(CountedFlag)

    @staticmethod
    def asnumpy(array: Any) -> Any:
        """Bring an array to the host."""
        CountedFlag.waits += 1
        return np.asarray(array)


@pytest.fixture(scope="module")
def counted() -> Any:
    """The backend on a stand-in that counts, with the kernels that are compiled already."""
    return CudaBackend(CountingStandIn, BACKEND._device._launcher, lambda: None, 4)


def list_checking_operations(backend: Any) -> dict[str, Any]:
    """Every operation that checks ids, as a function of the ids."""
    table, bounds, vocabularies = Table(np.ones((9, 3))), np.array([0, 2, 4]), (np.array([0]), np.array([9]))

    def gradient(ids: Any) -> RowGradient:
        return RowGradient(ids, np.ones((4, 3)), (9, 3))

    return {
        "gather_rows": lambda ids: backend.gather_rows(table, ids),
        "gather_bags": lambda ids: backend.gather_bags(table, ids, bounds, None),
        "gather_max": lambda ids: backend.gather_max(table, ids, bounds, None),
        "dot_rows": lambda ids: backend.dot_rows(table, gradient(ids)),
        "offset_ids": lambda ids: backend.offset_ids(ids.reshape(4, 1), np.array([0]), *vocabularies),
        "offset_bags": lambda ids: backend.offset_bags(ids, bounds[None], *vocabularies),
        "group_gradient": lambda ids: backend.group_gradient(gradient(ids)),
    }


@pytest.mark.parametrize("operation", list_checking_operations(None))
def test_an_operation_waits_for_its_flag_once(counted: Any, operation: str) -> None:
    run = list_checking_operations(counted)[operation]
    CountedFlag.waits = 0
    run(np.array([0, 8, 8, 1]))
    assert CountedFlag.waits == 1
    with pytest.raises(IdsOutOfRangeError):
        run(np.array([0, 9, 8, 9]))


def test_an_update_waits_for_nothing(counted: Any) -> None:
    table = Table(np.ones((9, 3)))
    grouped = counted.group_gradient(RowGradient(np.array([0, 0, 0, 0, 0, 1]), np.ones((6, 3)), (9, 3)))
    CountedFlag.waits = 0
    counted.update_rows(table, grouped, Step("sgd", [], (0.1,)))
    assert CountedFlag.waits == 0


def test_the_count_of_waits_sees_a_second_one(counted: Any) -> None:
    flag = counted._device.make_flag()
    CountedFlag.waits = 0
    counted._device.first_bad(flag)
    counted._device.first_bad(flag)
    assert CountedFlag.waits == 2


def test_steps_copy_the_rates_of_rows_to_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = RowRates(None, np.linspace(0.1, 1, 9))
    table, copies = Table(np.ones((9, 3))), []
    table.row_rates = rates
    monkeypatch.setattr(Table, "placement", property(lambda _: "gpu:0"))
    monkeypatch.setattr(
        "fastembed_layer.tables.row_rates.move_array", lambda array, place: copies.append(place) or array.copy()
    )
    for _ in range(3):
        grouped = BACKEND.group_gradient(RowGradient(np.array([1, 8]), np.ones((2, 3)), (9, 3)))
        BACKEND.update_rows(table, grouped, Step("sgd", [], (1.0,)))
    assert copies == ["gpu:0"]
    np.testing.assert_allclose(table.array[[0, 1, 8], 0], [1, 1 - 3 * rates.factors[1], 1 - 3 * rates.factors[8]])


def test_every_rule_has_a_row_function_of_the_same_name() -> None:
    folder = Path(__file__).parents[2] / "fastembed_layer" / "kernels" / "rules"
    for rule in OPTIMIZERS:
        assert any(f"update_row_{rule}(" in path.read_text() for path in folder.glob("*.cu")), rule
