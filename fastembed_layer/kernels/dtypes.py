"""The types of elements that kernels know, and nothing else about kernels: it loads no compiler.

A type of tables is added here: how its elements are stored, in which type they are computed with, and what it is called
in C. Types of ids need no arithmetic.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class ElementType(NamedTuple):
    """A type of the elements of tables.

    Attributes
    ----------
    storage, arithmetic : dtype
        How an element lies in memory, and what it is loaded as.
    c_name : str
        Its name in CUDA C.
    """

    storage: np.dtype[Any]
    arithmetic: np.dtype[Any]
    c_name: str


TABLES = (
    ElementType(np.dtype(np.float32), np.dtype(np.float32), "float"),
    ElementType(np.dtype(np.float64), np.dtype(np.float64), "double"),
)
# As dtypes: comparing with `np.int64` and the like makes one at every call.
TABLE_TYPES = tuple(each.storage for each in TABLES)
ID_TYPES = (np.dtype(np.int64), np.dtype(np.int32))
C_NAMES = {each.storage.name: each.c_name for each in TABLES} | {"int32": "int", "int64": "long long"}
TABLE_NAMES = tuple(each.storage.name for each in TABLES)
