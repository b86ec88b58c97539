"""Arrays of other libraries that live on a GPU, and what counts as an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_device import FakeArray, FakeDevice

from fastembed_layer import Embedding, losses, metrics
from fastembed_layer.backends.arrays import as_array
from fastembed_layer.backends.foreign import is_foreign, widen


class OnDevice:
    """An array on a GPU of a library that this package does not know."""

    shape = (3,)
    __cuda_array_interface__ = {"shape": (3,), "typestr": "<i8", "version": 3}  # noqa: RUF012
    numbers = np.array([1, 0, 1])


def test_an_array_on_a_gpu_stays_there(fake_gpu: FakeDevice) -> None:
    assert isinstance(as_array(OnDevice()), FakeArray)
    rows = Embedding(3, 2, device="gpu:0")(OnDevice())
    assert isinstance(rows, FakeArray)


def test_losses_and_metrics_read_a_gpus_array(fake_gpu: FakeDevice) -> None:
    values = np.array([[0.5], [0.25]], "float32")
    on_gpu = fake_gpu.from_cpu(values)
    assert losses.MeanSquaredError()(on_gpu, on_gpu) == 0
    assert metrics.MeanAbsoluteError()(on_gpu, values + 1) == 1


@pytest.mark.parametrize("kind", [np.ndarray, np.float32, list, int])
def test_numpys_arrays_and_what_is_none_are_not_foreign(kind: Any) -> None:
    assert not is_foreign(kind)


def test_other_types_are_not_widened() -> None:
    records = np.zeros(2, [("a", "i4")])
    assert widen(records) is records
