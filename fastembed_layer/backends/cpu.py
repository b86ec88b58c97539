"""The CPU backend: check, allocate, launch. The loops are in `fastembed_layer.kernels`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fastembed_layer.backends.buffers import borrow_array
from fastembed_layer.backends.concurrent import see_no_step_half_done
from fastembed_layer.backends.contract import Backend, GroupedGradient, IdsOutOfRangeError
from fastembed_layer.backends.contract.types import Gradient, Step, TableState, Weight
from fastembed_layer.backends.cpu_memory import CpuMemory
from fastembed_layer.backends.hot_rows import key_sources, sort_gradient, sum_hot_rows
from fastembed_layer.backends.launch import (
    Kernel,
    compile_ahead,
    first_bad,
    grain_of,
    known_width,
    launch,
    make_scratch,
    raise_for_bad_id,
)
from fastembed_layer.backends.sorting import sort_ids
from fastembed_layer.kernels.bags import MEAN, SQRTN, SUM, dot_rows, gather_bags, gather_max
from fastembed_layer.kernels.directory import find_locations, stamp_locations
from fastembed_layer.kernels.exact import IDLE_RULES, IdleRule
from fastembed_layer.kernels.gather import gather_rows
from fastembed_layer.kernels.group import ID_SHIFT, count_segments
from fastembed_layer.kernels.offset import offset_bags, offset_ids
from fastembed_layer.kernels.random import DISTRIBUTIONS, fill_random_rows
from fastembed_layer.kernels.rules import RULES
from fastembed_layer.kernels.update import sum_duplicates

Array = np.ndarray[Any, Any]

IDS_PER_THREAD = 1 << 15  # that are checked and written elsewhere
TAGS_PER_THREAD = 1 << 12  # ids that are compared with the tags of a set, four cache lines
DIVISORS = {"sum": SUM, "mean": MEAN, "sqrtn": SQRTN}
SIGNS = {"max": 1, "min": -1}


class CpuBackend(CpuMemory, Backend):
    """Numba kernels on the package's own threads."""

    @see_no_step_half_done
    def gather_rows(self, table: TableState, ids: Array, out: Array | None = None) -> Array:
        rows = _checked_out(out, (len(ids), table.output_dim), table.dtype)
        kernel, grain = gather_rows.at(known_width(table.array)), grain_of(table.array, _count_read(table))
        _look_up(table, kernel, ids, (ids, rows), len(ids), grain)
        return rows

    @see_no_step_half_done
    def gather_bags(
        self,
        table: TableState,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "sum",
        divisors: Array | None = None,
    ) -> Array:
        out = borrow_array((len(offsets) - 1, table.output_dim), table.dtype)
        divisors = np.empty(len(out), table.dtype) if divisors is None else divisors
        arguments = (ids, offsets, scales, DIVISORS[combiner], out, divisors)
        kernel = gather_bags.at(known_width(table.array))
        _look_up(table, kernel, ids, arguments, len(out), _bag_grain(table, ids, len(out)))
        return out

    @see_no_step_half_done
    def gather_max(
        self,
        table: TableState,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "max",
        argmax: Array | None = None,
    ) -> Array:
        out = borrow_array((len(offsets) - 1, table.output_dim), table.dtype)
        arguments = (ids, offsets, scales, table.dtype.type(SIGNS[combiner]), out, argmax)
        _look_up(table, gather_max, ids, arguments, len(out), _bag_grain(table, ids, len(out)))
        return out

    @see_no_step_half_done
    def dot_rows(self, table: TableState, gradient: Gradient) -> Array:
        ids, out = gradient.ids, np.empty(len(gradient), table.dtype)
        values = gradient.values.astype(table.dtype, copy=False)
        arguments = (ids, values, gradient.sources, gradient.argmax, gradient.bag_positions, out)
        _look_up(table, dot_rows, ids, arguments, len(ids), grain_of(table.array))
        return out

    def find_locations(self, tags: Array, stamps: Array, ids: Array, input_dim: int, tick: int | None = None) -> Array:
        locations = borrow_array((len(ids),), np.int64)
        bad = launch(find_locations, (tags, ids, input_dim, locations), len(ids), TAGS_PER_THREAD)
        raise_for_bad_id(bad, ids, input_dim)
        stamp_locations(locations, -1 if tick is None else tick, stamps.reshape(-1))
        return locations

    def offset_ids(self, ids: Array, columns: Array, row_offsets: Array, input_dims: Array) -> Array:
        rows = borrow_array((len(ids), len(columns)), np.int64)
        arguments = (ids, columns, row_offsets, input_dims, rows)
        first = first_bad(launch(offset_ids, arguments, len(ids), IDS_PER_THREAD // max(1, len(columns))))
        if first is not None:
            index = int(np.searchsorted(columns, first % ids.shape[1]))
            raise IdsOutOfRangeError(first, int(ids.reshape(-1)[first]), int(input_dims[index]))
        return rows.reshape(-1)

    def offset_bags(self, values: Array, offsets: Array, row_offsets: Array, input_dims: Array) -> tuple[Array, Array]:
        lengths = np.diff(offsets, axis=1)
        bag_offsets = np.concatenate([[0], np.cumsum(lengths.T)])
        ids, samples = borrow_array((int(bag_offsets[-1]),), np.int64), lengths.shape[1]
        arguments = (values, offsets, row_offsets, input_dims, bag_offsets, ids)
        first = first_bad(launch(offset_bags, arguments, samples, max(1, IDS_PER_THREAD * samples // max(1, len(ids)))))
        if first is not None:
            feature = int(np.argmax((offsets[:, 0] <= first) & (first < offsets[:, -1])))
            raise IdsOutOfRangeError(first, int(values[first]), int(input_dims[feature]))
        return ids, bag_offsets

    def group_gradient(self, gradient: Gradient) -> GroupedGradient:
        ids, input_dim = gradient.ids, gradient.shape[0]
        if max(len(ids), input_dim, len(gradient.values)) >= 1 << ID_SHIFT:
            raise ValueError(
                f"A table and a batch on the CPU may have up to {(1 << ID_SHIFT) - 1} rows. "
                f"Received: input_dim={input_dim} and {len(ids)} ids."
            )
        return GroupedGradient(gradient, sort_ids(ids, input_dim, key_sources(gradient)))

    def sum_duplicates(self, gradient: Gradient) -> tuple[Array, Array]:
        keys = self.group_gradient(gradient).keys
        bounds = np.linspace(0, len(keys), 1 + max(1, len(keys) >> 14)).astype(np.int64)
        counts = [count_segments(keys, begin, end) for begin, end in pairwise(bounds)]
        firsts = np.concatenate([[0], np.cumsum(counts)])
        ids = np.empty(firsts[-1], np.int64)
        sums = borrow_array((len(ids), gradient.shape[1]), gradient.dtype)
        whole = sort_gradient(keys, gradient, gradient.dtype)

        def sum_blocks(first: int, last: int) -> None:
            for block in range(first, last):
                sum_duplicates(*whole, ids, sums, firsts[block], bounds[block], bounds[block + 1])

        launch(sum_blocks, (), len(counts), 1)
        return ids, sums

    def prepare_update(self, table: TableState, grouped: GroupedGradient, step: Step) -> Callable[[], None]:
        parts = sum_hot_rows(sort_gradient(grouped.keys, grouped.gradient, table.dtype))
        numbers, grain = _numbers_of(step, table.dtype), grain_of(table.array, 1 + len(step.slots))
        scratch = make_scratch(table, 2, len(grouped.keys), grain)
        kernel, kind = _update_kernel(table, step.rule), (table.dtype, _factors(table) is None, *parts[0].kind)
        compile_ahead(kernel, kind, lambda: (*_update_state(table, step.slots), *parts[0], *numbers), scratch)

        def update() -> None:
            first = _update_state(table, step.slots)
            for part in parts:
                launch(kernel, (*first, *part, *numbers), len(part.keys), grain, scratch)

        return update

    def finish_rows(self, table: TableState) -> None:
        assert table.idle is not None
        grain = grain_of(table.array, _count_read(table))
        scratch = make_scratch(table, 1, table.input_dim, grain)
        launch(IDLE_RULES[table.idle.rule].finish_rows, _idle_state(table), table.input_dim, grain, scratch)

    def prepare_dense_update(self, parameter: Weight, gradient: Array, step: Step) -> Callable[[], None]:
        state = tuple(_as_matrix(array) for array in (parameter.array, *step.slots))
        matrix = _as_matrix(np.ascontiguousarray(gradient, parameter.dtype))
        arguments = (state, matrix, *_numbers_of(step, parameter.dtype))
        kernel, grain = RULES[step.rule].update_dense, grain_of(state[0], len(state))
        compile_ahead(kernel, (parameter.dtype, matrix.flags.writeable), lambda: arguments)

        def update() -> None:
            launch(kernel, arguments, len(matrix), grain)

        return update

    def fill_random(
        self, out: Array, seed: int, distribution: str, scalars: tuple[float, float], first_row: int = 0
    ) -> None:
        arguments = (out, np.uint64(seed), DISTRIBUTIONS[distribution], *scalars, first_row)
        launch(fill_random_rows, arguments, len(out), grain_of(out))


def _checked_out(out: Array | None, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """Kernels do not check bounds, so what they write to is checked here."""
    if out is None:
        return borrow_array(shape, dtype)
    if out.shape != shape or out.dtype != dtype or not out.flags.carray:
        raise ValueError(
            f"`out` must be a writable C-contiguous array of shape {shape} and dtype {dtype}. "
            f"Received: shape {out.shape}, dtype {out.dtype}, strides {out.strides}, writable {out.flags.writeable}."
        )
    return out


def _look_up(table: TableState, kernel: Kernel, ids: Array, arguments: tuple[Any, ...], size: int, grain: int) -> None:
    """Launch a lookup, or its twin that moves idle rows on the way, and raise for an id that is not a row."""
    idle_rule = _moving_rule(table)
    if idle_rule is None:
        bad = launch(kernel, (table.array, *arguments), size, grain)
    else:
        twin, scratch = getattr(idle_rule, kernel.__name__), None
        if twin is idle_rule.gather_rows:  # it moves them in `out`
            twin = twin.at(known_width(table.array))
        else:
            scratch = make_scratch(table, 1, size, grain)
        bad = launch(twin, (*_idle_state(table), *arguments), size, grain, scratch)
    raise_for_bad_id(bad, ids, table.input_dim)


def _update_kernel(table: TableState, rule: str) -> Kernel:
    """Return the kernel of a step: the rule's own, or its twin that moves idle rows."""
    versions = RULES[rule].update_rows if table.idle is None else IDLE_RULES[table.idle.rule].update_rows
    return versions.at(known_width(table.array))


def _update_state(table: TableState, slots: Sequence[Array]) -> tuple[Any, ...]:
    """Return the first arguments of that kernel."""
    return ((table.array, *slots), _factors(table)) if table.idle is None else _idle_state(table)


def _moving_rule(table: TableState) -> IdleRule | None:
    """The idle rule of a table whose rows may have moved since their last touch."""
    if table.idle is None or table.idle.is_finished:
        return None
    rule = IDLE_RULES[table.idle.rule]
    return rule if rule.moves or table.idle.clock.shrink != 1 else None


def _idle_state(table: TableState) -> tuple[Any, ...]:
    """The first arguments of the kernels of exact mode."""
    idle = table.idle
    assert idle is not None
    clock, now = idle.clock, idle.clock.now  # before the series, which may grow beside a lookup
    state = (table.array, *idle.slots)
    numbers = (idle.last_steps, clock.series, clock.base, now, clock.shrink, idle.constants)
    return state, numbers, _factors(table)


def _factors(table: TableState) -> Array | None:
    """The share of the learning rate of each row; idle steps were made with the shares of their time."""
    rates = table.row_rates if table.idle is None else table.idle.row_rates
    return None if rates is None else rates.factors


def _count_read(table: TableState) -> int:
    """How many matrices are read for a row that has been idle, the table among them."""
    return 1 if table.idle is None or _moving_rule(table) is None else 1 + len(table.idle.slots)


def _bag_grain(table: TableState, ids: Array, n_bags: int) -> int:
    """Bags that are worth a thread."""
    return max(1, grain_of(table.array) // max(1, len(ids) // max(1, n_bags)))


def _numbers_of(step: Step, dtype: np.dtype[Any]) -> tuple[tuple[Any, ...], Any]:
    """The numbers of a rule and its decay in the table's type: a float64 among float32 would widen the whole kernel."""
    return tuple([dtype.type(scalar) for scalar in step.scalars]), dtype.type(step.decay_factor)


def _as_matrix(array: Array) -> Array:
    """View an array of any rank as a matrix, without a copy."""
    return array.reshape(-1, array.shape[-1] if array.ndim else 1)


BACKEND = CpuBackend()
