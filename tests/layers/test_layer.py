"""`Layer`: keywords, building, weights, shapes, losses, and what a subclass writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import Dense, Embedding, GradientTape, Layer
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tape import Cotangents

Array = np.ndarray[Any, Any]


class Shift(Layer):
    """Adds a weight to each feature."""

    builds = 0

    def build(self, input_shape: Any = None) -> None:
        self.builds += 1
        self.shift = Parameter(np.zeros(input_shape[-1], self.variable_dtype), "shift")
        super().build(input_shape)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        shift = self.shift
        return inputs + shift.value, lambda d_output: Cotangents([d_output], [(shift, d_output.sum(axis=0))])


class Careless(Shift):
    """Forgets to call the `build` of its base."""

    def build(self, input_shape: Any = None) -> None:
        self.builds += 1
        self.shift = Parameter(np.zeros(input_shape[-1], self.variable_dtype), "shift")


class Twice(Layer):
    """Made of other layers: a `call` and no pullback."""

    def __init__(self, **keywords: Any):
        super().__init__(**keywords)
        self.first, self.second = Dense(3, dtype="float64"), Dense(2, dtype="float64")

    def call(self, inputs: Any) -> Any:
        return self.second(self.first(inputs))


def test_a_layer_written_by_hand_is_differentiated() -> None:
    layer, inputs = Shift(dtype="float64"), np.ones((3, 2))
    layer(inputs)
    assert_pullback_agrees(lambda: layer(inputs), [inputs, layer.shift])


def test_a_layer_made_of_layers_is_differentiated_without_a_pullback() -> None:
    layer, inputs = Twice(), np.random.default_rng(0).normal(size=(4, 5))
    layer(inputs)
    assert_pullback_agrees(lambda: layer(inputs), [inputs, *layer.weights])


def test_a_layer_without_forward_and_call_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="Layer must implement `forward` or `call`"):
        Layer()(np.ones(2))


@pytest.mark.parametrize("cls", [Shift, Careless])
def test_a_layer_is_built_once(cls: type[Shift]) -> None:
    layer = cls()
    for _ in range(3):
        layer(np.ones((2, 4)))
    assert layer.built
    assert layer.builds == 1


def test_building_by_hand_is_building() -> None:
    layer = Shift()
    layer.build((None, 4))
    layer.set_weights([np.full(4, 7.0)])
    np.testing.assert_array_equal(layer(np.zeros((1, 4))), [[7.0] * 4])
    assert layer.builds == 1


@pytest.mark.parametrize("cls", [Shift, Careless])
def test_the_weights_argument_is_applied_when_the_layer_is_built(cls: type[Shift]) -> None:
    np.testing.assert_array_equal(cls(weights=[np.full(4, 7.0)])(np.zeros((1, 4))), [[7.0] * 4])


def test_a_training_argument_reaches_the_layers_that_ask_for_it() -> None:
    seen = []

    class Asks(Layer):
        def call(self, inputs: Any, training: bool = False) -> Any:
            seen.append(training)
            return inputs

    layer = Asks()
    layer(np.ones(2))
    layer(np.ones(2), training=True)
    assert seen == [False, True]


def test_the_tape_tells_an_output_from_an_input_that_is_returned_as_it_is() -> None:
    class Same(Layer):
        def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
            return inputs, lambda d_output: Cotangents([2 * d_output])

    layer, inputs = Same(), np.ones(3)
    with GradientTape() as tape:
        output = layer(inputs)
    np.testing.assert_array_equal(tape.gradient(output, inputs), [2, 2, 2])


def test_the_input_shape_is_that_of_the_first_call_with_an_open_batch() -> None:
    layer = Dense(3)
    layer(np.ones((2, 4)))
    assert layer.input_shape == (None, 4)
    assert layer.output_shape == (None, 3)


def test_a_layer_that_was_never_called_has_no_input_shape() -> None:
    with pytest.raises(AttributeError, match="has never been called and so has no defined input shape"):
        Dense(3, name="unused").input_shape  # noqa: B018


@pytest.mark.parametrize("value", ["abc", (2.5,), (True,), [None, "3"]])
def test_an_input_shape_of_another_kind_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"`input_shape` must be a tuple of integers and None\. Received: "):
        Dense(3, input_shape=value)


@pytest.mark.parametrize("argument", ["input_shape", "batch_input_shape"])
def test_a_shape_with_a_size_below_one_is_refused(argument: str) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must hold positive sizes\. Received: "):
        Dense(3, **{argument: (0, 3)})


def test_an_unknown_keyword_is_refused_in_the_words_of_tf_keras() -> None:
    with pytest.raises(TypeError) as caught:
        Layer(units=3)
    assert "{'units':" in str(caught.value)


@pytest.mark.parametrize("option", [{"data_format": "channels_first"}, {"keepdims": True}, {"bias_regularizer": "l2"}])
def test_a_config_that_asks_for_what_the_layer_does_not_do_is_refused(option: dict[str, Any]) -> None:
    [name] = option
    with pytest.raises(ValueError, match=rf"`{name}` is not among the options of Dense\. Received: {name}="):
        Dense.from_config({"units": 3, **option})


def test_an_option_that_the_layer_has_itself_is_handed_to_it() -> None:
    class Keeps(Layer):
        def __init__(self, keepdims: bool = True, **keywords: Any):
            super().__init__(**keywords)
            self.keepdims = keepdims

    assert Keeps.from_config({"keepdims": False}).keepdims is False


def test_losses_are_penalties_of_weights_and_of_the_last_call_of_every_layer() -> None:
    class Penalised(Layer):
        def __init__(self) -> None:
            super().__init__(activity_regularizer="l2")
            self.inner = Dense(2, kernel_regularizer="l2", activity_regularizer="l1")

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    layer, inputs = Penalised(), np.ones((4, 3), np.float32)
    output = layer(inputs)
    kernel = layer.inner.kernel.numpy()  # type: ignore[union-attr]
    expected = [0.01 * np.abs(output).sum() / 4, 0.01 * (kernel**2).sum()]
    np.testing.assert_allclose(sorted(layer.losses), sorted(expected), rtol=1e-5)
    layer(inputs)
    assert len(layer.losses) == 2


def test_inside_a_tape_the_penalties_of_every_call_count() -> None:
    layer, inputs = Dense(2, activity_regularizer="l2"), np.ones((4, 3))
    with GradientTape():
        layer(inputs)
        layer(inputs)
        assert len(layer.losses) == 2
    layer(inputs)
    assert len(layer.losses) == 1


def test_a_layer_that_lists_its_inputs_takes_lists() -> None:
    from fastembed_layer import Concatenate

    assert Concatenate()([[[1.0]], [[2.0]]]).tolist() == [[1.0, 2.0]]


def test_what_is_no_number_of_the_layer_is_not_shared_between_layers() -> None:
    first, second = Embedding(5, 2), Embedding(5, 2)
    first.build()
    second.build()
    assert not np.shares_memory(first.embeddings.value, second.embeddings.value)
