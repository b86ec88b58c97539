"""Runs every kernel under a sanitizer, or two kernels with a mistake in them; what is found ends the process.

``python sanitized.py thread``, with the runtime of the sanitizer in ``LD_PRELOAD``, runs the kernels as they are, and
``python sanitized.py thread planted`` the others. What the kernels compute is judged elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from emulated_cuda import make_backend

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.idle_rows import Clock, IdleRows
from fastembed_layer.table import Parameter, Table

ROWS, COLUMNS, COUNT = 20, 3, 60  # two rows of four lanes in a block
OPTIMIZERS = (  # those whose lanes need one another, and the longest state
    optimizers.RowwiseAdam(0.1),
    optimizers.RMSprop(0.1, momentum=0.9, centered=True),
)
PLANTED = {
    "address": ("row >= input_dim", "row > input_dim"),
    "undefined": ("long long row = ids[position];", "long long row = (int)ids[position] * 200000000;"),
    "thread": ("atomicMin(bad, (unsigned long long)position);", "*bad = (unsigned long long)position;"),
}


def run_lookups(backend: Any, table: Table, ids: Any) -> None:
    """Every operation that reads a table."""
    offsets, scales = np.array([0, 0, 7, COUNT]), np.ones(COUNT, table.dtype)
    winners, random = np.empty((3, COLUMNS), np.int32), np.random.default_rng(1)
    backend.gather_rows(table, ids)
    backend.gather_bags(table, ids, offsets, scales, "mean", np.empty(3, table.dtype))
    backend.gather_extremes(table, ids, offsets, scales, "max", winners)
    sources = np.repeat([1, 2], [7, COUNT - 7])
    places = (np.arange(COUNT) % 7).astype(np.int32)
    won = RowGradient(ids, random.normal(size=(3, COLUMNS)), table.shape, sources, None, winners, places)
    backend.dot_rows(table, won)


def run_steps(backend: Any, optimizer: Any, ids: Any) -> None:
    """Lazy and exact steps, with lookups in between, of a table that has room for no element more."""
    random = np.random.default_rng(0)
    table = Table(random.normal(size=(ROWS, COLUMNS)))
    widths = {name: 1 if name in optimizer.row_wise_slots else COLUMNS for name in optimizer.slot_values()}
    slots = [np.zeros((ROWS, width)) for width in widths.values()]
    motion = optimizer.idle_motion()
    for update in ("lazy", "exact"):
        if update == "exact" and motion is not None:
            clock = Clock(motion.weights, motion.running)
            table.idle = IdleRows(motion.rule, slots, clock, motion.constants, ROWS)
            table.idle.moves = True
        for step in range(1, 4):
            gradient = RowGradient(ids[step:], random.normal(size=(len(ids) - step, COLUMNS)), table.shape)
            grouped = backend.group_gradient(gradient)
            backend.update_rows(table, grouped, optimizer.rule, slots, optimizer.scalars(0.1, step), 0.9)
            if table.idle is not None:
                table.idle.clock.advance(optimizer.idle_amount(0.1, step), 0.9)
                run_lookups(backend, table, ids)
    if table.idle is not None:
        backend.finish_rows(table)


def run_others(backend: Any, ids: Any) -> None:
    """What is left: sums, offsets, dense steps and random numbers."""
    table = Table(np.ones((ROWS, COLUMNS)))
    run_lookups(backend, table, ids)
    backend.sum_duplicates(RowGradient(ids, np.ones((COUNT, COLUMNS)), table.shape))
    vocabularies = np.array([0, ROWS]), np.array([ROWS, ROWS])
    backend.offset_ids(ids.reshape(-1, 2), np.array([0, 1]), *vocabularies)
    backend.offset_bags(ids, np.array([[0, 3, 9], [9, 9, COUNT]]), *vocabularies)
    backend.update_dense(Parameter(np.ones((4, 3))), np.ones((4, 3)), "sgd", [], (0.1,))
    backend.fill_random(np.empty((7, COLUMNS)), 5, "truncated_normal", (0.0, 1.0))


def run_two(backend: Any, ids: Any) -> None:
    """A lookup and a grouping, with ids that are no rows."""
    table = Table(np.ones((ROWS, COLUMNS)))
    bad = np.where(np.arange(COUNT) % 9 == 4, ROWS, ids)
    gradient = RowGradient(bad, np.ones((COUNT, COLUMNS)), table.shape)
    for operation in (lambda: backend.gather_rows(table, bad), lambda: backend.group_gradient(gradient)):
        try:
            operation()
        except IndexError:
            continue
        raise AssertionError("a bad id was not refused")


def main(sanitizer: str, is_planted: bool) -> None:
    """Run it all, or two with a mistake."""
    ids = np.random.default_rng(2).integers(0, ROWS, COUNT)
    ids[::3] = ROWS - 1  # enough of one for many pieces
    backend = make_backend(sanitizer, PLANTED[sanitizer] if is_planted else ("", ""))
    run_two(backend, ids)
    if not is_planted:
        run_others(backend, ids)
        for optimizer in OPTIMIZERS:
            run_steps(backend, optimizer, ids)
    print("clean")


main(sys.argv[1], "planted" in sys.argv)
