"""The same work on one thread, on one for each core of a small machine, and on more than there are cores."""

from __future__ import annotations

from .common import SIZES
from .rivals import make_job

COUNTS = (1, 2, 8)
WORKS = {"lookup": ("lookup",), "sgd": ("training_step", "sgd"), "adam": ("training_step", "adam")}


class Threads:
    """A lookup or a step by the number of threads; the results have the same bits."""

    params = (COUNTS, tuple(WORKS), ("uniform", "zipf"))
    param_names = ("threads", "work", "ids")

    def setup(self, threads: int, work: str, ids: str) -> None:
        self.job = make_job("fastembed_layer", "on_threads", SIZES["small"].change(ids=ids), threads, *WORKS[work])

    def time_work(self, *_: object) -> None:
        self.job()
