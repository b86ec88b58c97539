"""The processor's prefetch instruction, which numba has no name for."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastembed_layer.kernels.jit import inlined

CACHE_LINE = 64
READ, KEEP_CLOSE, DATA = 0, 3, 1  # arguments of llvm.prefetch


@intrinsic  # type: ignore[misc]
def _prefetch_element(typing_context: Any, matrix: Any, row: Any, column: Any) -> Any:
    """Ask for the cache line of ``matrix[row, column]``; an address outside the array does no harm."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        strides = cgutils.unpack_tuple(builder, array.strides)
        row_bytes = builder.mul(arguments[1], strides[0])
        column_bytes = builder.mul(arguments[2], strides[1])
        address = builder.add(builder.ptrtoint(array.data, strides[0].type), builder.add(row_bytes, column_bytes))
        pointer = builder.inttoptr(address, cgutils.voidptr_t)
        number = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], function_type)
        builder.call(function, [pointer, *(number(flag) for flag in (READ, KEEP_CLOSE, DATA))])
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp), generate


@inlined
def prefetch_row(matrix: Any, row: Any) -> Any:
    """Ask for every cache line of one row of a matrix."""
    for column in range(0, matrix.shape[1], CACHE_LINE // matrix.itemsize):
        _prefetch_element(matrix, row, column)  # type: ignore[call-arg]
