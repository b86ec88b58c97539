"""Where tables go, and whether there is memory for them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastembed_layer import Embedding, device, placement
from fastembed_layer.dispatch import BACKENDS
from fastembed_layer.placement import allocate_table, available_memory, check_device, current_device, format_bytes

# ---- Devices


@pytest.mark.parametrize(
    "name", ["cpu:0", "cpu", "CPU:0", "/cpu:0", "/device:CPU:0", "device:cpu:0", "/CPU:0", "Cpu", "cpu:00"]
)
def test_every_spelling_of_the_cpu_is_understood(name: str) -> None:
    assert check_device(name) == "cpu:0"
    with device(name) as plain:
        assert (plain, current_device()) == ("cpu:0", "cpu:0")


@pytest.mark.parametrize("name", ["gpu:0", "GPU", "cuda:1", "/device:GPU:0", "cpu:1"])
def test_a_device_that_cannot_be_used_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=rf"must be 'cpu:0', the only device .* Received: '{name}'\."):
        check_device(name)


@pytest.mark.parametrize(
    "name", ["", "tpu:0", "cpu:", "cpu:-1", "cpu:0:0", "0", " cpu", "cpu:0\n", "//cpu:0"], ids=repr
)
def test_what_is_no_device_string_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"`device` must be a device string such as 'cpu:0'\. Received: "):
        check_device(name)


@pytest.mark.parametrize("name", [0, None, b"cpu", True, ["cpu:0"]], ids=repr)
def test_a_device_that_is_no_string_is_a_type_error(name: Any) -> None:
    with pytest.raises(TypeError, match=r"`device` must be a string such as 'cpu:0'\. Received: "):
        check_device(name)
    with pytest.raises(TypeError, match="`device` must be a string"), device(name):
        pass


def test_scopes_nest_and_end_with_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "gpu", BACKENDS["cpu"])
    seen: dict[str, str] = {}
    with pytest.raises(KeyError, match="cpu:0"), device("cpu:0"), device("gpu:0"):
        seen[current_device()] = seen["cpu:0"]
    with device("cpu:0"), device("gpu:0"):
        assert current_device() == "gpu:0"
    assert current_device() == "cpu:0"


def test_a_refused_scope_leaves_the_outer_one_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "gpu", BACKENDS["cpu"])
    with device("gpu:0"):
        with pytest.raises(ValueError, match="tpu"), device("tpu:0"):
            pass
        assert current_device() == "gpu:0"


def test_a_scope_holds_for_its_own_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "gpu", BACKENDS["cpu"])
    seen: list[str] = []
    with device("gpu:0"):
        other = threading.Thread(target=lambda: seen.append(current_device()))
        other.start()
        other.join()
    assert seen == ["cpu:0"]


def test_a_layer_is_placed_where_it_was_constructed() -> None:
    with device("/cpu:0"):
        layer = Embedding(3, 2)
    assert (layer.placement, layer.embeddings.placement) == ("cpu:0", "cpu:0")
    assert Embedding(3, 2, device="CPU").placement == "cpu:0"
    with pytest.raises(ValueError, match="'gpu:0'"):
        Embedding(3, 2, device="gpu:0")


# ---- Memory


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_table_is_allocated_in_its_shape_and_type(dtype: str) -> None:
    value = allocate_table((3, 2), dtype, "words")
    assert (value.shape, value.dtype, value.flags.carray) == ((3, 2), np.dtype(dtype), True)


def test_a_table_beyond_the_available_memory_is_refused_with_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "available_memory", lambda: 1 << 20)
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
    monkeypatch.setattr(placement, "available_memory", lambda: available)
    with pytest.raises(MemoryError, match=rf"The table of the layer 'words' needs .* \({shape[0]} rows x {shape[1]}"):
        allocate_table(shape, "float64", "words")


def test_a_layer_without_memory_for_its_table_says_so_when_it_is_built() -> None:
    layer = Embedding(10**14, 64, name="words")
    with pytest.raises(MemoryError, match=r"'words' needs 23283\.1 TiB"):
        layer(np.array([0]))


def test_a_table_that_just_fits_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "available_memory", lambda: 24)
    assert allocate_table((3, 2), "float32", "words").nbytes == 24
    with pytest.raises(MemoryError):
        allocate_table((7, 1), "float32", "words")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (640_000_000, "610.4 MiB"), (1 << 30, "1.0 GiB"),
     (5 << 40, "5.0 TiB"), (1 << 60, "1048576.0 TiB")],
)  # fmt: skip
def test_bytes_are_written_for_a_person(count: int, text: str) -> None:
    assert format_bytes(count) == text


def write_cgroup(
    folder: Path, limit: str = "1000", used: str = "300", stat: str = "anon 5\ninactive_file 40\n"
) -> Path:
    """The files that the second version of cgroups has."""
    for name, text in (("memory.max", limit), ("memory.current", used), ("memory.stat", stat)):
        (folder / name).write_text(text)
    return folder


def test_a_container_may_take_its_limit_less_what_it_uses_but_for_file_cache(tmp_path: Path) -> None:
    assert placement._cgroup_available(write_cgroup(tmp_path)) == 740
    assert placement._cgroup_available(write_cgroup(tmp_path, stat="")) == 700


def test_a_container_beyond_its_limit_may_take_nothing(tmp_path: Path) -> None:
    assert placement._cgroup_available(write_cgroup(tmp_path, used="2000", stat="")) == 0


@pytest.mark.parametrize("limit", ["max\n", "", "some"])
def test_a_container_without_a_limit_says_nothing(tmp_path: Path, limit: str) -> None:
    assert placement._cgroup_available(write_cgroup(tmp_path, limit=limit)) is None


def test_systems_without_these_files_say_nothing(tmp_path: Path) -> None:
    assert placement._cgroup_available(tmp_path) is None
    assert placement._system_available(tmp_path / "meminfo") is None


def test_the_memory_of_the_system_is_read_in_kibibytes(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:       100 kB\nMemFree:          10 kB\nMemAvailable:     50 kB\n")
    assert placement._system_available(path) == 50 * 1024
    path.write_text("MemTotal:       100 kB\n")
    assert placement._system_available(path) is None


@pytest.mark.parametrize(
    ("system", "container", "expected"), [(5, 7, 5), (7, 5, 5), (None, 5, 5), (5, None, 5), (None, None, None)]
)
def test_the_smaller_limit_counts(
    monkeypatch: pytest.MonkeyPatch, system: int | None, container: int | None, expected: int | None
) -> None:
    monkeypatch.setattr(placement, "_system_available", lambda: system)
    monkeypatch.setattr(placement, "_cgroup_available", lambda: container)
    assert available_memory() == expected
