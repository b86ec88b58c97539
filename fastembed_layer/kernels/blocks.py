"""Pieces of rows that stay in registers: numba has no name for vectors.

A block is a vector of the compiler's: 256, 64 or 16 bytes of a row, or one element. Loops over columns of unknown
number keep their sums in memory, for fear that two arrays overlap; a block is a value, and its sum is not stored
between two rows. The compiler splits a block into as many registers as the processor needs.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

WIDE, NARROW, SHORT = 256, 64, 16  # bytes


class BlockType(types.Type):  # type: ignore[misc]
    """The numba type of a block."""

    def __init__(self, element: Any, lanes: int):
        self.element, self.lanes = element, lanes
        super().__init__(f"Block({element}, {lanes})")


@register_model(BlockType)
class _BlockModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, block: Any):
        element = manager.lookup(block.element).get_value_type()
        super().__init__(manager, block, ir.VectorType(element, block.lanes))


def point_to(context: Any, builder: Any, array_type: Any, arguments: Any, block: Any) -> Any:
    """The address of a block of a C-contiguous matrix or vector; `arguments` are the array and an index for each axis.

    The index arithmetic is written out because numba's wraps negative indices around.
    """
    array = context.make_array(array_type)(context, builder, arguments[0])
    strides = cgutils.unpack_tuple(builder, array.strides)
    offsets = [builder.mul(index, stride) for index, stride in zip(arguments[1:], strides, strict=True)]
    start = builder.ptrtoint(array.data, offsets[0].type)
    for offset in offsets:
        start = builder.add(start, offset)
    return builder.inttoptr(start, context.get_value_type(block).as_pointer())


def spread(builder: Any, number: Any, lanes: int) -> Any:
    """A vector of one number."""
    order = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    one = ir.VectorType(number.type, 1)
    single = builder.insert_element(ir.Constant(one, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(single, ir.Constant(one, ir.Undefined), order)


def _make_load(nbytes: int) -> Any:
    """Build the intrinsic that loads a block of so many bytes, or of one element for 0."""

    @intrinsic
    def load_block(typing_context: Any, vector: Any, column: Any) -> Any:
        """Load the block of a vector that begins at a column."""
        block = BlockType(vector.dtype, max(1, 8 * nbytes // vector.dtype.bitwidth))

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = point_to(context, builder, signature.args[0], arguments, block)
            return builder.load(pointer, align=vector.dtype.bitwidth // 8)

        return block(vector, types.intp), generate

    return load_block


load_wide, load_narrow, load_short, load_one = (_make_load(nbytes) for nbytes in (WIDE, NARROW, SHORT, 0))


@intrinsic
def _store_block(typing_context: Any, block: Any, vector: Any, column: Any) -> Any:
    """Write a block to a vector, from a column on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = point_to(context, builder, signature.args[1], arguments[1:], block)
        builder.store(arguments[0], pointer, align=block.element.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(block, vector, types.intp), generate


@intrinsic
def _add_to_block(typing_context: Any, block: Any, matrix: Any, row_id: Any, column: Any) -> Any:
    """Return the sum of a block and the part of a row that begins at a column."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = point_to(context, builder, signature.args[1], arguments[1:], block)
        row = builder.load(pointer, align=block.element.bitwidth // 8)
        return builder.fadd(arguments[0], row)

    return block(block, matrix, types.intp, types.intp), generate


@intrinsic
def _add_scaled_to_block(typing_context: Any, block: Any, matrix: Any, row_id: Any, column: Any, scale: Any) -> Any:
    """Return the sum of a block and a part of a row times a number, as fused multiply-add where there is one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = point_to(context, builder, signature.args[1], arguments[1:4], block)
        row = builder.load(pointer, align=block.element.bitwidth // 8)
        factor = spread(builder, arguments[4], block.lanes)
        return builder.fadd(arguments[0], builder.fmul(factor, row, flags=["contract"]), flags=["contract"])

    return block(block, matrix, types.intp, types.intp, block.element), generate


store_block: Any = _store_block  # the typing context, their first argument, is not the caller's
add_to_block: Any = _add_to_block
add_scaled_to_block: Any = _add_scaled_to_block
