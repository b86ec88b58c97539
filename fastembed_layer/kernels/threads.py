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


class _Pool:
    """The state of this process: how many threads are wanted, and those that have been needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted: int | None = None
        self.workers: _Workers | None = None

    def forget_threads(self) -> None:
        """Start afresh in a forked child: the parent's threads do not exist there, and its lock may be held."""
        self.lock = threading.Lock()
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
        if count == _pool.wanted:
            return previous
        _pool.wanted = count if count is None else int(count)
        workers, _pool.workers = _pool.workers, None
    if workers is not None:
        workers.end()
    return previous


def get_threads() -> int:
    """Return how many threads the CPU kernels use in this process."""
    if _pool.wanted is None:
        _pool.wanted = _default_threads()
    return _pool.wanted


def run_parallel(task: Callable[[int, int], Result], size: int, grain: int) -> list[Result]:
    """Call ``task(begin, end)`` on contiguous ranges that cover ``range(size)``; the caller works on the first.

    Parameters
    ----------
    task : callable
        Called with disjoint ranges, at the same time from several threads.
    size : int
        Number of items.
    grain : int
        The fewest items that are worth a thread.

    Returns
    -------
    results : list
        What the calls returned, in the order of their ranges. When calls raise, the first error is raised after all
        calls have ended, so that no thread still writes into the caller's arrays.
    """
    parts = 1 if getattr(_inside, "a_task", False) else min(get_threads(), size // max(grain, 1))
    if parts <= 1:
        return [task(0, size)]
    bounds = [size * part // parts for part in range(parts + 1)]
    shares = [_Share(task, begin, end) for begin, end in pairwise(bounds)]
    _offer(shares[1:])
    for share in shares:  # the first is the caller's, and so is each that no thread has begun by then
        share.run()
    for share in shares:
        share.wait()
    for share in shares:
        if share.error is not None:
            raise share.error
    return [share.result for share in shares]


class _Share:
    """One range of a parallel call: worked on once, by the thread that comes first."""

    def __init__(self, task: Callable[[int, int], Any], begin: int, end: int):
        self.work: Any = (task, begin, end)
        self.result: Any = None
        self.error: BaseException | None = None
        self.claim = threading.Lock()
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
            self.unfinished.release()

    def wait(self) -> None:
        """Return when the work has been done."""
        with self.unfinished:
            pass


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


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Processors that the container may use on average, rounded up; None without a quota."""
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()[:2]
        else:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
