"""Locks that a fork takes first, so that no child finds one that a thread of its parent held."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

Locks = Callable[[], Iterable[Any]]

OF_STEPS, OF_COMPILER = 0, 1  # a step may have to compile a kernel, so its locks come first

_sources: list[tuple[int, Locks]] = []
_taken: list[Any] = []


def hold_at_fork(rank: int, locks: Locks) -> None:
    """Let every fork take the locks that `locks` returns then; those of a lower rank come first."""
    _sources.append((rank, locks))
    _sources.sort(key=lambda source: source[0])


def _take() -> None:
    for _, locks in _sources:
        for lock in locks():
            lock.acquire()
            _taken.append(lock)


def _give_back() -> None:
    while _taken:
        _taken.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_give_back, after_in_child=_give_back)
