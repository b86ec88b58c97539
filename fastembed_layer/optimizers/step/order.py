"""One step of an optimizer, from its checked and clipped gradients to the constraints behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from fastembed_layer.backends.contract import GroupedGradient, Step
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.optimizers.schedules.base import rate_of_step
from fastembed_layer.optimizers.step.folded_penalties import close_sums, open_sums, split_penalties
from fastembed_layer.optimizers.step.gradients import Pairs, group_ids
from fastembed_layer.optimizers.step.idle_book import IdleMotion, touch_all_rows
from fastembed_layer.optimizers.step.owner import Owner, find_motion, find_reasons
from fastembed_layer.optimizers.step.placing import prepare_with_room
from fastembed_layer.optimizers.step.projection import apply_constraint
from fastembed_layer.optimizers.step.undo import prepare_undo, undo
from fastembed_layer.tables.guard import write
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]


def take_step(optimizer: Owner, pairs: Pairs) -> None:
    """Make one step: everything that can fail comes before anything is written, and what writes runs to its end.

    The caller holds the locks of the optimizer and of the tables.
    """
    rate, step = rate_of_step(optimizer.learning_rate, optimizer.iterations), optimizer.iterations + 1
    if optimizer.stands_still(rate):
        for parameter, gradient in split_penalties(pairs, optimizer, rate)[0]:
            group_ids(parameter, gradient)  # bad ids are an error all the same
        optimizer.iterations = step
        return
    numbers = optimizer.scalars(rate, step)
    pairs, penalties = split_penalties(pairs, optimizer, rate)
    motion = find_motion(optimizer)
    amount = 0.0 if motion is None else optimizer.idle_amount(rate, step)
    decay_factors = {one: optimizer.decay.decay_factor(one, rate, penalties.get(one, 0.0)) for one, _ in pairs}
    prepared = prepare_with_room(pairs, optimizer, lambda: _prepare(optimizer, pairs, motion, decay_factors))
    sums = open_sums(pairs, moves_rows=motion is not None and motion.moves_rows)
    writes = [
        _prepare_update(parameter, gradient, Step(optimizer.rule, slots, numbers, decay_factors[parameter]))
        for (parameter, _), (gradient, slots) in zip(pairs, prepared, strict=True)
    ]
    tables = [parameter for parameter, _ in pairs if isinstance(parameter, Table)]
    advances = optimizer.idle_book.prepare_clocks(tables, amount, decay_factors)
    for table in tables:
        table.guard.is_plain &= _is_plain(table, motion, decay_factors[table])
    restores = prepare_undo(
        pairs, optimizer.own_slots, optimizer.averages, lambda parameter: bool(find_reasons(optimizer, parameter))
    )
    guards = [parameter.guard for parameter, _ in pairs]
    write(
        guards,
        lambda: _write(optimizer, pairs, [*writes, *advances], restores, lambda: close_sums(sums, decay_factors)),
    )


def _is_plain(table: Table, motion: IdleMotion | None, decay_factor: float) -> bool:
    """Tell whether lookups may read rows while they are written: each number changes once, and nothing else counts."""
    rates = table.row_rates
    return (
        motion is None and decay_factor == 1 and table.constraint is None and (rates is None or rates.factors is None)
    )


def _write(
    optimizer: Owner,
    pairs: Pairs,
    writes: Iterable[Callable[[], None]],
    restores: Sequence[Callable[[], None]],
    close: Callable[[], None],
) -> None:
    """Write weights, slots and clocks, then what follows the weights, and count the step."""
    for call in writes:
        call()
    try:
        with suppress(MemoryError):  # without the sums of squares the next penalty makes a pass over the table
            close()
        optimizer.averages.follow(pairs)
        for parameter, gradient in pairs:
            if parameter.constraint is not None:
                apply_constraint(parameter, gradient, find_reasons(optimizer, parameter))
    except BaseException:
        undo(restores)
        raise
    optimizer.iterations += 1


def _prepare(
    optimizer: Owner, pairs: Pairs, motion: IdleMotion | None, decay_factors: dict[Parameter, float]
) -> list[tuple[Any, list[Array]]]:
    """Group the gradients of a step and make its slots ready; what a first attempt has done, a second leaves."""
    prepared = [(group_ids(parameter, gradient), optimizer.slots_of(parameter)) for parameter, gradient in pairs]
    tables = [parameter for parameter, _ in pairs if isinstance(parameter, Table)]
    decayed = set(filter(optimizer.decay.reaches, tables)) if optimizer.decay.is_active else set()
    optimizer.idle_book.open_step(tables, motion, optimizer.own_slots, decayed)
    optimizer.idle_book.part_clocks(tables, decay_factors)
    optimizer.averages.prepare(pairs, partial(find_reasons, optimizer))
    for table in tables:
        if table.cache is not None:
            table.cache.follow(table, list(optimizer.own_slots[table].values()))
    return [(gradient, list(slots.values())) for gradient, slots in prepared]


def _prepare_update(parameter: Parameter, gradient: Any, step: Step) -> Callable[[], None]:
    """Return what applies the rule to the rows of a grouped gradient, or to all elements of a dense one."""
    if isinstance(gradient, GroupedGradient):
        assert isinstance(parameter, Table)
        return backend_of(parameter).prepare_update(parameter, gradient, step)
    if isinstance(parameter, Table):
        parameter.finish()
    update = backend_of(parameter, gradient).prepare_dense_update(parameter, gradient, step)

    def write_all() -> None:
        touch_all_rows(parameter)
        update()

    return write_all
