"""Positions as messages write them."""

from __future__ import annotations

import pytest

from fastembed_layer.inputs.positions import describe_position


@pytest.mark.parametrize(
    ("position", "shape", "text"),
    [(0, (3,), "[0]"), (2, (3,), "[2]"), (5, (2, 3), "[1,2]"), (7, (2, 2, 2), "[1,1,1]"), (0, (), "")],
)
def test_a_position_is_written_as_an_index(position: int, shape: tuple[int, ...], text: str) -> None:
    assert describe_position(position, shape) == text
