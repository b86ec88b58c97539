"""What the operations of the CUDA backend share: arrays brought to the device, launches, flags for bad ids."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

import numpy as np

from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.backends.contract.types import Gradient, TableState
from fastembed_layer.backends.cuda.arguments import (
    Arguments,
    DeviceGradient,
    DeviceSeries,
    pack_idle,
    pack_state,
)
from fastembed_layer.backends.cuda.modules import WIDE_BYTES, Launcher, Module, find_rule

Array = np.ndarray[Any, Any]

NO_POSITION = (1 << 64) - 1
WORK_ROWS = 1 << 14  # of work space: more rows than can be under way at once on a large GPU


class Launches:
    """Launches of kernels on tables and gradients.

    Parameters
    ----------
    load_xp : callable
        Returns the array module of the GPU, or what stands in for it.
    launcher : Launcher
        Compiles and launches the kernels.
    piece : int
        Gradient vectors of an id that are summed by one row of lanes.
    """

    def __init__(self, load_xp: Callable[[], Any], launcher: Launcher, piece: int):
        self.piece = piece
        self._load_xp = load_xp
        self._launcher = launcher
        self._series = DeviceSeries()

    @cached_property
    def xp(self) -> Any:
        """The array module of the GPU, or what stands in for it."""
        return self._load_xp()

    def take(self, array: Any, dtype: Any = None) -> Any:
        """Bring an array to the current device, and to a type; None stays None."""
        return None if array is None else self.xp.ascontiguousarray(self.xp.asarray(array, dtype))

    def fetch(self, array: Any) -> Array:
        """Bring an array to the host."""
        return cast(Array, self.xp.asnumpy(array))

    def launch(self, module: Module, kernel: str, rows: int, width: int, arguments: Arguments) -> None:
        """Launch a kernel over some rows with so many columns."""
        self._launcher.launch(module, kernel, self._launcher.shape_for(rows, width), arguments)

    def copy_rows(self, table: TableState, ids: Array, out: Array, bad: Array) -> None:
        """Copy rows in the widest chunks that they, and the places where they lie, are made of."""
        nbytes = table.output_dim * table.dtype.itemsize
        is_wide = all(number % WIDE_BYTES == 0 for number in (nbytes, _address(table.array), _address(out)))
        width = nbytes // (WIDE_BYTES if is_wide else table.dtype.itemsize)
        module = Module("gather", table.dtype, ids.dtype, is_wide=is_wide)
        sizes = np.int64(len(ids)), np.int64(table.input_dim), np.int64(width)
        self.launch(module, "gather_rows", len(ids), width, (table.array, ids, out, *sizes, bad))

    def look_up(self, table: TableState, kernel: str, index: Any, rows: int, arguments: Arguments) -> None:
        """Launch a lookup: the plain one, or its twin that moves idle rows."""
        if not moves(table):
            first = (table.array, np.int64(table.output_dim))
            self.launch(Module("lookups", table.dtype, index), kernel, rows, table.output_dim, first + arguments)
            return
        assert table.idle is not None
        module = Module("idle_lookups", table.dtype, index, table.idle.rule)
        kernel = kernel if "idle" in kernel else kernel.replace("_", "_idle_", 1)
        self.launch_with_work_space(table, module, kernel, rows, arguments)

    def step_idle_rows(self, table: TableState, kernel: str, rows: int, arguments: Arguments) -> None:
        assert table.idle is not None
        module = Module("steps", table.dtype, rule=table.idle.rule)
        self.launch_with_work_space(table, module, kernel, rows, arguments)

    def launch_with_work_space(
        self, table: TableState, module: Module, kernel: str, rows: int, arguments: Arguments
    ) -> None:
        """Launch a kernel of exact mode; each row of lanes has a row of work space, where rows are moved."""
        idle = table.idle
        assert idle is not None
        shape = self._launcher.shape_for(rows, table.output_dim, WORK_ROWS)
        series = self._series.follow(idle.clock, self.xp, table.array)
        first = (*pack_state(table.array, idle.slots), self.factors_of(table), np.int64(table.output_dim))
        work = self.xp.empty((shape.rows_at_once, table.output_dim), table.dtype)
        self._launcher.launch(module, kernel, shape, (*first, *pack_idle(idle, series), work, *arguments))

    def sort_gradient(self, keys: Array, gradient: Gradient, dtype: Any) -> DeviceGradient:
        """Bring a gradient to the device, its numbers of the type that kernels compute in."""
        integers = map(self.take, (gradient.argmax, gradient.bag_positions))
        numbers = (self.take(gradient.values, dtype), self.take(gradient.sources), self.take(gradient.scales, dtype))
        return DeviceGradient(keys, *numbers, *integers)

    def sum_pieces(self, gradient: DeviceGradient) -> Arguments:
        """Sum the pieces of ids with many keys; returns the arguments of the kernels that go on with the sums."""
        count, columns = len(gradient.keys), gradient.values.shape[1]
        piece = np.int64(self.piece)
        if count <= self.piece:
            return None, piece
        slots = 2 * -(-count // self.piece)
        pieces = self.xp.empty((slots, columns), gradient.values.dtype)
        arguments = (*gradient.pack(), np.int64(columns), piece, pieces)
        self.launch(Module("sums", pieces.dtype), "sum_pieces", slots, columns, arguments)
        return pieces, piece

    def factors_of(self, table: TableState) -> Array | None:
        """Return the share of the learning rate of each row; idle steps were made with the shares of their time."""
        rates = table.row_rates if table.idle is None else table.idle.row_rates
        return None if rates is None else rates.factors_on(table.placement)

    def make_flag(self) -> Array:
        """Return where kernels put the first position whose id is not a row."""
        return cast(Array, self.xp.full(1, NO_POSITION, np.uint64))

    def first_bad(self, flag: Array) -> int | None:
        """Wait for the kernel, and return the position that it has flagged."""
        position = int(flag[0])
        return None if position == NO_POSITION else position

    def raise_for_bad_id(self, flag: Array, ids: Array, input_dim: int) -> None:
        """Wait for the kernel, and raise if it has met an id that is not a row."""
        first = self.first_bad(flag)
        if first is not None:
            raise IdsOutOfRangeError(first, int(ids[first]), input_dim)

    def checked_out(self, out: Array | None, shape: tuple[int, int], dtype: Any) -> Array:
        """Kernels do not check bounds, so what they write to is checked here."""
        if out is None:
            return cast(Array, self.xp.empty(shape, dtype))
        if not isinstance(out, self.xp.ndarray):
            raise TypeError(f"`out` must be an array on the device of the table. Received: {type(out).__name__}.")
        if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
            raise ValueError(
                f"`out` must be a C-contiguous array of shape {shape} and dtype {dtype}. "
                f"Received: shape {out.shape}, dtype {out.dtype}, strides {out.strides}."
            )
        return out


def moves(table: TableState) -> bool:
    """Whether the rows of a table may have moved since their last touch."""
    if table.idle is None or table.idle.is_finished:
        return False
    return find_rule(table.idle.rule).move_idle.__name__ != "shrink_idle" or table.idle.clock.shrink != 1


def _address(array: Any) -> int:
    """Where an array lies in memory."""
    return int(array.data.ptr if hasattr(array.data, "ptr") else array.ctypes.data)
