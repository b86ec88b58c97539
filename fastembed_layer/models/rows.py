"""Samples as rows of arrays: what callers pass becomes something of which rows can be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import to_cpu
from fastembed_layer.inputs.columns import is_column, is_table, read_column, read_columns
from fastembed_layer.inputs.foreign import read_foreign
from fastembed_layer.inputs.ragged import Ragged, is_sparse_matrix, split_sparse_matrix

Array = np.ndarray[Any, Any]


def as_rows(inputs: Any, names: Sequence[str] | None = None) -> Any:
    """Return inputs as an array, a `Ragged`, or a list or dict of them when the model has several inputs.

    A sparse matrix becomes two: the ids and the weights of its bags. Of a table (of pandas, polars or Arrow) the
    columns `names` are taken, or without names the whole as one array.
    """
    inputs = read_foreign(inputs)
    if isinstance(inputs, Ragged) or inputs is None:
        return inputs
    if isinstance(inputs, Mapping):
        return {name: _as_part(part, name) for name, part in inputs.items()}
    if is_sparse_matrix(inputs):
        return _as_ids_and_weights(inputs)
    if is_table(inputs):
        return np.asarray(inputs) if names is None else read_columns(inputs, names)
    if is_column(inputs):
        return read_column(inputs, "`x`")
    if isinstance(inputs, list | tuple):
        return _as_list(inputs)
    return np.asarray(to_cpu(inputs))


def as_targets(values: Any, is_single: bool = False) -> Any:
    """Return targets, or sample weights, as an array, or as a list or dict of them for several outputs.

    A list of arrays holds the targets of several outputs, unless it is known that there is one.
    """
    values = to_cpu(read_foreign(values))
    if values is None or isinstance(values, np.ndarray):
        return values
    if isinstance(values, Mapping):
        return {name: as_targets(part, True) for name, part in values.items()}
    if isinstance(values, list | tuple) and values and all(_is_array(part) for part in values):
        if not is_single:
            return [as_targets(part, True) for part in values]
        if len(values) == 1:
            return np.asarray(values[0])
    return values if isinstance(values, Ragged) else np.asarray(values)


def take_rows(part: Any, rows: Any) -> Any:
    """Select samples of an input, which may be several arrays, in a list or a dict."""
    if isinstance(part, list):
        return [take_rows(array, rows) for array in part]
    if isinstance(part, dict):
        return {name: take_rows(array, rows) for name, array in part.items()}
    return None if part is None else part[rows]


def leaves(structure: Any) -> list[Any]:
    """Return the arrays of a list, a dict or a single one; None holds none."""
    if isinstance(structure, dict):
        return [leaf for part in structure.values() for leaf in leaves(part)]
    if isinstance(structure, list | tuple):
        return [leaf for part in structure for leaf in leaves(part)]
    return [] if structure is None else [structure]


def count_samples(inputs: Any, targets: Any = None) -> int:
    """Return the number of samples of a batch."""
    if isinstance(targets, np.ndarray) and targets.ndim:
        return len(targets)
    return common_length(as_rows(inputs)) if targets is None else common_length(as_targets(targets))


def common_length(*parts: Any) -> int:
    """Return the number of samples that all arrays have.

    Raises
    ------
    ValueError
        If they do not have the same.
    """
    lengths = [_length_of(leaf) for part in parts for leaf in leaves(part)]
    if len(set(lengths)) > 1:
        raise ValueError(f"`x`, `y` and `sample_weight` must have one length. Received: {lengths}.")
    return lengths[0]


def _length_of(leaf: Any) -> int:
    if not isinstance(leaf, Ragged) and np.ndim(leaf) == 0:
        raise ValueError(f"`x`, `y` and `sample_weight` must have one entry per sample. Received: {leaf!r}.")
    return len(leaf)


def _as_list(inputs: Any) -> Any:
    """Tell several inputs from samples: arrays are inputs, lists are the samples of one."""
    parts = [read_column(part, f"`x[{at}]`") if is_column(part) else to_cpu(part) for at, part in enumerate(inputs)]
    if parts and all(isinstance(part, np.ndarray | Ragged) for part in parts):
        return parts
    return Ragged.from_lists(parts) if Ragged.describes(parts) else np.asarray(parts)


def _is_array(part: Any) -> bool:
    return part is None or is_column(part) or (isinstance(part, np.ndarray) and part.ndim > 0)


def _as_part(part: Any, name: Any) -> Any:
    return read_column(part, f"`x[{name!r}]`") if is_column(part) else as_rows(part)


def _as_ids_and_weights(matrix: Any) -> list[Ragged]:
    """Return a sparse matrix as the two inputs of an `EmbeddingBag`, which can be cut into batches."""
    ids, weights = split_sparse_matrix(matrix)
    return [ids, Ragged(weights.astype(np.result_type(weights, np.float32), copy=False), ids.offsets)]
