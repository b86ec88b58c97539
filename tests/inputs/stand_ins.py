"""Stand-ins for columns and tables of pandas, polars and Arrow, and the real ones where the libraries are installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Array = np.ndarray[Any, Any]


class Column:
    """Looks like a column of pandas, polars or Arrow: numpy makes an array of it."""

    def __init__(self, values: Any, dtype: Any = None):
        self.values, self.dtype = values, dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.asarray(self.values, dtype)

    def __len__(self) -> int:
        return len(self.values)


class Table:
    """Looks like a table of pandas or polars."""

    def __init__(self, columns: dict[str, Any]):
        self._columns = {name: Column(values) for name, values in columns.items()}

    @property
    def columns(self) -> list[str]:
        return list(self._columns)

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __iter__(self) -> Any:
        return iter(self._columns)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.stack([np.asarray(column) for column in self._columns.values()], axis=1)


def libraries() -> list[Any]:
    """Each library's way to make a table of a dict, those that are missing skipped."""
    return [
        pytest.param("pandas", "DataFrame", id="pandas"),
        pytest.param("polars", "DataFrame", id="polars"),
        pytest.param("pyarrow", "table", id="arrow"),
    ]


def make_table(library: str, maker: str, columns: dict[str, Any]) -> Any:
    return getattr(pytest.importorskip(library), maker)(columns)
