"""The time of a step against the number of rows: it must not grow with the table, apart from what caches do."""

from __future__ import annotations

from fastembed_layer.backends.cpu_memory import available_memory

from .common import SLOTS, Workload
from .rivals import make_job

ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
BATCH = (4096, 50)
COLUMNS = 16
REACH = 100_000
MOST_OF_THE_MEMORY = 0.8
PATTERNS = {
    "all rows": "drawn from the whole table",
    "the first 100,000 rows": "drawn from 100,000 rows that lie side by side, so caches hold the same in every table",
    "100,000 rows far apart": "drawn from 100,000 rows at equal distances over the whole table",
}


def make_workload(rows: int, pattern: str) -> Workload:
    """Return a workload of one table size, with ids of one of the `PATTERNS`."""
    workload = Workload(rows, COLUMNS, BATCH)
    if pattern == "all rows":
        return workload
    stride = max(1, rows // REACH) if pattern == "100,000 rows far apart" else 1
    return workload.change(reach=REACH, stride=stride)


def choose_fitting(sizes: tuple[int, ...], optimizer: str) -> list[int]:
    """Return the table sizes, from the smallest on, that fit into the memory of this machine side by side."""
    available, taken, fitting = available_memory(), 0, []
    for rows in sorted(sizes):
        taken += (1 + SLOTS[optimizer]) * Workload(rows, COLUMNS).row_bytes * rows
        if available is None or taken < MOST_OF_THE_MEMORY * available:
            fitting.append(rows)
    return fitting


class Vocabulary:
    """A step on tables of different sizes."""

    params = (ROWS, tuple(PATTERNS), ("sgd",))
    param_names = ("rows", "ids", "optimizer")

    def setup(self, rows: int, ids: str, optimizer: str) -> None:
        self.job = make_job("fastembed_layer", "training_step", make_workload(rows, ids), optimizer)

    def time_step(self, *_: object) -> None:
        self.job()
