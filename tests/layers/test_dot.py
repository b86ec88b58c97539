"""`Dot`: products along chosen axes, cosines, pullbacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Dot, Embedding, Input, layers

Array = np.ndarray[Any, Any]

# Shapes of the inputs, axes, and the sum as einsum writes it.
CASES: list[tuple[tuple[int, ...], tuple[int, ...], Any, str]] = [
    ((5, 3), (5, 3), 1, "bi,bi->b"),
    ((5, 3), (5, 3), -1, "bi,bi->b"),
    ((5, 3), (5, 4, 3), (1, 2), "bi,bji->bj"),
    ((5, 4, 3), (5, 3), (2, 1), "bji,bi->bj"),
    ((5, 4, 3), (5, 2, 3), 2, "bji,bki->bjk"),
    ((5, 3, 4), (5, 3, 2), 1, "bij,bik->bjk"),
    ((5, 3, 4), (5, 2, 3), (1, 2), "bij,bki->bjk"),
    ((5, 2, 4, 3), (5, 3), (3, 1), "bkji,bi->bkj"),
    ((5, 2, 3, 2), (5, 4, 3), (2, -1), "bkil,bji->bklj"),
    ((5, 1, 3), (5, 4, 3), -1, "bji,bki->bjk"),
]


def draw(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape)


def as_unit(array: Array, axis: int) -> Array:
    return np.asarray(array / np.linalg.norm(array, axis=axis, keepdims=True))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("left", "right", "axes", "formula"), CASES)
def test_the_product_is_the_sum_that_einsum_writes(
    left: Any, right: Any, axes: Any, formula: str, normalize: bool
) -> None:
    one, other = draw(*left), draw(*right)
    output = Dot(axes, normalize)([one, other])
    if normalize:
        pair = axes if isinstance(axes, tuple) else (axes, axes)
        one, other = as_unit(one, pair[0]), as_unit(other, pair[1])
    expected = np.einsum(formula, one, other)
    np.testing.assert_allclose(output, expected.reshape(output.shape), atol=1e-12)
    assert output.shape == (expected.shape if expected.ndim > 1 else (len(one), 1))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("left", "right", "axes", "formula"), CASES)
def test_the_pullback_agrees_with_differences(left: Any, right: Any, axes: Any, formula: str, normalize: bool) -> None:
    inputs, layer = [draw(*left), draw(*right)], Dot(axes, normalize)
    assert_pullback_agrees(lambda: layer(inputs), inputs)


@pytest.mark.parametrize(("left", "right", "axes", "formula"), CASES)
def test_the_declared_shape_is_that_of_the_output(left: Any, right: Any, axes: Any, formula: str) -> None:
    layer = Dot(axes)
    assert layer.compute_output_shape([left, right]) == layer([draw(*left), draw(*right)]).shape


def test_a_vector_of_zeros_has_cosine_zero() -> None:
    np.testing.assert_array_equal(Dot(1, True)([np.zeros((2, 3)), np.ones((2, 3))]), np.zeros((2, 1)))


def test_one_array_on_both_sides_receives_both_gradients() -> None:
    inputs, layer = draw(4, 3), Dot(1)
    assert_pullback_agrees(lambda: layer([inputs, inputs]), [inputs])


def test_one_table_on_both_sides_receives_both_gradients() -> None:
    embedding, layer = Embedding(6, 3, dtype="float64"), Dot(-1)
    target, context = np.array([1, 2]), np.array([[1, 3], [2, 2]])
    assert_pullback_agrees(lambda: layer([embedding(target[:, None]), embedding(context)]), [embedding.embeddings])


def test_an_empty_batch_is_no_error() -> None:
    assert Dot(1)([np.ones((0, 3)), np.ones((0, 3))]).shape == (0, 1)


@pytest.mark.parametrize("axes", ["1", 1.0, True, None, (1, 2, 3), (1, "2"), (True, 1), ()])
def test_axes_that_are_no_integers_are_refused(axes: Any) -> None:
    with pytest.raises(TypeError, match=r"`axes` must be an integer or a pair of integers\. Received: "):
        Dot(axes)


@pytest.mark.parametrize("axes", [0, (1, 0), 2, (1, -2), -3])
def test_the_batch_axis_and_axes_that_do_not_exist_are_refused(axes: Any) -> None:
    with pytest.raises(ValueError, match=r"must be axes of its inputs other than the batch axis\. Received: axes="):
        Dot(axes)([np.ones((3, 3)), np.ones((3, 3))])


def test_summed_axes_of_different_sizes_are_refused_eagerly_and_symbolically() -> None:
    with pytest.raises(ValueError, match=r"summed axes of a Dot layer must agree in size\. Received: "):
        Dot(1)([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ValueError, match=r"summed axes of a Dot layer must agree in size\. Received: "):
        Dot(1)([Input((3,)), Input((4,))])


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_inputs_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=rf"A Dot layer needs two inputs\. Received: {count}"):
        Dot(1)([np.ones((2, 3))] * count)


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_a_normalize_that_is_no_bool_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="`normalize` must be a bool"):
        Dot(1, value)


def test_a_config_of_keras_is_read() -> None:
    layer = Dot.from_config({"name": "dot", "trainable": True, "dtype": "float32", "axes": [2, 1], "normalize": True})
    assert (tuple(layer.axes), layer.normalize) == ((2, 1), True)
    assert Dot.from_config(layer.get_config()).get_config() == layer.get_config()


def test_the_function_form_takes_axes_and_normalize() -> None:
    inputs = [draw(5, 3), draw(5, 3)]
    np.testing.assert_array_equal(layers.dot(inputs, axes=1, normalize=True), Dot(1, True)(inputs))
