"""How kernels are compiled and kept on disk: in one process; `tests/test_robustness.py` has several."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import caching
from numba.core.compiler_lock import global_compiler_lock

from fastembed_layer.kernels import jit
from fastembed_layer.kernels.jit import SEAL_BYTES, KernelFile, inlined, kernel, source_stamp

PATIENCE = 30.0  # seconds that only a failing test waits
KEY = ("signature", ("cpu", "features"), ("code", "closure"))
OTHER_KEYS = (
    ("other signature", ("cpu", "features"), ("code", "closure")),
    ("signature", ("other cpu", "features"), ("code", "closure")),
    ("signature", ("cpu", "features"), ("code", "other closure")),
)


def make_kernel() -> Any:
    """A kernel that nobody has compiled."""

    @kernel
    def add_up(numbers: Any, begin: int, end: int) -> float:
        total = 0.0
        for index in range(begin, end):
            total += numbers[index]
        return total

    return add_up


# ---- Options


def test_a_kernel_lets_other_threads_run_and_starts_none() -> None:
    options = make_kernel().targetoptions
    assert options["nogil"]
    assert not options.get("parallel", False)


def test_infinity_and_nan_are_not_optimised_away() -> None:
    add_up = make_kernel()
    assert np.isnan(add_up(np.array([1.0, np.nan]), 0, 2))
    assert add_up(np.array([np.inf, 1.0]), 0, 2) == np.inf


def test_a_division_by_zero_gives_what_numpy_gives() -> None:
    @kernel
    def divide(numbers: Any) -> float:
        return numbers[0] / numbers[1]

    assert divide(np.array([1.0, 0.0])) == np.inf


def test_an_inlined_function_stays_a_python_function() -> None:
    @inlined
    def double(number: Any) -> Any:
        return 2 * number

    assert double("ab") == "abab"


def test_threads_that_call_a_new_kernel_at_once_compile_it_once() -> None:
    add_up, results = make_kernel(), []
    callers = [
        threading.Thread(target=lambda: results.append(add_up(np.arange(5, dtype="int16"), 0, 5))) for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE)
    assert results == [10.0] * 4
    assert len(add_up.signatures) == 1


# ---- The files


def make_file(folder: Path, stamp: str = "stamp") -> KernelFile:
    """The files of one kernel."""
    new: Callable[..., KernelFile] = KernelFile
    return new(str(folder), "module.kernel-1.py310", stamp)


@pytest.fixture
def kernel_file(tmp_path: Path) -> KernelFile:
    """The files of one kernel."""
    return make_file(tmp_path)


def test_what_is_saved_is_loaded(kernel_file: KernelFile) -> None:
    kernel_file.save(KEY, {"machine code": b"123"})
    assert kernel_file.load(KEY) == {"machine code": b"123"}


def test_nothing_is_loaded_where_nothing_was_saved(kernel_file: KernelFile, tmp_path: Path) -> None:
    assert kernel_file.load(KEY) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", OTHER_KEYS)
def test_what_was_compiled_for_another_key_is_not_loaded(kernel_file: KernelFile, other: Any) -> None:
    kernel_file.save(KEY, "code")
    assert kernel_file.load(other) is None


def test_every_key_has_a_file_of_its_own(kernel_file: KernelFile, tmp_path: Path) -> None:
    for number, key in enumerate((KEY, *OTHER_KEYS)):
        kernel_file.save(key, number)
    assert [kernel_file.load(key) for key in (KEY, *OTHER_KEYS)] == [0, 1, 2, 3]
    assert len(list(tmp_path.iterdir())) == 4


def test_what_was_compiled_from_other_sources_is_not_loaded_and_gets_overwritten(
    kernel_file: KernelFile, tmp_path: Path
) -> None:
    make_file(tmp_path, "old stamp").save(KEY, "old")
    assert kernel_file.load(KEY) is None
    kernel_file.save(KEY, "new")
    assert kernel_file.load(KEY) == "new"
    assert len(list(tmp_path.iterdir())) == 1


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "only the seal": lambda content: content[:SEAL_BYTES],
    "cut short": lambda content: content[:-1],
    "one bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "longer": lambda content: content + b"\0",
    "another file": lambda content: b"no pickle at all" * 10,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_as_good_as_none(kernel_file: KernelFile, tmp_path: Path, damage: str) -> None:
    kernel_file.save(KEY, "code")
    [file] = tmp_path.iterdir()
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert kernel_file.load(KEY) is None


def test_the_file_of_another_kernel_under_the_own_name_is_not_loaded(kernel_file: KernelFile, tmp_path: Path) -> None:
    kernel_file.save(KEY, "momentum")
    [file] = tmp_path.iterdir()
    kernel_file.save(OTHER_KEYS[2], "nesterov")
    [other] = set(tmp_path.iterdir()) - {file}
    other.replace(file)
    assert kernel_file.load(KEY) is None


def test_a_new_process_of_the_same_sources_has_the_same_stamp() -> None:
    source_stamp.cache_clear()
    first = source_stamp()
    source_stamp.cache_clear()
    assert source_stamp() == first


@pytest.mark.parametrize("change", ["edit", "new file", "numba"])
def test_any_change_of_a_source_or_of_numba_changes_the_stamp(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = tmp_path / "rules" / "sgd.py"
    rule.parent.mkdir()
    rule.write_text("RATE = 1")
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    before = source_stamp.__wrapped__()
    if change == "edit":
        rule.write_text("RATE = 2")
    elif change == "new file":
        (tmp_path / "more.py").write_text("RATE = 2")
    else:
        monkeypatch.setattr(numba, "__version__", "0.0")
    assert source_stamp.__wrapped__() != before


# ---- No place for files


def test_a_kernel_is_cached_where_there_is_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert make_kernel()(np.ones(3), 0, 3) == 3
    assert [file.suffix for file in tmp_path.rglob("*.*") if file.is_file()] == [".nbc"]
    again = make_kernel()
    assert again(np.ones(3), 0, 3) == 3
    assert sum(again.stats.cache_hits.values()) == 1


def refuse(*arguments: Any, **keywords: Any) -> None:
    """A file system that cannot be written."""
    raise PermissionError(13, "Permission denied")


def test_a_kernel_works_where_no_folder_can_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
    with caplog.at_level(logging.INFO, "fastembed_layer"):
        assert make_kernel()(np.ones(3), 0, 3) == 3
    assert "Compiled kernels are not cached" in caplog.text


@pytest.mark.parametrize("owner", [KernelFile, caching._CacheLocator], ids=["file", "folder"])
def test_a_kernel_works_where_a_place_stops_being_writable(
    owner: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    add_up = make_kernel()
    monkeypatch.setattr(owner, "_open_for_write" if owner is KernelFile else "ensure_cache_path", refuse)
    with caplog.at_level(logging.INFO, "fastembed_layer"):
        assert add_up(np.ones(3), 0, 3) == 3
    assert "was not cached: [Errno 13] Permission denied" in caplog.text


@pytest.mark.parametrize("replaced", [False, True], ids=["gone", "a file"])
def test_a_kernel_works_where_its_folder_has_vanished(
    replaced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    add_up = make_kernel()
    assert add_up(np.ones(3), 0, 3) == 3
    shutil.rmtree(folder)
    if replaced:
        folder.touch()
    assert add_up(np.ones(3, "float32"), 0, 3) == 3
    assert make_kernel()(np.ones(3), 0, 3) == 3


def test_a_full_disk_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    add_up = make_kernel()
    monkeypatch.setattr(os, "replace", refuse)
    assert add_up(np.ones(3), 0, 3) == 3
    assert [file for file in tmp_path.rglob("*.*") if file.is_file()] == []


# ---- Forks


def test_a_fork_waits_until_no_thread_compiles(run_in_child: Callable[[Callable[[], Any]], Any]) -> None:
    compiling, forked = threading.Event(), threading.Event()
    early: list[bool] = []

    def compile_something() -> None:
        with global_compiler_lock:
            compiling.set()
            early.append(forked.wait(0.3))

    compiler = threading.Thread(target=compile_something)
    compiler.start()
    compiling.wait(PATIENCE)
    assert run_in_child(lambda: make_kernel()(np.ones(3, "int8"), 0, 3)) == 3
    forked.set()
    compiler.join(PATIENCE)
    assert early == [False]
    assert make_kernel()(np.ones(3, "uint8"), 0, 3) == 3


# ---- The log


def test_a_long_compilation_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    numbers = np.ones(2)
    with caplog.at_level(logging.INFO, logger="fastembed_layer"):
        make_kernel()(numbers, 0, 2)
        assert "Compiled the kernel" not in caplog.text
        monkeypatch.setattr(jit, "NOTABLE", 0.0)
        other = make_kernel()
        other._cache = jit.NoCache()
        other(numbers.astype(np.float32), 0, 2)
    assert "Compiled the kernel" in caplog.text
    assert "add_up" in caplog.text
