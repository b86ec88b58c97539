"""`Nadam` against Keras's own runs, and against its formulas in float64."""

from __future__ import annotations

import pytest
from judge import assert_touched_rows_follow_the_formula, assert_untouched_rows_keep_their_bits
from keras_vectors import assert_follows_keras, make_optimizer

from fastembed_layer.optimizers import Nadam


@pytest.mark.parametrize("form", ["rows", "dense"])
def test_every_step_is_that_of_keras(form: str) -> None:
    assert_follows_keras(make_optimizer("nadam"), "nadam", form)


def test_lazy_steps_are_not_those_of_keras() -> None:
    with pytest.raises(AssertionError):
        assert_follows_keras(make_optimizer("nadam", update="lazy"), "nadam", "rows")


@pytest.mark.parametrize("seed", range(3))
def test_touched_rows_follow_the_formula(seed: int) -> None:
    optimizer = Nadam(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3, update="lazy")
    assert_touched_rows_follow_the_formula(optimizer, optimizer.get_config(), seed)


@pytest.mark.parametrize("update", ["exact", "lazy"])
def test_rows_that_were_never_touched_keep_their_bits(update: str) -> None:
    assert_untouched_rows_keep_their_bits(Nadam(update=update))


def test_defaults_are_those_of_keras() -> None:
    config = Nadam().get_config()
    assert config == {
        "name": "nadam",
        "update": "exact",
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
    }


def test_the_product_of_the_momenta_is_that_of_a_loop_after_many_steps() -> None:
    optimizer, product = Nadam(), 1.0
    for step in range(1, 2001):
        product *= 0.9 * (1 - 0.5 * 0.96**step)
        if step in (1, 2, 999, 1000, 1001, 2000):
            assert optimizer._product(step) == pytest.approx(product, rel=1e-12)
