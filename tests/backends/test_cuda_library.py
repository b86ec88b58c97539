"""What is said where there is no GPU, and memory: against fakes of the GPU's library, and the library itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from devices import Device, refusal_of
from reference import assert_same_bits
from training import make_trained, update_rows

from fastembed_layer import RowGradient
from fastembed_layer.backends.cuda import library
from fastembed_layer.backends.cuda.memory import DeviceMemory
from fastembed_layer.backends.cuda.modules import Launcher, Module, enter_device
from fastembed_layer.tables.table import Table


class FakeError(Exception):
    """An error of the CUDA runtime."""

    def __init__(self, status: int):
        super().__init__(f"cudaError {status}")
        self.status = status


class FakeCompilationError(Exception):
    """What the library raises where NVIDIA's compiler refuses a source."""


def make_library(devices: int | FakeError, driver: int = 12040) -> SimpleNamespace:
    """A library that finds some devices, or fails at looking for them."""

    def count_devices() -> int:
        if isinstance(devices, FakeError):
            raise devices
        return devices

    runtime = SimpleNamespace(
        getDeviceCount=count_devices,
        CUDARuntimeError=FakeError,
        driverGetVersion=lambda: driver,
        runtimeGetVersion=lambda: 12090,
    )
    compiler = SimpleNamespace(CompileException=FakeCompilationError)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime, compiler=compiler), RawModule=FakeRawModule)


class FakeRawModule:
    """A module whose source may be nonsense."""

    def __init__(self, code: str, options: tuple[str, ...]):
        self.code = code

    def compile(self) -> None:
        if "nonsense" in self.code:
            raise FakeCompilationError('kernels.cu(1): error: identifier "nonsense" is undefined')


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Put a fake in the place of the library, or nothing at all."""

    def put(fake: Any) -> None:
        monkeypatch.setattr(library, "find_spec", lambda name: fake and object())
        monkeypatch.setitem(sys.modules, "cupy", fake)
        library.find_refusal.cache_clear()

    yield put
    library.find_refusal.cache_clear()


def test_a_missing_library_names_the_extra_and_nothing_is_imported(pretend: Any) -> None:
    pretend(None)
    assert "pip install fastembed_layer[cuda12]" in str(library.find_refusal())
    with pytest.raises(ImportError, match=r"pip install fastembed_layer\[cuda12\]"):
        library.import_library()


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (make_library(FakeError(35), driver=11040), "too old: it knows CUDA 11.4, and cupy was built for 12.9"),
        (make_library(FakeError(35), driver=0), "No GPU was found"),
        (make_library(FakeError(100)), "No GPU was found"),
        (make_library(0), "CUDA counts 0 devices"),
    ],
    ids=["old driver", "no driver", "no device", "none counted"],
)
def test_a_gpu_that_cannot_be_used_is_explained(pretend: Any, fake: Any, words: str) -> None:
    pretend(fake)
    assert words in str(library.find_refusal())


def test_a_gpu_that_can_be_used_is_not_refused(pretend: Any) -> None:
    pretend(make_library(2))
    assert library.find_refusal() is None


def test_a_kernel_that_does_not_compile_shows_the_log_and_the_options(pretend: Any) -> None:
    pretend(make_library(1))
    library.load_module("sound", ())
    with pytest.raises(RuntimeError, match=r'(?s)with -DValue=float; the compiler said:.*"nonsense" is undefined'):
        library.load_module("nonsense", ("-DValue=float",))


@pytest.mark.skipif(find_spec("cupy") is None, reason="needs cupy")
def test_the_library_itself_can_be_asked() -> None:
    library.find_refusal.cache_clear()
    assert library.find_refusal() is None or "GPU" in str(library.find_refusal())


def test_asking_for_a_gpu_loads_neither_its_library_nor_a_compiler() -> None:
    code = (
        "from fastembed_layer.backends.cuda import BACKEND; import sys; "
        "print('numba' in sys.modules, 'cupy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


# ---- Launches


class FakeDevice:
    """A device with a name, which counts how often it has been made the current one."""

    def __init__(self, name: str):
        self.name, self.entered = name, 0

    def __str__(self) -> str:
        return self.name

    def __enter__(self) -> FakeDevice:
        self.entered += 1
        return self

    def __exit__(self, *error: object) -> None: ...


def array_on(device: FakeDevice) -> Any:
    """What an array shows of itself."""
    return SimpleNamespace(device=device, ndim=1)


def test_arrays_on_two_devices_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"Received: arrays on one and two; `table.to\(device\)` moves a table"):
        enter_device(array_on(FakeDevice("two")), None, np.int64(3), array_on(FakeDevice("one")))


def test_a_kernel_is_launched_on_the_device_of_its_arrays_and_none_is_a_null_pointer() -> None:
    device, calls = FakeDevice("one"), []
    module = SimpleNamespace(get_function=lambda name: lambda *call: calls.append((name, *call)))
    launcher = Launcher(lambda source, options: module, 64)
    launcher.launch(Module("gather"), "gather_rows", launcher.shape_for(100, 5), (array_on(device), None))
    assert device.entered == 1
    assert calls[0][:3] == ("gather_rows", (13,), (8, 8))
    assert calls[0][3][1] == np.uint64(0)


def test_nothing_is_launched_for_no_rows() -> None:
    launcher = Launcher(lambda source, options: pytest.fail("compiled"))
    launcher.launch(Module("gather"), "gather_rows", launcher.shape_for(0, 5), ())


@pytest.mark.parametrize(("width", "lanes"), [(0, 1), (1, 1), (2, 2), (3, 4), (17, 32), (64, 32), (1000, 32)])
def test_lanes_are_a_power_of_two_that_covers_a_row_up_to_a_warp(width: int, lanes: int) -> None:
    shape = Launcher(lambda source, options: None).shape_for(10_000_000, width)
    assert (shape.lanes, shape.rows * shape.lanes) == (lanes, 256)
    assert shape.blocks <= 1 << 16


# ---- Memory


class NumberedArray(np.ndarray):
    """An array on device 1."""

    device = SimpleNamespace(id=1)
    sent = 0  # arrays that came straight from page-locked memory

    def set(self, source: Any) -> None:
        """Copy an array of the host, as the library does without memory of its own on the way."""
        self[...] = source
        NumberedArray.sent += 1


class PinnedMemory(bytearray):
    """Page-locked memory."""


def copy_to_host(array: Any, out: Any = None) -> Any:
    """What the library's `asnumpy` does."""
    out = np.empty(array.shape, array.dtype) if out is None else out
    out[...] = array
    return out


