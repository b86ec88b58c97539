"""The operations of the CUDA backend: check, allocate, launch. The loops are in the `.cu` files of the kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from fastembed_layer.backends.concurrent import see_no_step_half_done
from fastembed_layer.backends.contract import Backend, GroupedGradient, IdsOutOfRangeError
from fastembed_layer.backends.contract.types import Gradient, Step, TableState, Weight
from fastembed_layer.backends.cuda.arguments import pack_numbers, pack_state
from fastembed_layer.backends.cuda.launches import Launches, moves
from fastembed_layer.backends.cuda.memory import DeviceMemory
from fastembed_layer.backends.cuda.modules import Launcher, Module, enter_device

Array = np.ndarray[Any, Any]
Operation = TypeVar("Operation", bound=Callable[..., Any])

# What the kernels know these things as.
DIVISORS = {"sum": 0, "mean": 1, "sqrtn": 2}
SIGNS = {"max": 1, "min": -1}
DISTRIBUTIONS = {"uniform": 0, "normal": 1, "truncated_normal": 2}
RANDOM_COLUMNS = 4  # of a row that one thread draws
ID_SHIFT = 32  # of a sort key


def on_its_device(operation: Operation) -> Operation:
    """Run an operation with the device of its first argument as the current one, for what it allocates."""

    @wraps(operation)
    def run(self: Any, first: Any, *others: Any, **named: Any) -> Any:
        with enter_device(getattr(first, "array", first)):
            return operation(self, first, *others, **named)

    return cast(Operation, run)


class CudaBackend(DeviceMemory, Backend):
    """CUDA C kernels on the current stream.

    Tables, slots and last steps are arrays of the GPU library. Ids, gradients and what belongs to them may be numpy
    arrays as well, which are copied to the device first. Results are arrays of the device. An operation that checks ids
    waits for its kernel, since what it may have to raise is known only then.

    Parameters
    ----------
    load_xp : callable
        Returns the array module of the GPU, or what stands in for it; called when it is first needed.
    launcher : Launcher
        Compiles and launches the kernels.
    refuse : callable
        Returns why no device can be used, or None.
    piece : int
        Gradient vectors of an id that are summed by one row of lanes.
    """

    def __init__(
        self, load_xp: Callable[[], Any], launcher: Launcher, refuse: Callable[[], str | None], piece: int = 256
    ):
        self._device = Launches(load_xp, launcher, piece)
        self._refuse = refuse

    @property
    def xp(self) -> Any:
        """The array module of the GPU, or what stands in for it."""
        return self._device.xp

    def refusal(self) -> str | None:
        return self._refuse()

    def count_devices(self) -> int:
        return 0 if self.refusal() else int(self.xp.cuda.runtime.getDeviceCount())

    @on_its_device
    @see_no_step_half_done
    def gather_rows(self, table: TableState, ids: Array, out: Array | None = None) -> Array:
        ids, bad = self._device.take(ids), self._device.make_flag()
        out = self._device.checked_out(out, (len(ids), table.output_dim), table.dtype)
        if moves(table):
            arguments = (ids, np.int64(table.input_dim), out, np.int64(len(ids)), bad)
            self._device.look_up(table, "gather_idle_rows", ids.dtype, len(ids), arguments)
        else:
            self._device.copy_rows(table, ids, out, bad)
        self._device.raise_for_bad_id(bad, ids, table.input_dim)
        return out

    @on_its_device
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
        ids, bad, bags = self._device.take(ids), self._device.make_flag(), len(offsets) - 1
        out = self._device.xp.empty((bags, table.output_dim), table.dtype)
        which = (ids, np.int64(table.input_dim), self._device.take(offsets), self._device.take(scales))
        arguments = (*which, np.int32(DIVISORS[combiner]), out, divisors, np.int64(bags), bad)
        self._device.look_up(table, "gather_bags", ids.dtype, bags, arguments)
        self._device.raise_for_bad_id(bad, ids, table.input_dim)
        return out

    @on_its_device
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
        ids, bad, bags = self._device.take(ids), self._device.make_flag(), len(offsets) - 1
        out = self._device.xp.empty((bags, table.output_dim), table.dtype)
        which = (ids, np.int64(table.input_dim), self._device.take(offsets), self._device.take(scales))
        arguments = (*which, table.dtype.type(SIGNS[combiner]), out, argmax, np.int64(bags), bad)
        self._device.look_up(table, "gather_max", ids.dtype, bags, arguments)
        self._device.raise_for_bad_id(bad, ids, table.input_dim)
        return out

    @on_its_device
    @see_no_step_half_done
    def dot_rows(self, table: TableState, gradient: Gradient) -> Array:
        ids, bad, count = self._device.take(gradient.ids), self._device.make_flag(), len(gradient)
        out = self._device.xp.empty(count, table.dtype)
        parts = (gradient.sources, gradient.argmax, gradient.bag_positions)
        vectors = (self._device.take(gradient.values, table.dtype), *map(self._device.take, parts))
        arguments = (ids, np.int64(table.input_dim), *vectors, out, np.int64(count), bad)
        self._device.look_up(table, "dot_rows", ids.dtype, count, arguments)
        self._device.raise_for_bad_id(bad, ids, table.input_dim)
        return out

    @on_its_device
    def find_locations(self, tags: Array, stamps: Array, ids: Array, input_dim: int, tick: int | None = None) -> Array:
        ids, bad, (sets, ways) = self._device.take(ids), self._device.make_flag(), tags.shape
        locations, count = self._device.xp.empty(len(ids), np.int64), np.int64(len(ids))
        module = Module("directory", index=ids.dtype)
        which = (tags, np.int64(sets), np.int64(ways), ids, locations, count, np.int64(input_dim), bad)
        self._device.launch(module, "find_locations", len(ids), ways, which)
        self._device.raise_for_bad_id(bad, ids, input_dim)
        stamp = np.int64(-1 if tick is None else tick)
        self._device.launch(module, "stamp_locations", len(ids), 1, (locations, stamps.view(np.uint64), count, stamp))
        return cast(Array, locations)

    @on_its_device
    def offset_ids(self, ids: Array, columns: Array, row_offsets: Array, input_dims: Array) -> Array:
        ids, bad, (samples, width) = self._device.take(ids), self._device.make_flag(), (len(ids), len(columns))
        rows = self._device.xp.empty((samples, width), np.int64)
        vocabularies = map(self._device.take, (columns, row_offsets, input_dims))
        arguments = (ids, np.int64(ids.shape[1]), *vocabularies, np.int64(width), rows, np.int64(samples), bad)
        self._device.launch(Module("offset", index=ids.dtype), "offset_ids", samples, width, arguments)
        first = self._device.first_bad(bad)
        if first is not None:
            index = int(np.searchsorted(self._device.fetch(columns), first % ids.shape[1]))
            raise IdsOutOfRangeError(first, int(ids.reshape(-1)[first]), int(input_dims[index]))
        return rows.reshape(-1)

    @on_its_device
    def offset_bags(self, values: Array, offsets: Array, row_offsets: Array, input_dims: Array) -> tuple[Array, Array]:
        count = int((offsets[:, -1] - offsets[:, 0]).sum())  # of offsets on the host, known without waiting for the GPU
        values, offsets, bad = self._device.take(values), self._device.take(offsets), self._device.make_flag()
        lengths = offsets[:, 1:] - offsets[:, :-1]
        features, samples = lengths.shape
        bag_offsets = self._device.xp.zeros(features * samples + 1, np.int64)
        bag_offsets[1:] = self._device.xp.cumsum(lengths.T.reshape(-1))
        ids = self._device.xp.empty(count, np.int64)
        vocabularies = (self._device.take(row_offsets), self._device.take(input_dims))
        arguments = (values, offsets, *vocabularies, bag_offsets, ids, np.int64(samples), np.int64(features), bad)
        mean_length = -(-count // max(1, features * samples))
        self._device.launch(
            Module("offset", index=values.dtype), "offset_bags", features * samples, mean_length, arguments
        )
        first = self._device.first_bad(bad)
        if first is not None:
            bounds = self._device.fetch(offsets)
            feature = int(np.argmax((bounds[:, 0] <= first) & (first < bounds[:, -1])))
            raise IdsOutOfRangeError(first, int(values[first]), int(input_dims[feature]))
        return ids, bag_offsets

    def group_gradient(self, gradient: Gradient) -> GroupedGradient:
        input_dim, count = gradient.shape[0], len(gradient)
        if max(count, input_dim) >= 1 << ID_SHIFT:
            raise ValueError(
                f"A table and a batch on the GPU may have up to {(1 << ID_SHIFT) - 1} rows. "
                f"Received: input_dim={input_dim} and {count} ids."
            )
        with enter_device(gradient.values):
            ids, bad, keys = (
                self._device.take(gradient.ids),
                self._device.make_flag(),
                self._device.xp.empty(count, np.uint64),
            )
            arguments = (ids, keys, np.int64(count), np.int64(input_dim), bad)
            self._device.launch(Module("group", index=ids.dtype), "pack_keys", count, 1, arguments)
            self._device.raise_for_bad_id(bad, ids, input_dim)
            keys.sort()  # keys differ, so there is one order
        return GroupedGradient(gradient, keys)

    def sum_duplicates(self, gradient: Gradient) -> tuple[Array, Array]:
        keys = self.group_gradient(gradient).keys
        with enter_device(keys):
            ids = (keys >> np.uint64(ID_SHIFT)).astype(np.int64)
            is_first = self._device.xp.ones(len(ids), bool)
            is_first[1:] = ids[1:] != ids[:-1]
            starts = self._device.xp.flatnonzero(is_first).astype(np.int64)
            sums: Any = self._device.xp.empty((len(starts), gradient.shape[1]), gradient.dtype)
            bounds = self._device.xp.append(starts, np.int64(len(keys)))
            whole = self._device.sort_gradient(keys, gradient, gradient.dtype)
            arguments = (*whole.pack(), np.int64(gradient.shape[1]), bounds, np.int64(len(starts)), sums)
            self._device.launch(
                Module("sums", gradient.dtype), "sum_duplicates", len(starts), gradient.shape[1], arguments
            )
        return ids[starts], sums

    def prepare_update(self, table: TableState, grouped: GroupedGradient, step: Step) -> Callable[[], None]:
        return lambda: self._update_rows(table, grouped, step)

    @on_its_device
    def _update_rows(self, table: TableState, grouped: GroupedGradient, step: Step) -> None:
        gradient = self._device.sort_gradient(grouped.keys, grouped.gradient, table.dtype)
        arguments = (*gradient.pack(), *self._device.sum_pieces(gradient), table.dtype.type(step.decay_factor))
        arguments += pack_numbers(step.scalars, table.dtype)
        count, columns = len(gradient.keys), table.output_dim
        if table.idle is None:
            state = (*pack_state(table.array, step.slots), self._device.factors_of(table), np.int64(columns))
            self._device.launch(
                Module("steps", table.dtype, rule=step.rule), "update_rows", count, columns, state + arguments
            )
        else:
            self._device.step_idle_rows(table, "update_idle_rows", count, arguments)

    @on_its_device
    def finish_rows(self, table: TableState) -> None:
        self._device.step_idle_rows(table, "finish_rows", table.input_dim, (np.int64(table.input_dim),))

    def prepare_dense_update(self, parameter: Weight, gradient: Array, step: Step) -> Callable[[], None]:
        return lambda: self._update_dense(parameter, gradient, step)

    @on_its_device
    def _update_dense(self, parameter: Weight, gradient: Array, step: Step) -> None:
        # Rules that do not look at a row as a whole take single numbers: a bias is one long row.
        width = parameter.shape[-1] if parameter.ndim and step.rule.startswith("rowwise") else 1
        count = parameter.size // max(1, width)
        if count == 0:
            return
        state = [array.reshape(count, -1) for array in (parameter.array, *step.slots)]
        numbers = (parameter.dtype.type(step.decay_factor), *pack_numbers(step.scalars, parameter.dtype))
        values = self._device.take(gradient, parameter.dtype)
        arguments = (*pack_state(state[0], state[1:]), np.int64(width), values, np.int64(count), *numbers)
        self._device.launch(Module("steps", parameter.dtype, rule=step.rule), "update_dense", count, width, arguments)

    @on_its_device
    def fill_random(
        self, out: Array, seed: int, distribution: str, scalars: tuple[float, float], first_row: int = 0
    ) -> None:
        count, columns = out.shape
        stream = (np.uint64(seed), np.int32(DISTRIBUTIONS[distribution]), *map(np.float64, scalars))
        arguments = (out, np.int64(count), np.int64(columns), *stream, np.int64(first_row))
        self._device.launch(Module("random", out.dtype), "fill_random", count, -(-columns // RANDOM_COLUMNS), arguments)
