"""The directory of a row cache: a set for each id, and the locations of that set in which its row may be."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.kernels.jit import inlined, kernel

SPREAD = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: neighbouring ids go to sets far apart


@inlined
def find_set(row_id: Any, sets: Any) -> Any:
    """The set of an id: the upper half of a product, scaled to the number of sets, which may be any below 2**32."""
    spread = (np.uint64(row_id) * np.uint64(SPREAD)) >> np.uint64(32)
    return np.int64((spread * np.uint64(sets)) >> np.uint64(32))


@kernel
def find_locations(tags: Any, ids: Any, input_dim: int, locations: Any, begin: int, end: int) -> int:
    """Write for each id of one range the location whose tag it is, or -1 less its set.

    Returns the first position whose id is not a row, where the search stops, or -1.
    """
    sets, ways = tags.shape
    for position in range(begin, end):
        row_id = ids[position]
        if row_id < 0 or row_id >= input_dim:
            return position
        own = find_set(row_id, sets)
        location = -1 - own
        for way in range(ways):
            if tags[own, way] == row_id:
                location = own * ways + way
        locations[position] = location
    return -1


@kernel
def stamp_locations(locations: Any, tick: int, stamps: Any) -> None:
    """Give the locations that were found a new stamp, or with a negative tick count their uses; for one thread."""
    for position in range(len(locations)):
        location = locations[position]
        if location >= 0:
            stamps[location] = tick if tick >= 0 else stamps[location] + 1
