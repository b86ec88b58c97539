"""The threads of the kernels: how many there are, and that every range is worked on once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastembed_layer import get_threads, set_threads
from fastembed_layer.kernels import threads
from fastembed_layer.kernels.threads import SHARES_PER_THREAD, run_parallel

PATIENCE = 30.0  # seconds that only a failing test waits
NAME = "fastembed_layer"


# ---- How many


def test_set_threads_returns_the_number_that_was_in_force() -> None:
    set_threads(3)
    assert set_threads(5) == 3
    assert get_threads() == 5


def test_none_goes_back_to_the_default() -> None:
    default = set_threads(7)
    set_threads(None)
    assert get_threads() == default


@pytest.mark.parametrize("count", [np.int64(2), np.uint8(2), 2])
def test_every_kind_of_integer_is_taken(count: Any) -> None:
    set_threads(count)
    assert get_threads() == 2
    assert type(get_threads()) is int


@pytest.mark.parametrize("count", [True, False, 1.5, 2.0, "2", [2], (), np.float32(2), np.bool_(True)], ids=repr)
def test_a_number_of_threads_that_is_no_integer_is_a_type_error(count: Any) -> None:
    set_threads(4)
    with pytest.raises(TypeError, match=r"`count` must be a positive integer or None\. Received: "):
        set_threads(count)
    assert get_threads() == 4


@pytest.mark.parametrize("count", [0, -1, np.int64(0)], ids=repr)
def test_a_number_of_threads_that_is_not_positive_is_a_value_error(count: Any) -> None:
    set_threads(4)
    with pytest.raises(ValueError, match=r"`count` must be a positive integer or None\. Received: "):
        set_threads(count)
    assert get_threads() == 4


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with 16 processors, no quota and no environment variables."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    set_threads(None)
    return monkeypatch


def test_the_default_is_the_number_of_processors_the_process_may_run_on(machine: pytest.MonkeyPatch) -> None:
    assert get_threads() == 16


def test_without_affinity_all_processors_count(machine: pytest.MonkeyPatch) -> None:
    machine.delattr(os, "sched_getaffinity")
    machine.setattr(os, "cpu_count", lambda: 12)
    assert get_threads() == 12


def test_on_a_system_that_does_not_say_one_thread_is_used(machine: pytest.MonkeyPatch) -> None:
    machine.delattr(os, "sched_getaffinity")
    machine.setattr(os, "cpu_count", lambda: None)
    assert get_threads() == 1


def test_a_quota_of_the_container_limits_the_default(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(threads, "_cgroup_quota", lambda: 3)
    assert get_threads() == 3


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS"])
@pytest.mark.parametrize(("text", "expected"), [("4", 4), ("4,2", 4), (" 5 ", 5), ("64", 16), ("6 ,1", 6)])
def test_a_variable_limits_the_default(machine: pytest.MonkeyPatch, name: str, text: str, expected: int) -> None:
    machine.setenv(name, text)
    assert get_threads() == expected


@pytest.mark.parametrize("text", ["", "0", "-2", "many", "2.5", ",4", "0x4", "²"])
def test_a_variable_that_holds_no_positive_integer_is_passed_over(machine: pytest.MonkeyPatch, text: str) -> None:
    machine.setenv("OMP_NUM_THREADS", text)
    assert get_threads() == 16


def test_the_smallest_limit_wins(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(threads, "_cgroup_quota", lambda: 9)
    machine.setenv("OMP_NUM_THREADS", "8")
    machine.setenv("NUMBA_NUM_THREADS", "7")
    assert get_threads() == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("1000 100000\n", 1),
        ("", None),
        ("200000\n", None),
        ("some thing\n", None),
        ("200000 0\n", None),
    ],
    ids=repr,
)
def test_the_quota_of_cgroup_2_is_rounded_up(tmp_path: Path, text: str, expected: int | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert threads._cgroup_quota(tmp_path, tmp_path / "cgroup") == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", None), ("250000", 3), ("100000", 1), ("none", None)])
def test_the_quota_of_cgroup_1_is_rounded_up(tmp_path: Path, quota: str, expected: int | None) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert threads._cgroup_quota(tmp_path, tmp_path / "cgroup") == expected


def test_without_cgroups_there_is_no_quota(tmp_path: Path) -> None:
    assert threads._cgroup_quota(tmp_path, tmp_path / "cgroup") is None


@pytest.mark.parametrize(
    ("quotas", "own", "expected"),
    [
        ({"a/b": "300000 100000", "a": "max 100000"}, "0::/a/b\n", 3),
        ({"a/b": "max 100000", "a": "200000 100000"}, "0::/a/b\n", 2),  # of the group around it
        ({"a/b": "100000 100000"}, "0::/a\n", None),
        ({".": "500000 100000"}, "0::/not/here\n", 5),  # in a container
        ({"a": "100000 100000"}, "0::/../../a\n", 1),
        ({"a": "100000 100000"}, "1:memory:/a\n0::/\n", None),
        ({".": "500000 100000"}, "no groups at all", 5),
    ],
    ids=str,
)
def test_a_quota_of_any_group_around_the_process_counts(
    tmp_path: Path, quotas: dict[str, str], own: str, expected: int | None
) -> None:
    for folder, quota in quotas.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "cpu.max").write_text(quota)
    (tmp_path / "cgroup").write_text(own)
    assert threads._cgroup_quota(tmp_path, tmp_path / "cgroup") == expected


def test_a_quota_of_a_group_of_version_1_counts(tmp_path: Path) -> None:
    folder = tmp_path / "cpu" / "docker" / "a"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("150000")
    (folder / "cpu.cfs_period_us").write_text("100000")
    (tmp_path / "cgroup").write_text("5:memory:/docker\n4:cpuacct,cpu:/docker/a\n")
    assert threads._cgroup_quota(tmp_path, tmp_path / "cgroup") == 2


def test_a_forked_child_finds_its_own_default_and_keeps_what_was_set(
    machine: pytest.MonkeyPatch, run_in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    def count_with_fewer_processors() -> int:
        machine.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
        return get_threads()

    assert get_threads() == 16
    assert run_in_child(count_with_fewer_processors) == 3
    set_threads(5)
    assert run_in_child(count_with_fewer_processors) == 5


# ---- Every range once


def take_range(begin: int, end: int) -> tuple[int, int]:
    """A task that tells its range."""
    return begin, end


@given(size=st.integers(0, 1000), grain=st.integers(0, 300), count=st.integers(1, 9))
def test_ranges_follow_each_other_and_cover_everything(size: int, grain: int, count: int) -> None:
    set_threads(count)
    ranges = run_parallel(take_range, size, grain)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == size
    assert all(one[1] == other[0] for one, other in pairwise(ranges))
    threads = min(count, size // max(grain, 1))
    assert len(ranges) == (1 if threads <= 1 else threads * min(SHARES_PER_THREAD, size // (threads * max(grain, 1))))
    lengths = [end - begin for begin, end in ranges]
    assert max(lengths) - min(lengths) <= 1


def test_ranges_are_worked_on_at_the_same_time() -> None:
    set_threads(4)
    together = threading.Barrier(4)
    arrivals = run_parallel(lambda begin, end: together.wait(PATIENCE), 4, 1)
    assert sorted(arrivals) == [0, 1, 2, 3]


def test_the_caller_works_on_the_first_range() -> None:
    set_threads(3)
    together = threading.Barrier(3)

    def tell_thread(begin: int, end: int) -> int:
        together.wait(PATIENCE)
        return threading.get_ident()

    workers = run_parallel(tell_thread, 3, 1)
    assert workers[0] == threading.get_ident()
    assert len(set(workers)) == 3


def test_one_thread_starts_no_other() -> None:
    set_threads(1)
    before = threading.active_count()
    assert run_parallel(take_range, 1000, 1) == [(0, 1000)]
    assert threading.active_count() == before


def test_an_error_is_raised_after_all_ranges_have_ended() -> None:
    set_threads(4)
    ended: list[int] = []

    def fail_or_linger(begin: int, end: int) -> None:
        if begin in (0, 2):
            raise ValueError(f"range {begin}")
        time.sleep(0.1)
        ended.append(begin)

    with pytest.raises(ValueError, match="range 0"):
        run_parallel(fail_or_linger, 4, 1)
    assert sorted(ended) == [1, 3]


def test_of_several_errors_the_one_of_the_first_range_is_raised() -> None:
    set_threads(4)

    def fail(begin: int, end: int) -> None:
        time.sleep(0.05 * (4 - begin))
        if begin:
            raise ValueError(f"range {begin}")

    with pytest.raises(ValueError, match="range 1"):
        run_parallel(fail, 4, 1)


def test_a_call_works_again_after_an_error() -> None:
    set_threads(3)
    with pytest.raises(ZeroDivisionError):
        run_parallel(lambda begin, end: 1 // 0, 3, 1)
    assert run_parallel(take_range, 9, 3) == [(0, 3), (3, 6), (6, 9)]


def test_a_call_inside_a_task_stays_on_its_thread() -> None:
    set_threads(3)
    together = threading.Barrier(3)

    def call_again(begin: int, end: int) -> list[tuple[int, int, int]]:
        together.wait(PATIENCE)
        return run_parallel(lambda low, high: (begin + low, begin + high, threading.get_ident()), 10, 1)

    inner = run_parallel(call_again, 30, 10)
    assert [(low, high) for [(low, high, _)] in inner] == [(0, 10), (10, 20), (20, 30)]
    assert len({thread for [(_, _, thread)] in inner}) == 3
    assert len(run_parallel(take_range, 9, 3)) == 3


# ---- Threads that come and go


def test_a_new_number_ends_the_threads_of_the_old_one() -> None:
    set_threads(4)
    run_parallel(take_range, 4, 1)
    old = [thread for thread in threading.enumerate() if thread.name.startswith(NAME)]
    set_threads(2)
    for thread in old:
        thread.join(PATIENCE)
    assert old
    assert not any(thread.is_alive() for thread in old)


def test_changing_the_number_in_the_middle_of_calls_loses_no_range() -> None:
    stop = threading.Event()

    def change() -> None:
        count = 1
        while not stop.is_set():
            set_threads(count := count % 4 + 1)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        totals = [sum(end - begin for begin, end in run_parallel(take_range, 1000, 1)) for _ in range(300)]
    finally:
        stop.set()
        changer.join()
    assert set(totals) == {1000}


def test_several_threads_may_call_at_once() -> None:
    set_threads(3)
    totals: list[int] = []

    def call_often() -> None:
        for _ in range(100):
            totals.extend([sum(run_parallel(lambda begin, end: sum(range(begin, end)), 100, 1))])

    callers = [threading.Thread(target=call_often) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert totals == [sum(range(100))] * 400


def deny_threads(monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    """Let the system refuse every new thread after some, as a container that limits them does."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_or_refuse(thread: threading.Thread) -> None:
        if len(started) >= allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_refuse)


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_a_system_that_refuses_threads_has_each_range_worked_on_once(
    monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    set_threads(4)
    deny_threads(monkeypatch, allowed)
    done: list[int] = []

    def work(begin: int, end: int) -> None:
        time.sleep(0.02)
        done.append(begin)

    run_parallel(work, 4, 1)
    set_threads(1)  # ends the threads, and with them whatever waits for one
    time.sleep(0.1)
    assert sorted(done) == [0, 1, 2, 3]


def test_an_error_waits_for_all_ranges_where_the_system_refuses_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    set_threads(3)
    deny_threads(monkeypatch, 1)
    ended: list[int] = []

    def fail_or_linger(begin: int, end: int) -> None:
        if begin == 2:
            raise ValueError("the last range")
        time.sleep(0.1)
        ended.append(begin)

    with pytest.raises(ValueError, match="the last range"):
        run_parallel(fail_or_linger, 3, 1)
    assert sorted(ended) == [0, 1]


INTERRUPTED = """
import os, signal, threading, time
from fastembed_layer.kernels.threads import run_parallel, set_threads
set_threads(2)
ended, together = [], threading.Barrier(2)

def work(begin, end):
    together.wait(30)
    if begin == 0:
        return
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)  # while the main thread waits for this range
    time.sleep(0.3)
    ended.append(begin)

try:
    run_parallel(work, 2, 1)
except KeyboardInterrupt:
    print(ended, run_parallel(lambda begin, end: begin, 2, 1))
"""
ENDING = """
import os, sys, threading, time
from fastembed_layer.kernels.threads import run_parallel, set_threads
set_threads(3)

def call_for_ever():
    while True:
        run_parallel(lambda begin, end: time.sleep(0.001), 3, 1)

for _ in range(3):
    threading.Thread(target=call_for_ever, daemon=True).start()
time.sleep(0.2)
if sys.argv[1] == "error":
    run_parallel(lambda begin, end: 1 // 0, 3, 1)
if sys.argv[1] == "exit in a task":
    run_parallel(lambda begin, end: sys.exit(3), 3, 1)
if sys.argv[1] == "fork":
    if os.fork() == 0:
        sys.exit(0 if run_parallel(lambda begin, end: begin, 3, 1) == [0, 1, 2] else 4)
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, which must end by itself."""
    command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C there")
def test_ctrl_c_is_raised_after_all_ranges_have_ended() -> None:
    done = run_script(INTERRUPTED)
    assert done.stdout == "[1] [0, 1]\n", done.stderr


@pytest.mark.parametrize(
    ("how", "status"),
    [("end", 0), ("error", 1), ("exit in a task", 3)]
    + [pytest.param("fork", 0, marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork"))],
)
def test_the_interpreter_ends_while_other_threads_call(how: str, status: int) -> None:
    assert run_script(ENDING, how).returncode == status


def test_calls_still_work_while_the_interpreter_ends() -> None:
    code = (
        "import atexit; from fastembed_layer.kernels.threads import run_parallel, set_threads; set_threads(3); "
        "call = lambda: print(run_parallel(lambda begin, end: begin, 3, 1)); call(); atexit.register(call)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[0, 1, 2]"] * 2
    assert done.stderr == ""
