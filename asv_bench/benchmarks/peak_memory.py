"""Peak memory of a process that looks up or trains; `peakmem_setup` is what the table takes, and here its slots.

A library that makes its slots in the first step shows them there.
"""

from __future__ import annotations

import tracemalloc

from fastembed_layer.backends.buffers import drop_free_memory

from .common import Workload
from .rivals import IMPLEMENTATIONS, get_system, make_job, prepare_job

WORKLOAD = Workload(1_000_000, 64, (1024, 20))  # the batch is a fiftieth of the table: a copy of it would stand out
COMPILED = Workload(1_000, 64, (1024, 20))


class PeakMemoryOfLookup:
    """One vector for each id."""

    params = IMPLEMENTATIONS
    param_names = ("implementation",)

    def setup(self, implementation: str) -> None:
        make_job(implementation, "lookup", COMPILED)
        self.job = get_system(implementation).lookup(WORKLOAD)

    def peakmem_setup(self, implementation: str) -> None:
        pass

    def peakmem_lookup(self, implementation: str) -> None:
        self.job()


class PeakMemoryOfStep:
    """A training step."""

    params = (IMPLEMENTATIONS, ("sgd", "adagrad", "adam", "adam_lazy"))
    param_names = ("implementation", "optimizer")

    def setup(self, implementation: str, optimizer: str) -> None:
        make_job(implementation, "training_step", COMPILED, optimizer)
        self.job = get_system(implementation).training_step(WORKLOAD, optimizer)

    def peakmem_setup(self, implementation: str, optimizer: str) -> None:
        pass

    def peakmem_step(self, implementation: str, optimizer: str) -> None:
        self.job()


class MemoryOfStep:
    """What a step of ours allocates at its peak, in sizes of the batch's rows, when no memory is kept from before."""

    params = ("sgd", "adagrad", "adam", "adam_lazy")
    param_names = ("optimizer",)
    unit = "batches"

    def track_step(self, optimizer: str) -> float:
        return measure_step(WORKLOAD, optimizer)


def measure_step(workload: Workload, optimizer: str) -> float:
    """Return the peak of what numpy allocates in a step, over the bytes of the batch's rows."""
    job = prepare_job("fastembed_layer", "training_step", workload, optimizer)
    drop_free_memory()
    tracemalloc.start()
    try:
        job()
        return tracemalloc.get_traced_memory()[1] / (workload.n_ids * workload.row_bytes)
    finally:
        tracemalloc.stop()
