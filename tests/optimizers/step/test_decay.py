"""Weights that are left out of the decay, by themselves or by name."""

from __future__ import annotations

import numpy as np
import pytest

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

NOTHING = RowGradient(np.empty(0, np.int64), np.empty((0, 2), "float32"), (4, 2))


@pytest.mark.parametrize("way", ["var_list", "var_names"])
def test_excluded_weights_do_not_decay(way):
    table, other, bias = (Table(np.ones((4, 2), "float32"), name) for name in ("embeddings", "context", "bias"))
    optimizer = optimizers.SGD(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(**{way: [table] if way == "var_list" else ["^emb"]})
    for _ in range(3):
        optimizer.apply_gradients([(NOTHING, table), (NOTHING, other), (NOTHING, bias)])
    np.testing.assert_array_equal(table.numpy(), 1.0)
    np.testing.assert_allclose(other.numpy(), 0.75**3)
    np.testing.assert_allclose(bias.numpy(), 0.75**3)


def test_dense_weights_decay_like_tables():
    kernel = Parameter(np.ones((4, 2), "float32"))
    optimizer = optimizers.Adam(0.1, weight_decay=0.5)
    optimizer.apply_gradients([(np.zeros((4, 2), "float32"), kernel)])
    np.testing.assert_allclose(kernel.numpy(), 0.95)


def test_no_rate_and_rate_zero_are_no_decay():
    assert optimizers.SGD(weight_decay=0.0).idle_motion() is None
    assert optimizers.SGD(weight_decay=None).idle_motion() is None
