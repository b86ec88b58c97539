"""Bags: rows summed while they are read, and the training step behind such a sum."""

from __future__ import annotations

from .common import ASV_SIZES, SIZES
from .rivals import IMPLEMENTATIONS, make_job

OPTIMIZERS = ("sgd", "adagrad")


class BagLookup:
    """The sum of each bag."""

    params = (IMPLEMENTATIONS, ("uniform", "zipf"), ASV_SIZES)
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
