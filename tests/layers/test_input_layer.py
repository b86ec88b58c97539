"""`InputLayer`: an input that stands first in a list of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dense, Input, InputLayer, Sequential


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"shape": (4,)}, (None, 4)),
        ({"shape": (4,), "batch_size": 2}, (2, 4)),
        ({"batch_shape": (None, 4)}, (None, 4)),
        ({"input_shape": (4,)}, (None, 4)),
        ({"batch_input_shape": (2, 4)}, (2, 4)),
    ],
)
def test_every_way_to_give_the_shape_builds_the_model(arguments: Any, expected: Any) -> None:
    layer = InputLayer(**arguments)
    model = Sequential([layer, Dense(3)])
    assert layer.batch_shape == layer.output.shape == model.input_shape == expected
    assert model.output_shape == (expected[0], 3)
    assert [type(part) for part in model.layers] == [Dense]


def test_a_model_with_an_input_layer_is_read_back() -> None:
    model = Sequential([InputLayer((4,), dtype="float32"), Dense(3)])
    assert Sequential.from_config(model.get_config()).output_shape == (None, 3)


def test_a_config_of_keras_and_our_own_are_read() -> None:
    config = {"batch_shape": [None, 3], "dtype": "float32", "sparse": False, "ragged": False, "name": "ids"}
    layer = InputLayer.from_config(config | {"optional": False})
    assert (layer.name, layer.batch_shape) == ("ids", (None, 3))
    assert InputLayer.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    "arguments", [{}, {"shape": (3,), "batch_shape": (None, 3)}, {"batch_size": 2, "batch_shape": (2, 3)}]
)
def test_no_shape_or_two_are_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match="Pass `shape`, with `batch_size` where it is fixed, or `batch_shape` alone"):
        InputLayer(**arguments)


def test_an_array_is_handed_on() -> None:
    np.testing.assert_array_equal(InputLayer((2,))(np.ones((3, 2))), np.ones((3, 2)))


def test_an_input_takes_the_shape_of_a_batch() -> None:
    tensor = Input(batch_shape=(4, None, 3), dtype="int64")
    assert (tensor.shape, tensor.ndim) == ((4, None, 3), 3)
    wrong: dict[str, Any]
    for wrong in ({"shape": (3,)}, {"batch_size": 4}):
        with pytest.raises(ValueError, match=r"You cannot pass both .* and `batch_shape` to an Input"):
            Input(batch_shape=(4, 3), **wrong)
