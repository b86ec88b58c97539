"""`Sequential`: adding, removing, building, nesting, configs of both Keras dialects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Dense, Dropout, Embedding, Flatten, GlobalAveragePooling1D, Input, Sequential

POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}


def test_layers_are_called_one_after_the_other() -> None:
    layers = [Embedding(9, 4), GlobalAveragePooling1D(), Dense(2)]
    ids = np.array([[1, 2], [3, 4]])
    expected: Any = ids
    for layer in layers:
        expected = layer(expected)
    np.testing.assert_array_equal(Sequential(layers)(ids), expected)


def test_layers_are_added_in_order_and_the_last_one_is_removed() -> None:
    model, dense = Sequential([Embedding(9, 4)]), Dense(2)
    model.add(dense)
    assert [type(layer) for layer in model.layers] == [Embedding, Dense]
    assert model.pop() is dense
    assert len(model.layers) == 1


def test_nothing_can_be_removed_from_an_empty_model() -> None:
    with pytest.raises(TypeError, match="There are no layers in the model"):
        Sequential().pop()


@pytest.mark.parametrize("thing", ["embedding", 3, None, Dense, lambda inputs: inputs], ids=str)
def test_what_is_no_layer_is_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"`layer` must be an instance of Layer\. Received: "):
        Sequential([thing])


def test_one_layer_cannot_be_added_twice() -> None:
    layer = Dropout(0.5)
    with pytest.raises(ValueError, match="need unique names"):
        Sequential([layer, layer])


def test_layers_are_built_as_soon_as_the_input_shape_is_known() -> None:
    model = Sequential([Embedding(9, 4, input_length=3), Flatten(), Dense(2)])
    assert model.count_params() == 36 + 12 * 2 + 2
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))


def test_an_input_declares_the_shape() -> None:
    model = Sequential([Input((3,), dtype="int32"), Embedding(9, 4), Flatten(), Dense(2)])
    assert model.output_shape == (None, 2)
    assert len(model.layers) == 3


def test_build_declares_the_shape() -> None:
    model = Sequential([Dense(2)])
    model.build((None, 5))
    assert model.count_params() == 12


def test_the_first_call_declares_the_shape() -> None:
    model = Sequential([Dense(2)])
    with pytest.raises(AttributeError, match="has never been called"):
        model.input_shape  # noqa: B018
    model(np.ones((3, 5)))
    assert model.input_shape == (None, 5)


def test_a_layer_that_does_not_fit_is_not_left_in_the_model() -> None:
    model = Sequential([Embedding(9, 4), Flatten()])
    with pytest.raises(ValueError, match="Found None"):
        model.add(Dense(1))
    assert len(model.layers) == 2


def test_models_nest() -> None:
    inner = Sequential([Embedding(9, 4, dtype="float64"), GlobalAveragePooling1D()])
    model = Sequential([inner, Dense(3, dtype="float64"), Sequential([Dense(2, "tanh", dtype="float64")])])
    ids = np.array([[1, 2], [3, 3]])
    assert model(ids).shape == (2, 2)
    assert len(model.weights) == 5
    assert_pullback_agrees(lambda: model(ids), model.weights)


def test_a_nested_model_that_begins_with_an_embedding_can_only_be_first() -> None:
    inner = Sequential([Embedding(9, 4)], name="inner")
    with pytest.raises(ValueError, match="can only be used as the first layer"):
        Sequential([Dense(3), inner])


def test_lists_of_numbers_are_inputs() -> None:
    model = Sequential([Embedding(9, 4), GlobalAveragePooling1D()])
    np.testing.assert_array_equal(model([[1, 2], [3, 4]]), model(np.array([[1, 2], [3, 4]])))
    assert model([[1, 2], [3], []]).shape == (3, 4)


def test_a_config_makes_an_equal_model() -> None:
    model = Sequential([Embedding(9, 4, input_length=3), Flatten(), Dense(2, "relu")], name="stack")
    twin = Sequential.from_config(model.get_config())
    assert twin.get_config() == model.get_config()
    assert twin.output_shape == (None, 2)


def test_the_declared_input_shape_is_part_of_the_config() -> None:
    model = Sequential([Input((3,), batch_size=2), Dense(2)])
    assert Sequential.from_config(model.get_config()).output_shape == (2, 2)


def test_a_config_of_a_nested_model_is_read() -> None:
    model = Sequential([Sequential([Embedding(9, 4), GlobalAveragePooling1D()]), Dense(2)])
    assert Sequential.from_config(model.get_config()).output_shape == (None, 2)


KERAS_3 = {
    "name": "sequential",
    "trainable": True,
    "dtype": POLICY,
    "layers": [
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {
                "batch_shape": [None, 10],
                "dtype": "int32",
                "sparse": False,
                "ragged": False,
                "name": "input_layer",
                "optional": False,
            },
            "registered_name": None,
        },
        {
            "module": "keras.layers",
            "class_name": "Embedding",
            "config": {
                "name": "embedding_3",
                "trainable": True,
                "dtype": POLICY,
                "input_dim": 1000,
                "output_dim": 4,
                "embeddings_initializer": {
                    "module": "keras.initializers",
                    "class_name": "RandomUniform",
                    "config": {"seed": None, "minval": -0.05, "maxval": 0.05},
                    "registered_name": None,
                },
                "embeddings_regularizer": None,
                "activity_regularizer": None,
                "embeddings_constraint": None,
                "mask_zero": False,
                "quantization_config": None,
            },
            "registered_name": None,
            "build_config": {"input_shape": [None, 10]},
        },
        {
            "module": "keras.layers",
            "class_name": "Flatten",
            "config": {"name": "flatten_1", "trainable": True, "dtype": POLICY, "data_format": "channels_last"},
            "registered_name": None,
            "build_config": {"input_shape": [None, 10, 4]},
        },
        {
            "module": "keras.layers",
            "class_name": "Dropout",
            "config": {
                "name": "dropout",
                "trainable": True,
                "dtype": POLICY,
                "rate": 0.5,
                "seed": None,
                "noise_shape": None,
            },
            "registered_name": None,
        },
    ],
    "build_input_shape": [None, 10],
}
KERAS_2 = {
    "name": "sequential",
    "layers": [
        {
            "class_name": "InputLayer",
            "config": {
                "batch_input_shape": (None, 10),
                "dtype": "float32",
                "sparse": False,
                "ragged": False,
                "name": "embedding_input",
            },
        },
        {
            "class_name": "Embedding",
            "config": {
                "name": "embedding",
                "trainable": True,
                "batch_input_shape": (None, 10),
                "dtype": "float32",
                "input_dim": 1000,
                "output_dim": 4,
                "embeddings_initializer": {
                    "class_name": "RandomUniform",
                    "config": {"minval": -0.05, "maxval": 0.05, "seed": None},
                },
                "embeddings_regularizer": None,
                "activity_regularizer": None,
                "embeddings_constraint": None,
                "mask_zero": False,
                "input_length": 10,
            },
        },
        {
            "class_name": "Flatten",
            "config": {"name": "flatten", "trainable": True, "dtype": "float32", "data_format": "channels_last"},
        },
    ],
}


@pytest.mark.parametrize("config", [KERAS_2, KERAS_3], ids=["tf.keras 2", "keras 3"])
def test_a_config_of_keras_makes_the_model(config: dict[str, Any]) -> None:
    model = Sequential.from_config(config)
    assert model.name == "sequential"
    assert model.output_shape == (None, 40)
    assert model.predict(np.zeros((2, 10), int)).shape == (2, 40)


def test_a_config_with_a_layer_that_the_package_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unknown layer: 'Dence'\. Did you mean 'Dense'"):
        Sequential.from_config({"layers": [{"class_name": "Dence", "config": {}}]})


@pytest.mark.parametrize("name", ["Input", "annotations", "__name__"])
def test_a_config_names_layers_and_nothing_else(name: str) -> None:
    with pytest.raises(ValueError, match="Unknown layer"):
        Sequential.from_config({"layers": [{"class_name": name, "config": {}}]})
