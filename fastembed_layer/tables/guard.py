"""Locks of tables and optimizers: steps exclude each other, and a lookup can tell whether one was writing meanwhile.

An optimizer's lock is taken before those of tables, and these in the order in which the tables were made; so no two
threads can wait for each other. A fork takes all of them, so that no child finds one that a thread of its parent held.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

from fastembed_layer.kernels.forks import OF_STEPS, hold_at_fork
from fastembed_layer.tables.shield import Shield

Result = TypeVar("Result")

_serials = count()
_by_order = attrgetter("order")


class Guard:
    """The locks of one table.

    Attributes
    ----------
    lock : RLock
        Held by a step from its checks to its end, and by whatever else changes the table as a whole.
    writing : RLock
        Held only while rows, slots, last steps or the clock are written; a lookup waits for no more than that.
    version : int
        Odd while something is being written, and another number afterwards.
    is_plain : bool
        Whether a step writes each number of a row once, and lookups need nothing but the row: then they may read beside
        it. The first step that is otherwise ends that for good.
    order : tuple of int
        Where the locks come among those of others.
    """

    rank = 1

    def __init__(self) -> None:
        self.order = (self.rank, next(_serials))
        self.lock = threading.RLock()
        self.writing = threading.RLock()
        self.version = 0
        self.is_plain = True
        with _registry:
            _guards.add(self)


class OptimizerGuard(Guard):
    """The lock of one optimizer: its steps, and the reading and writing of its state, exclude each other."""

    rank = 0  # before those of all tables


_guards: weakref.WeakSet[Guard] = weakref.WeakSet()
_registry = threading.Lock()


def hold(guards: Sequence[Guard], work: Callable[[], Result]) -> Result:
    """Call `work` with the locks of all `guards`, which are sorted here.

    Nested blocks and not a list of taken locks: an interrupt between taking a lock and noting it would leave it taken.
    """
    return _hold_sorted(sorted(guards, key=_by_order), work)


def _hold_sorted(guards: Sequence[Guard], work: Callable[[], Result]) -> Result:
    if not guards:
        return work()
    with guards[0].lock:
        return work() if len(guards) == 1 else _hold_sorted(guards[1:], work)


def write(guards: Sequence[Guard], work: Callable[[], Result]) -> Result:
    """Call `work`, which writes what `guards` guard: no signal interrupts it, and lookups know of it.

    The caller holds their locks.
    """
    with Shield():
        return _write_sorted(sorted(guards, key=_by_order), work)


def _write_sorted(guards: Sequence[Guard], work: Callable[[], Result]) -> Result:
    if not guards:
        return work()
    guard = guards[0]
    with guard.writing:
        is_inner = guard.version % 2  # only the holder of the lock makes it odd
        guard.version += not is_inner
        try:
            return work() if len(guards) == 1 else _write_sorted(guards[1:], work)
        finally:
            guard.version += not is_inner


def change(guard: Guard, work: Callable[[], Result]) -> Result:
    """Call `work`, which changes one table, with its locks."""
    return hold([guard], lambda: write([guard], work))


def _list_locks() -> list[Any]:
    """All locks in the order in which they are taken."""
    with _registry:
        guards = sorted(_guards, key=_by_order)
    return [*(guard.lock for guard in guards), *(guard.writing for guard in guards), _registry]


hold_at_fork(OF_STEPS, _list_locks)
