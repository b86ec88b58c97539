"""On a GPU: lookups, sums of bags, updates, whole steps, and a host table that serves a batch on the GPU.

All is skipped where there is no GPU. A number is the median time of a call by the GPU's clock, or, in the classes named
``...Limit``, how many times longer that is than moving the bytes at the speed of a copy within the GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import count_lookup_bytes, count_step_bytes
from .gpu_rivals import FED, IN_GPU, get_gpu_system, make_gpu_job
from .gpu_systems import GpuWorkload, measure_device_copy_speed, measure_on_gpu, open_gpu

SIZE = GpuWorkload(10_000_000, 64)
COLUMNS = (16, 64, 128, 512)
IDS = ("uniform", "zipf")
OPTIMIZERS = ("sgd", "adagrad", "adam_lazy", "adam")
HOST_IDS = ("uniform", "zipf", "hot")
OURS = "fastembed_layer"


def measure_seconds(name: str, method: str, workload: Any, *arguments: str) -> float:
    """Return the median seconds of a call of one of those who take part."""
    job = make_gpu_job(name, method, workload, *arguments)
    return float(np.median(measure_on_gpu(job, get_gpu_system(name).finish)))


def count_update_bytes(workload: Any, optimizer: str) -> float:
    """Return what an update has to move: a step without its lookup."""
    return count_step_bytes(workload, optimizer) - count_lookup_bytes(workload)


class _OnGpu:
    """What the benchmarks of this file share; `asv` skips them where `setup` raises NotImplementedError."""

    method = ""
    unit = "seconds"
    timeout = 600.0

    def setup(self, name: str, *_: object) -> None:
        open_gpu()
        get_gpu_system(name)

    def measure(self, name: str, columns: int, ids: str, *arguments: str) -> float:
        return measure_seconds(name, self.method, SIZE.change(columns=columns, ids=ids), *arguments)


class GpuLookup(_OnGpu):
    """A row for each id."""

    method = "lookup"
    params = (IN_GPU, COLUMNS, IDS)
    param_names = ("implementation", "columns", "ids")

    def track_lookup(self, name: str, columns: int, ids: str) -> float:
        return self.measure(name, columns, ids)


class GpuBagSum(_OnGpu):
    """The sum of each bag."""

    method = "bag_lookup"
    params = (IN_GPU, COLUMNS, IDS)
    param_names = ("implementation", "columns", "ids")

    def track_bag_sum(self, name: str, columns: int, ids: str) -> float:
        return self.measure(name, columns, ids)


class GpuUpdate(_OnGpu):
    """The update by a given gradient of rows."""

    method = "update"
    params = (IN_GPU, COLUMNS, IDS, OPTIMIZERS)
    param_names = ("implementation", "columns", "ids", "optimizer")

    def track_update(self, name: str, columns: int, ids: str, optimizer: str) -> float:
        return self.measure(name, columns, ids, optimizer)


class GpuTrainingStep(_OnGpu):
    """Lookup, way back with a given gradient, and update."""

    method = "training_step"
    params = (IN_GPU, COLUMNS, IDS, OPTIMIZERS)
    param_names = ("implementation", "columns", "ids", "optimizer")

    def track_step(self, name: str, columns: int, ids: str, optimizer: str) -> float:
        return self.measure(name, columns, ids, optimizer)


class GpuHostTable(_OnGpu):
    """A table in the memory of the host and a batch on the GPU, beside the table in the GPU."""

    params = (FED, COLUMNS, HOST_IDS, ("lookup", "sgd", "adam_lazy"))
    param_names = ("implementation", "columns", "ids", "work")

    def track_host_table(self, name: str, columns: int, ids: str, work: str) -> float:
        self.method, arguments = ("lookup", ()) if work == "lookup" else ("training_step", (work,))
        return self.measure(name, columns, ids, *arguments)


class GpuLimit(_OnGpu):
    """The speed of a copy within the GPU, in this run, is the limit."""

    params = (COLUMNS, IDS, ("lookup", "bag_lookup", *OPTIMIZERS))
    param_names = ("columns", "ids", "work")
    unit = "times the limit"

    def setup(self, *_: object) -> None:
        open_gpu()

    def track_limit(self, columns: int, ids: str, work: str) -> float:
        workload: Any = SIZE.change(columns=columns, ids=ids)
        if work in OPTIMIZERS:
            seconds, nbytes = measure_seconds(OURS, "update", workload, work), count_update_bytes(workload, work)
        else:
            seconds = measure_seconds(OURS, work, workload)
            nbytes = count_lookup_bytes(workload, bags=work == "bag_lookup")
        return seconds * measure_device_copy_speed() / nbytes
