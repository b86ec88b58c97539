"""Layers that join several arrays element by element: values, broadcasting, masks and pullbacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import (
    Add,
    Average,
    Dense,
    Embedding,
    Flatten,
    Input,
    Maximum,
    Minimum,
    Model,
    Multiply,
    Subtract,
    layers,
)
from fastembed_layer.layers.masks import mask_of

Array = np.ndarray[Any, Any]

FORMULAS: dict[Any, Any] = {
    Add: lambda arrays: sum(arrays[1:], arrays[0]),
    Subtract: lambda arrays: arrays[0] - arrays[1],
    Multiply: lambda arrays: np.multiply.reduce(arrays),
    Average: lambda arrays: np.mean(arrays, axis=0),
    Maximum: lambda arrays: np.max(arrays, axis=0),
    Minimum: lambda arrays: np.min(arrays, axis=0),
}
ALL = pytest.mark.parametrize("cls", FORMULAS, ids=lambda cls: cls.__name__)


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def draw_for(cls: Any) -> list[Array]:
    return [draw(2, 3, 4, seed=seed) for seed in range(2 if cls is Subtract else 3)]


@ALL
def test_the_output_follows_the_formula(cls: Any) -> None:
    inputs = draw_for(cls)
    np.testing.assert_allclose(cls()(inputs), FORMULAS[cls](inputs), rtol=1e-12)


@ALL
def test_the_pullback_agrees_with_differences(cls: Any) -> None:
    inputs, layer = draw_for(cls), cls()
    assert_pullback_agrees(lambda: layer(inputs), inputs)


@ALL
def test_fewer_axes_are_filled_up_behind_the_batch_and_sizes_of_one_repeated(cls: Any) -> None:
    inputs, layer = [draw(2, 3), draw(2, 4, 1, seed=1)], cls()
    expected = FORMULAS[cls](list(np.broadcast_arrays(inputs[0][:, None, :], inputs[1])))
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-12)
    assert layer.compute_output_shape([(None, 3), (2, 4, 1)]) == (2, 4, 3)
    assert_pullback_agrees(lambda: layer(inputs), inputs)


@ALL
def test_the_type_of_the_output_is_that_of_the_inputs(cls: Any) -> None:
    assert cls()([np.ones((2, 3), np.float32)] * 2).dtype == np.float32


@ALL
def test_one_array_twice_receives_both_gradients(cls: Any) -> None:
    inputs, layer = draw(2, 3), cls()
    if cls in (Maximum, Minimum):  # equal values have no two-sided derivative apart from being one array
        np.testing.assert_array_equal(layer([inputs, inputs]), inputs)
    assert_pullback_agrees(lambda: layer([inputs, inputs]), [inputs])


@ALL
def test_an_empty_batch_is_no_error(cls: Any) -> None:
    assert cls()([np.ones((0, 3)), np.ones((0, 3))]).shape == (0, 3)


# Of Keras 3 with the torch backend: the outputs for two inputs with masks, and for one with and one without.
LEFT = np.array([[[1.0, 4.0], [2.0, 0.0], [3.0, -1.0]], [[0.0, 2.0], [5.0, 5.0], [-2.0, 1.0]]])
RIGHT = np.array([[[3.0, 1.0], [2.0, 1.0], [0.0, 0.0]], [[7.0, 2.0], [1.0, 4.0], [9.0, -3.0]]])
LEFT_MASK = np.array([[True, True, False], [True, False, False]])
RIGHT_MASK = np.array([[True, False, False], [False, True, False]])
MASKED: dict[Any, tuple[Any, Any]] = {
    Add: (
        [[[4, 5], [4, 1], [3, -1]], [[7, 4], [6, 9], [7, -2]]],
        [[[4, 5], [4, 1], [3, -1]], [[7, 4], [6, 9], [7, -2]]],
    ),
    Multiply: (
        [[[3, 4], [2, 0], [0, 0]], [[0, 2], [1, 4], [0, 0]]],
        [[[3, 4], [4, 0], [0, 0]], [[0, 4], [1, 4], [9, -3]]],
    ),
    Maximum: (
        [[[3, 4], [2, 0], [3, -1]], [[0, 2], [1, 4], [-2, 1]]],
        [[[3, 4], [2, 1], [0, 0]], [[7, 2], [1, 4], [9, -3]]],
    ),
    Minimum: (
        [[[1, 1], [2, 0], [3, -1]], [[0, 2], [1, 4], [-2, 1]]],
        [[[1, 1], [2, 0], [0, 0]], [[0, 2], [1, 4], [9, -3]]],
    ),
}


@pytest.mark.parametrize("cls", MASKED, ids=lambda cls: cls.__name__)
def test_masked_steps_count_as_in_keras(cls: Any) -> None:
    both, one = MASKED[cls]
    np.testing.assert_array_equal(cls()([LEFT, RIGHT], mask=[LEFT_MASK, RIGHT_MASK]), both)
    np.testing.assert_array_equal(cls()([LEFT, RIGHT], mask=[LEFT_MASK, None]), one)


@pytest.mark.parametrize("masks", [[LEFT_MASK, RIGHT_MASK], [LEFT_MASK, None], [None, RIGHT_MASK]])
@ALL
def test_the_pullback_of_masked_inputs_agrees_with_differences(cls: Any, masks: Any) -> None:
    inputs, layer = [draw(2, 3, 2), draw(2, 3, 2, seed=1)], cls()
    assert_pullback_agrees(lambda: layer(inputs, mask=masks), inputs)


@ALL
def test_the_output_is_masked_where_all_inputs_are(cls: Any) -> None:
    embedding, plain, ids = Embedding(4, 2, mask_zero=True), Embedding(4, 2), np.array([[3, 0, 1], [0, 0, 2]])
    output = cls()([embedding(ids), embedding(ids[::-1])])
    np.testing.assert_array_equal(mask_of(output), (ids != 0) | (ids[::-1] != 0))
    assert mask_of(cls()([embedding(ids), plain(ids)])) is None


def test_a_functional_model_knows_whether_the_output_is_masked() -> None:
    ids = Input((3,), dtype="int64")
    masked, plain = Embedding(4, 2, mask_zero=True)(ids), Embedding(4, 2)(ids)
    assert Flatten()(Add()([masked, plain])).shape == (None, 6)
    with pytest.raises(TypeError, match="does not support masking"):
        Flatten()(Add()([masked, masked]))


@pytest.mark.parametrize("cls", [Maximum, Minimum])
def test_equal_values_share_the_gradient_as_in_keras(cls: Any) -> None:
    inputs = [LEFT, RIGHT]
    _, pull_back = cls().forward(inputs)
    left, right = pull_back(np.ones_like(LEFT)).inputs
    np.testing.assert_array_equal(left[LEFT == RIGHT], 0.5)
    np.testing.assert_array_equal(left + right, np.ones_like(LEFT))


@ALL
def test_a_functional_model_computes_what_the_layer_does(cls: Any) -> None:
    one, other = Input((3,)), Input((3,))
    model = Model([one, other], cls()([one, other]))
    inputs = [draw(4, 3).astype(np.float32), draw(4, 3, seed=1).astype(np.float32)]
    assert model.output_shape == (None, 3)
    np.testing.assert_allclose(model(inputs), cls()(inputs))


@ALL
def test_the_function_form_is_the_layer_called(cls: Any) -> None:
    inputs = [draw(2, 3), draw(2, 3, seed=1)]
    np.testing.assert_array_equal(getattr(layers, cls.__name__.lower())(inputs), cls()(inputs))
    assert getattr(layers, cls.__name__.lower())([Input((3,)), Input((3,))], name="here").layer.name == "here"


@ALL
def test_a_config_of_keras_and_our_own_are_read(cls: Any) -> None:
    layer = cls.from_config({"name": "joined", "trainable": True, "dtype": "float32"})
    assert layer.name == "joined"
    assert cls.from_config(layer.get_config()).get_config() == layer.get_config()


@ALL
def test_what_is_no_list_of_inputs_is_refused(cls: Any) -> None:
    rule = rf"A {cls.__name__} layer needs a list of .* in one argument\. Received: "
    with pytest.raises(ValueError, match=rule):
        cls()(draw(2, 3))
    with pytest.raises(ValueError, match=rule):
        cls()([])
    with pytest.raises(ValueError, match=rule):
        cls()(Input((3,)))


def test_subtract_takes_two_inputs() -> None:
    with pytest.raises(ValueError, match=r"A Subtract layer needs a list of 2 inputs"):
        Subtract()([draw(2, 3)] * 3)


def test_shapes_that_do_not_fit_are_refused_when_called_and_when_defined() -> None:
    for inputs in ([draw(2, 3), draw(2, 4)], [Input((3,)), Input((4,))]):
        with pytest.raises(ValueError, match="needs inputs whose sizes agree, or are 1, on every axis"):
            Add()(inputs)
    with pytest.raises(ValueError, match="needs inputs of one batch size"):
        Add()([draw(2, 3), draw(3, 3)])


def test_a_residual_connection_is_trained() -> None:
    inputs, dense, layer = draw(2, 3), Dense(3, dtype="float64"), Add()
    dense(inputs)
    assert dense.kernel is not None
    assert_pullback_agrees(lambda: layer([inputs, dense(inputs)]), [inputs, dense.kernel])
