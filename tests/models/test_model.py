"""`Model`: functional graphs and subclasses, and that all kinds of models train the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees
from reference import assert_same_bits

from fastembed_layer import (
    Concatenate,
    Dense,
    Dot,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GradientTape,
    Input,
    Model,
    Sequential,
    losses,
    optimizers,
)

Array = np.ndarray[Any, Any]

IDS = np.random.default_rng(0).integers(0, 30, (50, 6))
TARGETS = (IDS.sum(axis=1) % 2).astype(np.float32)
START = np.random.default_rng(1)
TABLE, KERNEL = START.normal(size=(30, 4)), START.normal(size=(4, 1))


def make_layers(dtype: str = "float32") -> list[Any]:
    return [
        Embedding(30, 4, mask_zero=True, weights=[TABLE], dtype=dtype),
        GlobalAveragePooling1D(dtype=dtype),
        Dense(1, "sigmoid", weights=[KERNEL, np.zeros(1)], dtype=dtype),
    ]


class Subclassed(Model):
    """The three layers as attributes."""

    def __init__(self, layers: list[Any]):
        super().__init__()
        self.embedding, self.pooling, self.dense = layers

    def call(self, inputs: Any) -> Any:
        return self.dense(self.pooling(self.embedding(inputs)))


def make_functional(layers: list[Any]) -> Model:
    tensor = inputs = Input((None,), dtype="int64")
    for layer in layers:
        tensor = layer(tensor)
    return Model(inputs, tensor)


def wrap_in_functional(model: Model) -> Model:
    inputs = Input((6,), dtype="int64")
    return Model(inputs, model(inputs))


MODELS: dict[str, Callable[[list[Any]], Model]] = {
    "sequential": Sequential,
    "functional": make_functional,
    "subclassed": Subclassed,
    "nested": lambda layers: Sequential([Sequential(layers[:2]), layers[2]]),
    "functional around sequential": lambda layers: wrap_in_functional(Sequential(layers)),
}


def train_by_fit(model: Model, optimizer: str) -> tuple[list[Array], list[float]]:
    model.compile(optimizer, "binary_crossentropy")
    history = model.fit(IDS, TARGETS, epochs=3, batch_size=16, shuffle=False, verbose=0)
    return model.get_weights(), history.history["loss"]


def train_by_hand(model: Model, optimizer: str) -> list[Array]:
    loss, chosen = losses.BinaryCrossentropy(), optimizers.get(optimizer)
    assert chosen is not None
    for _ in range(3):
        for begin in range(0, len(IDS), 16):
            with GradientTape() as tape:
                value = loss(TARGETS[begin : begin + 16], model(IDS[begin : begin + 16], training=True))
            weights = model.trainable_weights
            chosen.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    return model.get_weights()


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rmsprop", "adam"])
@pytest.mark.parametrize("kind", list(MODELS)[1:])
def test_all_kinds_of_models_train_to_the_same_bits(kind: str, optimizer: str) -> None:
    expected, expected_losses = train_by_fit(Sequential(make_layers()), optimizer)
    weights, found_losses = train_by_fit(MODELS[kind](make_layers()), optimizer)
    assert found_losses == expected_losses
    for ours, theirs in zip(weights, expected, strict=True):
        assert_same_bits(ours, theirs)


@pytest.mark.parametrize("kind", list(MODELS))
def test_a_loop_by_hand_trains_to_the_same_bits_as_fit(kind: str) -> None:
    expected, _ = train_by_fit(MODELS[kind](make_layers()), "adam")
    for ours, theirs in zip(train_by_hand(MODELS[kind](make_layers()), "adam"), expected, strict=True):
        assert_same_bits(ours, theirs)


@pytest.mark.parametrize("kind", list(MODELS))
def test_every_kind_of_model_is_differentiated(kind: str) -> None:
    model = MODELS[kind](make_layers("float64"))
    model(IDS[:3])
    assert_pullback_agrees(lambda: model(IDS[:3]), model.weights)


# Functional models


def test_a_layer_used_at_two_places_is_one_layer_whose_gradients_add() -> None:
    embedding = Embedding(30, 4, dtype="float64")
    left, right = Input((1,), dtype="int64"), Input((1,), dtype="int64")
    flat = Flatten(dtype="float64")
    model = Model([left, right], Dot(1, dtype="float64")([flat(embedding(left)), flat(embedding(right))]))
    pair = [np.array([[1], [2], [2]]), np.array([[3], [2], [1]])]
    assert len(model.weights) == 1
    assert [type(layer) for layer in model.layers].count(Embedding) == 1
    assert_pullback_agrees(lambda: model(pair), model.weights)


def test_a_model_may_have_several_inputs_and_outputs() -> None:
    left, right = Input((2,)), Input((3,))
    joined = Concatenate()([left, right])
    model = Model([left, right], [Dense(1)(joined), joined])
    outputs = model.predict([np.ones((5, 2)), np.ones((5, 3))], batch_size=2)
    assert [output.shape for output in outputs] == [(5, 1), (5, 5)]
    assert model.input_shape == [(None, 2), (None, 3)]
    assert model.output_shape == [(None, 1), (None, 5)]


def test_a_wrong_number_of_inputs_is_refused() -> None:
    left, right = Input((2,)), Input((2,))
    model = Model([left, right], Concatenate()([left, right]), name="pair")
    with pytest.raises(ValueError, match=r"The model 'pair' has 2 inputs\. Received: 3"):
        model([np.ones((1, 2))] * 3)
    with pytest.raises(ValueError, match=r"The model 'pair' has 2 inputs\. Received: ndarray"):
        model(np.ones((1, 2)))


def test_layers_are_listed_in_the_order_of_the_graph_each_once() -> None:
    inputs = Input((4,))
    first, second = Dense(3), Dense(3)
    model = Model(inputs, second(second(first(inputs))))
    assert model.layers == [first, second]


def test_a_model_knows_its_shapes_before_any_call() -> None:
    ids = Input((10,), dtype="int64")
    model = Model(ids, Dense(1)(Flatten()(Embedding(1000, 16)(ids))))
    assert (model.input_shape, model.output_shape) == ((None, 10), (None, 1))
    assert model.count_params() == 16_000 + 161


def test_inputs_that_are_not_listed_are_refused() -> None:
    left, right = Input((2,), name="left"), Input((2,), name="right")
    with pytest.raises(ValueError, match=r"`outputs` need the input 'right', which is not among `inputs`"):
        Model(left, Concatenate()([left, right]))


@pytest.mark.parametrize("argument", ["inputs", "outputs"])
def test_what_is_no_symbolic_tensor_is_refused(argument: str) -> None:
    arguments: dict[str, Any] = {"inputs": Input((2,)), "outputs": Input((2,))} | {argument: np.ones(2)}
    with pytest.raises(TypeError, match=rf"`{argument}` must be symbolic tensors, which start at Input\(\)"):
        Model(**arguments)


def test_one_of_inputs_and_outputs_is_not_enough() -> None:
    with pytest.raises(TypeError, match="`outputs` must be symbolic tensors"):
        Model(Input((2,)))


# Input


def test_an_input_has_the_declared_shape_and_dtype() -> None:
    tensor = Input((10, None), batch_size=4, dtype="int32", name="ids")
    assert (tensor.shape, tensor.dtype, tensor.name) == ((4, 10, None), "int32", "ids")
    assert Input(7).shape == (None, 7)
    assert Input((3,)).dtype == "float32"


@pytest.mark.parametrize(
    ("shape", "error"),
    [("ab", TypeError), (2.5, TypeError), ((True,), TypeError), ((0,), ValueError), (-1, ValueError)],
)
def test_what_is_no_shape_is_refused(shape: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`shape` must .*Received: "):
        Input(shape)


# Subclasses


def test_a_model_without_call_and_graph_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="must implement `call`, or be given inputs and outputs"):
        Model()(np.ones(2))


def test_layers_of_a_subclass_are_found_in_its_attributes() -> None:
    layers = make_layers()
    assert Subclassed(layers).layers == layers


def test_a_subclass_may_take_any_structure() -> None:
    class Takes(Model):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = Embedding(30, 4)

        def call(self, inputs: Any) -> Any:
            return self.embedding(inputs["ids"])

    assert Takes()({"ids": IDS}).shape == (50, 6, 4)


def test_two_towers_of_one_table_train_like_the_formula() -> None:
    """A pair of equal ids: the row receives both gradients before one step."""

    class Towers(Model):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.dot = Embedding(5, 2, dtype="float64", weights=[np.ones((5, 2))]), Dot(1)

        def call(self, pair: Any) -> Any:
            return self.dot([self.embedding(pair[0]), self.embedding(pair[1])])

    model = Towers()
    model.compile(optimizers.SGD(0.1), "mse")
    model.train_on_batch([np.array([3]), np.array([3])], np.array([[0.0]]))
    expected = np.ones((5, 2))
    expected[3] -= 0.1 * 2 * 2.0 * 2  # d(score^2)/dw = 2 score * 2 w
    np.testing.assert_allclose(model.get_weights()[0], expected)
