"""What the system says about free memory, and the arrays of the machine's own memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastembed_layer.backends import cpu_memory
from fastembed_layer.backends.cpu_memory import CpuMemory, available_memory

MEMORY = CpuMemory()


@pytest.mark.parametrize("shape", [(3, 2), (5,), (1, 1, 4)], ids=str)
def test_arrays_start_at_cache_lines_in_their_shape_and_type(shape: tuple[int, ...]) -> None:
    for array in (MEMORY.empty(shape, "float64"), MEMORY.zeros(shape, np.int32)):
        assert array.shape == shape
        assert array.flags.c_contiguous
        assert array.ctypes.data % 64 == 0
    assert not MEMORY.zeros(shape, np.int32).any()


def test_copies_are_contiguous_and_share_nothing() -> None:
    source = np.arange(12.0).reshape(3, 4)[:, ::2]
    for copied in (MEMORY.from_cpu(source), MEMORY.to_cpu(source)):
        assert copied.flags.c_contiguous
        assert not np.shares_memory(copied, source)
        np.testing.assert_array_equal(copied, source)


def test_a_slice_of_rows_is_written_in_place() -> None:
    out = np.zeros((4, 2))
    MEMORY.copy_into(out[1:3], np.ones((2, 2)))
    np.testing.assert_array_equal(out.sum(axis=1), [0, 2, 2, 0])


def test_the_machine_is_one_device_that_can_be_used() -> None:
    MEMORY.synchronize()
    assert (MEMORY.refusal(), MEMORY.count_devices(), MEMORY.device_of(np.zeros(1))) == (None, 1, 0)
    assert MEMORY.available_memory() == pytest.approx(available_memory(), rel=0.2)


def write_cgroup(
    folder: Path, limit: str = "1000", used: str = "300", stat: str = "anon 5\ninactive_file 40\n"
) -> Path:
    """The files that the second version of cgroups has."""
    for name, text in (("memory.max", limit), ("memory.current", used), ("memory.stat", stat)):
        (folder / name).write_text(text)
    return folder


def test_a_container_may_take_its_limit_less_what_it_uses_but_for_file_cache(tmp_path: Path) -> None:
    assert cpu_memory._cgroup_available(write_cgroup(tmp_path)) == 740
    assert cpu_memory._cgroup_available(write_cgroup(tmp_path, stat="")) == 700


def test_a_container_beyond_its_limit_may_take_nothing(tmp_path: Path) -> None:
    assert cpu_memory._cgroup_available(write_cgroup(tmp_path, used="2000", stat="")) == 0


@pytest.mark.parametrize("limit", ["max\n", "", "some"])
def test_a_container_without_a_limit_says_nothing(tmp_path: Path, limit: str) -> None:
    assert cpu_memory._cgroup_available(write_cgroup(tmp_path, limit=limit)) is None


def test_systems_without_these_files_say_nothing(tmp_path: Path) -> None:
    assert cpu_memory._cgroup_available(tmp_path) is None
    assert cpu_memory._system_available(tmp_path / "meminfo") is None


def test_the_memory_of_the_system_is_read_in_kibibytes(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:       100 kB\nMemFree:          10 kB\nMemAvailable:     50 kB\n")
    assert cpu_memory._system_available(path) == 50 * 1024
    path.write_text("MemTotal:       100 kB\n")
    assert cpu_memory._system_available(path) is None


@pytest.mark.parametrize(
    ("system", "container", "expected"), [(5, 7, 5), (7, 5, 5), (None, 5, 5), (5, None, 5), (None, None, None)]
)
def test_the_smaller_limit_counts(
    monkeypatch: pytest.MonkeyPatch, system: int | None, container: int | None, expected: int | None
) -> None:
    monkeypatch.setattr(cpu_memory, "_system_available", lambda: system)
    monkeypatch.setattr(cpu_memory, "_cgroup_available", lambda: container)
    assert available_memory() == expected


def test_a_copy_to_the_host_may_be_written_where_the_caller_wants_it() -> None:
    source, out = np.arange(6.0).reshape(2, 3), MEMORY.empty_pinned((2, 3), "float64")
    assert MEMORY.to_cpu(source, out) is out
    np.testing.assert_array_equal(out, source)
