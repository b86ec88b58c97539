"""`GlobalAveragePooling1D`: means over the steps that count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Embedding, EmbeddingBag, GlobalAveragePooling1D, Ragged

Array = np.ndarray[Any, Any]


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape)


MASKS = {
    "none": None,
    "some": np.array([[True, False, True], [False, True, False]]),
    "an empty sequence": np.array([[False, False, False], [True, True, True]]),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_the_mean_is_over_the_steps_that_the_mask_keeps(mask: Array | None) -> None:
    inputs = draw(2, 3, 4)
    kept = np.ones((2, 3), bool) if mask is None else mask
    expected = [row[keep].mean(axis=0) if keep.any() else np.zeros(4) for row, keep in zip(inputs, kept, strict=True)]
    np.testing.assert_allclose(GlobalAveragePooling1D(dtype="float64")(inputs, mask=mask), expected)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_the_pullback_agrees_with_differences(mask: Array | None) -> None:
    inputs, layer = draw(2, 3, 4), GlobalAveragePooling1D(dtype="float64")
    assert_pullback_agrees(lambda: layer(inputs, mask=mask), [inputs])


def test_padding_of_an_embedding_is_left_out_and_not_trained() -> None:
    embedding, pooling = Embedding(5, 2, mask_zero=True, dtype="float64"), GlobalAveragePooling1D(dtype="float64")
    ids = np.array([[3, 0, 1], [0, 0, 0], [2, 2, 2]])
    expected = EmbeddingBag(5, 2, mask_zero=True, dtype="float64", weights=embedding.embeddings.numpy())(ids)
    np.testing.assert_allclose(pooling(embedding(ids)), expected)
    assert_pullback_agrees(lambda: pooling(embedding(ids)), [embedding.embeddings])


def test_ragged_rows_are_averaged_and_differentiated() -> None:
    embedding, pooling = Embedding(5, 2, dtype="float64"), GlobalAveragePooling1D(dtype="float64")
    ids = [[3, 1, 3], [], [4]]
    table = embedding.embeddings.numpy()
    expected = [table[[3, 1, 3]].mean(axis=0), np.zeros(2), table[4]]
    np.testing.assert_allclose(pooling(embedding(ids)), expected)
    assert_pullback_agrees(lambda: pooling(embedding(ids)), [embedding.embeddings])


@pytest.mark.parametrize("rows", [[[], []], [[1], [2]], [[], [1, 2], []]])
def test_ragged_rows_may_be_empty_or_of_one_length(rows: list[list[int]]) -> None:
    ids = Ragged.from_lists(rows)
    assert GlobalAveragePooling1D()(Embedding(5, 2)(ids)).shape == (len(rows), 2)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (0, 0, 4)])
def test_empty_batches_and_empty_sequences_give_zeros(shape: tuple[int, int, int]) -> None:
    output = GlobalAveragePooling1D()(np.ones(shape, np.float32))
    np.testing.assert_array_equal(output, np.zeros((shape[0], 4)))


def test_the_output_shape_has_no_steps() -> None:
    assert GlobalAveragePooling1D().compute_output_shape((None, None, 8)) == (None, 8)


def test_a_config_of_keras_is_read() -> None:
    config = {"name": "pool", "trainable": True, "dtype": "float32", "data_format": "channels_last", "keepdims": False}
    layer = GlobalAveragePooling1D.from_config(config | {"keepdims": True})
    assert (layer.name, layer.keepdims, layer.data_format) == ("pool", True, "channels_last")
    assert GlobalAveragePooling1D.from_config(layer.get_config()).get_config() == layer.get_config()


# Of Keras 3, for the inputs of `STEPS`.
STEPS = np.array([[[1.0, 4.0], [2.0, 0.0], [3.0, -1.0]], [[0.0, 2.0], [5.0, 5.0], [-2.0, 1.0]]])
AVERAGES = {"channels_last": [[2, 1], [1, 8 / 3]], "channels_first": [[2.5, 1, 1], [1, 5, -0.5]]}
AXES = {"channels_last": 1, "channels_first": 2}


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_data_format_says_where_the_steps_are_and_keepdims_keeps_their_axis(
    data_format: str, keepdims: bool
) -> None:
    layer = GlobalAveragePooling1D(data_format, keepdims)
    expected: Any = np.array(AVERAGES[data_format])
    if keepdims:
        expected = np.expand_dims(expected, AXES[data_format])
    output = layer(STEPS)
    np.testing.assert_allclose(output, expected, rtol=1e-12)
    assert layer.compute_output_shape(STEPS.shape) == output.shape
    assert_pullback_agrees(lambda: layer(STEPS), [STEPS])


def test_a_mask_goes_with_the_steps_where_they_come_last() -> None:
    mask = np.array([[True, False], [True, True]])
    layer = GlobalAveragePooling1D("channels_first")
    np.testing.assert_allclose(layer(STEPS, mask=mask), [[1, 2, 3], [1, 5, -0.5]])  # Keras 3
    assert_pullback_agrees(lambda: layer(STEPS, mask=mask), [STEPS])


def test_inputs_without_an_axis_of_steps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"needs inputs of three axes: batch, steps and features\. Received: "):
        GlobalAveragePooling1D()(np.ones((2, 3)))


def test_another_data_format_is_refused() -> None:
    with pytest.raises(ValueError, match="`data_format` must be one of 'channels_last', 'channels_first'"):
        GlobalAveragePooling1D("first")


def test_the_mask_may_be_the_second_argument_as_in_keras() -> None:
    inputs, mask = np.arange(24, dtype="float32").reshape(2, 3, 4), np.array([[1, 1, 0], [0, 1, 0]], bool)
    layer = GlobalAveragePooling1D()
    np.testing.assert_array_equal(layer(inputs, mask), layer(inputs, mask=mask))
