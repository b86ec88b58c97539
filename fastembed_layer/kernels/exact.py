"""The loops of exact mode: lookups and updates of rows that may have been idle for some steps.

`idle` is the tuple (last steps of the rows; series, base, present step and present shrink of the clock; constants of
the rule). `factors` are None or each row's share of the learning rate: what moves a row, moves it by that share.
``last_steps[row]`` is the step of the table's clock at which a row was last up to date, negative for a row that stays
where it is: -1 for one that has never been updated, whose slots are zero, and -2 for one that has stopped training.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastembed_layer.kernels.group import end_segment, first_segment, key_id
from fastembed_layer.kernels.idle import copy_row, shrink_idle, take_share
from fastembed_layer.kernels.jit import inlined, kernel
from fastembed_layer.kernels.prefetch import AHEAD, prefetch_rows
from fastembed_layer.kernels.rules import ROW_RULES
from fastembed_layer.kernels.rules.row_rule import RowRule
from fastembed_layer.kernels.update import add_scaled, step_row, sum_segment


@inlined
def measure_gap(last: Any, now: Any, series: Any, base: Any, shrink: Any) -> Any:
    """The tuple that tells `move_idle` how long a row has been idle; the last column holds the shrink of a step."""
    entry = last - base
    return now - last, entry, shrink, shrink / series[entry, series.shape[1] - 1]


def make_gather_rows(move_idle: Callable[..., None]) -> Callable[..., Any]:
    """Build the lookup of one rule: idle rows are brought up to date on the way to the output."""

    @kernel
    def gather_rows(state: Any, idle: Any, factors: Any, ids: Any, out: Any, begin: int, end: int) -> int:
        """Write the present value of ``table[ids[p]]`` to ``out[p]``; the table is not written.

        Returns the first position whose id is not a row, where the writing stops, or -1.
        """
        last_steps, series, base, now, shrink, constants = idle
        input_dim = state[0].shape[0]
        for position in range(begin, end):
            if position + AHEAD < end:
                prefetch_rows((*state, last_steps), ids[position + AHEAD])
            row_id = ids[position]
            if row_id < 0 or row_id >= input_dim:
                return position
            last = last_steps[row_id]
            if last < 0 or last == now:
                copy_row(state[0][row_id], out[position])
            else:
                gap = measure_gap(last, now, series, base, shrink)
                move_idle(state, row_id, out[position], gap, series, constants)
                take_share(state[0][row_id], factors, row_id, out[position])
        return -1

    return gather_rows


def make_gather_bags(move_idle: Callable[..., None]) -> Callable[..., Any]:
    """Build the bag lookup of one rule."""

    @kernel
    def gather_bags(
        state: Any, idle: Any, factors: Any, ids: Any, offsets: Any, scales: Any, out: Any, current: Any,
        begin: int, end: int,
    ) -> int:  # fmt: skip
        """Sum the present values of the rows of each bag of one range; the table is not written.

        Returns the first position whose id is not a row, where the summing stops, or -1.
        """
        last_steps, series, base, now, shrink, constants = idle
        input_dim = state[0].shape[0]
        for bag in range(begin, end):
            total = out[bag]
            total[:] = 0
            for position in range(offsets[bag], offsets[bag + 1]):
                if position + AHEAD < len(ids):
                    prefetch_rows((*state, last_steps), ids[position + AHEAD])
                row_id = ids[position]
                if row_id < 0 or row_id >= input_dim:
                    return position
                last = last_steps[row_id]
                if last < 0 or last == now:
                    add_scaled(total, state[0][row_id], scales, position)
                else:
                    gap = measure_gap(last, now, series, base, shrink)
                    move_idle(state, row_id, current, gap, series, constants)
                    take_share(state[0][row_id], factors, row_id, current)
                    add_scaled(total, current, scales, position)
        return -1

    return gather_bags


@inlined
def catch_up(
    move_idle: Any, decay_slots: Any, state: Any, row_id: Any, gap: Any, series: Any, constants: Any, factors: Any,
    moved: Any,
) -> Any:  # fmt: skip
    """Bring one row and its slots up to date.

    The row takes the way over `moved`: compiled loops check that their source and target do not overlap, and where
    they do they work element by element, which took three times as long.
    """
    move_idle(state, row_id, moved, gap, series, constants)
    take_share(state[0][row_id], factors, row_id, moved)
    decay_slots(state, row_id, gap, series, constants)
    copy_row(moved, state[0][row_id])


def make_update_rows(
    update_row: Callable[..., None], move_idle: Callable[..., None], decay_slots: Callable[..., None]
) -> Callable[..., Any]:
    """Build the update of one rule: idle steps and the new step in one pass over the row."""

    @kernel
    def update_rows(
        state: Any, idle: Any, factors: Any, keys: Any, values: Any, sources: Any, scales: Any, scalars: Any,
        keep: Any, total: Any, moved: Any, begin: int, end: int,
    ) -> None:  # fmt: skip
        """Sum the gradients of each row of one range in `total`, bring the row up to date, and apply the step."""
        last_steps, series, base, now, shrink, constants = idle
        position = first_segment(keys, begin)
        while position < end:
            row_id = key_id(keys[position])
            after = end_segment(keys, position)
            sum_segment(total, (*state, last_steps), keys, values, sources, scales, position, after)
            last = last_steps[row_id]
            if last >= 0 and last < now:
                gap = measure_gap(last, now, series, base, shrink)
                catch_up(move_idle, decay_slots, state, row_id, gap, series, constants, factors, moved)
            step_row(update_row, state, row_id, total, scalars, keep, factors, moved)
            last_steps[row_id] = now + 1
            position = after

    return update_rows


def make_finish_rows(move_idle: Callable[..., None], decay_slots: Callable[..., None]) -> Callable[..., Any]:
    """Build the pass that brings all rows of one rule up to date."""

    @kernel
    def finish_rows(state: Any, idle: Any, factors: Any, moved: Any, begin: int, end: int) -> None:
        """Bring the rows of one range up to date; each row belongs to the thread of its range."""
        last_steps, series, base, now, shrink, constants = idle
        for row_id in range(begin, end):
            last = last_steps[row_id]
            if last >= 0 and last < now:
                gap = measure_gap(last, now, series, base, shrink)
                catch_up(move_idle, decay_slots, state, row_id, gap, series, constants, factors, moved)
                last_steps[row_id] = now

    return finish_rows


class IdleRule(NamedTuple):
    """The kernels of one rule; `moves` tells whether idle rows move without weight decay too."""

    moves: bool
    gather_rows: Callable[..., Any]
    gather_bags: Callable[..., Any]
    update_rows: Callable[..., Any]
    finish_rows: Callable[..., Any]


def _idle_rule(rule: RowRule) -> IdleRule:
    return IdleRule(
        rule.move_idle is not shrink_idle,
        make_gather_rows(rule.move_idle),
        make_gather_bags(rule.move_idle),
        make_update_rows(rule.update_row, rule.move_idle, rule.decay_slots),
        make_finish_rows(rule.move_idle, rule.decay_slots),
    )


IDLE_RULES = {name: _idle_rule(rule) for name, rule in ROW_RULES.items()}
