"""What servers and data loaders do to a library: threads, forks, several processes, and no place to write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import fork_and_run
from reference import assert_same_bits

import fastembed_layer
from fastembed_layer import Embedding, RowGradient, set_threads
from fastembed_layer.backends import buffers, launch
from fastembed_layer.backends.buffers import borrow_array
from fastembed_layer.backends.contract import Step
from fastembed_layer.backends.dispatch import backend_for
from fastembed_layer.kernels import threads
from fastembed_layer.kernels.threads import run_parallel
from fastembed_layer.optimizers import SGD, Adagrad
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]
Process = subprocess.Popen[str]

PATIENCE = 60.0  # seconds that only a failing test waits
PACKAGE = Path(fastembed_layer.__file__).parent

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


@pytest.fixture
def _split_small_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three threads, and batches of some hundred rows worth all of them."""
    monkeypatch.setattr(launch, "BYTES_PER_THREAD", 256)
    set_threads(3)


def train(seed: int, steps: int = 4) -> list[Array]:
    """Look up and update a table of its own; returns the last rows and the table."""
    random = np.random.default_rng(seed)
    layer = Embedding(50, 8, embeddings_initializer=random.standard_normal((50, 8)).astype("float32"))
    optimizer = Adagrad(0.1)
    for _ in range(steps):
        ids = random.integers(0, 50, 500)
        rows = layer(ids)
        gradient = RowGradient(ids, rows - 1, (50, 8))
        optimizer.apply_gradients([(gradient, layer.embeddings)])
    return [layer(np.arange(50)), layer.embeddings.numpy()]


def assert_alike(outcome: list[Array], expected: list[Array]) -> None:
    """Check that two trainings ended with the same bits."""
    for array, other in zip(outcome, expected, strict=True):
        assert_same_bits(array, other)


def test_a_training_that_differs_is_noticed() -> None:
    with pytest.raises(AssertionError):
        assert_alike(train(0), train(1))


# ---- Threads


