"""Whole models as configs: the same outputs from the same weights."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastembed_layer import (
    Add,
    Concatenate,
    Dense,
    Dot,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    Input,
    InputLayer,
    Layer,
    Model,
    Sequential,
    models,
)

IDS = np.random.default_rng(0).integers(0, 9, (6, 3))


def make_towers(named: bool = False) -> Model:
    """Two inputs, a shared table, a nested stack, two outputs."""
    user, item = Input((3,), dtype="int64", name="user"), Input((3,), dtype="int64", name="item")
    table, tower = Embedding(9, 4), Sequential([GlobalAveragePooling1D(), Dense(3, "relu")])
    left, right = tower(table(user)), tower(table(item))
    outputs: Any = [Dot(axes=1)([left, right]), Dense(1)(Concatenate()([left, right]))]
    inputs: Any = {"user": user, "item": item} if named else [user, item]
    return Model(inputs, {"score": outputs[0], "rate": outputs[1]} if named else outputs, name="towers")


def twin_of(model: Model) -> Model:
    twin: Model = models.model_from_json(model.to_json())
    twin.set_weights(model.get_weights())
    return twin


def same(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return np.array_equal(left, right)


@pytest.mark.parametrize("named", [False, True])
def test_a_functional_model_comes_back(named: bool) -> None:
    model = make_towers(named)
    arrays: Any = {"user": IDS, "item": IDS[::-1]} if named else [IDS, IDS[::-1]]
    twin = twin_of(model)
    assert same(model(arrays), twin(arrays))
    assert twin.count_params() == model.count_params()  # the table and the tower are shared there, too
    assert json.loads(twin.to_json()) == json.loads(model.to_json())


def test_a_stack_comes_back() -> None:
    model = Sequential([Input((3,), dtype="int64"), Embedding(9, 4), Flatten(), Dense(2)])
    assert same(model(IDS), twin_of(model)(IDS))


def test_a_clone_has_weights_of_its_own_and_layers_of_ones_own() -> None:
    class Doubled(Dense):
        pass

    model = Sequential([Doubled(2, input_shape=(3,))])
    clone = models.clone_model(model)
    assert isinstance(clone.layers[0], Doubled)
    assert clone.layers[0].weights[0] is not model.layers[0].weights[0]
    with pytest.raises(ValueError, match=r"Unknown layer: 'Doubled'.*custom_objects=\{'Doubled': Doubled\}"):
        models.model_from_json(model.to_json())
    assert models.model_from_json(model.to_json(), {"Doubled": Doubled}).output_shape == (None, 2)


def test_a_frozen_model_comes_back_frozen() -> None:
    model = make_towers()
    model.trainable = False
    assert models.clone_model(model).trainable_weights == []


def test_a_subclass_needs_a_config_of_its_own() -> None:
    class Own(Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(NotImplementedError, match="Own must override `get_config"):
        Own().to_json()
    for text in ("[1]", "no JSON", '{"class_name": "Model", "config": {"calls": []}}'):
        with pytest.raises(ValueError, match="what `to_json` returned"):
            models.model_from_json(text)


def test_an_input_has_a_shape() -> None:
    with pytest.raises(ValueError, match="must pass a `shape`"):
        Input()
    for size, error in ((0, ValueError), ("a", TypeError)):
        with pytest.raises(error, match="`batch_size`"):
            Input((3,), size)  # type: ignore[arg-type]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_models_are_copied_whole(copied: Any) -> None:
    model = make_towers()
    twin = copied(model)
    assert same(model([IDS, IDS]), twin([IDS, IDS]))
    assert twin.weights[0] is not model.weights[0]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_graph_comes_back(data: st.DataObject) -> None:
    inputs = [Input((3,), name=f"x{number}") for number in range(data.draw(st.integers(1, 3)))]
    layers: list[Layer] = [Dense(3), Dense(3, "tanh"), Add()]
    tensors = list(inputs)
    for _ in range(data.draw(st.integers(1, 6))):
        layer = data.draw(st.sampled_from(layers))
        one, other = data.draw(st.sampled_from(tensors)), data.draw(st.sampled_from(tensors))
        tensors.append(layer([one, other]) if isinstance(layer, Add) else layer(one))
    model = Model(inputs, [tensors[-1], data.draw(st.sampled_from(tensors[len(inputs) :]))])
    arrays = [np.random.default_rng(number).normal(size=(2, 3)).astype("float32") for number in range(len(inputs))]
    assert same(model(arrays), twin_of(model)(arrays))


def test_layers_are_found_by_name_and_number() -> None:
    model = Sequential([Dense(2, input_shape=(3,), name="first"), Dense(1, name="last")])
    assert model.get_layer("last") is model.get_layer(index=1) is model.get_layer(index=-1)
    for wrong, text in (({}, "either"), ({"name": "a", "index": 1}, "either"), ({"index": 2}, "one of the 2 layers")):
        with pytest.raises(ValueError, match=text):
            model.get_layer(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"No such layer: 'lst'\. .*Did you mean 'last'"):
        model.get_layer("lst")


def test_tensors_of_a_model_start_further_models() -> None:
    model = make_towers()
    assert [tensor.name for tensor in model.inputs] == ["user", "item"]
    assert model.output is model._outputs
    features = Model(model.inputs, model.outputs[0])
    assert same(features([IDS, IDS]), model([IDS, IDS])[0])
    stack = Sequential([Embedding(9, 4, input_length=3), Flatten()])
    head = Dense(2)(stack.outputs[0])
    assert Model(stack.inputs, head)(IDS).shape == (6, 2)
    with pytest.raises(AttributeError, match="no symbolic inputs"):
        Model().inputs  # noqa: B018


def test_an_input_stands_first_in_a_stack() -> None:
    with pytest.raises(ValueError, match="An input can only be the first"):
        Sequential([Dense(2, input_shape=(3,)), InputLayer(shape=(2,))])
