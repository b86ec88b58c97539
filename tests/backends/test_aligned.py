"""Arrays at cache lines."""

from __future__ import annotations

import numpy as np
import pytest

from fastembed_layer import Embedding, RowGradient, optimizers
from fastembed_layer.backends.aligned import empty_aligned, zeros_aligned
from fastembed_layer.backends.buffers import borrow_array


@pytest.mark.parametrize("make", [empty_aligned, zeros_aligned])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (1000, 16)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_array_starts_at_a_cache_line(make, shape, dtype):
    array = make(shape, dtype)
    assert (array.ctypes.data % 64, array.shape, array.dtype) == (0, shape, np.dtype(dtype))
    assert array.flags.carray


def test_zeros_are_zeros():
    assert not zeros_aligned((1000, 7), "float64").any()


def test_tables_slots_and_lent_arrays_start_at_cache_lines():
    table = Embedding(1000, 16).embeddings
    optimizer = optimizers.Adagrad()
    optimizer.apply_gradients([(RowGradient(np.array([1]), np.ones((1, 16), "float32"), (1000, 16)), table)])
    arrays = [table.array, *optimizer.slots_of(table).values(), borrow_array((10_000, 16), "float32")]
    assert [array.ctypes.data % 64 for array in arrays] == [0, 0, 0]
