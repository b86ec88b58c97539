"""The threads that kernels run on: a pool of Python threads, each working on its own range without the GIL.

Why not numba's ``prange``: its workqueue layer ends the process when two Python threads call it at once, and GNU
OpenMP ends a forked child once the parent has run a parallel region. This pool can do neither; a launch costs some
10 microseconds more, which `grain` weighs against the work.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")

BYTES_PER_THREAD = 1 << 20  # of rows; a second thread wakes up after some 40 microseconds, the caller after as many
SHARES_PER_THREAD = 8  # ranges of one size are not of one cost: sorted zipf ids have few rows first and many last


class _Pool:
    """The state of this process: how many threads are wanted, and those that have been needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted: int | None = None
        self.default: int | None = None
        self.workers: _Workers | None = None

    def forget_threads(self) -> None:
        """Start afresh in a forked child: the parent's threads do not exist there, and its lock may be held.

        A child may have been given processors of its own, so the default is found anew; what was set stays.
        """
        self.lock = threading.Lock()
        self.default = None
        self.workers = None


class _Workers:
    """Threads that take shares of work from one queue until they are told to end.

    A pool of `concurrent.futures` would do the same; handing it a share and waiting for it took three times as long.
    """

    def __init__(self, count: int):
        self.queue: SimpleQueue[_Share | None] = SimpleQueue()
        self.count = 0
        try:
            for _ in range(count):
                threading.Thread(target=self._work, name="fastembed_layer", daemon=True).start()
                self.count += 1
        except RuntimeError:  # the system has no more threads, or the interpreter is shutting down
            pass

    def end(self) -> None:
        """Let the threads end when they have done what is in the queue."""
        for _ in range(self.count):
            self.queue.put(None)

    def _work(self) -> None:
        while (share := self.queue.get()) is not None:
            share.run()
            del share  # it would live until the next one comes


_pool = _Pool()
_inside = threading.local()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget_threads)


def set_threads(count: int | None) -> int:
    """Set how many threads the CPU kernels use in this process.

    Results have the same bits for any number of threads.

    Parameters
    ----------
    count : int or None
        The number of threads, the caller's included; None goes back to the default: the smallest of the processors
        this process may run on, its cgroup's quota, ``OMP_NUM_THREADS`` and ``NUMBA_NUM_THREADS``.

    Returns
    -------
    previous : int
        The number that was in force.

    Raises
    ------
    TypeError
        If `count` is not an integer.
    ValueError
        If `count` is not positive.

    Examples
    --------
    >>> previous = set_threads(1)
    >>> set_threads(previous)
    1
    """
    if count is not None and (isinstance(count, bool) or not hasattr(count, "__index__")):
        raise TypeError(f"`count` must be a positive integer or None. Received: {count!r}.")
    if count is not None and count < 1:
        raise ValueError(f"`count` must be a positive integer or None. Received: {count!r}.")
    previous = get_threads()
    with _pool.lock:
        if count is None:
            _pool.default = None
        if count == _pool.wanted and count is not None:
            return previous
        _pool.wanted = count if count is None else int(count)
        workers, _pool.workers = _pool.workers, None
    if workers is not None:
        workers.end()
    return previous


def get_threads() -> int:
    """Return how many threads the CPU kernels use in this process."""
    if _pool.wanted is not None:
        return _pool.wanted
    if _pool.default is None:
        _pool.default = _default_threads()
    return _pool.default


