"""Loss scaling: gradients are divided by the factor, and a step that overflowed is left out and counted."""

from __future__ import annotations

import numpy as np
import pytest

from fastembed_layer import GradientTape, RowGradient, losses, optimizers
from fastembed_layer.layers.dense import Dense
from fastembed_layer.tables.table import Table


def test_scaled_training_makes_the_same_step():
    inputs, targets = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")
    layers = [Dense(2, kernel_initializer="ones") for _ in range(2)]
    for layer, factor in zip(layers, (None, 1024.0), strict=True):
        optimizer = optimizers.SGD(0.1, loss_scale_factor=factor)
        with GradientTape() as tape:
            loss = optimizer.scale_loss(losses.MeanSquaredError()(targets, layer(inputs)))
        gradients = tape.gradient(loss, layer.trainable_weights)
        optimizer.apply_gradients(zip(gradients, layer.trainable_weights, strict=True))
    np.testing.assert_allclose(layers[0].get_weights()[0], layers[1].get_weights()[0], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_step_that_is_not_finite_is_left_out_and_counted(bad):
    table = Table(np.ones((4, 2), "float32"))
    optimizer = optimizers.Adam(0.1, loss_scale_factor=8.0)
    good = RowGradient(np.array([1]), np.ones((1, 2), "float32"), table.shape)
    broken = RowGradient(np.array([1]), np.full((1, 2), bad, "float32"), table.shape)
    optimizer.apply_gradients([(broken, table)])
    np.testing.assert_array_equal(table.numpy(), 1.0)
    assert (optimizer.iterations, optimizer.skipped_steps) == (0, 1)
    optimizer.apply_gradients([(good, table)])
    assert (optimizer.iterations, optimizer.skipped_steps) == (1, 1)
