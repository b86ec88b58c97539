"""Columns and tables of pandas, polars and Arrow as arrays. None of these libraries is imported to find out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_array
from fastembed_layer.inputs.ragged import Ragged, is_sparse_matrix
from fastembed_layer.inputs.wrong_ids import is_category

Array = np.ndarray[Any, Any]

SEQUENCES = (list, tuple, np.ndarray)


def is_table(thing: Any) -> bool:
    """Tell whether something is a table with named columns, such as a DataFrame."""
    kind = type(thing)
    return hasattr(kind, "columns") and hasattr(kind, "__array__") and not isinstance(thing, np.ndarray | Mapping)


def is_column(thing: Any) -> bool:
    """Tell whether something is no array and can be one, such as a column of a table."""
    if isinstance(thing, np.ndarray | np.generic | Ragged) or not hasattr(type(thing), "__array__"):
        return False
    on_gpu = hasattr(thing, "__cuda_array_interface__")
    return not on_gpu and not is_table(thing) and not is_sparse_matrix(thing)


def read_column(column: Any, name: str) -> Array | Ragged:
    """Return a column as an array, or as a `Ragged` where its entries are sequences.

    Parameters
    ----------
    column : Series, ChunkedArray or anything else that numpy makes an array of
        The column.
    name : str
        Named in errors.

    Raises
    ------
    TypeError
        For a categorical column: its values are not the ids that are meant.
    """
    if is_category(column):
        raise TypeError(
            f"{name} is a categorical column. Pass its codes, column.cat.codes; -1 in them stands for a missing value. "
            f"Received: a column of dtype {column.dtype}."
        )
    values = as_array(column)
    holds_sequences = values.dtype == object and values.ndim == 1 and len(values) > 0
    if holds_sequences and all(isinstance(entry, SEQUENCES) for entry in values):
        return Ragged.from_lists(list(values))
    return values


def read_columns(table: Any, names: Sequence[str], argument: str = "x") -> dict[str, Any]:
    """Return some columns of a table by name.

    Raises
    ------
    ValueError
        If the table has no column of a name.
    """
    known = list(getattr(table, "column_names", None) or table.columns)
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(f"`{argument}` must have the columns {list(names)}. Received: no {missing}, but {known}.")
    return {name: read_column(table[name], f"`{argument}[{name!r}]`") for name in names}


def read_columns_deep(thing: Any) -> Any:
    """Return what came in with arrays in place of columns, also in lists, tuples and dicts."""
    if isinstance(thing, Mapping):
        return {name: read_columns_deep(part) for name, part in thing.items()}
    if isinstance(thing, list | tuple) and any(is_column(part) for part in thing):
        return type(thing)([read_columns_deep(part) for part in thing])
    return read_column(thing, "an input") if is_column(thing) else thing
