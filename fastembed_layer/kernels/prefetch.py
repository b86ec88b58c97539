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
READ, SECOND_LEVEL, DATA = 0, 2, 1  # arguments of llvm.prefetch; the first-level cache keeps too few lines under way


@intrinsic
def _prefetch_rows(typing_context: Any, matrices: Any, row_id: Any) -> Any:
    """Ask for every cache line of one row of each C-contiguous array of a tuple; any row id does no harm.

    Written out here because the same loops in Python cost more than they save: numba's ``range`` divides, and
    a loop over a tuple counts references to its arrays.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for index, matrix in enumerate(signature.args[0]):
            array = context.make_array(matrix)(context, builder, builder.extract_value(arguments[0], index))
            row_bytes = cgutils.unpack_tuple(builder, array.strides)[0]
            start = builder.add(builder.ptrtoint(array.data, row_bytes.type), builder.mul(arguments[1], row_bytes))
            _prefetch_bytes(builder, start, row_bytes)
        return context.get_dummy_value()

    return types.void(matrices, types.intp), generate


def _prefetch_bytes(builder: Any, start: Any, count: Any) -> None:
    """Write the loop over the cache lines of `count` bytes from the address `start`."""
    number, address_type = ir.IntType(32), count.type
    function_type = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
    function = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], function_type)
    flags = [number(flag) for flag in (READ, SECOND_LEVEL, DATA)]
    step, end = address_type(CACHE_LINE), builder.add(start, count)
    line = builder.and_(start, address_type(-CACHE_LINE))  # else the last line of an unaligned row would be left out
    with cgutils.for_range_slice(builder, line, end, step, address_type) as (address, _):
        builder.call(function, [builder.inttoptr(address, cgutils.voidptr_t), *flags])


prefetch_rows: Any = _prefetch_rows  # the typing context, its first argument, is not the caller's
