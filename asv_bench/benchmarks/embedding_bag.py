"""Bags: rows summed while they are read, and the training step behind such a sum."""

from __future__ import annotations

import numpy as np

from .common import ASV_SIZES, DISTRIBUTIONS, SIZES, count_lookup_bytes, measure_copy_speed
from .rivals import IMPLEMENTATIONS, make_job
from .timing import Plan, measure_in_turns

OPTIMIZERS = ("sgd", "adagrad", "rowwise_adagrad")


class BagLookup:
    """The sum of each bag."""

    params = (IMPLEMENTATIONS, DISTRIBUTIONS, ASV_SIZES)
    param_names = ("implementation", "ids", "size")

    def setup(self, implementation: str, ids: str, size: str) -> None:
        self.job = make_job(implementation, "bag_lookup", SIZES[size].change(ids=ids))

    def time_lookup(self, *_: object) -> None:
        self.job()


class BagStep:
    """The sum of each bag, the way back with a given gradient, and the update."""

    params = (IMPLEMENTATIONS, OPTIMIZERS, ("uniform", "zipf"))
    param_names = ("implementation", "optimizer", "ids")

    def setup(self, implementation: str, optimizer: str, ids: str) -> None:
        self.job = make_job(implementation, "bag_step", SIZES["small"].change(ids=ids), optimizer)

    def time_step(self, *_: object) -> None:
        self.job()


class BagLimit:
    """How many times longer a sum of bags takes than moving its bytes at the speed of a copy, in the same run."""

    params = (DISTRIBUTIONS, ASV_SIZES)
    param_names = ("ids", "size")
    unit = "times the limit"

    def setup(self, ids: str, size: str) -> None:
        self.workload = SIZES[size].change(ids=ids)
        self.job = make_job("fastembed_layer", "bag_lookup", self.workload)

    def track_lookup(self, *_: object) -> float:
        [samples] = measure_in_turns({"lookup": self.job}, Plan(turns=5)).values()
        return float(np.median(samples)) * measure_copy_speed() / count_lookup_bytes(self.workload, bags=True)
