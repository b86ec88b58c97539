"""`Dense`: value, pullback, regularizers, constraints, arguments, configs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees
from reference import assert_close

from fastembed_layer import Dense, constraints, optimizers

Array = np.ndarray[Any, Any]

ACTIVATIONS = {
    None: lambda total: total,
    "linear": lambda total: total,
    "relu": lambda total: np.maximum(total, 0),
    "sigmoid": lambda total: 1 / (1 + np.exp(-total)),
    "tanh": np.tanh,
    "softmax": lambda total: np.exp(total) / np.exp(total).sum(axis=-1, keepdims=True),
}


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_output_is_the_activated_product_with_bias(activation: str | None) -> None:
    layer, inputs = Dense(3, activation, bias_initializer="ones"), draw(5, 4)
    output = layer(inputs)
    kernel, bias = layer.get_weights()
    assert output.dtype == np.float32
    assert_close(output, ACTIVATIONS[activation](inputs @ kernel.astype(float) + bias), 1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4), (1, 2, 3, 4)])
def test_the_pullback_agrees_with_differences(activation: str | None, use_bias: bool, shape: tuple[int, ...]) -> None:
    layer, inputs = Dense(3, activation, use_bias, dtype="float64"), draw(*shape)
    layer(inputs)
    assert_pullback_agrees(lambda: layer(inputs), [inputs, *layer.weights])


def test_an_activation_of_ones_own_returns_its_pullback_too() -> None:
    layer = Dense(3, lambda total: (total**2, lambda d_output: 2 * total * d_output), dtype="float64")
    inputs = draw(5, 4)
    layer(inputs)
    assert_pullback_agrees(lambda: layer(inputs), [inputs, *layer.weights])


def test_an_empty_batch_is_no_error() -> None:
    assert Dense(3)(np.ones((0, 4))).shape == (0, 3)


def test_without_bias_there_is_one_weight() -> None:
    layer = Dense(3, use_bias=False)
    layer(draw(2, 4))
    assert [weight.name for weight in layer.weights] == ["kernel"]


def test_the_kernel_is_drawn_by_the_glorot_rule_and_the_bias_is_zero() -> None:
    layer = Dense(300)
    layer(draw(1, 200))
    kernel, bias = layer.get_weights()
    limit = np.sqrt(6 / 500)
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    assert not bias.any()


def test_a_half_precision_output_is_possible() -> None:
    layer = Dense(3, dtype="mixed_float16")
    assert layer(draw(2, 4)).dtype == np.float16
    assert layer.weights[0].dtype == np.float32


def test_the_regularizer_of_the_kernel_is_a_loss() -> None:
    layer, inputs = Dense(3, kernel_regularizer="l1", dtype="float64"), draw(2, 4)
    layer(inputs)
    assert layer.losses[0] == pytest.approx(0.01 * np.abs(layer.get_weights()[0]).sum())
    assert_pullback_agrees(lambda: layer.losses[0], [layer.weights[0]])


def test_the_kernel_is_projected_after_an_update() -> None:
    layer = Dense(3, kernel_constraint=constraints.NonNeg())
    layer(draw(2, 4))
    kernel = layer.weights[0]
    optimizers.SGD(1.0).apply_gradients([(np.ones((4, 3)), kernel)])
    assert (kernel.value >= 0).all()


def test_building_again_keeps_the_weights() -> None:
    layer = Dense(3)
    layer.build((None, 4))
    layer.set_weights([np.ones((4, 3)), np.zeros(3)])
    np.testing.assert_array_equal(layer(np.ones((1, 4))), [[4.0] * 3])


@pytest.mark.parametrize("shape", [None, (None, None)])
def test_an_unknown_last_size_is_refused_with_the_remedy(shape: Any) -> None:
    with pytest.raises(ValueError, match=r"last dimension .* should be defined\. Found None\..*input_length="):
        Dense(3).build(shape)


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-3, ValueError), (True, TypeError), (2.0, TypeError), ("3", TypeError), (None, TypeError)],
)
def test_wrong_units_are_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`units` must be a positive integer\. Received: units="):
        Dense(value)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(TypeError, match="`use_bias` must be a bool"):
        Dense(3, use_bias=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Unknown activation: 'rleu'\. Did you mean 'relu'"):
        Dense(3, "rleu")
    with pytest.raises(TypeError, match="`kernel_initializer` must be an initializer"):
        Dense(3, kernel_initializer=None)
    with pytest.raises(ValueError, match="Unknown regularizer"):
        Dense(3, kernel_regularizer="l3")


def test_inputs_of_another_width_are_refused() -> None:
    layer = Dense(3)
    layer(draw(2, 4))
    with pytest.raises(ValueError, match="mismatch"):
        layer(draw(2, 5))


KERAS_3 = {
    "name": "dense",
    "trainable": True,
    "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None},
    "units": 3,
    "activation": "relu",
    "use_bias": True,
    "kernel_initializer": {
        "module": "keras.initializers",
        "class_name": "GlorotUniform",
        "config": {"seed": None, "input_axes": None, "output_axes": None},
        "registered_name": None,
    },
    "bias_initializer": {
        "module": "keras.initializers",
        "class_name": "Zeros",
        "config": {},
        "registered_name": None,
    },
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
    "quantization_config": None,
}
KERAS_2 = {
    "name": "dense",
    "trainable": True,
    "dtype": "float32",
    "units": 3,
    "activation": "relu",
    "use_bias": True,
    "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
    "bias_initializer": {"class_name": "Zeros", "config": {}},
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}


@pytest.mark.parametrize("config", [KERAS_2, KERAS_3], ids=["tf.keras 2", "keras 3"])
def test_a_config_of_keras_is_read(config: dict[str, Any]) -> None:
    layer = Dense.from_config(config)
    assert layer(draw(2, 4)).min() >= 0


def test_a_config_makes_an_equal_layer() -> None:
    layer = Dense(3, "tanh", False, kernel_regularizer="l2", activity_regularizer="l1", kernel_constraint="non_neg")
    assert Dense.from_config(layer.get_config()).get_config() == layer.get_config()
