"""Batches of training data, from arrays, ragged lists, several inputs or an iterable of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.checks import check_dimension, warn_caller
from fastembed_layer.inputs.columns import is_column, is_table, read_columns_deep
from fastembed_layer.inputs.foreign import is_one_input, read_foreign
from fastembed_layer.inputs.ragged import Ragged, is_sparse_matrix
from fastembed_layer.models.class_weights import check_class_weight, weigh_classes
from fastembed_layer.models.rows import as_rows, as_targets, common_length, take_rows


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

    As in Keras, an epoch ends with the data too, and then the next one starts over with them.

    Attributes
    ----------
    steps : int or None
        Number of batches of an epoch, where it is known.
    """

    def __init__(self, source: Source, steps_per_epoch: int | None):
        self._source = source
        self._limit = steps_per_epoch
        self._running: Iterator[Batch] = iter(())
        self.steps = self._limit or source.steps

    def first(self) -> Iterator[Batch]:
        """Go through the batches from the beginning, and no further than once."""
        return islice(self._source.batches(), self._limit)

    def epoch(self) -> Iterator[Batch]:
        """Go through the batches of the next epoch."""
        if self._limit is None:
            yield from self._source.batches()
            return
        found = 0
        for batch in islice(self._go_on(), self._limit):
            found += 1
            yield batch
        if 0 < found < self._limit:
            warn_caller(
                f"Your input ran out of data in an epoch, after {found} of {self._limit} batches: the epoch ends. "
                "Make sure that it has at least `steps_per_epoch * epochs` batches, or can be iterated again."
            )

    def _go_on(self) -> Iterator[Batch]:
        """The batches that are left, or all again where none are."""
        batch = next(self._running, None)
        if batch is None:
            self._running = self._source.batches()
            batch = next(self._running, None)
        while batch is not None:
            yield batch
            batch = next(self._running, None)


def open_source(
    inputs: Any,
    targets: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: Any = None,
    class_weight: Any = None,
) -> Source:
    """Make a source of batches.

    Parameters
    ----------
    inputs : array_like, Ragged, scipy CSR matrix, list or dict of arrays, dataset, or iterable of batches
        A dataset has the methods of ``keras.utils.PyDataset``. It or an iterable yields ``inputs``,
        ``(inputs, targets)`` or ``(inputs, targets, sample_weight)``.
    targets, sample_weight : array_like, or list or dict of them for several outputs, optional
        One entry per sample.
    batch_size : int, optional
        32 by default.
    shuffle : numpy.random.Generator, optional
        Draws the order of the samples anew for each pass.
    class_weight : dict, optional
        Weights of the samples by their class.

    Raises
    ------
    ValueError
        If the arrays differ in length, or targets come with an iterable.
    """
    if class_weight is not None:
        check_class_weight(class_weight, sample_weight)
    if is_iterable_of_batches(inputs):
        if targets is not None or sample_weight is not None:
            raise ValueError("`y` and `sample_weight` must be part of the batches when `x` is an iterable of batches.")
        return (
            _open_dataset(inputs, shuffle, class_weight)
            if _is_dataset(inputs)
            else _open_iterable(inputs, class_weight)
        )
    parts = Batch(as_rows(inputs), as_targets(targets), as_targets(sample_weight))
    count = common_length(*parts)
    if class_weight is not None:
        parts = parts._replace(sample_weight=weigh_classes(parts.targets, class_weight))
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
        If no samples are left on one side, or the samples are batches.
    """
    if is_iterable_of_batches(parts.inputs):
        raise ValueError(
            "`validation_split` must be 0 when `x` is an iterable of batches: pass `validation_data`. "
            f"Received: {share}."
        )
    rows = Batch(as_rows(parts.inputs), as_targets(parts.targets), as_targets(parts.sample_weight))
    count = common_length(*rows)
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


def is_iterable_of_batches(inputs: Any) -> bool:
    """Tell whether `x` is no samples but something that yields batches of them."""
    is_one = isinstance(inputs, np.ndarray | list | tuple | Mapping | Ragged) or is_sparse_matrix(inputs)
    yields = isinstance(inputs, Iterable) or _is_dataset(inputs)
    return yields and not is_one and not is_table(inputs) and not is_column(inputs) and not is_one_input(inputs)


def _is_dataset(inputs: Any) -> bool:
    """Tell whether something has the methods of Keras's datasets: batches by number."""
    return all(hasattr(type(inputs), method) for method in ("__getitem__", "__len__", "on_epoch_end"))


def _open_dataset(inputs: Any, shuffle: Any, class_weight: Any) -> Source:
    """Batches by number, in a new order for each pass if `shuffle`; the dataset is told of the end of each."""

    def batches() -> Iterator[Batch]:
        count = len(inputs)
        for number in range(count) if shuffle is None else shuffle.permutation(count).tolist():
            yield _as_batch(inputs[number], class_weight)
        inputs.on_epoch_end()

    return Source(batches, len(inputs))


def _open_iterable(inputs: Iterable[Any], class_weight: Any) -> Source:
    length = len(inputs) if isinstance(inputs, Sized) else None
    yields_lists = type(inputs).__module__.startswith("torch.")  # a DataLoader makes lists of what datasets yield

    def batches() -> Iterator[Batch]:
        for batch in inputs:
            yield _as_batch(tuple(batch) if yields_lists and isinstance(batch, list) else batch, class_weight)

    return Source(batches, length)


def _as_batch(batch: Any, class_weight: Any) -> Batch:
    parts = Batch(*batch) if isinstance(batch, tuple) else Batch(batch)
    parts = Batch(
        read_columns_deep(read_foreign(parts.inputs)), as_targets(parts.targets), as_targets(parts.sample_weight)
    )
    if class_weight is None:
        return parts
    check_class_weight(class_weight, parts.sample_weight)
    return parts._replace(sample_weight=weigh_classes(parts.targets, class_weight))
