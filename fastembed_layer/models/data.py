"""Batches of training data, from arrays, ragged lists, several inputs or an iterable of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.checks import check_dimension
from fastembed_layer.inputs.ragged import Ragged, is_sparse_matrix, split_sparse_matrix

Array = np.ndarray[Any, Any]


class Batch(NamedTuple):
    """Inputs, targets and sample weights of one step; the last two may be None."""

    inputs: Any
    targets: Any = None
    sample_weight: Any = None


class Source(NamedTuple):
    """Where batches come from: a function that starts one pass, and the number of batches where it is known."""

    batches: Callable[[], Iterator[Batch]]
    steps: int | None


class Stream:
    """Batches by epoch: with `steps_per_epoch` an epoch ends early and the next one goes on from there.

    Attributes
    ----------
    steps : int or None
        Number of batches of an epoch, where it is known.
    """

    def __init__(self, source: Source, steps_per_epoch: int | None):
        self._source = source
        self._limit = None if steps_per_epoch is None else check_dimension(steps_per_epoch, "steps_per_epoch")
        self._running: Iterator[Batch] | None = None
        self.steps = self._limit or source.steps

    def epoch(self) -> Iterator[Batch]:
        """Go through the batches of the next epoch."""
        if self._limit is None:
            yield from self._source.batches()
            return
        for _ in range(self._limit):
            batch = self._next()
            if batch is None:
                return
            yield batch

    def _next(self) -> Batch | None:
        if self._running is None:
            self._running = self._source.batches()
        batch = next(self._running, None)
        if batch is None:
            self._running = self._source.batches()
            batch = next(self._running, None)
        return batch


def open_source(
    inputs: Any,
    targets: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: Any = None,
) -> Source:
    """Make a source of batches.

    Parameters
    ----------
    inputs : array_like, Ragged, scipy CSR matrix, list or dict of arrays, or iterable of batches
        An iterable yields ``inputs``, ``(inputs, targets)`` or ``(inputs, targets, sample_weight)``.
    targets, sample_weight : array_like, optional
        One entry per sample.
    batch_size : int, optional
        32 by default.
    shuffle : numpy.random.Generator, optional
        Draws the order of the samples anew for each pass.

    Raises
    ------
    ValueError
        If the arrays differ in length, or targets come with an iterable.
    """
    if _is_iterable_of_batches(inputs):
        if targets is not None or sample_weight is not None:
            raise ValueError("`y` and `sample_weight` must be part of the batches when `x` is an iterable of batches.")
        return _open_iterable(inputs)
    parts = Batch(as_rows(inputs), _as_array(targets), _as_array(sample_weight))
    count = _common_length(parts)
    size = 32 if batch_size is None else check_dimension(batch_size, "batch_size")

    def batches() -> Iterator[Batch]:
        order = None if shuffle is None else shuffle.permutation(count)
        for begin in range(0, count, size):
            rows = slice(begin, min(begin + size, count)) if order is None else order[begin : begin + size]
            yield Batch(*(take_rows(part, rows) for part in parts))

    return Source(batches, -(-count // size))


def split_validation(parts: Batch, share: float) -> tuple[Batch, Batch]:
    """Cut the last `share` of the samples off, as Keras does, before any shuffling.

    Raises
    ------
    ValueError
        If no samples are left on one side.
    """
    rows = Batch(as_rows(parts.inputs), _as_array(parts.targets), _as_array(parts.sample_weight))
    count = _common_length(rows)
    kept = int(count * (1 - share))
    if kept in (0, count):
        raise ValueError(
            f"`validation_split` must leave samples on both sides. Received: {share}, which cuts {count} samples "
            f"into {kept} and {count - kept}."
        )
    return (
        Batch(*(take_rows(part, slice(None, kept)) for part in rows)),
        Batch(*(take_rows(part, slice(kept, None)) for part in rows)),
    )


def count_samples(batch: Batch) -> int:
    """Return the number of samples of a batch."""
    if batch.targets is not None:
        return len(batch.targets)
    return _common_length(Batch(as_rows(batch.inputs)))


def join_outputs(parts: list[Any]) -> Any:
    """Return the outputs of consecutive batches as one, or as a list where the model has several."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], list):
        return [join_outputs(list(column)) for column in zip(*parts, strict=True)]
    return Ragged.concatenate(parts) if isinstance(parts[0], Ragged) else np.concatenate(parts)


def take_rows(part: Any, rows: Any) -> Any:
    """Select samples of an input, which may be several arrays, in a list or a dict."""
    if isinstance(part, list):
        return [take_rows(array, rows) for array in part]
    if isinstance(part, dict):
        return {name: take_rows(array, rows) for name, array in part.items()}
    return None if part is None else part[rows]


def as_rows(inputs: Any) -> Any:
    """Return inputs as an array, a `Ragged`, or a list or dict of them when the model has several inputs.

    A sparse matrix becomes two: the ids and the weights of its bags.
    """
    if isinstance(inputs, Ragged) or inputs is None:
        return inputs
    if isinstance(inputs, Mapping):
        return {name: as_rows(part) for name, part in inputs.items()}
    if is_sparse_matrix(inputs):
        return _as_ids_and_weights(inputs)
    if Ragged.describes(inputs) and not all(isinstance(row, np.ndarray) for row in inputs):
        return Ragged.from_lists(inputs)
    if isinstance(inputs, list | tuple) and inputs and all(isinstance(part, np.ndarray | Ragged) for part in inputs):
        return list(inputs)
    return np.asarray(inputs)


def _as_ids_and_weights(matrix: Any) -> list[Ragged]:
    """Return a sparse matrix as the two inputs of an `EmbeddingBag`, which can be cut into batches."""
    ids, weights = split_sparse_matrix(matrix)
    return [ids, Ragged(weights.astype(np.result_type(weights, np.float32), copy=False), ids.offsets)]


def _as_array(values: Any) -> Array | None:
    return None if values is None else np.asarray(values)


def _common_length(parts: Batch) -> int:
    inputs = list(parts.inputs.values()) if isinstance(parts.inputs, dict) else parts.inputs
    inputs = inputs if isinstance(inputs, list) else [inputs]
    lengths = [len(part) for part in (*inputs, parts.targets, parts.sample_weight) if part is not None]
    if len(set(lengths)) > 1:
        raise ValueError(f"`x`, `y` and `sample_weight` must have one length. Received: {lengths}.")
    return lengths[0]


def _is_iterable_of_batches(inputs: Any) -> bool:
    is_one = isinstance(inputs, np.ndarray | list | tuple | Mapping | Ragged) or is_sparse_matrix(inputs)
    return isinstance(inputs, Iterable) and not is_one


def _open_iterable(inputs: Iterable[Any]) -> Source:
    length = len(inputs) if isinstance(inputs, Sized) else None
    return Source(lambda: (_as_batch(batch) for batch in inputs), length)


def _as_batch(batch: Any) -> Batch:
    return Batch(*batch) if isinstance(batch, tuple) else Batch(batch)
