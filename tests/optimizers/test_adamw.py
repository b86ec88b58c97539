"""`AdamW` against Keras's own runs, and against the formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest
from judge import assert_touched_rows_follow_the_formula
from keras_vectors import assert_follows_keras, make_optimizer, run_touched_rows

from fastembed_layer import optimizers
from fastembed_layer.optimizers import Adam, AdamW


@pytest.mark.parametrize("form", ["rows", "dense"])
def test_every_step_is_that_of_keras(form: str) -> None:
    assert_follows_keras(make_optimizer("adamw"), "adamw", form)


def test_lazy_steps_are_not_those_of_keras() -> None:
    with pytest.raises(AssertionError):
        assert_follows_keras(make_optimizer("adamw", update="lazy"), "adamw", "rows")


@pytest.mark.parametrize("amsgrad", [False, True])
def test_touched_rows_follow_the_formula(amsgrad: bool) -> None:
    optimizer = AdamW(0.01, 0.5, beta_1=0.8, beta_2=0.9, epsilon=1e-3, amsgrad=amsgrad, update="lazy")
    assert_touched_rows_follow_the_formula(optimizer, optimizer.get_config(), seed=0)


def test_rows_that_were_never_touched_decay_in_exact_mode_only() -> None:
    exact, lazy = (run_touched_rows(AdamW(0.1, 0.5, update=update), seed=3) for update in ("exact", "lazy"))
    np.testing.assert_allclose(exact["table"].numpy()[[0, 7, 8]], exact["start"][[0, 7, 8]] * 0.95**5)
    np.testing.assert_array_equal(lazy["table"].numpy()[[0, 7, 8]], lazy["start"][[0, 7, 8]])


def test_without_decay_it_is_adam() -> None:
    ours, adam = (run_touched_rows(optimizer, seed=4)["table"] for optimizer in (AdamW(weight_decay=None), Adam()))
    np.testing.assert_array_equal(ours.numpy(), adam.numpy())


def test_defaults_are_those_of_keras() -> None:
    assert AdamW().get_config() == Adam().get_config() | {"name": "adamw", "weight_decay": 0.004}


@pytest.mark.parametrize("rate", [None, 0.0, 0.1])
def test_a_config_keeps_the_decay_also_where_there_is_none(rate: float | None) -> None:
    config = AdamW(weight_decay=rate).get_config()
    twin = optimizers.get({"class_name": "AdamW", "config": config})
    assert isinstance(twin, AdamW)
    assert twin.decay.rate == (rate or None)
