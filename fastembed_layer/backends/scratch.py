"""Work space of kernels, which do not allocate."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from fastembed_layer.kernels.threads import get_threads

Array = np.ndarray[Any, Any]


class Scratch:
    """Rows of work space, a set for each thread, made before they are needed.

    Parameters
    ----------
    count, columns : int
        Shape of a set.
    dtype : dtype
        Its type.
    """

    def __init__(self, count: int, columns: int, dtype: Any):
        self._shape, self._dtype = (count, columns), dtype
        self._free = [list(np.empty(self._shape, dtype)) for _ in range(get_threads())]
        self._local = threading.local()

    def __enter__(self) -> list[Array]:
        try:
            rows = self._free.pop()
        except IndexError:  # there are more threads than there were
            rows = list(np.empty(self._shape, self._dtype))
        self._local.rows = rows
        return rows

    def __exit__(self, *exception: object) -> None:
        self._free.append(self._local.rows)
