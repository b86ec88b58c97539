"""Batches as one argument, and logs as plain numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import models
from fastembed_layer.models.packing import read_logs

X, Y, W = np.zeros(2), np.ones(2), np.full(2, 2.0)


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (X, (X, None, None)),
        ((X,), (X, None, None)),
        ([X, Y], (X, Y, None)),
        ((X, Y, W), (X, Y, W)),
        ({}, ({}, None, None)),
    ],
    ids=lambda case: str(type(case)),
)
def test_a_batch_is_taken_apart(data: Any, parts: Any) -> None:
    assert all(
        found is part or found == part for found, part in zip(models.unpack_x_y_sample_weight(data), parts, strict=True)
    )


def test_a_dict_is_the_inputs() -> None:
    inputs = {"ids": X}
    assert models.unpack_x_y_sample_weight(inputs) == (inputs, None, None)


@pytest.mark.parametrize("data", [(), (X, Y, W, X)], ids=len)
def test_another_number_of_parts_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=rf"`data` must be x, \(x,\), .*Received: {len(data)} parts"):
        models.unpack_x_y_sample_weight(data)


def test_a_batch_is_put_together_without_what_is_not_there() -> None:
    pack = models.pack_x_y_sample_weight
    assert pack(X) is X
    assert pack([X, Y]) == ([X, Y],)
    assert pack(X, Y) == (X, Y)
    assert pack(X, None, W) == (X, None, W)


def test_logs_are_plain_numbers_in_one_dict() -> None:
    logs = read_logs({"loss": np.float32(0.5), "compile_metrics": {"mae": np.array(2.0)}, "n": 3}, "train_step")
    assert logs == {"loss": 0.5, "mae": 2.0, "n": 3}
    assert [type(value) for value in logs.values()] == [float, float, int]