@pytest.mark.usefixtures("_split_small_work")
def test_threads_that_train_their_own_layers_at_once_get_what_each_gets_alone() -> None:
    alone = [train(seed, steps=20) for seed in range(4)]
    together: dict[int, list[Array]] = {}
    workers = [
        threading.Thread(target=lambda seed=seed: together.update({seed: train(seed, steps=20)})) for seed in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    for seed in range(4):
        assert_alike(together[seed], alone[seed])


@pytest.mark.usefixtures("_split_small_work")
def test_threads_may_look_up_in_one_table_at_once() -> None:
    value = np.random.default_rng(0).standard_normal((50, 8)).astype("float32")
    layer = Embedding(50, 8, embeddings_initializer=value)
    wrong: list[int] = []

    def look_up(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(50):
            ids = random.integers(0, 50, (random.integers(1, 30), 20))
            wrong.extend([seed] * (not np.array_equal(layer(ids), value[ids])))

    workers = [threading.Thread(target=look_up, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    assert wrong == []


@pytest.mark.usefixtures("_split_small_work")
def test_layers_used_inside_a_parallel_task_give_right_results_on_its_thread() -> None:
    alone = [train(seed) for seed in range(3)]
    before = threading.active_count()
    outcomes = run_parallel(lambda begin, end: train(begin), 3, 1)
    assert threading.active_count() <= before + 2
    for outcome, expected in zip(outcomes, alone, strict=True):
        assert_alike(outcome, expected)


# ---- Forks


@contextmanager
def held_by_another_thread(lock: Any) -> Iterator[None]:
    """A block during which another thread holds a lock."""
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            release.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(PATIENCE)
    yield
    release.set()
    holder.join(PATIENCE)


@needs_fork
@pytest.mark.usefixtures("_split_small_work")
def test_a_child_forked_after_parallel_kernels_trains_as_its_parent_does() -> None:
    expected = train(0)
    assert_alike(fork_and_run(lambda: train(0)), expected)
    assert_alike(train(0), expected)


@needs_fork
@pytest.mark.usefixtures("_split_small_work")
def test_a_child_of_a_child_trains_too() -> None:
    expected = train(0)
    assert_alike(fork_and_run(lambda: (train(1), fork_and_run(lambda: train(0)))[1]), expected)


@needs_fork
@pytest.mark.usefixtures("_split_small_work")
def test_a_child_starts_threads_of_its_own() -> None:
    train(0)

    def count_threads() -> int:
        assert threading.active_count() == 1
        train(0)
        return threading.active_count()

    assert fork_and_run(count_threads) == 3


@needs_fork
@pytest.mark.usefixtures("_split_small_work")
def test_a_child_forked_inside_a_parallel_task_trains_too() -> None:
    expected = train(0)
    for outcome in run_parallel(lambda begin, end: fork_and_run(lambda: train(0)), 3, 1):
        assert_alike(outcome, expected)


@needs_fork
@pytest.mark.usefixtures("_split_small_work")
def test_children_forked_while_other_threads_run_kernels_train_too() -> None:
    expected, stop = train(0), threading.Event()

    def keep_training() -> None:
        while not stop.is_set():
            train(1)

    beside = [threading.Thread(target=keep_training) for _ in range(2)]
    for thread in beside:
        thread.start()
    try:
        outcomes = [fork_and_run(lambda: train(0)) for _ in range(8)]
    finally:
        stop.set()
        for thread in beside:
            thread.join(PATIENCE)
    for outcome in [*outcomes, train(0)]:
        assert_alike(outcome, expected)


@needs_fork
@pytest.mark.usefixtures("_split_small_work")
@pytest.mark.parametrize("owner", [threads._pool, buffers._free], ids=["threads", "buffers"])
def test_a_child_forked_while_another_thread_holds_a_lock_of_ours_does_not_wait_for_it(owner: Any) -> None:
    expected = train(0)
    with held_by_another_thread(owner.lock):
        outcome = fork_and_run(lambda: (borrow_array((1 << 20,), np.uint8), train(0))[1])
    assert_alike(outcome, expected)


@needs_fork
def test_memory_lent_before_a_fork_is_the_childs_own() -> None:
    array = borrow_array((1 << 20,), np.uint8)
    array[:] = 1

    def overwrite() -> int:
        array[:] = 2
        other = borrow_array((1 << 20,), np.uint8)
        other[:] = 3
        return int(array.max())

    assert fork_and_run(overwrite) == 2
    assert array.max() == 1


@needs_fork
def test_a_child_that_fails_dies_or_hangs_is_noticed() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        fork_and_run(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match="no answer, status 768"):
        fork_and_run(lambda: os._exit(3))
    with pytest.raises(RuntimeError, match="no answer, status 9"):
        fork_and_run(lambda: time.sleep(PATIENCE), patience=0.2)


# ---- Processes and their cache

STEP = """
import json, sys
import numpy as np
from fastembed_layer import Embedding, RowGradient
from fastembed_layer.backends.contract import Step
from fastembed_layer.backends.dispatch import backend_of
layer = Embedding(4, 2, embeddings_initializer="zeros")
table, slot = layer.embeddings, np.zeros((4, 2), "float32")
backend = backend_of(table)
gradient = RowGradient(np.array([1]), np.ones((1, 2), "float32"), (4, 2))
for rule in sys.argv[1:]:
    for _ in range(2):
        backend.update_rows(table, backend.group_gradient(gradient), Step(rule, [slot], (0.5, 0.5)))
from fastembed_layer.kernels.gather import gather_rows
from fastembed_layer.kernels.rules import RULES
row = layer(np.array([1]))[0]
kernels = [gather_rows.at(0), *(RULES[rule].update_rows.at(0) for rule in sys.argv[1:])]
hits = [sum(kernel.stats.cache_hits.values()) for kernel in kernels]
misses = [sum(kernel.stats.cache_misses.values()) for kernel in kernels]
print(json.dumps({"row": row.tolist(), "hits": hits, "misses": misses}))
"""
ROWS = {"momentum": [-1.25, -1.25], "nesterov": [-1.625, -1.625]}  # two steps by hand, rate and momentum 0.5


def start_step(*rules: str, home: Path = PACKAGE.parent, code: str = STEP, **variables: str) -> Process:
    """Start a process that makes two steps of each rule with the package in the folder `home`.

    The `variables` are added to its environment.
    """
    command, pipe = [sys.executable, "-c", code, *rules], subprocess.PIPE
    return Process(command, cwd=home, env=os.environ | variables, stdout=pipe, stderr=pipe, text=True)


def finish_step(process: Process) -> dict[str, Any]:
    """What a started process has printed."""
    output, errors = process.communicate(timeout=10 * PATIENCE)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(output)
    return found


def test_processes_that_compile_at_once_get_the_rule_they_asked_for_and_so_do_later_ones(tmp_path: Path) -> None:
    cache = str(tmp_path)
    started = {rule: start_step(rule, NUMBA_CACHE_DIR=cache) for rule in ROWS}
    for rule, process in started.items():
        first = finish_step(process)
        assert first["row"] == ROWS[rule]
        assert first["hits"][1] == 0
    later = {rule: start_step(rule, NUMBA_CACHE_DIR=cache) for rule in ROWS}
    for rule, process in later.items():
        assert finish_step(process) == {"row": ROWS[rule], "hits": [1, 1], "misses": [0, 0]}


def test_a_process_without_any_place_for_its_cache_works(tmp_path: Path) -> None:
    """As where home is missing, the package is read-only and the folder asked for cannot be made."""
    not_a_folder = tmp_path / "file"
    not_a_folder.touch()
    refuse = (
        "from numba.core import caching\n"
        "def refuse(self): raise PermissionError(13, 'Permission denied')\n"
        "caching._CacheLocator.ensure_cache_path = refuse\n"
    )
    process = start_step("momentum", code=refuse + STEP, NUMBA_CACHE_DIR=str(not_a_folder), HOME="/nonexistent")
    assert finish_step(process) == {"row": ROWS["momentum"], "hits": [0, 0], "misses": [1, 1]}


@pytest.fixture
def own_package(tmp_path: Path) -> Path:
    """A folder with a copy of the package, without anything compiled."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_change_in_a_function_that_a_kernel_inlines_takes_effect(own_package: Path) -> None:
    assert finish_step(start_step("momentum", home=own_package))["row"] == ROWS["momentum"]
    line, turned = "row[column] += velocity[column]", "row[column] -= velocity[column]"
    [file] = [path for path in (own_package / PACKAGE.name / "kernels").rglob("*.py") if line in path.read_text()]
    file.write_text(file.read_text().replace(line, turned))
    changed = finish_step(start_step("momentum", home=own_package))
    assert changed["row"] == [1.25, 1.25]
    assert changed["hits"] == [0, 0]


def test_a_read_only_package_is_imported_and_used(own_package: Path) -> None:
    """A file in the place of ``__pycache__``: not even root can write there."""
    for folder in (own_package / PACKAGE.name).rglob("*"):
        if folder.is_dir():
            (folder / "__pycache__").touch()
    home = own_package / "home"
    process = start_step(home=own_package, HOME=str(home), XDG_CACHE_HOME=str(home))
    assert finish_step(process)["row"] == [0.0, 0.0]
    assert list(home.rglob("*.nbc"))


def test_a_process_that_fails_is_noticed() -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        finish_step(start_step(code="1 / 0"))


# ---- A refused step


def test_a_training_goes_on_after_a_refused_batch() -> None:
    layer, optimizer = Embedding(5, 2, embeddings_initializer="ones"), SGD(1.0)
    with pytest.raises(IndexError):
        layer(np.array([5]))
    bad = RowGradient(np.array([0, -1]), np.ones((2, 2), "float32"), (5, 2))
    with pytest.raises(IndexError):
        optimizer.apply_gradients([(bad, layer.embeddings)])
    assert_same_bits(layer.embeddings.numpy(), np.ones((5, 2), "float32"))
    good = RowGradient(np.array([0]), np.ones((1, 2), "float32"), (5, 2))
    optimizer.apply_gradients([(good, layer.embeddings)])
    assert layer(np.array([0, 1])).tolist() == [[0, 0], [1, 1]]


def test_a_table_of_one_row_and_one_column_works() -> None:
    table, backend = Table(np.zeros((1, 1), "float32")), backend_for("cpu:0")
    gradient = RowGradient(np.zeros(3, "int32"), np.ones((3, 1), "float32"), (1, 1))
    backend.update_rows(table, backend.group_gradient(gradient), Step("sgd", [], (1.0,)))
    assert backend.gather_rows(table, np.zeros(2, "int32")).tolist() == [[-3], [-3]]


# ---- Beside other parallel code

BESIDE_NUMBA = """
import os, sys, threading
import numba, numpy as np
import fastembed_layer
from fastembed_layer import Embedding, EmbeddingBag
from fastembed_layer.backends import launch

launch.BYTES_PER_THREAD = 256
fastembed_layer.set_threads(3)
layer = Embedding(50, 8, weights=np.arange(400.0).reshape(50, 8))
ids = np.arange(600) % 50
expected = layer(ids)

def look_up():
    return int(all(np.array_equal(layer(ids), expected) for _ in range(5)))

@numba.njit(parallel=True)
def count_right():
    right = 0
    for _ in numba.prange(4):
        with numba.objmode(one="int64"):
            one = look_up()
        right += one
    return right

assert count_right() == 4  # inside a parallel region
answers = []
beside = [threading.Thread(target=lambda: answers.append(look_up())) for _ in range(3)]
for thread in beside:
    thread.start()
assert count_right() == 4  # and beside one
for thread in beside:
    thread.join()
assert answers == [1, 1, 1]
assert numba.threading_layer() == sys.argv[1], numba.threading_layer()
child = os.fork()
if child == 0:  # forked after parallel regions of numba and of ours
    os._exit(0 if look_up() else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("{}")
"""


@needs_fork
@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_calls_inside_and_beside_parallel_regions_of_numba_are_right(layer: str) -> None:
    """Whatever threading layer a user's own parallel code runs on."""
    if layer == "tbb":
        pytest.importorskip("numba.np.ufunc.tbbpool", reason="Intel's TBB is not installed", exc_type=ImportError)
    finish_step(start_step(layer, code=BESIDE_NUMBA, NUMBA_THREADING_LAYER=layer))
