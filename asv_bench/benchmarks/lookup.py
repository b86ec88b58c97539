"""Looking rows up: one vector for each id."""

from __future__ import annotations

import numpy as np

from .common import ASV_SIZES, DISTRIBUTIONS, SIZES, count_lookup_bytes, measure_copy_speed
from .rivals import IMPLEMENTATIONS, make_job
from .timing import Plan, measure_in_turns

COLUMNS = (16, 64, 128, 512)
BATCH_SIZES = (1, 32, 1024)


class Lookup:
    """The forward pass by the distribution of the ids."""

    params = (IMPLEMENTATIONS, DISTRIBUTIONS, ASV_SIZES)
    param_names = ("implementation", "ids", "size")

    def setup(self, implementation: str, ids: str, size: str) -> None:
        self.job = make_job(implementation, "lookup", SIZES[size].change(ids=ids))

    def time_lookup(self, *_: object) -> None:
        self.job()


class LookupByColumns:
    """The forward pass by the size of a vector."""

    params = (IMPLEMENTATIONS, COLUMNS)
    param_names = ("implementation", "columns")

    def setup(self, implementation: str, columns: int) -> None:
        self.job = make_job(implementation, "lookup", SIZES["small"].change(columns=columns))

    def time_lookup(self, *_: object) -> None:
        self.job()


class LookupOfFewIds:
    """The forward pass of a small batch, where the way to the kernel counts."""

    params = (IMPLEMENTATIONS, BATCH_SIZES)
    param_names = ("implementation", "batch_size")

    def setup(self, implementation: str, batch_size: int) -> None:
        self.job = make_job(implementation, "lookup", SIZES["small"].change(shape=(batch_size, 1)))

    def time_lookup(self, *_: object) -> None:
        self.job()


class LookupLimit:
    """How many times longer a lookup takes than moving its bytes at the speed of a copy, in the same run."""

    params = (DISTRIBUTIONS, ASV_SIZES)
    param_names = ("ids", "size")
    unit = "times the limit"

    def setup(self, ids: str, size: str) -> None:
        self.workload = SIZES[size].change(ids=ids)
        self.job = make_job("fastembed_layer", "lookup", self.workload)

    def track_lookup(self, *_: object) -> float:
        [samples] = measure_in_turns({"lookup": self.job}, Plan(turns=5)).values()
        return float(np.median(samples)) * measure_copy_speed() / count_lookup_bytes(self.workload)
