"""The processor's prefetch instruction, which numba has no name for."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 16  # rows between a prefetch and its use; 8 to 20 measured alike
BAG_AHEAD = 32  # in lookups of bags, which write little: a fifth faster than 16 for uniform ids
CACHE_LINE = 64  # bytes
READ, LEVEL, DATA = 0, 2, 1  # arguments of llvm.prefetch: into the second-level cache (2), or the first (3)


@intrinsic(prefer_literal=True)
def _prefetch_rows(typing_context: Any, matrices: Any, row_id: Any, width: Any) -> Any:
    """Ask for every cache line of one row of each C-contiguous array of a tuple; any row id does no harm.

    Written out here because the same loops in Python cost more than they save: numba's ``range`` divides, and
    a loop over a tuple counts references to its arrays. Where the width is known, as a number of columns or by a row
    as a value, there is no loop.
    """
    pieces = getattr(width, "types", ())
    columns = sum(piece.lanes for piece in pieces) if pieces else getattr(width, "literal_value", 0)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for index, matrix in enumerate(signature.args[0]):
            array = context.make_array(matrix)(context, builder, builder.extract_value(arguments[0], index))
            row_bytes = cgutils.unpack_tuple(builder, array.strides)[0]
            start = builder.add(builder.ptrtoint(array.data, row_bytes.type), builder.mul(arguments[1], row_bytes))
            known_bytes = columns * matrix.dtype.bitwidth // 8
            if known_bytes == 0 or matrix.ndim == 1:
                _prefetch_bytes(builder, start, row_bytes)
                continue
            with builder.if_else(builder.icmp_signed("==", row_bytes, row_bytes.type(known_bytes))) as (same, other):
                with same:
                    _prefetch_known(builder, start, known_bytes)
                with other:  # a slot with one number for each row
                    _prefetch_bytes(builder, start, row_bytes)
        return context.get_dummy_value()

    return types.void(matrices, types.intp, width), generate


def _prefetch_bytes(builder: Any, start: Any, count: Any) -> None:
    """Write the loop over the cache lines of `count` bytes from the address `start`."""
    address_type = count.type
    step, end = address_type(CACHE_LINE), builder.add(start, count)
    line = builder.and_(start, address_type(-CACHE_LINE))  # else the last line of an unaligned row would be left out
    with cgutils.for_range_slice(builder, line, end, step, address_type) as (address, _):
        _prefetch_line(builder, address)


def _prefetch_known(builder: Any, start: Any, count: int) -> None:
    """Write a prefetch for each cache line of `count` bytes, and for the last byte of a row that straddles lines."""
    for offset in (*range(0, count, CACHE_LINE), count - 1):
        _prefetch_line(builder, builder.add(start, start.type(offset)))


def _prefetch_line(builder: Any, address: Any) -> None:
    number = ir.IntType(32)
    function_type = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
    function = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], function_type)
    flags = [number(flag) for flag in (READ, LEVEL, DATA)]
    builder.call(function, [builder.inttoptr(address, cgutils.voidptr_t), *flags])


prefetch_rows: Any = _prefetch_rows  # the typing context, its first argument, is not the caller's
