"""Rows that fill a large part of a batch: their gradients are summed in pieces, so that no thread sums for all.

An update gives each row to one thread. A row that a batch names many thousand times would keep that thread busy while
the others wait. So its gradients are summed before the update, piece by piece, and it then counts as named once. Which
rows are hot, and where their pieces begin and end, is decided by how often the batch names them and by nothing else, so
the bits depend neither on the number of threads nor on the numbers of other rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.buffers import borrow_array
from fastembed_layer.backends.contract.types import Gradient
from fastembed_layer.backends.sorting import is_small
from fastembed_layer.kernels.group import ID_SHIFT
from fastembed_layer.kernels.threads import run_parallel
from fastembed_layer.kernels.update import sum_pieces

Array = np.ndarray[Any, Any]

PIECE = 4096  # gradient vectors that are summed by one thread at a time
HOT_SHARE = 4  # a row that fills such a part of a batch is hot: one thread is done with less while the others work


class SortedGradient(NamedTuple):
    """Sorted keys, and the arrays that their positions refer to, as the kernels of an update take them."""

    keys: Array
    values: Array
    sources: Array | None
    scales: Array | None
    argmax: Array | None
    bag_positions: Array | None

    @property
    def kind(self) -> tuple[bool, ...]:
        """Which of the arrays there are, and whether the values may be written: kernels are compiled for each."""
        return self.sources is None, self.scales is None, self.argmax is None, self.values.flags.writeable


def key_sources(gradient: Gradient) -> Array | None:
    """Return the sources that sorted keys hold instead of positions, where nothing but the source of a key is needed.

    A kernel then reads the number of a vector where it reads the id, and not from a second array in random order.
    """
    is_plain = gradient.scales is None and gradient.argmax is None
    return gradient.sources if is_plain and not is_small(len(gradient)) else None


def sort_gradient(keys: Array, gradient: Gradient, dtype: np.dtype[Any]) -> SortedGradient:
    """Return a gradient in the order of sorted keys, its numbers of the type that the kernels compute in."""
    scales = None if gradient.scales is None else gradient.scales.astype(dtype, copy=False)
    values: Array = gradient.values.astype(dtype, copy=False)
    sources = gradient.sources if key_sources(gradient) is None else None
    return SortedGradient(keys, values, sources, scales, gradient.argmax, gradient.bag_positions)


def sum_hot_rows(gradient: SortedGradient) -> list[SortedGradient]:
    """Return gradients that add up to the same, of different rows and none of them with a hot row in many keys."""
    if len(gradient.keys) <= PIECE:
        return [gradient]
    hot_ids, begins, ends = _find_hot_runs(gradient.keys)
    if not len(hot_ids):
        return [gradient]
    keys = hot_ids << np.uint64(ID_SHIFT) | np.arange(len(hot_ids), dtype=np.uint64)
    hot = _whole_vectors(keys, _sum_in_pieces(gradient, begins, ends), gradient)
    gaps = zip([0, *ends], [*begins, len(gradient.keys)], strict=True)
    cold = np.concatenate([gradient.keys[begin:end] for begin, end in gaps])
    return [gradient._replace(keys=cold), hot]


def _whole_vectors(keys: Array, values: Array, like: SortedGradient) -> SortedGradient:
    """Return vectors that count in full, in arrays of the types of `like`, so that nothing is compiled for them."""
    return SortedGradient(
        keys,
        values,
        None if like.sources is None else np.arange(len(keys)),
        None if like.scales is None else np.ones(len(keys), like.scales.dtype),
        None if like.argmax is None else np.zeros(values.shape, np.int32),  # the row at position 0 has won every column
        None if like.bag_positions is None else np.zeros(len(keys), np.int32),
    )


def _find_hot_runs(keys: Array) -> tuple[Array, Array, Array]:
    """Return the ids of hot rows, and where their keys begin and end; a look at a few keys finds those in question."""
    stride = max(PIECE, len(keys) // (2 * HOT_SHARE))
    samples = keys[::stride] >> np.uint64(ID_SHIFT)
    ids = np.unique(samples[1:][samples[1:] == samples[:-1]])
    begins, ends = (np.searchsorted(keys, each << ID_SHIFT) for each in (ids, ids + np.uint64(1)))
    hot = ends - begins >= 2 * stride
    return ids[hot], begins[hot], ends[hot]


def _sum_in_pieces(gradient: SortedGradient, begins: Array, ends: Array) -> Array:
    """Sum the vectors of some runs of keys: pieces side by side, then the pieces of a run in their order."""
    starts = [np.arange(begin, end, PIECE) for begin, end in zip(begins, ends, strict=True)]
    stops = [np.minimum(start + PIECE, end) for start, end in zip(starts, ends, strict=True)]
    piece_starts, piece_stops = np.concatenate(starts), np.concatenate(stops)
    pieces = borrow_array((len(piece_starts), gradient.values.shape[1]), gradient.values.dtype)
    run_parallel(
        lambda first, last: sum_pieces(*gradient, piece_starts, piece_stops, pieces, first, last), len(pieces), 1
    )
    counts = [len(start) for start in starts]
    return np.add.reduceat(pieces, np.cumsum([0, *counts[:-1]]), axis=0)
