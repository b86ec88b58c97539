"""The CPU backend: check, allocate, launch. The loops are in `fastembed_layer.kernels`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fastembed_layer.backends.bad_ids import first_bad, raise_for_bad_id
from fastembed_layer.backends.buffers import lend_array
from fastembed_layer.backends.concurrent import see_no_step_half_done
from fastembed_layer.backends.contract import Backend, GroupedGradient, IdsOutOfRangeError
from fastembed_layer.backends.host_directory import HostDirectory
from fastembed_layer.backends.hot_rows import SortedGradient, key_sources, sort_gradient, sum_hot_rows
from fastembed_layer.backends.scratch import Scratch
from fastembed_layer.backends.sorting import sort_ids
from fastembed_layer.kernels.bags import MEAN, SQRTN, SUM, dot_rows, gather_bags, gather_extremes
from fastembed_layer.kernels.exact import IDLE_RULES, IdleRule
from fastembed_layer.kernels.gather import gather_rows
from fastembed_layer.kernels.group import ID_SHIFT, count_segments
from fastembed_layer.kernels.offset import offset_bags, offset_ids
from fastembed_layer.kernels.random import DISTRIBUTIONS, fill_random_rows
from fastembed_layer.kernels.rules import RULES
from fastembed_layer.kernels.threads import BYTES_PER_THREAD, run_parallel
from fastembed_layer.kernels.update import sum_duplicates

if TYPE_CHECKING:
    from fastembed_layer.tables.row_gradient import RowGradient
    from fastembed_layer.tables.table import Parameter, Table

Array = np.ndarray[Any, Any]
Kernel = Callable[..., Any]

IDS_PER_THREAD = 1 << 15  # that are checked and written elsewhere
DIVISORS = {"sum": SUM, "mean": MEAN, "sqrtn": SQRTN}
SIGNS = {"max": 1, "min": -1}


class CpuBackend(HostDirectory, Backend):
    """Numba kernels on the package's own threads."""

    @see_no_step_half_done
    def gather_rows(self, table: Table, ids: Array, out: Array | None = None) -> Array:
        rows = _checked_out(out, (len(ids), table.output_dim), table.dtype)
        moving = _moving_rule(table)
        kernel: Kernel = gather_rows if moving is None else moving.gather_rows
        first = (table.storage,) if moving is None else _idle_state(table)
        grain = _grain(table.storage, 1 if moving is None else len(first[0]))
        bad = run_parallel(lambda begin, end: kernel(*first, ids, rows, begin, end), len(ids), grain)
        raise_for_bad_id(bad, ids, table.input_dim)
        return rows

    @see_no_step_half_done
    def gather_bags(
        self,
        table: Table,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "sum",
        divisors: Array | None = None,
    ) -> Array:
        out = lend_array((len(offsets) - 1, table.output_dim), table.dtype)
        divisors = np.empty(len(out), table.dtype) if divisors is None else divisors
        divide_by, kernel = DIVISORS[combiner], _present_kernel(table, gather_bags)
        bad = run_parallel(
            lambda begin, end: kernel((ids, offsets, scales, divide_by, out, divisors), begin, end),
            len(out),
            _bag_grain(table, ids, len(out)),
        )
        raise_for_bad_id(bad, ids, table.input_dim)
        return out

    @see_no_step_half_done
    def gather_extremes(
        self,
        table: Table,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "max",
        winners: Array | None = None,
    ) -> Array:
        out = lend_array((len(offsets) - 1, table.output_dim), table.dtype)
        sign, kernel = table.dtype.type(SIGNS[combiner]), _present_kernel(table, gather_extremes)
        bad = run_parallel(
            lambda begin, end: kernel((ids, offsets, scales, sign, out, winners), begin, end),
            len(out),
            _bag_grain(table, ids, len(out)),
        )
        raise_for_bad_id(bad, ids, table.input_dim)
        return out

    @see_no_step_half_done
    def dot_rows(self, table: Table, gradient: RowGradient) -> Array:
        ids, out = gradient.ids, np.empty(len(gradient), table.dtype)
        values, kernel = gradient.values.astype(table.dtype, copy=False), _present_kernel(table, dot_rows)
        arguments = (ids, values, gradient.sources, gradient.winners, gradient.places, out)
        bad = run_parallel(lambda begin, end: kernel(arguments, begin, end), len(ids), _grain(table.storage))
        raise_for_bad_id(bad, ids, table.input_dim)
        return out

    def offset_ids(self, ids: Array, columns: Array, row_offsets: Array, input_dims: Array) -> Array:
        rows = lend_array((len(ids), len(columns)), np.int64)
        bad = run_parallel(
            lambda begin, end: offset_ids(ids, columns, row_offsets, input_dims, rows, begin, end),
            len(ids),
            IDS_PER_THREAD // max(1, len(columns)),
        )
        first = first_bad(bad)
        if first is not None:
            place = int(np.searchsorted(columns, first % ids.shape[1]))
            raise IdsOutOfRangeError(first, int(ids.reshape(-1)[first]), int(input_dims[place]))
        return rows.reshape(-1)

    def offset_bags(self, values: Array, offsets: Array, row_offsets: Array, input_dims: Array) -> tuple[Array, Array]:
        lengths = np.diff(offsets, axis=1)
        bag_offsets = np.concatenate([[0], np.cumsum(lengths.T)])
        ids = lend_array((int(bag_offsets[-1]),), np.int64)
        samples = lengths.shape[1]
        bad = run_parallel(
            lambda begin, end: offset_bags(values, offsets, row_offsets, input_dims, bag_offsets, ids, begin, end),
            samples,
            max(1, IDS_PER_THREAD * samples // max(1, len(ids))),
        )
        first = first_bad(bad)
        if first is not None:
            feature = int(np.argmax((offsets[:, 0] <= first) & (first < offsets[:, -1])))
            raise IdsOutOfRangeError(first, int(values[first]), int(input_dims[feature]))
        return ids, bag_offsets

    def group_gradient(self, gradient: RowGradient) -> GroupedGradient:
        ids, input_dim = gradient.ids, gradient.shape[0]
        if max(len(ids), input_dim, len(gradient.values)) >= 1 << ID_SHIFT:
            raise ValueError(
                f"A table and a batch on the CPU may have up to {(1 << ID_SHIFT) - 1} rows. "
                f"Received: input_dim={input_dim} and {len(ids)} ids."
            )
        return GroupedGradient(gradient, sort_ids(ids, input_dim, key_sources(gradient)))

    def sum_duplicates(self, gradient: RowGradient) -> tuple[Array, Array]:
        keys = self.group_gradient(gradient).keys
        bounds = np.linspace(0, len(keys), 1 + max(1, len(keys) >> 14)).astype(np.int64)
        counts = [count_segments(keys, begin, end) for begin, end in pairwise(bounds)]
        places = np.concatenate([[0], np.cumsum(counts)])
        ids = np.empty(places[-1], np.int64)
        sums = lend_array((len(ids), gradient.shape[1]), gradient.dtype)
        whole = sort_gradient(keys, gradient, gradient.dtype)

        def sum_blocks(first: int, last: int) -> None:
            for block in range(first, last):
                sum_duplicates(*whole, ids, sums, places[block], bounds[block], bounds[block + 1])

        run_parallel(sum_blocks, len(counts), 1)
        return ids, sums

    def update_rows(
        self,
        table: Table,
        grouped: GroupedGradient,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        keep: float = 1.0,
    ) -> None:
        self.prepare_update(table, grouped, rule, slots, scalars, keep)()

    def prepare_update(
        self,
        table: Table,
        grouped: GroupedGradient,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        keep: float = 1.0,
    ) -> Callable[[], None]:
        parts = sum_hot_rows(sort_gradient(grouped.keys, grouped.gradient, table.dtype))
        step = (_as_scalars(scalars, table.dtype), table.dtype.type(keep))
        scratch = Scratch(2, table.output_dim, table.dtype)
        return lambda: _update_parts(table, parts, rule, slots, step, scratch)

    def finish_rows(self, table: Table) -> None:
        assert table.idle is not None
        kernel, first = IDLE_RULES[table.idle.rule].finish_rows, _idle_state(table)
        size, grain = table.input_dim, _grain(table.storage, 1 + len(table.idle.slots))
        run_parallel(lambda begin, end: kernel(*first, *_scratch(table), begin, end), size, grain)

    def update_dense(
        self,
        parameter: Parameter,
        gradient: Array,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        keep: float = 1.0,
    ) -> None:
        self.prepare_dense_update(parameter, gradient, rule, slots, scalars, keep)()

    def prepare_dense_update(
        self,
        parameter: Parameter,
        gradient: Array,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        keep: float = 1.0,
    ) -> Callable[[], None]:
        state = tuple(_as_matrix(array) for array in (parameter.storage, *slots))
        matrix = _as_matrix(np.ascontiguousarray(gradient, parameter.dtype))
        numbers, share = _as_scalars(scalars, parameter.dtype), parameter.dtype.type(keep)
        kernel, grain = RULES[rule].update_dense, _grain(state[0], len(state))

        def update() -> None:
            run_parallel(lambda begin, end: kernel(state, matrix, numbers, share, begin, end), len(matrix), grain)

        return update

    def fill_random(
        self, out: Array, seed: int, distribution: str, scalars: tuple[float, float], first_row: int = 0
    ) -> None:
        kind = DISTRIBUTIONS[distribution]
        run_parallel(
            lambda begin, end: fill_random_rows(out, np.uint64(seed), kind, *scalars, first_row, begin, end),
            len(out),
            _grain(out),
        )


def _update_parts(
    table: Table,
    parts: Sequence[SortedGradient],
    rule: str,
    slots: Sequence[Array],
    step: tuple[Any, ...],
    scratch: Scratch,
) -> None:
    """Launch the update of one rule on sorted keys, part by part; nothing is allocated."""
    kernel: Kernel = RULES[rule].update_rows
    first: tuple[Any, ...] = ((table.storage, *slots), _factors(table))
    if table.idle is not None:
        kernel, first = IDLE_RULES[table.idle.rule].update_rows, _idle_state(table)
    grain = _grain(table.storage, 1 + len(slots))

    def update(gradient: SortedGradient, begin: int, end: int) -> None:
        with scratch as rows:
            kernel(*first, *gradient, *step, *rows, begin, end)

    for part in parts:
        run_parallel(partial(update, part), len(part.keys), grain)


def _checked_out(out: Array | None, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """Kernels do not check bounds, so what they write to is checked here."""
    if out is None:
        return lend_array(shape, dtype)
    if out.shape != shape or out.dtype != dtype or not out.flags.carray:
        raise ValueError(
            f"`out` must be a writable C-contiguous array of shape {shape} and dtype {dtype}. "
            f"Received: shape {out.shape}, dtype {out.dtype}, strides {out.strides}, writable {out.flags.writeable}."
        )
    return out


def _moving_rule(table: Table) -> IdleRule | None:
    """The idle rule of a table whose rows may have moved since their last touch."""
    if table.idle is None or table.idle.is_finished:
        return None
    rule = IDLE_RULES[table.idle.rule]
    return rule if rule.moves or table.idle.clock.shrink != 1 else None


def _present_kernel(table: Table, plain: Kernel) -> Kernel:
    """A lookup kernel called with its arguments and a range: the plain one, or its twin that moves idle rows."""
    moving = _moving_rule(table)
    if moving is None:
        return lambda arguments, begin, end: plain(table.storage, *arguments, begin, end)
    kernel, first = getattr(moving, plain.__name__), _idle_state(table)
    return lambda arguments, begin, end: kernel(*first, *arguments, *_scratch(table), begin, end)


def _idle_state(table: Table) -> tuple[Any, ...]:
    """The first arguments of the kernels of exact mode."""
    idle = table.idle
    assert idle is not None
    clock, now = idle.clock, idle.clock.now  # before the series, which may grow beside a lookup
    state = (table.storage, *idle.slots)
    numbers = (idle.last_steps, clock.series, clock.base, now, clock.shrink, idle.constants)
    return state, numbers, _factors(table)


def _factors(table: Table) -> Array | None:
    """The share of the learning rate of each row; idle steps were made with the shares of their time."""
    rates = table.row_rates if table.idle is None else table.idle.row_rates
    return None if rates is None else rates.factors


def _scratch(table: Table, count: int = 1) -> list[Array]:
    """Rows of work space for one thread: kernels do not allocate."""
    return list(np.empty((count, table.output_dim), table.dtype))


def _grain(matrix: Array, count: int = 1) -> int:
    """Rows that are worth a thread, where as many matrices as `count` are read."""
    return BYTES_PER_THREAD // (count * matrix.shape[1] * matrix.itemsize or 1) or 1


def _bag_grain(table: Table, ids: Array, n_bags: int) -> int:
    """Bags that are worth a thread."""
    return max(1, _grain(table.storage) // max(1, len(ids) // max(1, n_bags)))


def _as_scalars(scalars: Sequence[float], dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """Numbers in the table's type: a float64 among float32 would widen the whole kernel."""
    return tuple([dtype.type(scalar) for scalar in scalars])


def _as_matrix(array: Array) -> Array:
    """View an array of any rank as a matrix, without a copy."""
    return array.reshape(-1, array.shape[-1] if array.ndim else 1)


BACKEND = CpuBackend()
