"""What a training is validated on, and after which epochs."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.checks import check_dimension
from fastembed_layer.models.data import Batch, Source, Stream


class Validation(NamedTuple):
    """Data to validate on, how much of them, and after which epochs."""

    source: Source
    steps: int | None
    frequency: int | Container[int]

    def is_due(self, epoch: int) -> bool:
        """Tell whether the epoch, counted from 0, is followed by a validation."""
        if isinstance(self.frequency, int):
            return (epoch + 1) % self.frequency == 0
        return epoch + 1 in self.frequency

    def stream(self) -> Stream:
        """Return the batches."""
        return Stream(self.source, self.steps)


def check_frequency(frequency: Any) -> int | Container[int]:
    """Return after how many epochs, or after which (counted from 1), a validation follows."""
    if isinstance(frequency, list | tuple | set | range):
        return frozenset(check_dimension(epoch, "validation_freq") for epoch in frequency)
    return check_dimension(frequency, "validation_freq")


def as_validation(data: Any) -> Batch | None:
    """Return validation data as inputs, targets and weights; an iterable of batches is the inputs."""
    if data is None:
        return None
    if isinstance(data, list | tuple) and len(data) in (2, 3):
        return Batch(*data)
    if isinstance(data, Iterable) and not isinstance(data, list | tuple | np.ndarray):
        return Batch(data)
    raise TypeError(
        "`validation_data` must be (x, y), (x, y, sample_weight) or an iterable of batches. "
        f"Received: {type(data).__name__}."
    )
