"""`Dropout`: random zeros while training, nothing otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dropout, GradientTape, initializers


def test_without_training_the_output_is_the_input() -> None:
    inputs = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(Dropout(0.5)(inputs), inputs)
    np.testing.assert_array_equal(Dropout(0.0)(inputs, training=True), inputs)


def test_while_training_a_share_is_zero_and_the_rest_is_scaled_up() -> None:
    output = Dropout(0.25, seed=1)(np.ones((100, 100)), training=True)
    assert set(np.unique(output)) == {0.0, 1 / 0.75}
    assert abs((output == 0).mean() - 0.25) < 0.02


def test_a_rate_of_one_gives_zeros() -> None:
    assert not Dropout(1.0)(np.ones(9), training=True).any()


def test_every_call_draws_anew_and_a_seed_repeats_the_sequence() -> None:
    layers, inputs = [Dropout(0.5, seed=3), Dropout(0.5, seed=3)], np.ones(100)
    runs = [[layer(inputs, training=True).tolist() for _ in range(2)] for layer in layers]
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[0][1]


def test_the_default_seed_follows_set_seed() -> None:
    outputs = []
    for _ in range(2):
        initializers.set_seed(5)
        outputs.append(Dropout(0.5)(np.ones(100), training=True).tolist())
    initializers.set_seed(None)
    assert outputs[0] == outputs[1]


def test_the_pullback_uses_the_same_zeros() -> None:
    layer, inputs = Dropout(0.5, seed=2), np.ones(50)
    with GradientTape() as tape:
        output = layer(inputs, training=True)
    np.testing.assert_array_equal(tape.gradient(output, inputs), output)


def test_the_pullback_without_training_hands_the_gradient_on() -> None:
    layer, inputs = Dropout(0.5), np.ones(50)
    with GradientTape() as tape:
        output = layer(inputs)
    np.testing.assert_array_equal(tape.gradient(output, inputs), inputs)


@pytest.mark.parametrize("noise_shape", [(None, 1, None), (2, 1, 4)])
def test_a_noise_shape_shares_the_zeros_along_an_axis(noise_shape: Any) -> None:
    output = Dropout(0.5, noise_shape, seed=4)(np.ones((2, 30, 4)), training=True)
    assert (output == output[:, :1]).all()


def test_a_noise_shape_of_another_rank_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"`noise_shape` must have one entry per axis .*\(2, 3, 4\)\. Received: \(None, 1\)"
    ):
        Dropout(0.5, (None, 1))(np.ones((2, 3, 4)), training=True)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-0.1, ValueError),
        (1.1, ValueError),
        (math.nan, ValueError),
        (True, TypeError),
        ("0.5", TypeError),
        (None, TypeError),
    ],
)
def test_a_wrong_rate_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`rate` must be .*Received: rate="):
        Dropout(value)


@pytest.mark.parametrize("seed", ["a", 1.5, True])
def test_a_wrong_seed_is_refused(seed: Any) -> None:
    with pytest.raises(TypeError, match=r"`seed` must be an integer or None\. Received: "):
        Dropout(0.5, seed=seed)


def test_a_wrong_noise_shape_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`noise_shape` must be a tuple of integers and None\. Received: 'a'"):
        Dropout(0.5, "a")


def test_a_config_of_keras_is_read() -> None:
    config = {"name": "dropout", "trainable": True, "dtype": "float32", "rate": 0.5, "seed": None, "noise_shape": None}
    layer = Dropout.from_config(config)
    assert Dropout.from_config(layer.get_config()).get_config() == layer.get_config()
