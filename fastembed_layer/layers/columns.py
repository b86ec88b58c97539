"""Blocks of columns side by side: joined to one matrix, and taken out of it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.arrays import is_on_cpu
from fastembed_layer.backends.buffers import borrow_array
from fastembed_layer.kernels.threads import run_parallel

Array = np.ndarray[Any, Any]

BYTES_PER_THREAD = 1 << 18  # less is copied before a second thread has woken up


class Run(NamedTuple):
    """Columns that lie side by side in the joined matrix and in a block."""

    joined: slice
    block: slice


def find_runs(members: Sequence[int], widths: Sequence[int]) -> list[Run]:
    """Return where the members of a block lie among neighbours of different widths, as few runs as possible.

    >>> find_runs([0, 1, 3], widths=[4, 4, 2, 4])
    [Run(joined=slice(0, 8, None), block=slice(0, 8, None)), Run(joined=slice(10, 14, None), block=slice(8, 12, None))]
    """
    starts = np.cumsum([0, *widths]).tolist()
    runs: list[Run] = []
    filled = 0
    for member in members:
        width = widths[member]
        joined, block = slice(starts[member], starts[member] + width), slice(filled, filled + width)
        if runs and runs[-1].joined.stop == joined.start:
            before = runs.pop()
            joined, block = slice(before.joined.start, joined.stop), slice(before.block.start, block.stop)
        runs.append(Run(joined, block))
        filled += width
    return runs


def join_columns(blocks: Sequence[Array], runs: Sequence[Sequence[Run]]) -> Array:
    """Return the matrix that blocks with the same rows, each with its runs, make up; one block is the matrix."""
    if len(blocks) == 1:
        return blocks[0]
    columns = sum(block.shape[1] for block in blocks)
    joined = _borrow_like(blocks[0], columns)

    def copy_rows(begin: int, end: int) -> None:
        for block, indices in zip(blocks, runs, strict=True):
            for run in indices:
                joined[begin:end, run.joined] = block[begin:end, run.block]

    _copy_on_threads(copy_rows, joined)
    return joined


def take_columns(joined: Array, runs: Sequence[Run]) -> Array:
    """Return the block that some runs of a matrix make up; the matrix itself if they are all of it."""
    columns = runs[-1].block.stop
    if columns == joined.shape[1]:
        return joined
    block = _borrow_like(joined, columns)

    def copy_rows(begin: int, end: int) -> None:
        for run in runs:
            block[begin:end, run.block] = joined[begin:end, run.joined]

    _copy_on_threads(copy_rows, block)
    return block


def _borrow_like(block: Array, columns: int) -> Array:
    """Return an uninitialised matrix with the rows of another, where that lives."""
    shape = (len(block), columns)
    return borrow_array(shape, block.dtype) if is_on_cpu(block) else np.empty_like(block, shape=shape)


def _copy_on_threads(copy_rows: Callable[[int, int], None], out: Array) -> None:
    """Copy all rows: on a device at once, for its copies are parallel in themselves."""
    if is_on_cpu(out):
        run_parallel(copy_rows, len(out), BYTES_PER_THREAD // max(1, out.shape[1] * out.itemsize))
    else:
        copy_rows(0, len(out))
