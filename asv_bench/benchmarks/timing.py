"""Timing of jobs side by side: they take turns, so that whatever slows the machine down meets all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from .common import Job

FEWEST_TURNS = 5
SLOW = 0.25  # seconds of a call that has read so much that it finds nothing in the caches, whoever called before
MOST_CALLS = 10_000  # in a turn
PAUSE = 0.005  # seconds; threads of the job before may spin for some time after their work


class Plan(NamedTuple):
    """How much to measure.

    Attributes
    ----------
    turns : int
        Turns of each job, each of which gives one sample.
    turn_seconds : float
        About how long a turn lasts; a job that takes longer is called once.
    longest : float
        Seconds after which no further turn is taken, once there have been `FEWEST_TURNS`; a job whose call is `SLOW`
        takes no more than these.
    """

    turns: int = 11
    turn_seconds: float = 0.05
    longest: float = 5.0


ONCE = Plan(turns=1, turn_seconds=0.0, longest=0.0)


def measure_in_turns(jobs: Mapping[str, Job], plan: Plan) -> dict[str, list[float]]:
    """Return, for each job, the seconds of a call, one sample for each turn.

    A turn begins with a call that is not timed, so that each job finds its own data in the caches; slow jobs go
    without. The jobs have been warmed up by whoever made them.
    """
    samples: dict[str, list[float]] = {name: [] for name in jobs}
    first = {name: _time_calls(job, 1) for name, job in jobs.items()}
    start = time.perf_counter()
    with _no_collection():
        for turn in range(plan.turns):
            is_extra = turn >= FEWEST_TURNS
            if is_extra and time.perf_counter() - start > plan.longest:
                break
            for name, job in jobs.items():
                is_slow = first[name] > SLOW
                if not (is_slow and is_extra):
                    samples[name].append(_take_turn(job, _calls_in_a_turn(first[name], plan), untimed=not is_slow))
    return samples


def _calls_in_a_turn(seconds: float, plan: Plan) -> int:
    return max(1, min(MOST_CALLS, round(plan.turn_seconds / seconds)))


def _take_turn(job: Job, calls: int, untimed: bool) -> float:
    time.sleep(PAUSE)
    if untimed:
        job()
    return _time_calls(job, calls)


def _time_calls(job: Job, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        result = job()  # held until the next one exists, as in a user's loop
    seconds = time.perf_counter() - start
    del result
    return seconds / calls


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
