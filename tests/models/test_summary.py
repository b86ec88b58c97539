"""`Model.summary`: layers, shapes and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dense, Dot, Embedding, Flatten, Input, Model, Sequential


def lines_of(model: Model) -> list[str]:
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return lines


def test_a_sequential_model_shows_each_layer_with_shape_and_count() -> None:
    model = Sequential([Embedding(1000, 64, input_length=10, name="words"), Flatten(), Dense(1, name="score")], "stack")
    lines = lines_of(model)
    assert lines[0] == 'Model: "stack"'
    words = next(line for line in lines if "words" in line)
    assert words.split() == ["words", "(Embedding)", "(None,", "10,", "64)", "64,000", "cpu:0,", "250.0", "KiB"]
    assert next(line for line in lines if "score" in line).split() == ["score", "(Dense)", "(None,", "1)", "641"]


def test_the_totals_tell_trained_from_frozen_parameters() -> None:
    lines = lines_of(Sequential([Embedding(1000, 64, input_length=10, trainable=False), Flatten(), Dense(1)]))
    assert lines[-3:] == [
        "Total parameters: 64,641 (252.5 KiB)",
        "Trainable parameters: 641",
        "Non-trainable parameters: 64,000",
    ]


def test_a_functional_model_shows_the_shapes_of_its_graph() -> None:
    ids = Input((10,), dtype="int64")
    lines = lines_of(Model(ids, Dense(2)(Flatten()(Embedding(50, 4)(ids)))))
    assert sum("(None, 10, 4)" in line for line in lines) == 1
    assert sum("(None, 40)" in line for line in lines) == 1


def test_a_subclass_that_was_not_called_is_not_built() -> None:
    class Scorer(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    model = Scorer()
    assert any("not built" in line for line in lines_of(model))
    model(np.ones((3, 4)))
    assert any("(None, 2)" in line for line in lines_of(model))


def test_a_summary_is_printed_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    Sequential([Embedding(5, 3)], name="printed").summary()
    assert capsys.readouterr().out.startswith('Model: "printed"\n')


def test_an_empty_model_has_a_summary() -> None:
    assert lines_of(Sequential())[-1] == "Non-trainable parameters: 0"


def test_a_functional_model_shows_what_layers_are_connected_to_and_where_tables_are() -> None:
    user, item = Input((1,), dtype="int64", name="user"), Input((1,), dtype="int64", name="item")
    shared = Embedding(50, 4, name="words")
    model = Model(
        [user, item], Dot(axes=1, name="score")([Flatten(name="flat")(shared(user)), Flatten()(shared(item))])
    )
    lines = lines_of(model)
    assert next(line for line in lines if line.startswith("words")).endswith("cpu:0, 800 B  user; item")
    assert next(line for line in lines if line.startswith("flat (")).endswith("words")


def test_layers_of_models_in_the_model_are_listed_on_demand() -> None:
    inner = Sequential([Dense(2, input_shape=(3,), name="hidden")], "tower")
    model = Sequential([inner, Dense(1)])
    assert not any("hidden" in line for line in lines_of(model))
    lines: list[str] = []
    model.summary(print_fn=lines.append, expand_nested=True)
    assert any(line.startswith("  hidden (Dense)") for line in lines)


def test_lines_have_the_length_that_is_asked_for() -> None:
    lines: list[str] = []
    Sequential([Embedding(5, 3, name="a" * 90)]).summary(line_length=70, print_fn=lines.append)
    assert max(map(len, lines)) <= 70
