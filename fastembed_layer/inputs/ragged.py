"""Sequences of different lengths without padding: their values in one array, and where each one starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_array, to_cpu

Array = np.ndarray[Any, Any]


class Ragged:
    """A batch of sequences of different lengths.

    Parameters
    ----------
    values : array_like, shape (n, ...)
        The elements of all sequences, one sequence after the other.
    offsets : array_like of int, shape (batch_size + 1,)
        Sequence b is ``values[offsets[b]:offsets[b + 1]]``; the first offset is 0 and the last n.
    include_last_offset : bool
        False if `offsets`, of shape (batch_size,), hold the beginnings only and the last one, n, is missing, as
        ``torch.nn.EmbeddingBag`` has it by default.

    Raises
    ------
    ValueError
        If the offsets do not start at 0, decrease, exceed n, or do not end at n.
    TypeError
        If the offsets are not integers.

    See Also
    --------
    from_lists, from_lengths, concatenate : other ways to make a batch.

    Examples
    --------
    >>> from fastembed_layer.inputs.ragged import Ragged
    >>> batch = Ragged.from_lists([[3, 1, 2], [], [7]])
    >>> batch.offsets
    array([0, 3, 3, 4])
    >>> batch.to_list()
    [[3, 1, 2], [], [7]]
    >>> Ragged([3, 1, 2, 7], [0, 3, 3], include_last_offset=False).to_list()
    [[3, 1, 2], [], [7]]
    """

    def __init__(self, values: Any, offsets: Any, *, include_last_offset: bool = True):
        self.values: Array = as_array(values)
        if self.values.ndim == 0:
            raise ValueError(f"`values` must have at least one axis. Received: {values!r}.")
        offsets = to_cpu(as_array(offsets))
        if not include_last_offset and offsets.ndim == 1 and offsets.dtype.kind in "iu":
            offsets = _with_last_offset(offsets.astype(np.int64), len(self.values))
        self.offsets: Array = _checked_offsets(offsets, len(self.values))

    @staticmethod
    def describes(inputs: Any) -> bool:
        """Tell whether `inputs` is a list of sequences whose lengths differ."""
        if not isinstance(inputs, list | tuple):
            return False
        if not all(isinstance(row, list | tuple) or (isinstance(row, np.ndarray) and row.ndim) for row in inputs):
            return False
        return len({len(row) for row in inputs}) > 1

    @classmethod
    def from_lists(cls, rows: Sequence[Any]) -> Ragged:
        """Make a batch from a list of sequences."""
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        filled = [np.asarray(row) for row in rows if len(row)]
        values = np.concatenate(filled) if filled else np.empty(0, np.int64)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]))

    @classmethod
    def from_lengths(cls, values: Any, lengths: Any) -> Ragged:
        """Make a batch from the elements of all sequences and the length of each.

        Parameters
        ----------
        values : array_like, shape (n, ...)
            The elements of all sequences, one sequence after the other.
        lengths : array_like of int, shape (batch_size,)
            Their lengths, which add up to n.

        Raises
        ------
        ValueError
            If a length is negative, or the lengths do not add up to n.
        TypeError
            If the lengths are not integers.

        Examples
        --------
        >>> Ragged.from_lengths([3, 1, 2, 7], [3, 0, 1]).to_list()
        [[3, 1, 2], [], [7]]
        """
        lengths, values = _checked_lengths(to_cpu(as_array(lengths))), as_array(values)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        if values.ndim and offsets[-1] != len(values):
            raise ValueError(f"`lengths` must add up to the number of values, {len(values)}. Received: {offsets[-1]}.")
        return cls(values, offsets)

    @classmethod
    def concatenate(cls, batches: Sequence[Ragged]) -> Ragged:
        """Put batches one after the other."""
        lengths = np.concatenate([batch.lengths for batch in batches])
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return cls(np.concatenate([batch.values for batch in batches]), offsets)

    @property
    def lengths(self) -> Array:
        """Length of each sequence."""
        return np.diff(self.offsets)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """``(batch_size, None, ...)``."""
        return (len(self), None, *self.values.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: Any) -> Ragged:
        """Return the batch of the sequences that a slice or an index array selects."""
        picked = np.arange(len(self))[rows]
        lengths = self.lengths[picked]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        positions = np.arange(offsets[-1]) + np.repeat(self.offsets[picked] - offsets[:-1], lengths)
        return Ragged(self.values[positions], offsets)

    def to_list(self) -> list[Any]:
        """Return the sequences as lists."""
        return [part.tolist() for part in np.split(self.values, self.offsets[1:-1])] if len(self) else []

    def __repr__(self) -> str:
        return f"<Ragged of {len(self)} sequences, {len(self.values)} values of {self.dtype}>"


def is_sparse_matrix(inputs: Any) -> bool:
    """Tell whether `inputs` is a sparse matrix of scipy, which is not imported to find out."""
    return hasattr(inputs, "tocsr") and hasattr(inputs, "format")


def split_sparse_matrix(matrix: Any) -> tuple[Ragged, Array]:
    """Return the column indices of a CSR matrix by row, and what stands there.

    Raises
    ------
    TypeError
        For a matrix of another format.
    """
    if matrix.format != "csr":
        raise TypeError(
            f"A sparse matrix of ids must have the format csr: pass `matrix.tocsr()`. Received: {matrix.format}."
        )
    return Ragged(matrix.indices, matrix.indptr), matrix.data


def _checked_lengths(lengths: Array) -> Array:
    if lengths.dtype.kind not in "iu" and lengths.size:
        raise TypeError(f"`lengths` must be integers. Received: dtype {lengths.dtype}.")
    if lengths.ndim != 1:
        raise ValueError(f"`lengths` must be one-dimensional. Received: shape {lengths.shape}.")
    lengths = lengths.astype(np.int64)
    if (lengths < 0).any():
        index = int(np.argmax(lengths < 0))
        raise ValueError(f"`lengths` must not be negative. Received: lengths[{index}] = {lengths[index]}.")
    return lengths


def _with_last_offset(offsets: Array, count: int) -> Array:
    if (offsets > count).any():
        index = int(np.argmax(offsets > count))
        raise ValueError(
            f"`offsets` must not exceed the number of values, {count}. Received: offsets[{index}] = {offsets[index]}."
        )
    return np.append(offsets, count)


def _checked_offsets(offsets: Array, count: int) -> Array:
    if offsets.dtype.kind not in "iu":
        raise TypeError(f"`offsets` must be integers. Received: dtype {offsets.dtype}.")
    if offsets.ndim != 1 or len(offsets) == 0 or offsets[0] != 0:
        raise ValueError(f"`offsets` must be one-dimensional and start at 0. Received: {offsets!r}.")
    offsets = offsets.astype(np.int64)
    if offsets[-1] != count:
        raise ValueError(
            f"`offsets` must end at the number of values, {count}. Received: {offsets[-1]}. "
            "If they are beginnings only, without the end of the last sequence, pass include_last_offset=False."
        )
    steps = np.diff(offsets)
    if (steps < 0).any():
        index = int(np.argmax(steps < 0))
        raise ValueError(
            f"`offsets` must not decrease. Received: offsets[{index}] = {offsets[index]}, "
            f"offsets[{index + 1}] = {offsets[index + 1]}."
        )
    return offsets
