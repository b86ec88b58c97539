"""`RMSprop` against Keras's own runs, and against its formulas in float64."""

from __future__ import annotations

from typing import Any

import pytest
from judge import assert_touched_rows_follow_the_formula, assert_untouched_rows_keep_their_bits
from keras_vectors import assert_follows_keras, make_optimizer

from fastembed_layer.optimizers import RMSprop

FORMS: list[dict[str, Any]] = [
    {},
    {"momentum": 0.8},
    {"centered": True},
    {"centered": True, "momentum": 0.8},
]


@pytest.mark.parametrize("form", ["rows", "dense"])
@pytest.mark.parametrize("case", ["rmsprop", "rmsprop_mom", "rmsprop_centered"])
def test_every_step_is_that_of_keras(case: str, form: str) -> None:
    assert_follows_keras(make_optimizer(case), case, form)


@pytest.mark.parametrize("case", ["rmsprop", "rmsprop_mom", "rmsprop_centered"])
def test_lazy_steps_are_not_those_of_keras(case: str) -> None:
    with pytest.raises(AssertionError):
        assert_follows_keras(make_optimizer(case, update="lazy"), case, "rows")


@pytest.mark.parametrize("options", FORMS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_touched_rows_follow_the_formula(options: dict[str, Any], seed: int) -> None:
    optimizer = RMSprop(0.01, rho=0.7, epsilon=1e-3, **options, update="lazy")
    numbers = {"learning_rate": 0.01, "rho": 0.7, "epsilon": 1e-3, "momentum": options.get("momentum", 0.0)}
    assert_touched_rows_follow_the_formula(optimizer, numbers, seed)


@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("options", FORMS, ids=str)
def test_rows_that_were_never_touched_keep_their_bits(options: dict[str, Any], update: str) -> None:
    assert_untouched_rows_keep_their_bits(RMSprop(**options, update=update))


def test_defaults_are_those_of_keras() -> None:
    config = RMSprop().get_config()
    own = {name: config[name] for name in ("learning_rate", "rho", "momentum", "epsilon", "centered")}
    assert own == {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False}
