"""Runs every kernel under a sanitizer, or two kernels with a mistake in them; what is found ends the process.

``python sanitized.py thread``, with the runtime of the sanitizer in ``LD_PRELOAD``, runs the kernels as they are, and
``python sanitized.py thread planted`` the others. What the kernels compute is judged elsewhere.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from emulated_cuda import make_backend

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.backends import dispatch
from fastembed_layer.backends.contract import Step
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

ROWS, COLUMNS, COUNT = 20, 3, 60  # two rows of four lanes in a block
OPTIMIZERS = (  # one whose lanes need one another, and the longest state
    lambda update: optimizers.RowwiseAdam(0.1, update=update, weight_decay=0.5),
    lambda update: optimizers.RMSprop(0.1, momentum=0.9, centered=True, update=update),
)
PLANTED = {
    "address": ("row >= input_dim", "row > input_dim"),
    "undefined": ("long long row = ids[position];", "long long row = (int)ids[position] * 200000000;"),
    "thread": ("atomicMin(bad, (unsigned long long)position);", "*bad = (unsigned long long)position;"),
}


def run_lookups(backend: Any, table: Table, ids: Any) -> None:
    """Every operation that reads a table."""
    offsets, scales = np.array([0, 0, 7, COUNT]), np.ones(COUNT, table.dtype)
    argmax, random = np.empty((3, COLUMNS), np.int32), np.random.default_rng(1)
    backend.gather_rows(table, ids)
    backend.gather_bags(table, ids, offsets, scales, "mean", np.empty(3, table.dtype))
    backend.gather_max(table, ids, offsets, scales, "max", argmax)
    sources = np.repeat([1, 2], [7, COUNT - 7])
    bag_positions = (np.arange(COUNT) % 7).astype(np.int32)
    won = RowGradient(ids, random.normal(size=(3, COLUMNS)), table.shape, sources, None, argmax, bag_positions)
    backend.dot_rows(table, won)


def run_steps(backend: Any, make_optimizer: Any, ids: Any) -> None:
    """Lazy and exact steps, with lookups in between."""
    random = np.random.default_rng(0)
    for update in ("lazy", "exact"):
        table, optimizer = Table(random.normal(size=(ROWS, COLUMNS))), make_optimizer(update)
        for step in range(3):
            values = random.normal(size=(COUNT - step, COLUMNS))
            optimizer.apply_gradients([(RowGradient(ids[step:], values, table.shape), table)])
            run_lookups(backend, table, ids)
        table.finish()


def run_others(backend: Any, ids: Any) -> None:
    """What is left: sums, offsets, dense steps and random numbers."""
    table = Table(np.ones((ROWS, COLUMNS)))
    run_lookups(backend, table, ids)
    backend.sum_duplicates(RowGradient(ids, np.ones((COUNT, COLUMNS)), table.shape))
    vocabularies = np.array([0, ROWS]), np.array([ROWS, ROWS])
    backend.offset_ids(ids.reshape(-1, 2), np.array([0, 1]), *vocabularies)
    backend.offset_bags(ids, np.array([[0, 3, 9], [9, 9, COUNT]]), *vocabularies)
    backend.update_dense(Parameter(np.ones((4, 3))), np.ones((4, 3)), Step("sgd", [], (0.1,)))
    backend.fill_random(np.empty((7, COLUMNS)), 5, "truncated_normal", (0.0, 1.0))
    tags, stamps = np.arange(64).reshape(2, 32), np.zeros((2, 32), np.int64)
    for tick in (3, None):
        backend.find_locations(tags, stamps, ids, ROWS, tick)


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
    dispatch.backend_for = lambda placement: backend
    run_two(backend, ids)
    if not is_planted:
        run_others(backend, ids)
        for make_optimizer in OPTIMIZERS:
            run_steps(backend, make_optimizer, ids)
    print("clean")


if __name__ == "__main__":
    main(sys.argv[1], "planted" in sys.argv)
