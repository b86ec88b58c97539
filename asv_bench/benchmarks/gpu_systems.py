"""This package on a GPU, what others have to offer there, and how jobs are timed. The others: `gpu_rivals.py`.

Everything waits for `open_gpu`, which raises `NotImplementedError` where there is no GPU, so that asv skips. Batches
and gradients are on the GPU before the clock starts.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fastembed_layer import RowGradient, device
from fastembed_layer.backends.arrays import backend_for, move_array

from .common import Job, Workload, take_turns
from .systems import FastembedLayer, System, _start_training

GPU = "gpu:0"
SAMPLES = 11
SAMPLE_SECONDS = 0.05
MOST_CALLS = 1000  # in a sample
COPY_BYTES = 1 << 30  # far more than the caches of a GPU


@dataclass(frozen=True)
class GpuWorkload(Workload):
    """A workload whose batches and gradients are on the GPU."""

    def batches(self, dtype: Any = np.int64) -> list[Any]:
        return [move_array(ids, GPU) for ids in super().batches(dtype)]

    def gradient(self, bags: bool = False) -> Any:
        return move_array(super().gradient(bags), GPU)


class GpuSystem(System):
    """One library on the GPU; the base offers nothing."""

    def update(self, workload: Workload, optimizer: str) -> Job:
        """Return the optimizer's update by a given gradient of rows, summing of equal ids included."""
        raise NotImplementedError(f"{type(self).__name__} does not update rows with {optimizer}")

    def finish(self, result: Any) -> None:
        """Wait for a result that is made on a stream which the events of `measure_on_gpu` do not follow."""

    def release(self) -> None:
        """Give the memory of earlier jobs back to the GPU."""
        gc.collect()


class FastembedOnGpu(FastembedLayer, GpuSystem):
    """This package; its tables live at `home`, and batches and gradients on the GPU.

    Parameters
    ----------
    home : str
        With ``"cpu:0"`` rows and gradients of rows cross the bus.
    prepare : callable, optional
        Called with each layer once it is built: the place for what keeps some rows of a host table on the GPU.
    """

    def __init__(self, home: str = GPU, prepare: Callable[[Any], object] | None = None):
        super().__init__()
        self.home = home
        self.prepare = prepare

    def update(self, workload: Workload, optimizer: str) -> Job:
        table, update = self._layer("Embedding", workload).embeddings, self.optimizer(optimizer)
        d_rows = workload.gradient().reshape(-1, workload.columns)
        gradients = [RowGradient(ids.reshape(-1), d_rows, table.shape) for ids in workload.batches()]
        _start_training(table, update)
        return take_turns(lambda gradient: update.apply_gradients([(gradient, table)]), gradients)

    def release(self) -> None:
        super().release()
        backend_for(GPU).release_blocks()

    def _layer(self, kind: str, workload: Workload, **keywords: Any) -> Any:
        with device(self.home):
            layer = super()._layer(kind, workload, **keywords)
        if self.prepare is not None:
            self.prepare(layer)
        return layer


def on_host(workload: Workload) -> Workload:
    """Return the same workload with batches of numpy."""
    fields = {name: getattr(workload, name) for name in Workload.__dataclass_fields__}
    return Workload(**fields)


@cache
def open_gpu() -> Any:
    """Return the library of the GPU.

    Raises
    ------
    NotImplementedError
        If it or a GPU is missing.
    """
    refusal = backend_for(GPU).refusal()
    if refusal is not None:
        raise NotImplementedError(f"needs cupy and a GPU: {refusal}")
    return backend_for(GPU).xp  # type: ignore[attr-defined]


def measure_on_gpu(
    job: Job, finish: Callable[[Any], None] = lambda result: None, samples: int = SAMPLES
) -> list[float]:
    """Return the seconds of a call by the GPU's own clock, one for each sample of many calls in a row.

    An event is recorded before the first call and another after the last, on a GPU that is idle before.
    """
    first = _time_calls(job, finish, 1)
    calls = max(1, min(MOST_CALLS, round(SAMPLE_SECONDS / max(first, 1e-9))))
    return [_time_calls(job, finish, calls) for _ in range(samples)]


def _time_calls(job: Job, finish: Callable[[Any], None], calls: int) -> float:
    cuda = open_gpu().cuda
    start, stop = cuda.Event(), cuda.Event()
    cuda.Device(0).synchronize()
    start.record()
    for _ in range(calls):
        result = job()  # held until the next one exists, as in a user's loop
    finish(result)
    stop.record()
    stop.synchronize()
    del result
    return float(cuda.get_elapsed_time(start, stop)) / 1e3 / calls


@cache
def measure_device_copy_speed(nbytes: int = COPY_BYTES) -> float:
    """Return how many bytes per second, read and written, a copy within the GPU moves: the median of some."""
    xp = open_gpu()
    source, target = xp.ones(nbytes, np.uint8), xp.zeros(nbytes, np.uint8)

    def copy() -> None:
        target[...] = source

    return 2 * nbytes / float(np.median(measure_on_gpu(copy)))
