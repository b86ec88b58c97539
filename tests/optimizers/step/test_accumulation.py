"""Gradient accumulation keeps row gradients and steps on their mean."""

from __future__ import annotations

import numpy as np

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table


def draw_gradients(count, shape=(6, 3)):
    rng = np.random.default_rng(3)
    for _ in range(count):
        ids = rng.integers(0, shape[0], 4)
        yield RowGradient(ids, rng.normal(size=(4, shape[1])).astype("float32"), shape)


def test_accumulated_steps_equal_steps_on_the_mean_dense_gradient():
    accumulated, dense = Table(np.ones((6, 3), "float32")), Parameter(np.ones((6, 3), "float32"))
    first, second = optimizers.Adam(0.1, gradient_accumulation_steps=3), optimizers.Adam(0.1)
    gradients = list(draw_gradients(12))
    for gradient in gradients:
        first.apply_gradients([(gradient, accumulated)])
    for begin in range(0, 12, 3):
        mean = sum(gradient.to_dense().astype(float) for gradient in gradients[begin : begin + 3]) / 3
        second.apply_gradients([(mean.astype("float32"), dense)])
    assert first.iterations == second.iterations == 4
    np.testing.assert_allclose(accumulated.numpy(), dense.numpy(), rtol=1e-5)


def test_nothing_moves_until_enough_calls_have_come():
    table = Table(np.ones((6, 3), "float32"))
    optimizer = optimizers.SGD(0.1, gradient_accumulation_steps=2)
    [first, second] = draw_gradients(2)
    assert optimizer.apply_gradients([(first, table)]) == 0
    np.testing.assert_array_equal(table.numpy(), 1.0)
    assert optimizer.apply_gradients([(second, table)]) == 1
    assert (table.numpy() != 1.0).any()


def test_what_is_kept_has_the_size_of_the_batches():
    table = Table(np.zeros((100_000, 4), "float32"))
    optimizer = optimizers.SGD(0.1, gradient_accumulation_steps=8)
    for _ in range(5):
        values = np.ones((10, 4), "float32")
        optimizer.apply_gradients([(RowGradient(np.arange(10), values, table.shape), table)])
        values[:] = 7  # a caller may use its array again
    [kept] = optimizer.accumulation._sums.values()
    assert isinstance(kept, RowGradient)
    assert len(kept) == 50
    np.testing.assert_array_equal(kept.values[:10], 1.0)
