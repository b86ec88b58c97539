"""`Model.summary`: layers, shapes and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dense, Embedding, Flatten, Input, Model, Sequential


def lines_of(model: Model) -> list[str]:
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return lines


def test_a_sequential_model_shows_each_layer_with_shape_and_count() -> None:
    model = Sequential([Embedding(1000, 64, input_length=10, name="words"), Flatten(), Dense(1, name="score")], "stack")
    lines = lines_of(model)
    assert lines[0] == 'Model: "stack"'
    words = next(line for line in lines if "words" in line)
    assert words.split() == ["words", "(Embedding)", "(None,", "10,", "64)", "64,000"]
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
