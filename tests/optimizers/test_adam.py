"""`Adam` against Keras's own runs, and against its formulas in float64."""

from __future__ import annotations

import pytest
from judge import assert_touched_rows_follow_the_formula, assert_untouched_rows_keep_their_bits
from keras_vectors import assert_follows_keras, make_optimizer

from fastembed_layer.optimizers import Adam

CASES = {"adam": False, "adam_amsgrad": True}


@pytest.mark.parametrize("form", ["rows", "dense"])
@pytest.mark.parametrize("case", CASES)
def test_every_step_is_that_of_keras(case: str, form: str) -> None:
    assert_follows_keras(make_optimizer(case), case, form)


@pytest.mark.parametrize("case", CASES)
def test_lazy_steps_are_not_those_of_keras(case: str) -> None:
    with pytest.raises(AssertionError):
        assert_follows_keras(make_optimizer(case, update="lazy"), case, "rows")


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_touched_rows_follow_the_formula(amsgrad: bool, seed: int) -> None:
    optimizer = Adam(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3, amsgrad=amsgrad, update="lazy")
    numbers = {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}
    assert_touched_rows_follow_the_formula(optimizer, numbers, seed)


@pytest.mark.parametrize("update", ["exact", "lazy"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_rows_that_were_never_touched_keep_their_bits(amsgrad: bool, update: str) -> None:
    assert_untouched_rows_keep_their_bits(Adam(amsgrad=amsgrad, update=update))


def test_defaults_are_those_of_keras() -> None:
    config = Adam().get_config()
    own = {name: config[name] for name in ("learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad")}
    assert own == {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False}