def run_parallel(task: Callable[[int, int], Result], size: int, grain: int) -> list[Result]:
    """Call ``task(begin, end)`` on contiguous ranges that cover ``range(size)``; the caller begins with the first.

    There are more ranges than threads where the work suffices, and whoever is done takes the next one.

    Parameters
    ----------
    task : callable
        Called with disjoint ranges, at the same time from several threads.
    size : int
        Number of items.
    grain : int
        The fewest items that are worth a thread, and the fewest of a range.

    Returns
    -------
    results : list
        What the calls returned, in the order of their ranges. When calls raise, the first error is raised after all
        calls have ended, so that no thread still writes into the caller's arrays; the same holds for Ctrl-C.
    """
    grain = max(grain, 1)
    threads = size // grain
    if threads > 1:  # of a small batch nothing else is asked
        threads = 1 if getattr(_inside, "a_task", False) else min(get_threads(), threads)
    if threads <= 1:
        return [task(0, size)]
    parts = threads * min(SHARES_PER_THREAD, size // (threads * grain))
    bounds = [size * part // parts for part in range(parts + 1)]
    shares = [_Share(task, begin, end) for begin, end in pairwise(bounds)]
    _offer(shares[1:])
    for share in shares:  # the first is the caller's, and so is each that no thread has begun by then
        share.run()
    interrupt = _wait_for_all(shares)
    for error in (share.error for share in shares):
        if error is not None:
            raise error
    if interrupt is not None:
        raise interrupt
    return [share.result for share in shares]


class _Share:
    """One range of a parallel call: worked on once, by the thread that comes first."""

    def __init__(self, task: Callable[[int, int], Any], begin: int, end: int):
        self.work: Any = (task, begin, end)
        self.result: Any = None
        self.error: BaseException | None = None
        self.claim = threading.Lock()
        self.has_ended = False
        self.unfinished = threading.Lock()
        self.unfinished.acquire()

    def run(self) -> None:
        """Do the work, unless a thread has begun it."""
        if not self.claim.acquire(blocking=False):
            return
        (task, begin, end), self.work = self.work, None
        _inside.a_task = True
        try:
            self.result = task(begin, end)
        except BaseException as error:
            self.error = error
        finally:
            del task  # it holds the caller's arrays, whose memory the caller may want again at once
            _inside.a_task = False
            self.has_ended = True
            self.unfinished.release()

    def wait(self) -> None:
        """Return when the work has been done."""
        with self.unfinished:
            pass


def _wait_for_all(shares: list[_Share]) -> BaseException | None:
    """Return when all work has been done; Ctrl-C does not end the wait, but is returned."""
    interrupt = None
    while running := [share for share in shares if not share.has_ended]:
        try:
            running[0].wait()
        except BaseException as error:  # noqa: PERF203  of a signal's handler: here the main thread spends its time
            interrupt = error
    return interrupt


def _offer(shares: list[_Share]) -> None:
    """Offer work to the threads; what nobody takes is the caller's.

    There may be no threads, or `set_threads` may have just ended them, which is why a share is claimed.
    """
    workers = _running_workers()
    if workers.count:
        for share in shares:
            workers.queue.put(share)


def _running_workers() -> _Workers:
    with _pool.lock:
        if _pool.workers is None:
            _pool.workers = _Workers(max(1, get_threads() - 1))
        return _pool.workers


def _default_threads() -> int:
    limits = [_usable_processors(), _cgroup_quota()]
    limits += [_positive_integer(os.environ.get(name)) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")]
    return max(1, min(limit for limit in limits if limit is not None))


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _positive_integer(text: str | None) -> int | None:
    """Read the first number of a variable such as ``OMP_NUM_THREADS=4,2``; None for anything else."""
    first = (text or "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Processors that this process may use on average, rounded up; None without a quota."""
    quotas = [_read_quota(folder) for folder in _cgroup_folders(root, own)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _cgroup_folders(root: Path, own: Path) -> list[Path]:
    """Folders of the groups that this process is in; a group is limited by all that it lies in.

    Inside a container the root of the tree is its own group, and the path that the kernel tells may not exist there.
    """
    try:
        groups = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        groups = []
    folders = [root, root / "cpu"]
    for _, controllers, path in (group for group in groups if len(group) == 3):
        if controllers == "" or "cpu" in controllers.split(","):
            top = root / "cpu" if controllers else root
            parts = [part for part in path.split("/") if part not in ("", "..")]
            folders += [top.joinpath(*parts[: depth + 1]) for depth in range(len(parts))]
    return folders


def _read_quota(folder: Path) -> int | None:
    """The quota of one group, of version 2 or 1 of cgroups."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()[:2]
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
