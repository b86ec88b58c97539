"""The example of TensorFlow's documentation, word for word, with this package in the place of ``tf.keras``."""

from __future__ import annotations

import doctest
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastembed_layer
from fastembed_layer import Embedding, Input, Model, Sequential, device

EXAMPLE = """
>>> model = tf.keras.Sequential()
>>> model.add(tf.keras.layers.Embedding(1000, 64, input_length=10))
>>> # The model will take as input an integer matrix of size (batch,
>>> # input_length), and the largest integer (i.e. word index) in the input
>>> # should be no larger than 999 (vocabulary size).
>>> # Now model.output_shape is (None, 10, 64), where `None` is the batch
>>> # dimension.
>>> input_array = np.random.randint(1000, size=(32, 10))
>>> model.compile('rmsprop', 'mse')
>>> output_array = model.predict(input_array)
>>> print(output_array.shape)
(32, 10, 64)
>>> model.output_shape
(None, 10, 64)
"""

IN_A_DEVICE_SCOPE = """
>>> with tf.device('cpu:0'):
...   embedding_layer = tf.keras.layers.Embedding(1000, 64)
...   embedding_layer.build()
>>> embedding_layer.get_weights()[0].shape
(1000, 64)
"""


def run_example(text: str) -> doctest.TestResults:
    """Run a documentation example in which `tf` is this package."""
    names: dict[str, Any] = {"tf": SimpleNamespace(keras=fastembed_layer, device=device), "np": np}
    example = doctest.DocTestParser().get_doctest(text, names, "example", None, None)
    return doctest.DocTestRunner(verbose=False).run(example, out=lambda _: None)


@pytest.mark.parametrize("text", [EXAMPLE, IN_A_DEVICE_SCOPE], ids=["sequential", "device scope"])
def test_the_example_of_the_documentation_runs_word_for_word(text: str) -> None:
    results = run_example(text)
    assert results.attempted > 0
    assert results.failed == 0


def test_a_wrong_example_would_be_noticed() -> None:
    assert run_example(EXAMPLE.replace("(32, 10, 64)", "(32, 10, 63)")).failed == 1


def test_the_example_runs_with_this_packages_names() -> None:
    model = Sequential()
    model.add(Embedding(1000, 64, input_length=10))
    input_array = np.random.randint(1000, size=(32, 10))  # noqa: NPY002 - as the documentation has it
    model.compile("rmsprop", "mse")
    output_array = model.predict(input_array)
    assert output_array.shape == (32, 10, 64)
    assert model.output_shape == (None, 10, 64)


def test_a_built_layer_can_be_added_to_a_sequential_model() -> None:
    embedding_layer = Embedding(100, 8)
    embedding_layer.build()
    model = Sequential()
    model.add(embedding_layer)
    np.testing.assert_array_equal(model.predict(np.array([[7]]))[0, 0], embedding_layer.get_weights()[0][7])


def test_a_built_layer_can_be_called_in_a_functional_model() -> None:
    embedding_layer = Embedding(100, 8)
    embedding_layer.build()
    inputs = x = Input((10,), dtype="int32")
    x = embedding_layer(x)
    assert Model(inputs, x).predict(np.zeros((2, 10), int)).shape == (2, 10, 8)


def test_a_built_layer_can_be_used_in_a_subclassed_model() -> None:
    class Subclassed(Model):
        def __init__(self) -> None:
            super().__init__()
            self.embedding_layer = Embedding(100, 8)
            self.embedding_layer.build()

        def call(self, inputs: Any) -> Any:
            return self.embedding_layer(inputs)

    assert Subclassed().predict(np.zeros((2, 10), int)).shape == (2, 10, 8)
