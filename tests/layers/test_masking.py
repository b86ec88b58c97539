"""`Masking`: steps of one value are masked and set to zero."""

from __future__ import annotations

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Flatten, GlobalAveragePooling1D, Input, Masking
from fastembed_layer.layers.masks import mask_of

STEPS = np.array([[[2.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [3.0, 2.0]]])


def test_a_step_is_masked_where_all_its_features_have_the_value() -> None:
    output = Masking(2.0)(STEPS)
    np.testing.assert_array_equal(mask_of(output), [[False, True], [True, True]])
    np.testing.assert_array_equal(output, [[[0, 0], [2, 1]], [[0, 0], [3, 2]]])


def test_masked_steps_are_left_out_by_pooling_and_receive_no_gradient() -> None:
    inputs, masking, pooling = STEPS.copy(), Masking(2.0), GlobalAveragePooling1D()
    np.testing.assert_array_equal(pooling(masking(inputs)), [[2, 1], [1.5, 1]])
    _, pull_back = masking.forward(inputs)
    assert pull_back is not None
    [gradient] = pull_back(np.ones_like(inputs)).inputs
    np.testing.assert_array_equal(gradient, [[[0, 0], [1, 1]], [[1, 1], [1, 1]]])


def test_the_pullback_agrees_with_differences() -> None:
    inputs, layer = np.random.default_rng(0).normal(size=(2, 3, 2)), Masking()
    assert_pullback_agrees(lambda: layer(inputs), [inputs])


def test_a_functional_model_knows_that_the_output_is_masked() -> None:
    with pytest.raises(TypeError, match="does not support masking"):
        Flatten()(Masking()(Input((3, 2))))


def test_the_config_is_read_back() -> None:
    layer = Masking.from_config({"name": "masked", "trainable": True, "dtype": "float32", "mask_value": -1.0})
    assert layer.mask_value == -1.0
    assert Masking.from_config(layer.get_config()).get_config() == layer.get_config()
