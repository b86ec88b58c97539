"""One step of an optimizer, from its checked and clipped gradients to the constraints behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastembed_layer.dispatch import backend_of
from fastembed_layer.optimizers.folded_penalties import close_sums, open_sums, split_penalties
from fastembed_layer.optimizers.gradients import Pairs, apply_constraint, group_ids
from fastembed_layer.optimizers.idle_book import touch_all_rows
from fastembed_layer.optimizers.schedules.base import rate_of_step
from fastembed_layer.table import Parameter, Table

if TYPE_CHECKING:
    from fastembed_layer.optimizers.optimizer import Optimizer

Array = np.ndarray[Any, Any]


def take_step(optimizer: Optimizer, pairs: Pairs) -> None:
    """Make one step: everything that can fail comes before anything is written."""
    rate, step = rate_of_step(optimizer.learning_rate, optimizer.iterations), optimizer.iterations + 1
    numbers = optimizer.scalars(rate, step)
    pairs, penalties = split_penalties(pairs, optimizer, rate)
    motion = optimizer.idle_motion() if optimizer.update == "exact" else None
    amount = 0.0 if motion is None else optimizer.idle_amount(rate, step)
    keeps = {one: optimizer.decay.kept_share(one, rate, penalties.get(one, 0.0)) for one, _ in pairs}
    grouped = [group_ids(parameter, gradient) for parameter, gradient in pairs]
    all_slots = [list(optimizer.slots_of(parameter).values()) for parameter, _ in pairs]
    tables = [parameter for parameter, _ in pairs if isinstance(parameter, Table)]
    book, averages = optimizer.idle_book, optimizer.averages
    book.open_step(tables, motion, optimizer.slots, set(filter(optimizer.decay.reaches, tables)))
    book.part_clocks(tables, keeps)
    averages.prepare(pairs, row_wise=optimizer.update == "lazy" or motion is None)
    sums = open_sums(pairs, moves_rows=motion is not None and motion.moves_rows)
    for (parameter, _), prepared, slots in zip(pairs, grouped, all_slots, strict=True):
        _update(parameter, prepared, optimizer.rule, slots, (numbers, keeps[parameter]))
    book.close_step(tables, amount, keeps)
    close_sums(sums, keeps)
    averages.follow(pairs)
    for parameter, gradient in pairs:
        apply_constraint(parameter, gradient)
    optimizer.iterations += 1


def _update(
    parameter: Parameter, gradient: Any, rule: str, slots: list[Array], step: tuple[tuple[float, ...], float]
) -> None:
    """Apply the rule to the rows of a grouped gradient, or to all elements of a dense one."""
    backend = backend_of(parameter)
    if not isinstance(gradient, np.ndarray):
        backend.update_rows(parameter, gradient, rule, slots, *step)  # type: ignore[arg-type]
        return
    if isinstance(parameter, Table):
        touch_all_rows(parameter)
    backend.update_dense(parameter, gradient, rule, slots, *step)
