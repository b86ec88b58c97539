"""`SGD` against Keras's own runs, and against its formulas in float64."""

from __future__ import annotations

from typing import Any

import pytest
from judge import assert_touched_rows_follow_the_formula, assert_untouched_rows_keep_their_bits
from keras_vectors import assert_follows_keras, make_optimizer

from fastembed_layer.optimizers import SGD


@pytest.mark.parametrize("form", ["rows", "dense"])
@pytest.mark.parametrize("case", ["sgd", "sgd_momentum", "sgd_nesterov"])
def test_every_step_is_that_of_keras(case: str, form: str) -> None:
    assert_follows_keras(make_optimizer(case), case, form)


def test_lazy_steps_without_momentum_are_those_of_keras_too() -> None:
    assert_follows_keras(make_optimizer("sgd", update="lazy"), "sgd", "rows")


@pytest.mark.parametrize("case", ["sgd_momentum", "sgd_nesterov"])
def test_lazy_steps_with_momentum_are_not_those_of_keras(case: str) -> None:
    with pytest.raises(AssertionError):
        assert_follows_keras(make_optimizer(case, update="lazy"), case, "rows")


@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}], ids=["plain", "momentum", "nesterov"]
)
@pytest.mark.parametrize("seed", range(3))
def test_touched_rows_follow_the_formula(options: dict[str, Any], seed: int) -> None:
    numbers = {"learning_rate": 0.05, "momentum": options.get("momentum", 0.0)}
    assert_touched_rows_follow_the_formula(SGD(0.05, **options, update="lazy"), numbers, seed)


@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
def test_rows_that_were_never_touched_keep_their_bits(options: dict[str, Any], update: str) -> None:
    assert_untouched_rows_keep_their_bits(SGD(0.05, **options, update=update))


def test_there_is_no_slot_without_momentum() -> None:
    assert SGD().slot_values() == {}
    assert SGD(momentum=0.5).slot_values() == {"momentum": 0.0}


def test_defaults_are_those_of_keras() -> None:
    optimizer = SGD()
    assert (optimizer.learning_rate, optimizer.momentum, optimizer.nesterov) == (0.01, 0.0, False)
