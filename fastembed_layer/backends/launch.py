"""How the CPU backend launches a kernel, and what the ranges of a launch tell about ids that are no rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.backends.scratch import Scratch
from fastembed_layer.kernels.threads import BYTES_PER_THREAD, get_threads, run_parallel

Array = np.ndarray[Any, Any]
Kernel = Callable[..., Any]

LARGE_TABLE = 1 << 24  # bytes
WIDEST_ROW = 1024  # bytes


def launch(
    kernel: Kernel, arguments: tuple[Any, ...], size: int, grain: int, scratch: Scratch | None = None
) -> list[Any]:
    """Call a kernel for ranges of 0 to `size`, on as many threads as the work is worth.

    Parameters
    ----------
    kernel : callable
        Takes the arguments, the rows of `scratch`, and begin and end of a range.
    arguments : tuple
        The same for each range.
    size, grain : int
        The end of the last range, and how much of it is worth a thread.
    scratch : Scratch, optional
        Work space of each thread.

    Returns
    -------
    results : list
        What the kernel returned for each range, in the order of the ranges.
    """
    if scratch is None:
        return run_parallel(lambda begin, end: kernel(*arguments, begin, end), size, grain)

    def work(begin: int, end: int) -> Any:
        rows = scratch.take()
        try:
            return kernel(*arguments, *rows, begin, end)
        finally:
            scratch.give_back(rows)

    return run_parallel(work, size, grain)


def compile_ahead(
    kernel: Kernel, kind: tuple[Any, ...], arguments: Callable[[], tuple[Any, ...]], scratch: Scratch | None = None
) -> None:
    """Compile a kernel by a call for no rows, so that it neither waits nor fails when it writes.

    Parameters
    ----------
    kernel : callable
        The kernel.
    kind : tuple
        What decides which version of it is needed; of each kind it is called once.
    arguments : callable
        Returns the arguments.
    scratch : Scratch, optional
        Work space.
    """
    if (kernel, kind) not in _compiled:
        launch(kernel, arguments(), 0, 1, scratch)
        _compiled.add((kernel, kind))


_compiled: set[tuple[Kernel, tuple[Any, ...]]] = set()


def make_scratch(table: Any, count: int, size: int, grain: int) -> Scratch:
    """Return work space of `count` rows of a table for each thread of a launch."""
    return Scratch(count, table.output_dim, table.dtype, max(1, min(get_threads(), size // grain)))


def known_width(table: Array) -> int:
    """Return the number of columns for which kernels are compiled; 0, for any number, where it does not pay.

    Each width is a compilation of its own, so it is for tables that are larger than most caches; and a row has to fit
    the registers.
    """
    is_worth_it = table.nbytes >= LARGE_TABLE and table.strides[0] <= WIDEST_ROW
    return table.shape[1] if is_worth_it else 0


def grain_of(matrix: Array, count: int = 1) -> int:
    """Return how many rows are worth a thread, where as many matrices as `count` are read."""
    return BYTES_PER_THREAD // (count * matrix.shape[1] * matrix.itemsize or 1) or 1


def first_bad(bad: list[int]) -> int | None:
    """Return the first bad position of what the ranges returned, each its own first one or -1; None without any."""
    return next(position for position in bad if position >= 0) if max(bad) >= 0 else None


def raise_for_bad_id(bad: list[int], ids: Array, input_dim: int) -> None:
    """Raise if a range has met an id that is not a row.

    Raises
    ------
    IdsOutOfRangeError
        With the first position.
    """
    first = first_bad(bad)
    if first is not None:
        raise IdsOutOfRangeError(first, int(ids[first]), input_dim)
