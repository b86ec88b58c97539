"""Work space of kernels, which do not allocate."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Scratch:
    """Rows of work space, a set for each thread, made before they are needed.

    Parameters
    ----------
    count, columns : int
        Shape of a set.
    dtype : dtype
        Its type.
    threads : int
        How many threads may need one at a time.
    """

    def __init__(self, count: int, columns: int, dtype: Any, threads: int):
        self._shape, self._dtype = (count, columns), dtype
        self._free = [self._make() for _ in range(threads)]

    def _make(self) -> list[Array]:
        return list(np.empty(self._shape, self._dtype))

    def take(self) -> list[Array]:
        """Return a set that nobody else has until it is given back."""
        try:
            return self._free.pop()
        except IndexError:  # there are more threads than there were
            return self._make()

    def give_back(self, rows: list[Array]) -> None:
        """Let others have the set."""
        self._free.append(rows)
