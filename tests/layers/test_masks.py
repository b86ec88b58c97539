"""Masks travel with the very array they belong to, and end with it."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from fastembed_layer import (
    Add,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    Input,
    Layer,
    Model,
    Sequential,
)
from fastembed_layer.layers import masks
from fastembed_layer.layers.masks import attach_mask, mask_of

IDS = np.array([[3, 0, 1], [0, 0, 2]])


class Deaf(Layer):
    """A layer that does not support masking."""

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        return inputs + 0, None


def test_an_array_without_a_mask_has_none() -> None:
    assert mask_of(np.ones(3)) is None
    assert mask_of("anything") is None


def test_a_mask_is_found_with_its_array_and_not_with_a_copy_or_view() -> None:
    array, mask = np.ones(3), np.array([True, False, True])
    attach_mask(array, mask)
    assert mask_of(array) is mask
    assert mask_of(array.copy()) is None
    assert mask_of(array[:]) is None


def test_a_mask_is_forgotten_with_its_array() -> None:
    array = np.ones(3)
    attach_mask(array, np.ones(3, bool))
    count = len(masks._masks)
    del array
    gc.collect()
    assert len(masks._masks) == count - 1


def test_none_attaches_nothing() -> None:
    array = np.ones(3)
    attach_mask(array, None)
    assert mask_of(array) is None


def test_the_output_of_an_embedding_with_mask_zero_carries_the_mask() -> None:
    np.testing.assert_array_equal(mask_of(Embedding(4, 2, mask_zero=True)(IDS)), IDS != 0)
    assert mask_of(Embedding(4, 2)(IDS)) is None


@pytest.mark.parametrize("layer", [Dense(3), Dropout(0.5)], ids=["dense", "dropout"])
def test_layers_that_keep_the_steps_hand_the_mask_on(layer: Layer) -> None:
    rows = Embedding(4, 2, mask_zero=True)(IDS)
    np.testing.assert_array_equal(mask_of(layer(rows)), IDS != 0)


def test_pooling_ends_the_mask() -> None:
    assert mask_of(GlobalAveragePooling1D()(Embedding(4, 2, mask_zero=True)(IDS))) is None


def test_concatenated_features_count_where_any_of_them_does() -> None:
    masked, unmasked = Embedding(4, 2, mask_zero=True), Embedding(4, 5)
    joined = Concatenate()([masked(IDS), masked(IDS[::-1])])
    np.testing.assert_array_equal(mask_of(joined), (IDS != 0) | (IDS[::-1] != 0))
    assert mask_of(Concatenate()([masked(IDS), unmasked(IDS)])).all()


@pytest.mark.parametrize("layer", [Concatenate(), Add()], ids=lambda layer: layer.name)
@pytest.mark.parametrize(
    ("count", "mask", "words"),
    [
        (2, IDS != 0, "`mask` should be a list"),
        (None, [None, None], "`inputs` should be a list"),
        (2, [None], "should have the same length"),
    ],
)
def test_masks_that_are_not_one_for_each_input_are_refused(layer: Any, count: Any, mask: Any, words: str) -> None:
    rows = np.ones((2, 3, 4))
    with pytest.raises(ValueError, match=words):
        layer.compute_mask(rows if count is None else [rows] * count, mask)


def test_concatenated_steps_keep_their_masks_side_by_side() -> None:
    layer, plain = Embedding(4, 2, mask_zero=True), Embedding(4, 2)
    joined = Concatenate(axis=1)([layer(IDS), plain(IDS)])
    np.testing.assert_array_equal(mask_of(joined), np.hstack([IDS != 0, np.ones((2, 3), bool)]))


def test_a_layer_that_does_not_support_masking_refuses_a_mask_in_keras_words() -> None:
    rows = Embedding(4, 2, mask_zero=True)(IDS)
    with pytest.raises(
        TypeError, match=r"^Layer deaf_one does not support masking, but was passed an input_mask: \[\["
    ):
        Deaf(name="deaf_one")(rows)


def test_a_mask_passed_by_hand_is_refused_too() -> None:
    with pytest.raises(TypeError, match="does not support masking"):
        Deaf()(np.ones((2, 3)), mask=np.ones((2, 3), bool))


def test_a_functional_model_refuses_the_mask_when_it_is_defined() -> None:
    rows = Embedding(4, 2, mask_zero=True)(Input((3,), dtype="int64"))
    with pytest.raises(TypeError, match="flatten_here does not support masking"):
        Flatten(name="flatten_here")(rows)


def test_a_sequential_model_refuses_the_mask_when_the_layer_is_added() -> None:
    model = Sequential([Embedding(4, 2, mask_zero=True, input_length=3), Dense(2)])
    with pytest.raises(TypeError, match="flatten_there does not support masking"):
        model.add(Flatten(name="flatten_there"))
    assert len(model.layers) == 2


def test_a_nested_model_hands_the_mask_on() -> None:
    inner = Sequential([Embedding(4, 2, mask_zero=True), Dense(2)])
    np.testing.assert_array_equal(mask_of(inner(IDS)), IDS != 0)
    with pytest.raises(TypeError, match="does not support masking"):
        Sequential([inner, Flatten()])
    assert Sequential([inner, GlobalAveragePooling1D()]).predict(IDS).shape == (2, 2)


def test_a_nested_functional_model_is_known_to_be_masked() -> None:
    ids = Input((3,), dtype="int64")
    inner = Model(ids, Embedding(4, 2, mask_zero=True)(ids))
    with pytest.raises(TypeError, match="does not support masking"):
        Flatten()(inner(Input((3,), dtype="int64")))


def test_a_subclassed_layer_is_handed_the_mask_it_asks_for() -> None:
    seen = []

    class Asks(Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            seen.append(mask)
            return inputs

    Asks()(Embedding(4, 2, mask_zero=True)(IDS))
    np.testing.assert_array_equal(seen[0], IDS != 0)
