"""Rows looked up and combined by bag in one pass: `gather_bags` sums them, `gather_extremes` keeps the largest.

`dot_rows` is what the gradient of per-sample weights needs: each row of a bag times the gradient of the bag. The same
loops over idle rows are in `exact.py`.
"""

from __future__ import annotations

import math
from typing import Any

from fastembed_layer.kernels.group import source_of
from fastembed_layer.kernels.jit import inlined, kernel
from fastembed_layer.kernels.prefetch import AHEAD, BAG_AHEAD, prefetch_rows
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
def is_row(table: Any, ids: Any, position: Any) -> Any:
    """Tell whether an id is a row, and prefetch the row that is needed some positions later."""
    if position + BAG_AHEAD < len(ids):
        prefetch_rows((table,), ids[position + BAG_AHEAD])
    return 0 <= ids[position] < table.shape[0]


@kernel
def gather_bags(
    table: Any, ids: Any, offsets: Any, scales: Any, divide_by: int, out: Any, divisors: Any, begin: int, end: int
) -> int:
    """Sum the rows of each bag of one range in the order of their positions, and divide the sums.

    Returns the first position whose id is not a row, where the summing stops, or -1.
    """
    for bag in range(begin, end):
        total, position, after = out[bag], offsets[bag], offsets[bag + 1]
        total[:] = 0
        while position < after:
            stop = min(position + STRETCH, after)
            for nearest in range(position, stop):
                if not is_row(table, ids, nearest):
                    return nearest
            add_rows(total, table, None, ids, scales, position, stop)
            position = stop
        divisors[bag] = measure_bag(scales, offsets[bag], after, divide_by)
        divide_bag(total, divisors[bag])
    return -1


@inlined
def clear_extreme(best: Any, winners: Any, bag: Any) -> Any:
    """What an empty bag gives: zeros that nobody has won."""
    best[:] = 0
    if winners is not None:
        winners[bag][:] = -1


@inlined
def take_extreme(best: Any, row: Any, scale: Any, sign: Any, winners: Any, bag: Any, place: Any) -> Any:
    """Let the row at one place of a bag compete with those before it."""
    if place == 0:
        for column in range(len(best)):
            best[column] = scale * row[column]
        if winners is not None:
            winners[bag][:] = 0
    elif winners is None:
        keep_extreme(best, row, scale, sign)
    else:
        keep_winner(best, row, scale, sign, winners[bag], winners.dtype.type(place))


@inlined
def keep_extreme(best: Any, row: Any, scale: Any, sign: Any) -> Any:
    """Take over what is larger (smaller, where `sign` is -1) or not a number.

    Both outcomes are written, since only loops without branches are vectorised.
    """
    for column in range(len(best)):
        value = scale * row[column]
        wins = sign * value > sign * best[column] or value != value
        best[column] = value if wins else best[column]


@inlined
def keep_winner(best: Any, row: Any, scale: Any, sign: Any, winner: Any, place: Any) -> Any:
    """Do what `keep_extreme` does, and note the place of the row where it wins."""
    for column in range(len(best)):
        value = scale * row[column]
        wins = sign * value > sign * best[column] or value != value
        best[column] = value if wins else best[column]
        winner[column] = place if wins else winner[column]


@kernel
def gather_extremes(
    table: Any, ids: Any, offsets: Any, scales: Any, sign: Any, out: Any, winners: Any, begin: int, end: int
) -> int:
    """Keep the largest (sign 1) or smallest (sign -1) scaled value of each column over the rows of each bag.

    ``winners[bag, column]`` is the place within its bag of the row that the value comes from, the first of equals; -1
    in an empty bag, which is zero. Returns the first position whose id is not a row, or -1.
    """
    input_dim = table.shape[0]
    for bag in range(begin, end):
        first = offsets[bag]
        if first == offsets[bag + 1]:
            clear_extreme(out[bag], winners, bag)
        for position in range(first, offsets[bag + 1]):
            if position + BAG_AHEAD < len(ids):
                prefetch_rows((table,), ids[position + BAG_AHEAD])
            row_id = ids[position]
            if row_id < 0 or row_id >= input_dim:
                return position
            row = table[row_id]
            take_extreme(out[bag], row, scale_at(scales, position, row), sign, winners, bag, position - first)
    return -1


@inlined
def product_at(left: Any, right: Any, winner: Any, place: Any, column: Any) -> Any:
    """One term of a dot product; nothing in a column that another row of the bag has won."""
    product = left[column] * right[column]
    if winner is None:
        return product
    return product if winner[column] == place else left.dtype.type(0)


@inlined
def dot_vectors(left: Any, right: Any, winner: Any, place: Any) -> Any:
    """Dot product of two vectors in their type, over all columns or those that `place` has won."""
    size = len(left)
    whole = size - size % BLOCK
    first = second = third = fourth = fifth = sixth = seventh = eighth = left.dtype.type(0)
    for column in range(0, whole, BLOCK):
        first += product_at(left, right, winner, place, column)
        second += product_at(left, right, winner, place, column + 1)
        third += product_at(left, right, winner, place, column + 2)
        fourth += product_at(left, right, winner, place, column + 3)
        fifth += product_at(left, right, winner, place, column + 4)
        sixth += product_at(left, right, winner, place, column + 5)
        seventh += product_at(left, right, winner, place, column + 6)
        eighth += product_at(left, right, winner, place, column + 7)
    for column in range(whole, size):
        first += product_at(left, right, winner, place, column)
    return ((first + second) + (third + fourth)) + ((fifth + sixth) + (seventh + eighth))


@inlined
def dot_gradient(row: Any, values: Any, sources: Any, winners: Any, places: Any, position: Any) -> Any:
    """Dot product of a row with the gradient vector of a position, scales left out."""
    source = source_of(sources, position)
    if winners is None:
        return dot_vectors(row, values[source], None, 0)
    return dot_vectors(row, values[source], winners[source], places[position])


@kernel
def dot_rows(
    table: Any, ids: Any, values: Any, sources: Any, winners: Any, places: Any, out: Any, begin: int, end: int
) -> int:
    """Write the dot product of ``table[ids[p]]`` and its gradient vector to ``out[p]`` for the positions of one range.

    Returns the first position whose id is not a row, where the writing stops, or -1.
    """
    input_dim = table.shape[0]
    for position in range(begin, end):
        if position + AHEAD < end:
            prefetch_rows((table,), ids[position + AHEAD])
        row_id = ids[position]
        if row_id < 0 or row_id >= input_dim:
            return position
        out[position] = dot_gradient(table[row_id], values, sources, winners, places, position)
    return -1
