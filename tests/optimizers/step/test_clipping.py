"""Clipping over the summed gradients of repeated ids."""

from __future__ import annotations

import numpy as np
import pytest

from fastembed_layer import Dense, Embedding, Flatten, RowGradient, Sequential, optimizers
from fastembed_layer.optimizers.step.clipping import Clipping, gradient_norm
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

IDS = np.array([2, 0, 2, 2])
VALUES = np.array([[3.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 2.0]], "float32")
SHAPE = (4, 2)


def dense_sum():
    dense = np.zeros(SHAPE)
    np.add.at(dense, IDS, VALUES.astype(float))
    return dense


def clip(gradient, **options):
    [(_, clipped)] = Clipping(**options).apply([(Parameter(np.zeros(SHAPE, "float32")), gradient)])
    return clipped


@pytest.mark.parametrize("bound", [0.5, 2.0, 100.0])
def test_clipnorm_with_repeated_ids_equals_the_dense_answer(bound):
    dense = dense_sum()
    expected = dense * bound / max(np.linalg.norm(dense), bound)
    clipped = clip(RowGradient(IDS, VALUES, SHAPE), clipnorm=bound)
    np.testing.assert_allclose(clipped.to_dense(), expected, rtol=1e-6)
    np.testing.assert_allclose(clip(dense, clipnorm=bound), expected, rtol=1e-12)


def test_clipping_before_the_sum_would_give_another_norm():
    assert abs(np.linalg.norm(VALUES) - np.linalg.norm(dense_sum())) > 0.1


def test_clipvalue_clips_the_sums():
    clipped = clip(RowGradient(IDS, VALUES, SHAPE), clipvalue=1.5)
    np.testing.assert_array_equal(clipped.to_dense(), np.clip(dense_sum(), -1.5, 1.5))


def test_global_clipnorm_scales_all_gradients_by_one_factor():
    pairs = [
        (Parameter(np.zeros(SHAPE, "float32")), RowGradient(IDS, VALUES, SHAPE)),
        (Parameter(np.zeros(3, "float32")), np.array([1.0, -2.0, 2.0], "float32")),
    ]
    total = np.sqrt(np.linalg.norm(dense_sum()) ** 2 + 9)
    clipped = Clipping(global_clipnorm=1.0).apply(pairs)
    np.testing.assert_allclose(clipped[0][1].to_dense(), dense_sum() / total, rtol=1e-6)
    np.testing.assert_allclose(clipped[1][1], np.array([1.0, -2.0, 2.0]) / total, rtol=1e-6)


def test_the_gradient_of_the_caller_is_left_as_it_is():
    gradient = RowGradient(IDS, VALUES.copy(), SHAPE)
    for options in ({"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.1}):
        clip(gradient, **options)
    np.testing.assert_array_equal(gradient.values, VALUES)


def test_an_empty_gradient_is_clipped_to_an_empty_one():
    empty = RowGradient(np.empty(0, np.int64), np.empty((0, 2), "float32"), SHAPE)
    assert len(clip(empty, clipnorm=1.0)) == 0
    assert gradient_norm(empty) == 0


def test_an_id_out_of_range_is_refused_before_anything_is_written():
    table = Table(np.ones(SHAPE, "float32"))
    with pytest.raises(IndexError, match=r"indices\[1\] = 4 is not in \[0, 4\)"):
        optimizers.SGD(clipnorm=1.0).apply_gradients(
            [(RowGradient(np.array([0, 4]), np.ones((2, 2), "float32"), SHAPE), table)]
        )
    np.testing.assert_array_equal(table.numpy(), 1.0)


@pytest.mark.parametrize("way", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_a_table_of_one_number_is_clipped(way):
    layer = Embedding(1, 1, weights=[[[5.0]]])
    layer(np.array([0]))
    gradient = RowGradient(np.zeros(3, int), np.full((3, 1), 7.0, "float32"), (1, 1))
    optimizers.SGD(1.0, **{way: 2.0}).apply_gradients([(gradient, layer.embeddings)])
    np.testing.assert_allclose(layer.get_weights()[0], [[3.0]])


@pytest.mark.parametrize("name", ["sgd", "adam", "adagrad", "rmsprop", "ftrl"])
def test_a_model_around_a_table_of_one_number_is_trained_with_clipnorm(name):
    model = Sequential([Embedding(1, 1, input_length=1), Flatten(), Dense(1)])
    model.compile(type(optimizers.get(name))(0.1, clipnorm=1.0), "mse")
    before = model.get_weights()[0].copy()
    model.fit(np.zeros((4, 1), int), np.full((4, 1), 9.0, "float32"), verbose=0)
    after = model.get_weights()[0]
    assert np.isfinite(after).all()
    assert after.shape == (1, 1)
    assert after[0, 0] != before[0, 0]
