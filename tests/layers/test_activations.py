"""Activations, judged by float64 formulas and by finite differences."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as st_numpy
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fastembed_layer.layers import activations

Array = np.ndarray[Any, Any]

FORMULAS = {
    "linear": lambda x: x,
    "relu": lambda x: x * (x > 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
    "tanh": lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1),
}
every_name = pytest.mark.parametrize("name", FORMULAS)
batches = st_numpy.arrays(np.float64, (2, 3), elements=st.floats(-20, 20))


@every_name
@given(inputs=batches)
def test_output_equals_the_formula(name: str, inputs: Array) -> None:
    output, _ = activations.get(name)(inputs)
    np.testing.assert_allclose(output, FORMULAS[name](inputs), rtol=1e-9, atol=1e-15)


@every_name
@given(inputs=batches, d_output=batches)
def test_pullback_equals_finite_differences(name: str, inputs: Array, d_output: Array) -> None:
    inputs = np.where(abs(inputs) < 1e-3, 1.0, inputs)  # off the kink of relu
    _, pull_back = activations.get(name)(inputs)
    expected, step = np.empty_like(inputs), 1e-5
    for index in np.ndindex(inputs.shape):
        moved = np.zeros_like(inputs)
        moved[index] = step
        difference = FORMULAS[name](inputs + moved) - FORMULAS[name](inputs - moved)
        expected[index] = np.sum(d_output * difference) / (2 * step)
    np.testing.assert_allclose(pull_back(d_output), expected, rtol=1e-5, atol=1e-6)


@every_name
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4), (0, 3)])
def test_shape_and_dtype_are_kept(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    output, pull_back = activations.get(name)(np.ones(shape, dtype))
    d_inputs = pull_back(np.ones(shape, dtype))
    assert (output.shape, output.dtype) == (shape, np.dtype(dtype))
    assert (d_inputs.shape, d_inputs.dtype) == (shape, np.dtype(dtype))


@every_name
def test_large_inputs_do_not_overflow(name: str) -> None:
    output, pull_back = activations.get(name)(np.array([[1e4, -1e4, 0.0]], "float32"))
    assert np.isfinite(output).all()
    assert np.isfinite(pull_back(np.ones_like(output))).all()


def test_sigmoid_of_large_negative_inputs_keeps_its_relative_precision() -> None:
    output, _ = activations.sigmoid(np.array([-80.0], "float32"))
    np.testing.assert_allclose(output, np.exp(-80.0), rtol=1e-5)


def test_relu_has_slope_zero_at_zero() -> None:
    _, pull_back = activations.relu(np.zeros(2))
    np.testing.assert_array_equal(pull_back(np.ones(2)), [0, 0])


@every_name
def test_inputs_and_gradients_are_left_as_they_are(name: str) -> None:
    inputs, d_output = np.array([[-1.0, 2.0]]), np.array([[3.0, 4.0]])
    inputs.flags.writeable = d_output.flags.writeable = False
    _, pull_back = activations.get(name)(inputs)
    np.testing.assert_array_equal(pull_back(d_output), pull_back(d_output))


@every_name
def test_name_is_kept_by_serialize_and_get(name: str) -> None:
    assert activations.serialize(activations.get(name)) == name


def test_none_is_linear_and_a_function_is_itself() -> None:
    def double(inputs: Array) -> tuple[Array, activations.PullBack]:
        return 2 * inputs, lambda d_output: 2 * d_output

    assert activations.get(None) is activations.linear
    assert activations.get(double) is double
    with pytest.raises(ValueError, match="has no name"):
        activations.serialize(double)


@pytest.mark.parametrize(
    ("identifier", "error", "words"),
    [
        ("rellu", ValueError, "Did you mean 'relu'"),
        ("gelu", ValueError, "Unknown activation: 'gelu'"),
        (3, TypeError, "Received: 3"),
        (True, TypeError, "Received: True"),
        (int, TypeError, "Received: <class 'int'>"),
    ],
)
def test_an_unknown_activation_is_refused(identifier: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        activations.get(identifier)
