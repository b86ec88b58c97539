"""One step of an optimizer, from its checked and clipped gradients to the constraints behind it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fastembed_layer.backends.contract import GroupedGradient
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.optimizers.schedules.base import rate_of_step
from fastembed_layer.optimizers.step.folded_penalties import close_sums, open_sums, split_penalties
from fastembed_layer.optimizers.step.gradients import Pairs, group_ids
from fastembed_layer.optimizers.step.idle_book import IdleMotion, touch_all_rows
from fastembed_layer.optimizers.step.placing import prepare_with_room
from fastembed_layer.optimizers.step.whole_tables import apply_constraint, find_reasons
from fastembed_layer.tables.table import Parameter, Table

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
    tables = [parameter for parameter, _ in pairs if isinstance(parameter, Table)]
    prepared = prepare_with_room(pairs, optimizer, lambda: _prepare(optimizer, pairs, motion, keeps))
    sums = open_sums(pairs, moves_rows=motion is not None and motion.moves_rows)
    for (parameter, _), (gradient, slots) in zip(pairs, prepared, strict=True):
        _update(parameter, gradient, optimizer.rule, slots, (numbers, keeps[parameter]))
    optimizer.idle_book.close_step(tables, amount, keeps)
    close_sums(sums, keeps)
    optimizer.averages.follow(pairs)
    for parameter, gradient in pairs:
        apply_constraint(optimizer, parameter, gradient)
    optimizer.iterations += 1


def _prepare(
    optimizer: Optimizer, pairs: Pairs, motion: IdleMotion | None, keeps: dict[Parameter, float]
) -> list[tuple[Any, list[Array]]]:
    """Group the gradients of a step and make its slots ready; what a first attempt has done, a second leaves."""
    prepared = [(group_ids(parameter, gradient), optimizer.slots_of(parameter)) for parameter, gradient in pairs]
    tables = [parameter for parameter, _ in pairs if isinstance(parameter, Table)]
    optimizer.idle_book.open_step(tables, motion, optimizer.own_slots, set(filter(optimizer.decay.reaches, tables)))
    optimizer.idle_book.part_clocks(tables, keeps)
    optimizer.averages.prepare(pairs, partial(find_reasons, optimizer))
    for table in tables:
        if table.cache is not None:
            table.cache.follow(table, list(optimizer.own_slots[table].values()))
    return [(gradient, list(slots.values())) for gradient, slots in prepared]


def _update(
    parameter: Parameter, gradient: Any, rule: str, slots: list[Array], step: tuple[tuple[float, ...], float]
) -> None:
    """Apply the rule to the rows of a grouped gradient, or to all elements of a dense one."""
    if isinstance(gradient, GroupedGradient):
        assert isinstance(parameter, Table)
        backend_of(parameter).update_rows(parameter, gradient, rule, slots, *step)
    else:
        touch_all_rows(parameter)
        backend_of(parameter, gradient).update_dense(parameter, gradient, rule, slots, *step)
