"""What all benchmarks share: workloads, the bytes an operation has to move, and the speed of the memory.

The rivals stand in `systems.py`. Nothing here is read from the environment: a workload is a value.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from itertools import cycle
from typing import Any

import numpy as np

from fastembed_layer import set_threads
from fastembed_layer.backends.aligned import zeros_aligned
from fastembed_layer.kernels.threads import run_parallel

Array = np.ndarray[Any, Any]
Job = Callable[[], object]

THREADS = 2
BATCHES = 4  # taken in turn, as no training loop sees one batch twice in a row
ZIPF_EXPONENT = 1.2
COPY_PIECE = 1 << 18  # bytes; two of them fit into the caches of a core
DISTRIBUTIONS = ("uniform", "zipf", "one_row")
HOT_SHARE, HOT_PART = 0.95, 20  # "hot": so many of the ids are among the first 1/20 of the rows
SLOTS = {"sgd": 0, "adagrad": 1, "rowwise_adagrad": 0, "rmsprop": 1, "adam": 2, "adam_lazy": 2}


@dataclass(frozen=True)
class Workload:
    """A float32 table and the batches that are looked up in it.

    Attributes
    ----------
    rows, columns : int
        Shape of the table.
    shape : tuple of int
        Shape of a batch: bags and ids in a bag.
    ids : {"uniform", "zipf", "one_row", "hot"}
        Distribution of the ids; zipf is numpy's with the exponent 1.2, clipped to the table; hot ids are uniform in
        the first 1/20 of the rows for 95 % of them and uniform in the others for the rest.
    reach : int, optional
        How many rows the ids are drawn from; by default all.
    stride : int
        Distance of these rows in the table.
    """

    rows: int
    columns: int = 64
    shape: tuple[int, int] = (4096, 50)
    ids: str = "uniform"
    reach: int | None = None
    stride: int = 1

    @property
    def n_ids(self) -> int:
        """Ids in a batch."""
        return self.shape[0] * self.shape[1]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return 4 * self.columns

    def batches(self, dtype: Any = np.int64) -> list[Array]:
        """Return the batches that are taken in turn; equal workloads give equal ids."""
        return [ids.astype(dtype).reshape(self.shape) for ids in _draw_batches(self)]

    def gradient(self, bags: bool = False) -> Array:
        """Return a gradient of the rows, or of the bags, of a batch."""
        shape = (self.shape[0], self.columns) if bags else (*self.shape, self.columns)
        return _draw_gradient(shape).copy()

    def change(self, **fields: Any) -> Workload:
        """Return the same workload with other values of some attributes."""
        return replace(self, **fields)


@dataclass(frozen=True)
class Features:
    """Float32 tables of many categorical features, and batches with one id per sample and feature, all uniform.

    Attributes
    ----------
    rows : tuple of int
        Sizes of the vocabularies.
    columns : int
        Size of the vectors.
    batch_size : int
        Samples in a batch.
    """

    rows: tuple[int, ...]
    columns: int
    batch_size: int

    def batches(self, dtype: Any = np.int64) -> list[Array]:
        """Return the batches that are taken in turn, shape (batch_size, features)."""
        shape = (self.batch_size, len(self.rows))
        return [np.random.default_rng(seed).integers(0, self.rows, shape).astype(dtype) for seed in range(BATCHES)]

    def gradient(self) -> Array:
        """Return a gradient of the vectors of a batch, shape (batch_size, features, columns)."""
        return _draw_gradient((self.batch_size, len(self.rows), self.columns)).copy()


CLICKS = Features(tuple(np.geomspace(10, 1_000_000, 26).astype(int).tolist()), 16, 2048)

SIZES = {
    "small": Workload(100_000, 64, (1024, 20)),
    "peers": Workload(4_000_000, 64, (4096, 50)),
}
ASV_SIZES = ("small",)  # the table of "peers" takes minutes to fill for all; `report.py` measures it
PUBLIC_CASE = Workload(793_471, 512, (128, 20))


@lru_cache(maxsize=1)
def _draw_gradient(shape: tuple[int, ...]) -> Array:
    """Draw a gradient; all participants of a comparison ask for the same, and drawing takes longer than a step."""
    gradient = np.random.default_rng(BATCHES).standard_normal(shape, np.float32)
    gradient *= np.float32(0.01)
    return gradient


@lru_cache(maxsize=2)
def _draw_batches(workload: Workload) -> list[Array]:
    return [_draw_ids(workload, seed) for seed in range(BATCHES)]


def _draw_ids(workload: Workload, seed: int) -> Array:
    generator = np.random.default_rng(seed)
    reach = min(workload.reach or workload.rows, workload.rows)
    if workload.ids == "one_row":
        return np.full(workload.n_ids, reach // 2)
    if workload.ids == "zipf":
        ids = np.minimum(generator.zipf(ZIPF_EXPONENT, workload.n_ids), reach) - 1
    elif workload.ids == "hot":
        hot = max(1, reach // HOT_PART)
        is_hot = generator.random(workload.n_ids) < HOT_SHARE
        ids = generator.integers(np.where(is_hot, 0, hot), np.where(is_hot, hot, reach))
    else:
        ids = generator.integers(0, reach, workload.n_ids)
    return ids * workload.stride


def take_turns(function: Callable[[Any], object], batches: list[Any]) -> Job:
    """Return a job without arguments that calls `function` on one batch after the other."""
    turn = cycle(batches)
    return lambda: function(next(turn))


def use_threads() -> None:
    """Give our own kernels the number of threads that everybody gets."""
    set_threads(THREADS)


@cache
def _count_distinct(workload: Workload) -> float:
    return float(np.mean([len(np.unique(batch)) for batch in _draw_batches(workload)]))


def count_lookup_bytes(workload: Workload, bags: bool = False) -> float:
    """Return what a lookup has to move: each row of the batch read once, the ids, and the result written."""
    results = workload.shape[0] if bags else workload.n_ids
    return (_count_distinct(workload) + results) * workload.row_bytes + 8 * workload.n_ids


def count_step_bytes(workload: Workload, optimizer: str, bags: bool = False) -> float:
    """Return what a training step has to move.

    That is the lookup; the gradient and the ids, read; and the rows of the batch and their slots, read and written.
    """
    results = workload.shape[0] if bags else workload.n_ids
    touched = 2 * (1 + SLOTS[optimizer]) * _count_distinct(workload)
    update = (results + touched) * workload.row_bytes + 8 * workload.n_ids
    return count_lookup_bytes(workload, bags) + update


@cache
def measure_copy_speed(nbytes: int = 1 << 28, repeats: int = 7) -> float:
    """Return how many bytes per second, read and written, `numpy.copyto` moves on the threads of the package.

    The arrays are larger than any cache. The faster of two ways counts, by the median of some repetitions: a part in
    one piece, for which the C library may write past the caches, and in `COPY_PIECE` bytes at a time, where it does
    not.
    """
    use_threads()
    source, target = zeros_aligned((nbytes,), np.uint8), zeros_aligned((nbytes,), np.uint8)
    source[:] = target[:] = 1
    times: dict[int, list[float]] = {nbytes: [], COPY_PIECE: []}
    for _ in range(repeats):
        for piece, seconds in times.items():
            start = time.perf_counter()
            run_parallel(partial(_copy_pieces, source, target, piece), nbytes, 1)
            seconds.append(time.perf_counter() - start)
    return 2 * nbytes / min(float(np.median(seconds)) for seconds in times.values())


def _copy_pieces(source: Array, target: Array, piece: int, begin: int, end: int) -> None:
    for start in range(begin, end, piece):
        stop = min(start + piece, end)
        np.copyto(target[start:stop], source[start:stop])
