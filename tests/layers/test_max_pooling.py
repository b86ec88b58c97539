"""`GlobalMaxPooling1D`: maxima over the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Embedding, EmbeddingBag, GlobalMaxPooling1D, Ragged, Sequential

STEPS = np.array([[[1.0, 4.0], [2.0, 0.0], [3.0, -1.0]], [[0.0, 2.0], [5.0, 5.0], [-2.0, 1.0]]])
MAXIMA = {"channels_last": [[3, 4], [5, 5]], "channels_first": [[4, 2, 3], [2, 5, 1]]}  # Keras 3


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("data_format", "axis"), [("channels_last", 1), ("channels_first", 2)])
def test_the_maximum_is_over_the_steps(data_format: str, axis: int, keepdims: bool) -> None:
    layer = GlobalMaxPooling1D(data_format, keepdims)
    expected: Any = np.array(MAXIMA[data_format])
    output = layer(STEPS)
    np.testing.assert_array_equal(output, np.expand_dims(expected, axis) if keepdims else expected)
    assert layer.compute_output_shape(STEPS.shape) == output.shape
    inputs = STEPS.copy()
    assert_pullback_agrees(lambda: layer(inputs), [inputs])
    assert GlobalMaxPooling1D.from_config(layer.get_config()).get_config() == layer.get_config()


def test_equal_maxima_share_the_gradient() -> None:
    _, pull_back = GlobalMaxPooling1D().forward(np.array([[[2.0], [2.0], [1.0]]]))
    assert pull_back is not None
    [gradient] = pull_back(np.ones((1, 1))).inputs
    np.testing.assert_array_equal(gradient, [[[0.5], [0.5], [0.0]]])


def test_ragged_rows_are_pooled_as_bags_and_differentiated() -> None:
    embedding, pooling = Embedding(5, 2, dtype="float64"), GlobalMaxPooling1D()
    ids = Ragged.from_lists([[3, 1, 3], [], [4]])
    bags = EmbeddingBag(5, 2, combiner="max", dtype="float64", weights=embedding.embeddings.numpy())
    np.testing.assert_allclose(pooling(embedding(ids)), bags(ids))
    assert_pullback_agrees(lambda: pooling(embedding(ids)), [embedding.embeddings])


def test_padded_steps_take_part_with_a_warning() -> None:
    rows = Embedding(4, 2, mask_zero=True)(np.array([[3, 0]]))
    with pytest.warns(UserWarning, match="with a mask, which it does not use: padded steps take part"):
        output = GlobalMaxPooling1D()(rows)
    np.testing.assert_array_equal(output, rows.max(axis=1))


def test_empty_batches_and_empty_sequences_give_zeros() -> None:
    for shape in ((0, 3, 4), (2, 0, 4)):
        np.testing.assert_array_equal(GlobalMaxPooling1D()(np.ones(shape)), np.zeros((shape[0], 4)))


def test_the_shape_is_known_in_a_model() -> None:
    assert Sequential([Embedding(9, 4, input_length=3), GlobalMaxPooling1D()]).output_shape == (None, 4)
