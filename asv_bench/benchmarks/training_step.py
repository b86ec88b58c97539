"""Training steps: lookup, way back with a given gradient, and the optimizer's update."""

from __future__ import annotations

import numpy as np

from .common import ASV_SIZES, SIZES, count_step_bytes, measure_copy_speed
from .rivals import IMPLEMENTATIONS, make_job
from .timing import Plan, measure_in_turns

OPTIMIZERS = ("sgd", "adagrad", "rmsprop", "adam", "adam_lazy")
BATCH_SIZES = (1, 32, 1024)


class TrainingStep:
    """A step by optimizer and distribution of the ids."""

    params = (IMPLEMENTATIONS, OPTIMIZERS, ("uniform", "zipf"), ASV_SIZES)
    param_names = ("implementation", "optimizer", "ids", "size")

    def setup(self, implementation: str, optimizer: str, ids: str, size: str) -> None:
        self.job = make_job(implementation, "training_step", SIZES[size].change(ids=ids), optimizer)

    def time_step(self, *_: object) -> None:
        self.job()


class StepOnOneHotRow:
    """A step whose batch holds one id over and over: there is a single row to share among the threads."""

    params = (IMPLEMENTATIONS, ("sgd", "adagrad"))
    param_names = ("implementation", "optimizer")

    def setup(self, implementation: str, optimizer: str) -> None:
        self.job = make_job(implementation, "training_step", SIZES["small"].change(ids="one_row"), optimizer)

    def time_step(self, *_: object) -> None:
        self.job()


class StepOnFewIds:
    """A step on a small batch, where everything around the kernels counts."""

    params = (IMPLEMENTATIONS, ("sgd", "adam"), BATCH_SIZES)
    param_names = ("implementation", "optimizer", "batch_size")

    def setup(self, implementation: str, optimizer: str, batch_size: int) -> None:
        workload = SIZES["small"].change(shape=(batch_size, 1))
        self.job = make_job(implementation, "training_step", workload, optimizer)

    def time_step(self, *_: object) -> None:
        self.job()


class StepAfterManySteps:
    """An exact Adam step of a table whose rows have been idle since any of the steps before."""

    params = (10, 1_000, 60_000)
    param_names = ("steps",)

    def setup(self, steps: int) -> None:
        self.job = make_job("fastembed_layer", "aged_step", SIZES["small"], steps)

    def time_step(self, *_: object) -> None:
        self.job()


class StepLimit:
    """How many times longer a step takes than moving its bytes at the speed of a copy, in the same run."""

    params = (("sgd", "adam"), ("uniform", "zipf"), ASV_SIZES)
    param_names = ("optimizer", "ids", "size")
    unit = "times the limit"

    def setup(self, optimizer: str, ids: str, size: str) -> None:
        self.workload = SIZES[size].change(ids=ids)
        self.job = make_job("fastembed_layer", "training_step", self.workload, optimizer)

    def track_step(self, optimizer: str, *_: object) -> float:
        [samples] = measure_in_turns({"step": self.job}, Plan(turns=5)).values()
        return float(np.median(samples)) * measure_copy_speed() / count_step_bytes(self.workload, optimizer)
