"""Rows looked up and combined by bag in one pass: `gather_bags` sums them, `gather_max` keeps the largest.

`dot_rows` is what the gradient of per-sample weights needs: each row of a bag times the gradient of the bag. The same
loops over idle rows are in `exact.py`.
"""

from __future__ import annotations

import math
from typing import Any

from fastembed_layer.kernels.group import source_of
from fastembed_layer.kernels.jit import inlined, kernel
from fastembed_layer.kernels.prefetch import AHEAD, BAG_AHEAD, prefetch_rows
from fastembed_layer.kernels.rows import add_row, add_scaled_row, by_width, no_row, store_row
from fastembed_layer.kernels.sums import STRETCH, add_rows, scale_at

BLOCK = 8  # products that are summed side by side: one sum alone waits for itself

SUM, MEAN, SQRTN = 0, 1, 2  # what a bag's sum is divided by: nothing, the sum of its scales, the root of their squares


@inlined
def measure_bag(scales: Any, begin: Any, end: Any, divide_by: Any) -> Any:
    """What the sum of a bag is divided by; infinity for a bag without weight, whose result is zero."""
    if divide_by == SUM:
        return 1.0
    size = 0.0
    if scales is None:
        size += end - begin
    elif divide_by == MEAN:
        for position in range(begin, end):
            size += scales[position]
    else:
        for position in range(begin, end):
            size += scales[position] * scales[position]
    if size == 0:
        return math.inf
    return size if divide_by == MEAN else math.sqrt(size)


@inlined
def divide_bag(total: Any, divisor: Any) -> Any:
    """Divide the sum of a bag."""
    if divisor != 1:
        share = total.dtype.type(divisor)
        for column in range(len(total)):
            total[column] /= share


@inlined
def is_row(table: Any, ids: Any, position: Any, width: Any) -> Any:
    """Tell whether an id is a row, and prefetch the row that is needed some positions later."""
    if position + BAG_AHEAD < len(ids):
        prefetch_rows((table,), ids[position + BAG_AHEAD], width)
    return 0 <= ids[position] < table.shape[0]


@by_width
def gather_bags(width: int) -> Any:
    """Build the bag lookup of rows of one width."""

    @kernel
    def gather_bags(
        table: Any, ids: Any, offsets: Any, scales: Any, divide_by: int, out: Any, divisors: Any, begin: int, end: int
    ) -> int:
        """Sum the rows of each bag of one range in the order of their positions, and divide the sums.

        Returns the first position whose id is not a row, where the summing stops, or -1.
        """
        for bag in range(begin, end):
            first, after = offsets[bag], offsets[bag + 1]
            if width:
                bad = sum_known_bag(no_row(out, width), table, ids, scales, out, bag, first, after)
            else:
                bad = sum_bag(table, ids, scales, out[bag], first, after)
            if bad >= 0:
                return bad
            divisors[bag] = measure_bag(scales, first, after, divide_by)
            divide_bag(out[bag], divisors[bag])
        return -1

    return gather_bags


@inlined
def sum_bag(table: Any, ids: Any, scales: Any, total: Any, position: Any, after: Any) -> Any:
    """Write the sum of the rows of a bag; the first position whose id is not a row, or -1."""
    total[:] = 0
    while position < after:
        stop = min(position + STRETCH, after)
        for nearest in range(position, stop):
            if not is_row(table, ids, nearest, 0):
                return nearest
        add_rows(total, table, None, ids, scales, position, stop)
        position = stop
    return -1


@inlined
def sum_known_bag(total: Any, table: Any, ids: Any, scales: Any, out: Any, bag: Any, first: Any, after: Any) -> Any:
    """Do the same for rows whose width is known; `total` is a row of zeros, and stays in registers."""
    position = first
    while position < after:
        stop = min(position + STRETCH, after)
        for nearest in range(position, stop):
            if not is_row(table, ids, nearest, total):
                return nearest
        for nearest in range(position, stop):
            if scales is None:
                total = add_row(total, table, ids[nearest])
            elif scales[nearest] != 0:  # what is left out counts for nothing, even where it is NaN
                total = add_scaled_row(total, table, ids[nearest], scales[nearest])
        position = stop
    store_row(total, out, bag)
    return -1


@inlined
def clear_max(best: Any, argmax: Any, bag: Any) -> Any:
    """What an empty bag gives: zeros that nobody has won."""
    best[:] = 0
    if argmax is not None:
        argmax[bag][:] = -1


@inlined
def take_max(best: Any, row: Any, scale: Any, sign: Any, argmax: Any, bag: Any, bag_position: Any) -> Any:
    """Let the row at one position of a bag compete with those before it."""
    if bag_position == 0:
        for column in range(len(best)):
            best[column] = scale * row[column]
        if argmax is not None:
            argmax[bag][:] = 0
    elif argmax is None:
        keep_max(best, row, scale, sign)
    else:
        keep_argmax(best, row, scale, sign, argmax[bag], argmax.dtype.type(bag_position))


