"""The operation of a backend on the directory of a row cache, which says what rows are in the cache and where."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.contract.hooks import Hooks

Array = np.ndarray[Any, Any]


class Directories(Hooks):
    """No operation on tables: a directory is a matrix of ids and one of stamps."""

    def find_locations(self, tags: Array, stamps: Array, ids: Array, input_dim: int, tick: int | None = None) -> Array:
        """Find the locations of ids in the directory of a row cache, and note that they have been used.

        Each id has one set, found by multiplying it; its row is in one of the locations of that set or not in the
        cache. Of ids that are no rows none is found, and no stamp is written.

        Parameters
        ----------
        tags : ndarray of int64, shape (n_sets, 32)
            The id of the row in each location, -1 where there is none; no id twice.
        stamps : ndarray of int64, shape (n_sets, 32)
            Changed in place.
        ids : ndarray, shape (n,)
            The ids to find.
        input_dim : int
            Number of rows of the table.
        tick : int, optional
            What the stamp of each location that is found becomes, at least 0. Without it the stamp goes up by 1 for
            each position that names the location.

        Returns
        -------
        locations : ndarray of int64, shape (n,)
            ``set * 32 + way``, which counts the locations of all sets; ``-1 - set`` for an id that is in none.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row of the table.
        """
        return self._arrange("find_locations", tags, stamps, ids, input_dim, tick)
