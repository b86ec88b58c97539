"""The directories of row caches on the host: the part of the CPU backend that searches them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.bad_ids import raise_for_bad_id
from fastembed_layer.backends.buffers import lend_array
from fastembed_layer.backends.host_memory import HostMemory
from fastembed_layer.kernels.directory import find_places, stamp_places
from fastembed_layer.kernels.threads import run_parallel

Array = np.ndarray[Any, Any]

IDS_PER_THREAD = 4096  # each is compared with the tags of a set, four cache lines


class HostDirectory(HostMemory):
    """Searches by numba kernels; the stamps are written by one thread, so that counting needs no locks."""

    def find_places(self, tags: Array, stamps: Array, ids: Array, input_dim: int, tick: int | None = None) -> Array:
        places = lend_array((len(ids),), np.int64)
        bad = run_parallel(
            lambda begin, end: find_places(tags, ids, input_dim, places, begin, end), len(ids), IDS_PER_THREAD
        )
        raise_for_bad_id(bad, ids, input_dim)
        stamp_places(places, -1 if tick is None else tick, stamps.reshape(-1))
        return places
