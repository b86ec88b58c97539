"""`LayerNormalization`: values of Keras, pullbacks, weights and configs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Embedding, GlobalAveragePooling1D, Input, LayerNormalization, Sequential
from fastembed_layer.layers.masks import mask_of

STEPS = np.array([[[1.0, 4.0], [2.0, 0.0], [3.0, -1.0]], [[0.0, 2.0], [5.0, 5.0], [-2.0, 1.0]]])
EXPECTED = [  # Keras 3
    (
        -1,
        [
            [[-0.99977785, 0.99977785], [0.99950039, -0.99950039], [0.99987507, -0.99987507]],
            [[-0.99950039, 0.99950039], [0, 0], [-0.99977785, 0.99977785]],
        ],
    ),
    (
        [1, 2],
        [
            [[-0.29271984, 1.46359921], [0.29271984, -0.87815952], [0.87815952, -1.46359921]],
            [[-0.72057837, 0.06550711], [1.24463534, 1.24463534], [-1.50666392, -0.32753563]],
        ],
    ),
]


@pytest.mark.parametrize(("axis", "expected"), EXPECTED, ids=["last", "both"])
def test_the_output_is_that_of_keras(axis: Any, expected: Any) -> None:
    np.testing.assert_allclose(LayerNormalization(axis, dtype="float64")(STEPS), expected, rtol=1e-6)


@pytest.mark.parametrize("axis", [-1, 1, [1, 2], [-1, 1]])
@pytest.mark.parametrize(("center", "scale"), [(True, True), (False, True), (True, False), (False, False)])
def test_the_pullback_agrees_with_differences(axis: Any, center: bool, scale: bool) -> None:
    inputs = STEPS.copy()
    options: Any = {"center": center, "scale": scale, "gamma_initializer": "uniform", "beta_initializer": "uniform"}
    layer = LayerNormalization(axis, **options, dtype="float64")
    layer(inputs)
    assert [weight.name for weight in layer.trainable_weights] == ["gamma"] * scale + ["beta"] * center
    assert_pullback_agrees(lambda: layer(inputs), [inputs, *layer.trainable_weights], tolerance=1e-6)


def test_the_weights_have_the_shape_of_the_axes() -> None:
    layer = LayerNormalization([-1, 1])
    assert layer(Input((3, 2))).shape == (None, 3, 2)
    assert [weight.shape for weight in layer.weights] == [(3, 2), (3, 2)]


def test_the_mask_is_handed_on_in_a_model() -> None:
    ids = np.array([[3, 0, 1]])
    model = Sequential([Embedding(4, 2, mask_zero=True), LayerNormalization(), GlobalAveragePooling1D()])
    rows = model.layers[1](model.layers[0](ids))
    np.testing.assert_array_equal(mask_of(rows), ids != 0)
    np.testing.assert_allclose(model(ids), rows[:, [0, 2]].mean(axis=1), rtol=1e-6)


def test_regularizers_add_penalties_and_constraints_stay_with_the_weights() -> None:
    layer = LayerNormalization(gamma_regularizer="l2", beta_constraint="non_neg")
    layer(STEPS.astype(np.float32))
    np.testing.assert_allclose(layer.losses, [0.02], rtol=1e-6)
    assert layer.beta is not None
    assert layer.beta.constraint is layer.beta_constraint


def test_a_config_of_keras_and_our_own_are_read() -> None:
    config = {"name": "norm", "trainable": True, "dtype": "float32", "axis": [1, 2], "epsilon": 1e-5, "center": True}
    layer = LayerNormalization.from_config(config | {"rms_scaling": False, "gamma_initializer": {"class_name": "Ones"}})
    assert (layer.axis, layer.epsilon) == ([1, 2], 1e-5)
    assert LayerNormalization.from_config(layer.get_config()).get_config() == layer.get_config()
    with pytest.raises(ValueError, match="`rms_scaling` is not among the options"):
        LayerNormalization.from_config(config | {"rms_scaling": True})


@pytest.mark.parametrize("axis", ["1", 1.5, None, True, []])
def test_an_axis_that_is_no_integer_is_refused(axis: Any) -> None:
    with pytest.raises(TypeError, match="`axis` must be an integer or a list of integers"):
        LayerNormalization(axis)


def test_axes_that_do_not_exist_or_are_open_are_refused() -> None:
    with pytest.raises(ValueError, match="must be axes of its input"):
        LayerNormalization(3)(STEPS)
    with pytest.raises(ValueError, match="needs inputs of a known size along axis="):
        LayerNormalization(1)(Input((None, 2)))


def test_half_precision_is_computed_in_float32() -> None:
    output = LayerNormalization(dtype="mixed_float16")(np.full((1, 4), 6e4, np.float16))
    assert output.dtype == np.float16
    np.testing.assert_array_equal(output, np.zeros((1, 4)))