class FakeMemory(DeviceMemory):
    """The memory of devices that are the host's."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.locked: list[int] = []
        self.lockable = 1 << 30
        pool = SimpleNamespace(free_bytes=lambda: 30, free_all_blocks=lambda: self.log.append("blocks"))

        class Current(FakeDevice):
            mem_info = (100, 400)

            def __init__(device, number: int):  # noqa: N805 - `self` is the memory
                super().__init__(str(number))
                self.log.append(number)

            def synchronize(device) -> None:  # noqa: N805
                self.log.append("waited")

        self.fake = SimpleNamespace(
            cuda=SimpleNamespace(
                Device=Current,
                PinnedMemoryPointer=PinnedMemory,
                alloc_pinned_memory=self.lock,
                runtime=SimpleNamespace(CUDARuntimeError=FakeError),
            ),
            empty=lambda shape, dtype: np.full(shape, 7, dtype).view(NumberedArray),
            zeros=lambda shape, dtype: np.zeros(shape, dtype).view(NumberedArray),
            array=np.array,
            asnumpy=copy_to_host,
            get_default_memory_pool=lambda: pool,
            get_default_pinned_memory_pool=lambda: pool,
        )

    def lock(self, nbytes: int) -> PinnedMemory:
        self.locked.append(nbytes)
        if nbytes > self.lockable:
            raise FakeError(2)
        return PinnedMemory(nbytes)

    @property
    def xp(self) -> Any:
        return self.fake


@pytest.mark.parametrize("block_bytes", [1, 40, 1 << 26])
def test_copies_arrive_whole_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr("fastembed_layer.backends.cuda.memory.BLOCK_BYTES", block_bytes)
    memory = FakeMemory()
    whole = np.arange(70.0).reshape(7, 10)
    for source in (whole, whole[:, ::2], np.zeros((0, 3)), np.array(3.0)):
        there = memory.from_cpu(source, 1)
        assert_same_bits(memory.to_cpu(there), np.ascontiguousarray(source).reshape(source.shape))
        assert memory.device_of(there) == 1
    assert set(memory.log) <= {1, "waited"}


@pytest.mark.parametrize("lockable", [0, 1 << 30])
def test_a_copy_to_the_host_passes_through_locked_memory_if_the_system_gives_some(lockable: int) -> None:
    memory, whole = FakeMemory(), np.arange(12.0).reshape(3, 4)
    there, memory.lockable = memory.from_cpu(whole, 1), lockable
    here = memory.to_cpu(there)
    assert memory.locked == [96]
    assert here.base is None
    assert_same_bits(here, whole)


def test_a_copy_of_more_than_a_block_locks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastembed_layer.backends.cuda.memory.BLOCK_BYTES", 95)
    memory, whole = FakeMemory(), np.arange(12.0).reshape(3, 4)
    assert_same_bits(memory.to_cpu(memory.from_cpu(whole, 1)), whole)
    assert memory.locked == []


def test_locked_memory_is_copied_from_and_to_directly() -> None:
    memory, before = FakeMemory(), NumberedArray.sent
    pinned = memory.empty_pinned((3, 4), "float32", 1)
    assert (pinned.shape, pinned.dtype, type(pinned)) == ((3, 4), np.dtype("float32"), np.ndarray)
    pinned[...] = np.arange(12).reshape(3, 4)
    there = memory.from_cpu(pinned[:2], 1)
    assert NumberedArray.sent == before + 1
    pinned.fill(0)
    assert memory.to_cpu(there, pinned[:2]) is not None
    assert_same_bits(pinned, np.append(np.arange(8.0), np.zeros(4)).reshape(3, 4).astype("float32"))
    assert memory.locked == [48]


def test_a_system_that_locks_nothing_is_a_memory_error() -> None:
    memory = FakeMemory()
    memory.lockable = 10
    with pytest.raises(MemoryError, match="gives no 48 bytes of page-locked memory: cudaError 2"):
        memory.empty_pinned((3, 4), "float32")
    assert memory.empty_pinned((0, 4), "float32").shape == (0, 4)


def test_memory_that_is_left_includes_the_free_blocks_of_the_pool() -> None:
    memory = FakeMemory()
    assert memory.available_memory(1) == 130
    assert memory.release_blocks() == 30
    assert memory.log == [1, "blocks", "blocks"]


# ---- How the suite brings its arrays to a device


@pytest.fixture(scope="module")
def copying() -> Device:
    """A device that shares no memory with the host."""
    refusal = refusal_of("cuda-on-cpu")
    if refusal is not None:
        pytest.skip(refusal)
    from emulated_cuda import BACKEND

    return Device("copying", BACKEND, np.copy, np.copy)


def test_what_an_operation_writes_comes_back(copying: Device) -> None:
    trained = make_trained("momentum", np.ones((4, 3), "float32"))
    update_rows(copying, trained, "momentum", RowGradient(np.array([1]), np.ones((1, 3), "float32"), (4, 3)))
    assert (trained.table.value != 1).any(axis=1).tolist() == [False, True, False, False]


def test_what_was_passed_in_is_returned_itself(copying: Device) -> None:
    table, ids, out = Table(np.eye(3)), np.array([2, 0]), np.empty((2, 3))
    assert copying.gather_rows(table, ids, out) is out
    assert_same_bits(out, np.eye(3)[ids])
    gradient = RowGradient(ids, out, (3, 3))
    assert copying.group_gradient(gradient).gradient is gradient


def test_a_table_is_not_touched_by_a_lookup_on_a_copy(copying: Device) -> None:
    table = Table(np.eye(3))
    rows = copying.gather_rows(table, np.array([0]))
    rows[:] = 5
    assert_same_bits(table.value, np.eye(3))