@inlined
def keep_max(best: Any, row: Any, scale: Any, sign: Any) -> Any:
    """Take over what is larger (smaller, where `sign` is -1) or not a number.

    Both outcomes are written, since only loops without branches are vectorised.
    """
    for column in range(len(best)):
        value = scale * row[column]
        wins = sign * value > sign * best[column] or value != value
        best[column] = value if wins else best[column]


@inlined
def keep_argmax(best: Any, row: Any, scale: Any, sign: Any, argmax_row: Any, bag_position: Any) -> Any:
    """Do what `keep_max` does, and note the position of the row where it wins."""
    for column in range(len(best)):
        value = scale * row[column]
        wins = sign * value > sign * best[column] or value != value
        best[column] = value if wins else best[column]
        argmax_row[column] = bag_position if wins else argmax_row[column]


@kernel
def gather_max(
    table: Any, ids: Any, offsets: Any, scales: Any, sign: Any, out: Any, argmax: Any, begin: int, end: int
) -> int:
    """Keep the largest (sign 1) or smallest (sign -1) scaled value of each column over the rows of each bag.

    ``argmax[bag, column]`` is the position within its bag of the row that the value comes from, the first of equals; -1
    in an empty bag, which is zero. Returns the first position whose id is not a row, or -1.
    """
    input_dim = table.shape[0]
    for bag in range(begin, end):
        first = offsets[bag]
        if first == offsets[bag + 1]:
            clear_max(out[bag], argmax, bag)
        for position in range(first, offsets[bag + 1]):
            if position + BAG_AHEAD < len(ids):
                prefetch_rows((table,), ids[position + BAG_AHEAD], 0)
            row_id = ids[position]
            if row_id < 0 or row_id >= input_dim:
                return position
            row = table[row_id]
            take_max(out[bag], row, scale_at(scales, position, row), sign, argmax, bag, position - first)
    return -1


@inlined
def product_at(left: Any, right: Any, argmax_row: Any, bag_position: Any, column: Any) -> Any:
    """One term of a dot product; nothing in a column that another row of the bag has won."""
    product = left[column] * right[column]
    if argmax_row is None:
        return product
    return product if argmax_row[column] == bag_position else left.dtype.type(0)


@inlined
def dot_vectors(left: Any, right: Any, argmax_row: Any, bag_position: Any) -> Any:
    """Dot product of two vectors in their type, over all columns or those that `bag_position` has won."""
    size = len(left)
    whole = size - size % BLOCK
    first = second = third = fourth = fifth = sixth = seventh = eighth = left.dtype.type(0)
    for column in range(0, whole, BLOCK):
        first += product_at(left, right, argmax_row, bag_position, column)
        second += product_at(left, right, argmax_row, bag_position, column + 1)
        third += product_at(left, right, argmax_row, bag_position, column + 2)
        fourth += product_at(left, right, argmax_row, bag_position, column + 3)
        fifth += product_at(left, right, argmax_row, bag_position, column + 4)
        sixth += product_at(left, right, argmax_row, bag_position, column + 5)
        seventh += product_at(left, right, argmax_row, bag_position, column + 6)
        eighth += product_at(left, right, argmax_row, bag_position, column + 7)
    for column in range(whole, size):
        first += product_at(left, right, argmax_row, bag_position, column)
    return ((first + second) + (third + fourth)) + ((fifth + sixth) + (seventh + eighth))


@inlined
def dot_gradient(row: Any, values: Any, sources: Any, argmax: Any, bag_positions: Any, position: Any) -> Any:
    """Dot product of a row with the gradient vector of a position, scales left out."""
    source = source_of(sources, position)
    if argmax is None:
        return dot_vectors(row, values[source], None, 0)
    return dot_vectors(row, values[source], argmax[source], bag_positions[position])


@kernel
def dot_rows(
    table: Any, ids: Any, values: Any, sources: Any, argmax: Any, bag_positions: Any, out: Any, begin: int, end: int
) -> int:
    """Write the dot product of ``table[ids[p]]`` and its gradient vector to ``out[p]`` for the positions of one range.

    Returns the first position whose id is not a row, where the writing stops, or -1.
    """
    input_dim = table.shape[0]
    for position in range(begin, end):
        if position + AHEAD < end:
            prefetch_rows((table,), ids[position + AHEAD], 0)
        row_id = ids[position]
        if row_id < 0 or row_id >= input_dim:
            return position
        out[position] = dot_gradient(table[row_id], values, sources, argmax, bag_positions, position)
    return -1
