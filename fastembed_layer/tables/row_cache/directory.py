"""The directory of a row cache: which row is in which location, and which location a new row takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import allocate, backend_for, move_array, to_cpu

Array = np.ndarray[Any, Any]

WAYS = 32  # locations of a set: the lanes of a warp read it at once
EMPTY = -1
NOWHERE = -1
LAST = np.iinfo(np.int64).max


class Directory:
    """The tags and stamps of a set-associative cache, on the device; a copy of the tags is kept on the host.

    Parameters
    ----------
    placement : str
        The device.
    sets : int
        Number of sets.
    policy : {"lru", "lfu"}
        Which row of a set leaves: the least recently used, or the least frequently used, of equal ones the first.

    Attributes
    ----------
    ids : ndarray of int64, shape (sets * 32,)
        The id of the row in each location, -1 where there is none; on the host.
    """

    def __init__(self, placement: str, sets: int, policy: str):
        self.placement = placement
        self.policy = policy
        self.ids = np.full(sets * WAYS, EMPTY, np.int64)
        self._tags = allocate((sets, WAYS), np.int64, placement, EMPTY)
        self._stamps = allocate((sets, WAYS), np.int64, placement, 0)
        self._in_use = allocate((sets * WAYS,), np.bool_, placement, 0)
        self._dirty = allocate((sets * WAYS,), np.bool_, placement, 0)
        self._tick = 0

    def find(self, ids: Array, input_dim: int) -> Array:
        """Return the location of each id, or -1 less its set; see `find_locations` of the contract."""
        self._tick += 1
        tick = self._tick if self.policy == "lru" else None
        return backend_for(self.placement).find_locations(self._tags, self._stamps, ids, input_dim, tick)

    def choose(self, sets: Array, kept: Array) -> Array:
        """Choose a location for each of some rows, none of which is taken twice.

        Parameters
        ----------
        sets : ndarray of int64, shape (n,)
            The set of each row.
        kept : ndarray of int64
            Locations on the device whose rows have to stay.

        Returns
        -------
        locations : ndarray of int64, shape (n,)
            -1 where the set has no location left.
        """
        self._in_use.fill(False)
        self._in_use[kept] = True
        distinct, own = np.unique(sets, return_inverse=True)
        in_use = to_cpu(self._in_use.reshape(-1, WAYS)[move_array(distinct, self.placement)])
        stamps = to_cpu(self._stamps[move_array(distinct, self.placement)])
        order = np.where(self.ids.reshape(-1, WAYS)[distinct] == EMPTY, EMPTY, stamps)
        ways = np.argsort(np.where(in_use, LAST, order), axis=1, kind="stable")
        rank = rank_within(own)
        locations = distinct[own] * WAYS + ways[own, np.minimum(rank, WAYS - 1)]
        return np.where(rank < WAYS - in_use.sum(axis=1)[own], locations, NOWHERE)

    def leave(self, locations: Array) -> None:
        """Empty some locations."""
        there = move_array(locations, self.placement)
        self.ids[locations] = EMPTY
        self._tags.reshape(-1)[there] = EMPTY
        self._dirty[there] = False

    def enter(self, ids: Array, locations: Array, uses: Array) -> None:
        """Note which rows are now in some locations, and how often the batch that brought them has named them."""
        there = move_array(locations, self.placement)
        stamps = np.full(len(ids), self._tick) if self.policy == "lru" else uses
        self._stamps.reshape(-1)[there] = move_array(stamps, self.placement)
        self._tags.reshape(-1)[there] = move_array(ids, self.placement)
        self.ids[locations] = ids

    def soil(self, locations: Array) -> None:
        """Note that the rows in some locations of the device differ from those of the host."""
        self._dirty[locations[locations < len(self.ids)]] = True

    def select_dirty(self, locations: Array) -> Array:
        """Return those of some locations whose rows differ from those of the host."""
        return locations[to_cpu(self._dirty[move_array(locations, self.placement)])]

    def list_dirty(self) -> Array:
        """Return all locations whose rows differ from those of the host."""
        return np.flatnonzero(to_cpu(self._dirty))

    def clean(self) -> None:
        """Note that no row differs from that of the host."""
        self._dirty.fill(False)

    def clear(self) -> None:
        """Empty all locations."""
        self.clean()
        self._tags.fill(EMPTY)
        self.ids.fill(EMPTY)


def rank_within(groups: Array) -> Array:
    """Return for each entry how many of its group come before it.

    >>> rank_within(np.array([7, 3, 7, 7, 3]))
    array([0, 0, 1, 2, 1])
    """
    order = np.argsort(groups, kind="stable")
    in_order = groups[order]
    rank = np.empty(len(groups), np.int64)
    rank[order] = np.arange(len(groups)) - np.searchsorted(in_order, in_order)
    return rank
