"""`Activation`, `ReLU` and `Softmax` as layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Activation, Dense, Embedding, ReLU, Sequential, Softmax
from fastembed_layer.layers.masks import mask_of

Array = np.ndarray[Any, Any]

STEPS = np.array([[1.0, 4.0], [2.0, 0.0], [3.0, -1.0]])


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("name", ["linear", "relu", "sigmoid", "tanh", "softmax"])
def test_an_activation_by_name_is_that_of_dense(name: str) -> None:
    inputs, dense = draw(3, 4), Dense(4, name, kernel_initializer="identity", dtype="float64")
    np.testing.assert_array_equal(Activation(name)(inputs), dense(inputs))
    layer = Activation(name)
    assert_pullback_agrees(lambda: layer(inputs), [inputs])
    assert Activation.from_config(layer.get_config()).get_config() == layer.get_config()


def test_relu_has_three_pieces_as_in_keras() -> None:
    layer = ReLU(max_value=4, negative_slope=0.1, threshold=1)
    np.testing.assert_allclose(layer(STEPS), [[0, 4], [2, -0.1], [3, -0.2]], rtol=1e-12)  # Keras 3
    np.testing.assert_array_equal(ReLU()(STEPS), np.maximum(STEPS, 0))


@pytest.mark.parametrize("arguments", [(), (0.5,), (None, 0.2), (1.5, 0.1, 0.3)])
def test_the_pullback_of_relu_agrees_with_differences(arguments: Any) -> None:
    inputs, layer = draw(4, 3), ReLU(*arguments)
    assert_pullback_agrees(lambda: layer(inputs), [inputs])
    assert ReLU.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("argument", ["max_value", "negative_slope", "threshold"])
def test_a_negative_number_is_refused_by_relu(argument: str) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be a finite number in "):
        ReLU(**{argument: -1.0})


def test_masked_numbers_have_no_part_in_a_softmax() -> None:
    mask = np.array([[True, False], [True, True], [False, False]])
    expected = [[1, 0], [0.8807970779778823, 0.11920292202211755], [0, 0]]  # Keras 3
    np.testing.assert_allclose(Softmax()(STEPS, mask=mask), expected, rtol=1e-7)
    inputs, layer = STEPS.copy(), Softmax()
    assert_pullback_agrees(lambda: layer(inputs, mask=mask), [inputs])


def test_a_softmax_over_several_axes_adds_up_to_one_over_them() -> None:
    expected = [[0.0315496332, 0.6336913226], [0.0857607946, 0.0116064615], [0.2331220096, 0.0042697785]]  # Keras 3
    layer = Softmax(axis=[0, 1])
    np.testing.assert_allclose(layer(STEPS), expected, rtol=1e-7)
    inputs = STEPS.copy()
    assert_pullback_agrees(lambda: layer(inputs), [inputs])
    assert Softmax.from_config(layer.get_config()).axis == [0, 1]


def test_a_mask_that_does_not_fit_a_softmax_is_refused() -> None:
    with pytest.raises(ValueError, match="must have the shape of the inputs, up to axes of size 1"):
        Softmax()(draw(2, 3, 4), mask=np.ones((2, 3), bool))


@pytest.mark.parametrize("axis", ["1", 1.5, None, True, []])
def test_an_axis_of_softmax_that_is_no_integer_is_refused(axis: Any) -> None:
    with pytest.raises(TypeError, match="`axis` must be an integer or a list of integers"):
        Softmax(axis)


def test_activations_hand_the_mask_on_and_know_their_shape() -> None:
    ids = np.array([[3, 0, 1]])
    for layer in (Activation("tanh"), ReLU()):
        np.testing.assert_array_equal(mask_of(layer(Embedding(4, 2, mask_zero=True)(ids))), ids != 0)
    assert Sequential([Embedding(4, 2, input_length=3), Activation("relu"), Softmax()]).output_shape == (None, 3, 2)
