"""Whole rows as values that stay in registers, for kernels that know how wide a row is when they are compiled.

A row of 100 columns is a tuple of vectors of the compiler's: 64, 32 and 4 elements. Adding another row to it is a few
instructions without a loop or a branch, and nothing is written until the sum is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastembed_layer.kernels.blocks import BlockType, point_to, spread

MOST_LANES = 64  # of one vector of the compiler's; it splits them into registers


def _cut(width: int) -> list[int]:
    """The vectors of a row: the largest powers of two that fit."""
    lanes, pieces = MOST_LANES, []
    while width:
        while lanes > width:
            lanes //= 2
        pieces.append(lanes)
        width -= lanes
    return pieces


def _row_type(element: Any, width: int) -> Any:
    return types.Tuple([BlockType(element, lanes) for lanes in _cut(width)])


def _each_piece(context: Any, builder: Any, row: Any, matrix: Any, where: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    """The address of each vector of a row in a matrix, with its type; `where` are the matrix and the row's number."""
    found, column = [], 0
    for block in row.types:
        index = context.get_constant(types.intp, column)
        found.append((point_to(context, builder, matrix, (*where, index), block), block))
        column += block.lanes
    return found


@intrinsic(prefer_literal=True)
def _no_row(typing_context: Any, like: Any, width: Any) -> Any:
    """Return a row of zeros, of the type of a matrix or vector."""
    row = _row_type(like.dtype, width.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = [ir.Constant(context.get_value_type(block), None) for block in row.types]
        return context.make_tuple(builder, row, zeros)

    return row(like, width), generate


@intrinsic
def _add_row(typing_context: Any, row: Any, matrix: Any, row_id: Any) -> Any:
    """Return a row plus one of a matrix."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums = []
        for number, (pointer, block) in enumerate(_each_piece(context, builder, row, matrix, tuple(arguments[1:]))):
            piece = builder.load(pointer, align=block.element.bitwidth // 8)
            sums.append(builder.fadd(builder.extract_value(arguments[0], number), piece))
        return context.make_tuple(builder, row, sums)

    return row(row, matrix, types.intp), generate


@intrinsic
def _add_scaled_row(typing_context: Any, row: Any, matrix: Any, row_id: Any, scale: Any) -> Any:
    """Return a row plus a number times one of a matrix, as fused multiply-add where there is one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums = []
        for number, (pointer, block) in enumerate(_each_piece(context, builder, row, matrix, tuple(arguments[1:3]))):
            piece = builder.load(pointer, align=block.element.bitwidth // 8)
            product = builder.fmul(spread(builder, arguments[3], block.lanes), piece, flags=["contract"])
            sums.append(builder.fadd(builder.extract_value(arguments[0], number), product, flags=["contract"]))
        return context.make_tuple(builder, row, sums)

    return row(row, matrix, types.intp, row.types[0].element), generate


def _write_pieces(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write a row, the first argument, to what the others say: a matrix and a row's number, or a vector."""
    row, target = signature.args[:2]
    for number, (pointer, block) in enumerate(_each_piece(context, builder, row, target, tuple(arguments[1:]))):
        piece = builder.extract_value(arguments[0], number)
        builder.store(piece, pointer, align=block.element.bitwidth // 8)
    return context.get_dummy_value()


@intrinsic
def _store_row(typing_context: Any, row: Any, matrix: Any, row_id: Any) -> Any:
    """Write a row to a matrix."""
    return types.void(row, matrix, types.intp), _write_pieces


@intrinsic
def _store_vector(typing_context: Any, row: Any, vector: Any) -> Any:
    """Write a row to a vector."""
    return types.void(row, vector), _write_pieces


@intrinsic(prefer_literal=True)
def _copy_row(typing_context: Any, source: Any, row_id: Any, target: Any, position: Any, width: Any) -> Any:
    """Copy one row of a matrix to another."""
    row = _row_type(source.dtype, width.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pieces = _each_piece(context, builder, row, source, tuple(arguments[:2]))
        targets = _each_piece(context, builder, row, target, tuple(arguments[2:4]))
        for (pointer, block), (to, _) in zip(pieces, targets, strict=True):
            align = block.element.bitwidth // 8
            builder.store(builder.load(pointer, align=align), to, align=align)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp, width), generate


# The typing context, their first argument, is not the caller's.
no_row: Any = _no_row
add_row: Any = _add_row
add_scaled_row: Any = _add_scaled_row
store_row: Any = _store_row
store_vector: Any = _store_vector
copy_known_row: Any = _copy_row


class by_width:  # noqa: N801 - a decorator
    """The versions of a kernel, by the number of columns.

    Parameters
    ----------
    make : callable
        Takes the number of columns, or 0 for any, and returns the compiled kernel. The number reaches the kernel as a
        constant of its closure, and so becomes a part of the name of its file on disk.
    """

    def __init__(self, make: Callable[[int], Callable[..., Any]]):
        self._make = make
        self._versions = {0: make(0)}
        self.__name__, self.__doc__ = self._versions[0].__name__, self._versions[0].__doc__

    def at(self, width: int) -> Callable[..., Any]:
        """Return the version for a number of columns; 0 stands for any."""
        version = self._versions.get(width)
        if version is None:
            version = self._versions[width] = self._make(width)
        return version
