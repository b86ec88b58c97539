"""`Flatten`, `Reshape`, `Permute`, `RepeatVector` and `Concatenate`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Concatenate, Flatten, Input, Permute, RepeatVector, Reshape, layers

Array = np.ndarray[Any, Any]


def draw(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape)


@pytest.mark.parametrize(
    ("shape", "flat"), [((2, 3, 4), (2, 12)), ((2, 3), (2, 3)), ((2,), (2, 1)), ((0, 3, 4), (0, 12)), ((2, 0), (2, 0))]
)
def test_flatten_joins_all_axes_but_the_first(shape: tuple[int, ...], flat: tuple[int, int]) -> None:
    inputs = draw(*shape)
    output = Flatten()(inputs)
    assert output.shape == flat
    np.testing.assert_array_equal(output.reshape(-1), inputs.reshape(-1))


def test_the_pullback_of_flatten_agrees_with_differences() -> None:
    inputs, layer = draw(2, 3, 2), Flatten()
    assert_pullback_agrees(lambda: layer(inputs), [inputs])


@pytest.mark.parametrize(
    ("received", "expected"),
    [((None, 10, 8), (None, 80)), ((4, 10, 8), (4, 80)), ((None, None, 8), (None, None)), ((None,), (None, 1))],
)
def test_the_shape_of_flatten_is_open_where_a_length_is(received: Any, expected: Any) -> None:
    assert Flatten().compute_output_shape(received) == expected


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        (-1, [(2, 3), (2, 4)]),
        (1, [(2, 3, 2), (2, 1, 2), (2, 2, 2)]),
        (-2, [(2, 3, 2), (2, 1, 2)]),
        (0, [(2, 3), (1, 3)]),
    ],
)
def test_concatenate_joins_along_its_axis_and_is_differentiated(axis: int, shapes: list[tuple[int, ...]]) -> None:
    inputs, layer = [draw(*shape) for shape in shapes], Concatenate(axis)
    np.testing.assert_array_equal(layer(inputs), np.concatenate(inputs, axis))
    assert_pullback_agrees(lambda: layer(inputs), inputs)


@pytest.mark.parametrize(
    ("axis", "shapes", "expected"),
    [
        (-1, [(None, 3), (None, 4)], (None, 7)),
        (1, [(None, 3, 2), (None, 5, 2)], (None, 8, 2)),
        (1, [(None, None, 2), (None, 5, 2)], (None, None, 2)),
    ],
)
def test_the_shape_of_concatenate_adds_the_sizes_up(axis: int, shapes: Any, expected: Any) -> None:
    assert Concatenate(axis).compute_output_shape(shapes) == expected


def test_shapes_that_differ_elsewhere_are_refused_when_the_model_is_defined() -> None:
    with pytest.raises(ValueError, match=r"inputs that agree except on axis -1\. Received: "):
        Concatenate()([Input((3, 2)), Input((4, 2))])


@pytest.mark.parametrize("axis", [True, 1.0, "1", None])
def test_an_axis_that_is_no_integer_is_refused(axis: Any) -> None:
    with pytest.raises(TypeError, match=r"`axis` must be an integer\. Received: "):
        Concatenate(axis)


@pytest.mark.parametrize(
    ("cls", "own"),
    [
        (Flatten, {"data_format": "channels_last"}),
        (Concatenate, {"axis": 1}),
        (Reshape, {"target_shape": [2, -1]}),
        (Permute, {"dims": [2, 1]}),
        (RepeatVector, {"n": 2}),
    ],
)
def test_configs_of_keras_and_our_own_are_read(cls: Any, own: dict[str, Any]) -> None:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    layer = cls.from_config({"name": "layer_of_keras", "trainable": True, "dtype": policy, **own})
    assert layer.name == "layer_of_keras"
    assert cls.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("target", "expected"), [((3, 4), (2, 3, 4)), ((-1, 2, 2), (2, 3, 2, 2)), ((12,), (2, 12)), (12, (2, 12))]
)
def test_reshape_gives_every_sample_its_shape(target: Any, expected: tuple[int, ...]) -> None:
    inputs, layer = draw(2, 12), Reshape(target)
    np.testing.assert_array_equal(layer(inputs), inputs.reshape(expected))
    assert layer.compute_output_shape((None, 12)) == (None, *expected[1:])
    assert_pullback_agrees(lambda: layer(inputs), [inputs])


def test_the_shape_of_reshape_is_open_where_it_cannot_be_known() -> None:
    assert Reshape((-1, 2)).compute_output_shape((None, None, 4)) == (None, None, 2)
    assert Reshape((3, 2))(Input((None,))).shape == (None, 3, 2)


@pytest.mark.parametrize("target", [(5,), (-1, 5), (0, -1)])
def test_a_shape_of_another_size_is_refused(target: Any) -> None:
    with pytest.raises(ValueError, match="must hold as many elements as a sample of its input"):
        Reshape(target)(draw(2, 12))


@pytest.mark.parametrize(("target", "error"), [((-1, -1), ValueError), ((-2,), ValueError), ("3", TypeError)])
def test_a_target_that_is_no_shape_is_refused(target: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="`target_shape` must "):
        Reshape(target)


def test_an_empty_batch_is_reshaped() -> None:
    assert Reshape((2, -1))(np.ones((0, 6))).shape == (0, 2, 3)


def test_permute_reorders_the_axes_of_a_sample() -> None:
    inputs, layer = draw(2, 3, 4, 5), Permute((3, 1, 2))
    np.testing.assert_array_equal(layer(inputs), inputs.transpose(0, 3, 1, 2))
    assert layer.compute_output_shape((None, 3, None, 5)) == (None, 5, 3, None)
    assert_pullback_agrees(lambda: layer(inputs), [inputs])


def test_dims_that_are_no_permutation_and_inputs_of_another_rank_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`dims` must hold each of the numbers from 1 on once\. Received: "):
        Permute((0, 1))
    with pytest.raises(ValueError, match="needs inputs with 2 axes behind the batch axis"):
        Permute((2, 1))(draw(2, 3))


def test_repeated_vectors_become_steps_and_their_gradients_add_up() -> None:
    inputs, layer = draw(2, 3), RepeatVector(4)
    np.testing.assert_array_equal(layer(inputs), np.stack([inputs] * 4, axis=1))
    assert layer.compute_output_shape((None, 3)) == (None, 4, 3)
    assert_pullback_agrees(lambda: layer(inputs), [inputs])
    with pytest.raises(ValueError, match=r"needs inputs of the shape \(batch_size, features\)"):
        layer(draw(2, 3, 4))


def test_concatenate_knows_the_sizes_that_any_of_its_inputs_knows() -> None:
    assert Concatenate().compute_output_shape([(None, None, 2), (4, 5, 3)]) == (4, 5, 5)


def test_concatenate_takes_one_input_and_refuses_none() -> None:
    np.testing.assert_array_equal(Concatenate()([np.ones((2, 3))]), np.ones((2, 3)))
    with pytest.raises(ValueError, match="at least one input"):
        Concatenate()([])


def test_the_function_form_of_concatenate_takes_its_axis() -> None:
    inputs = [draw(2, 3), draw(2, 3)]
    np.testing.assert_array_equal(layers.concatenate(inputs, axis=1), np.hstack(inputs))
