"""`update_rows` and `update_dense`: the loops of a training step around an optimizer's row function.

`update_rows` walks the sorted keys. Each row belongs to the range its first key lies in, so one thread sums all
gradients of the row, in the order of their positions, and applies the step while the row is in cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastembed_layer.kernels.group import end_segment, first_segment, key_id, key_position, source_of
from fastembed_layer.kernels.idle import copy_row, scale_row, take_share
from fastembed_layer.kernels.jit import inlined, kernel
from fastembed_layer.kernels.prefetch import AHEAD, prefetch_rows
from fastembed_layer.kernels.rows import add_row, add_scaled_row, by_width, no_row, store_vector
from fastembed_layer.kernels.sums import STRETCH, add_rows, scale_at


@inlined
def add_won(total: Any, vector: Any, argmax_row: Any, bag_position: Any, scales: Any, entry: Any) -> Any:
    """Add the columns of a scaled gradient vector that the row at a position of the bag has won."""
    scale = scale_at(scales, entry, total)
    for column in range(len(total)):
        part = scale * vector[column]
        total[column] += part if argmax_row[column] == bag_position else total.dtype.type(0)


@inlined
def prefetch_step(state: Any, keys: Any, values: Any, sources: Any, position: Any, row: Any) -> Any:
    """Ask for the rows that the key `AHEAD` positions further will need."""
    if position + AHEAD < len(keys):
        key = keys[position + AHEAD]
        prefetch_rows((values,), source_of(sources, key_position(key)), row)
        if state is not None and key_id(key) != key_id(keys[position + AHEAD - 1]):
            prefetch_rows(state, key_id(key), row)


@inlined
def sum_segment(
    total: Any, state: Any, keys: Any, values: Any, sources: Any, scales: Any, argmax: Any, bag_positions: Any,
    begin: Any, end: Any,
) -> Any:  # fmt: skip
    """Sum the gradient vectors of one id in the order of their positions."""
    total[:] = 0
    while begin < end:
        stop = min(begin + STRETCH, end)
        for position in range(begin, stop):
            prefetch_step(state, keys, values, sources, position, 0)
        if argmax is None:
            add_rows(total, values, keys, sources, scales, begin, stop)
        else:
            for position in range(begin, stop):
                entry = key_position(keys[position])
                source = source_of(sources, entry)
                add_won(total, values[source], argmax[source], bag_positions[entry], scales, entry)
        begin = stop


@inlined
def sum_known_segment(
    row: Any, total: Any, state: Any, keys: Any, values: Any, sources: Any, scales: Any, begin: Any, end: Any
) -> Any:
    """Do the same for rows whose width is known; `row` is one of zeros, and stays in registers."""
    while begin < end:
        stop = min(begin + STRETCH, end)
        for position in range(begin, stop):
            prefetch_step(state, keys, values, sources, position, row)
        for position in range(begin, stop):
            entry = key_position(keys[position])
            if scales is None:
                row = add_row(row, values, source_of(sources, entry))
            elif scales[entry] != 0:  # what is left out counts for nothing, even where it is NaN
                row = add_scaled_row(row, values, source_of(sources, entry), scales[entry])
        begin = stop
    store_vector(row, total)


@kernel
def sum_duplicates(
    keys: Any, values: Any, sources: Any, scales: Any, argmax: Any, bag_positions: Any, ids: Any, sums: Any, out: int,
    begin: int, end: int,
) -> None:  # fmt: skip
    """Write id and summed gradient of the segments of one range, the first of them to row `out`."""
    position = first_segment(keys, begin)
    while position < end:
        after = end_segment(keys, position)
        ids[out] = key_id(keys[position])
        sum_segment(sums[out], None, keys, values, sources, scales, argmax, bag_positions, position, after)
        out += 1
        position = after


@kernel
def sum_pieces(
    keys: Any, values: Any, sources: Any, scales: Any, argmax: Any, bag_positions: Any, starts: Any, stops: Any,
    sums: Any, begin: int, end: int,
) -> None:  # fmt: skip
    """Write the sum of the gradient vectors of the keys of each piece of one range."""
    for piece in range(begin, end):
        sum_segment(
            sums[piece], None, keys, values, sources, scales, argmax, bag_positions, starts[piece], stops[piece]
        )


@inlined
def step_row(
    update_row: Any, state: Any, row_id: Any, total: Any, scalars: Any, decay_factor: Any, factors: Any, before: Any
) -> Any:
    """Decay one row and apply the rule; with `factors` the row goes its share of the step, its slots all of it."""
    if factors is not None:
        copy_row(state[0][row_id], before)
    if decay_factor != 1:
        scale_row(state[0], row_id, decay_factor)
    update_row(state, row_id, total, scalars)
    take_share(before, factors, row_id, state[0][row_id])


def make_update_rows(update_row: Callable[..., None]) -> by_width:
    """Build the `update_rows` kernel of one optimizer from its row function."""

    @by_width
    def update_rows(width: int) -> Any:
        @kernel
        def update_rows(
            state: Any, factors: Any, keys: Any, values: Any, sources: Any, scales: Any, argmax: Any,
            bag_positions: Any, scalars: Any, decay_factor: Any, total: Any, before: Any, begin: int, end: int,
        ) -> None:  # fmt: skip
            """Sum the gradients of each row of one range in `total`, decay the row, apply the step."""
            position = first_segment(keys, begin)
            while position < end:
                row_id = key_id(keys[position])
                after = end_segment(keys, position)
                if width and argmax is None:
                    row = no_row(total, width)
                    sum_known_segment(row, total, state, keys, values, sources, scales, position, after)
                else:
                    sum_segment(total, state, keys, values, sources, scales, argmax, bag_positions, position, after)
                step_row(update_row, state, row_id, total, scalars, decay_factor, factors, before)
                position = after

        return update_rows

    return update_rows


def make_update_dense(update_row: Callable[..., None]) -> Callable[..., None]:
    """Build the `update_dense` kernel of one optimizer from its row function."""

    @kernel
    def update_dense(state: Any, gradient: Any, scalars: Any, decay_factor: Any, begin: int, end: int) -> None:
        """Apply the optimizer's step to every row of one range; row r has the gradient ``gradient[r]``."""
        for row_id in range(begin, end):
            if decay_factor != 1:
                scale_row(state[0], row_id, decay_factor)
            update_row(state, row_id, gradient[row_id], scalars)

    return update_dense
