"""The loops of exact mode: lookups and updates of rows that may have been idle for some steps.

`idle` is the tuple (last steps of the rows; series, base, present step and present shrink of the clock; constants of
the rule). `factors` are None or each row's share of the learning rate: what moves a row, moves it by that share.
``last_steps[row]`` is the step of the table's clock at which a row was last up to date, negative for a row that stays
where it is: -1 for one that has never been updated, whose slots are zero, and -2 for one that has stopped training.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastembed_layer.kernels.bags import clear_max, divide_bag, dot_gradient, measure_bag, take_max
from fastembed_layer.kernels.group import end_segment, first_segment, key_id
from fastembed_layer.kernels.idle import copy_row, shrink_idle, take_share
from fastembed_layer.kernels.jit import inlined, kernel
from fastembed_layer.kernels.prefetch import AHEAD, prefetch_rows
from fastembed_layer.kernels.rows import by_width, no_row
from fastembed_layer.kernels.rules import ROW_RULES
from fastembed_layer.kernels.rules.row_rule import RowRule
from fastembed_layer.kernels.sums import add_scaled, scale_at
from fastembed_layer.kernels.update import step_row, sum_known_segment, sum_segment


@inlined
def measure_gap(last: Any, now: Any, series: Any, base: Any, shrink: Any) -> Any:
    """The tuple that tells `move_idle` how long a row has been idle; the last column holds the shrink of a step."""
    entry = last - base
    return now - last, entry, shrink, shrink / series[entry, series.shape[1] - 1]


@inlined
def write_moved(move_idle: Any, state: Any, idle: Any, factors: Any, row_id: Any, moved: Any) -> Any:
    """Write to `moved` what idle steps have made of a row; False, and nothing written, where it had none."""
    last_steps, series, base, now, shrink, constants = idle
    last = last_steps[row_id]
    if last < 0 or last >= now:
        return False
    move_idle(state, row_id, moved, measure_gap(last, now, series, base, shrink), series, constants)
    take_share(state[0][row_id], factors, row_id, moved)
    return True


def make_gather_rows(move_idle: Callable[..., None]) -> by_width:
    """Build the lookup of one rule: idle rows are brought up to date on the way to the output."""

    @by_width
    def gather_rows(width: int) -> Any:
        @kernel
        def gather_rows(state: Any, idle: Any, factors: Any, ids: Any, out: Any, begin: int, end: int) -> int:
            """Write the present value of ``table[ids[p]]`` to ``out[p]``; the table is not written.

            Returns the first position whose id is not a row, where the writing stops, or -1.
            """
            for position in range(begin, end):
                if position + AHEAD < end:
                    prefetch_rows((*state, idle[0]), ids[position + AHEAD], width)
                row_id = ids[position]
                if row_id < 0 or row_id >= state[0].shape[0]:
                    return position
                if not write_moved(move_idle, state, idle, factors, row_id, out[position]):
                    copy_row(state[0][row_id], out[position])
            return -1

        return gather_rows

    return gather_rows


def make_gather_bags(move_idle: Callable[..., None]) -> Callable[..., Any]:
    """Build the bag lookup of one rule."""

    @kernel
    def gather_bags(
        state: Any, idle: Any, factors: Any, ids: Any, offsets: Any, scales: Any, divide_by: int, out: Any,
        divisors: Any, moved: Any, begin: int, end: int,
    ) -> int:  # fmt: skip
        """Sum the present values of the rows of each bag of one range, and divide; the table is not written.

        Returns the first position whose id is not a row, where the summing stops, or -1.
        """
        for bag in range(begin, end):
            total = out[bag]
            total[:] = 0
            for position in range(offsets[bag], offsets[bag + 1]):
                if position + AHEAD < len(ids):
                    prefetch_rows((*state, idle[0]), ids[position + AHEAD], 0)
                row_id = ids[position]
                if row_id < 0 or row_id >= state[0].shape[0]:
                    return position
                is_moved = write_moved(move_idle, state, idle, factors, row_id, moved)
                add_scaled(total, moved if is_moved else state[0][row_id], scales, position)
            divisors[bag] = measure_bag(scales, offsets[bag], offsets[bag + 1], divide_by)
            divide_bag(total, divisors[bag])
        return -1

    return gather_bags


def make_gather_max(move_idle: Callable[..., None]) -> Callable[..., Any]:
    """Build the lookup of one rule that keeps the largest or smallest values of each bag."""

    @kernel
    def gather_max(
        state: Any, idle: Any, factors: Any, ids: Any, offsets: Any, scales: Any, sign: Any, out: Any, argmax: Any,
        moved: Any, begin: int, end: int,
    ) -> int:  # fmt: skip
        """Do what `bags.gather_max` does, with the present values of the rows; the table is not written."""
        for bag in range(begin, end):
            first = offsets[bag]
            if first == offsets[bag + 1]:
                clear_max(out[bag], argmax, bag)
            for position in range(first, offsets[bag + 1]):
                if position + AHEAD < len(ids):
                    prefetch_rows((*state, idle[0]), ids[position + AHEAD], 0)
                row_id = ids[position]
                if row_id < 0 or row_id >= state[0].shape[0]:
                    return position
                is_moved = write_moved(move_idle, state, idle, factors, row_id, moved)
                row = moved if is_moved else state[0][row_id]
                take_max(out[bag], row, scale_at(scales, position, row), sign, argmax, bag, position - first)
        return -1

    return gather_max


def make_dot_rows(move_idle: Callable[..., None]) -> Callable[..., Any]:
    """Build the dot products of one rule."""

    @kernel
    def dot_rows(
        state: Any, idle: Any, factors: Any, ids: Any, values: Any, sources: Any, argmax: Any, bag_positions: Any,
        out: Any, moved: Any, begin: int, end: int,
    ) -> int:  # fmt: skip
        """Do what `bags.dot_rows` does, with the present values of the rows; the table is not written."""
        for position in range(begin, end):
            if position + AHEAD < end:
                prefetch_rows((*state, idle[0]), ids[position + AHEAD], 0)
            row_id = ids[position]
            if row_id < 0 or row_id >= state[0].shape[0]:
                return position
            is_moved = write_moved(move_idle, state, idle, factors, row_id, moved)
            row = moved if is_moved else state[0][row_id]
            out[position] = dot_gradient(row, values, sources, argmax, bag_positions, position)
        return -1

    return dot_rows


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
) -> by_width:
    """Build the update of one rule: idle steps and the new step in one pass over the row."""

    @by_width
    def update_rows(width: int) -> Any:
        @kernel
        def update_rows(
            state: Any, idle: Any, factors: Any, keys: Any, values: Any, sources: Any, scales: Any, argmax: Any,
            bag_positions: Any, scalars: Any, decay_factor: Any, total: Any, moved: Any, begin: int, end: int,
        ) -> None:  # fmt: skip
            """Sum the gradients of each row of one range in `total`, bring the row up to date, and apply the step."""
            last_steps, series, base, now, shrink, constants = idle
            ahead = (*state, last_steps)
            position = first_segment(keys, begin)
            while position < end:
                row_id = key_id(keys[position])
                after = end_segment(keys, position)
                if width and argmax is None:
                    row = no_row(total, width)
                    sum_known_segment(row, total, ahead, keys, values, sources, scales, position, after)
                else:
                    sum_segment(total, ahead, keys, values, sources, scales, argmax, bag_positions, position, after)
                last = last_steps[row_id]
                if last >= 0 and last < now:
                    gap = measure_gap(last, now, series, base, shrink)
                    catch_up(move_idle, decay_slots, state, row_id, gap, series, constants, factors, moved)
                step_row(update_row, state, row_id, total, scalars, decay_factor, factors, moved)
                last_steps[row_id] = now + 1
                position = after

        return update_rows

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
    gather_rows: by_width
    gather_bags: Callable[..., Any]
    gather_max: Callable[..., Any]
    dot_rows: Callable[..., Any]
    update_rows: by_width
    finish_rows: Callable[..., Any]


def _idle_rule(rule: RowRule) -> IdleRule:
    return IdleRule(
        rule.move_idle is not shrink_idle,
        make_gather_rows(rule.move_idle),
        make_gather_bags(rule.move_idle),
        make_gather_max(rule.move_idle),
        make_dot_rows(rule.move_idle),
        make_update_rows(rule.update_row, rule.move_idle, rule.decay_slots),
        make_finish_rows(rule.move_idle, rule.decay_slots),
    )


IDLE_RULES = {name: _idle_rule(rule) for name, rule in ROW_RULES.items()}
