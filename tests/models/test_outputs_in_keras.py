"""The numbers of models with several outputs beside those of Keras itself, where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_several_outputs import CASES, NAMED, NAMED_CASES, PAIR, X, make_functional, run


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def numbers_of_keras(keras: Any, form: str, targets: Any, options: dict[str, Any]) -> dict[str, float]:
    inputs = keras.Input((3,))
    first, second = (keras.layers.Dense(1, name=name, kernel_initializer="ones")(inputs) for name in "ab")
    model = keras.Model(inputs, [first, second] if form == "list" else {"zed": first, "why": second})
    model.compile("sgd", **options)
    return dict(model.evaluate(X, targets, verbose=0, return_dict=True))


def has_names_alone(options: dict[str, Any]) -> bool:
    return "fastembed_layer" not in repr(options) and "<" not in repr(options)


@pytest.mark.parametrize("options", [options for options, _ in CASES if has_names_alone(options)], ids=str)
def test_a_list_of_outputs_has_the_numbers_of_keras_itself(keras: Any, options: dict[str, Any]) -> None:
    found = run(make_functional(), PAIR, **options)
    assert found == pytest.approx(numbers_of_keras(keras, "list", PAIR, options))


@pytest.mark.parametrize("options", [options for options, _ in NAMED_CASES], ids=str)
def test_a_dict_of_outputs_has_the_numbers_of_keras_itself(keras: Any, options: dict[str, Any]) -> None:
    found = run(make_functional("dict"), NAMED, **options)
    assert found == pytest.approx(numbers_of_keras(keras, "dict", NAMED, options))


@pytest.mark.parametrize("metrics", [None, {"a": ["mae"], "b": ["mse"]}], ids=str)
def test_evaluate_lists_the_numbers_in_the_order_of_keras_itself(keras: Any, metrics: Any) -> None:
    ours = make_functional()
    ours.compile("sgd", "mse", metrics)
    inputs = keras.Input((3,))
    outputs = [keras.layers.Dense(1, name=name, kernel_initializer="ones")(inputs) for name in "ab"]
    theirs = keras.Model(inputs, outputs)
    theirs.compile("sgd", "mse", metrics=metrics)
    np.testing.assert_allclose(ours.evaluate(X, PAIR, verbose=0), theirs.evaluate(X, PAIR, verbose=0))
