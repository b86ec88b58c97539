"""Exact mode with a schedule, weight decay and clipping at once, against the dense optimizer in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dense_optimizers import (
    DenseAdadelta,
    DenseAdamax,
    DenseFtrl,
    DenseLion,
    DenseNadam,
    DenseRowwiseAdagrad,
    DenseRowwiseAdam,
    DenseRowwiseLamb,
)
from test_exact import (
    DenseAdagrad,
    DenseAdam,
    DenseRMSprop,
    DenseSGD,
    draw_steps,
    look_up,
    schedule,
    start_table,
    to_dense,
)

from fastembed_layer import RowGradient, optimizers

CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("SGD", DenseSGD, {}),
    ("SGD", DenseSGD, {"momentum": 0.9}),
    ("SGD", DenseSGD, {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", DenseRMSprop, {}),
    ("RMSprop", DenseRMSprop, {"momentum": 0.8, "centered": True}),
    ("Adagrad", DenseAdagrad, {}),
    ("Adadelta", DenseAdadelta, {}),
    ("Adam", DenseAdam, {}),
    ("Adam", DenseAdam, {"amsgrad": True}),
    ("Adam", DenseAdam, {"beta_2": 0.8}),
    ("AdamW", DenseAdam, {}),
    ("Adamax", DenseAdamax, {}),
    ("Nadam", DenseNadam, {}),
    ("Ftrl", DenseFtrl, {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2, "beta": 0.3}),
    ("Ftrl", DenseFtrl, {"l2_shrinkage_regularization_strength": 0.3}),
    ("Lion", DenseLion, {}),
    ("RowwiseAdagrad", DenseRowwiseAdagrad, {}),
    ("RowwiseAdam", DenseRowwiseAdam, {}),
    ("RowwiseLamb", DenseRowwiseLamb, {}),
]
CLIPPINGS = ("clipnorm", "global_clipnorm", "clipvalue")
BOUND = 0.5


def clip(dense: np.ndarray[Any, Any], way: str) -> np.ndarray[Any, Any]:
    """With one weight the global norm is the norm."""
    if way == "clipvalue":
        return np.clip(dense, -BOUND, BOUND)
    return dense * BOUND / max(float(np.linalg.norm(dense)), BOUND)


def test_every_optimizer_is_among_the_cases() -> None:
    assert {cls.__name__ for cls in optimizers.OPTIMIZERS.classes.values()} == {name for name, _, _ in CASES}


def test_the_steps_are_clipped_and_name_rows_twice() -> None:
    steps = list(draw_steps(21, 500, "float64"))
    assert sum(np.linalg.norm(to_dense(*step)) > BOUND for step in steps) > 50
    assert sum(len(set(ids)) < len(ids) for ids, _ in steps) > 50


@pytest.mark.parametrize("clipping", CLIPPINGS)
@pytest.mark.parametrize(("name", "dense", "options"), CASES, ids=[f"{name}-{options}" for name, _, options in CASES])
def test_a_schedule_decay_and_clipping_together_follow_the_dense_optimizer(
    name: str, dense: Any, options: dict[str, Any], clipping: str
) -> None:
    table = start_table("float64")
    reference = dense(table.numpy(), weight_decay=0.5, **options)
    arguments = {"weight_decay": 0.5, clipping: BOUND, **options}
    optimizer = getattr(optimizers, name)(schedule, **arguments)
    for step, (ids, values) in enumerate(draw_steps(21, 500, "float64")):
        optimizer.apply_gradients([(RowGradient(ids, values, table.shape), table)])
        reference.step(clip(to_dense(ids, values), clipping), schedule(step), step + 1)
        if step % 37 == 0:
            np.testing.assert_allclose(look_up(table), reference.w, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(table.numpy(), reference.w, rtol=1e-9, atol=1e-9)
