"""The learning rate of an optimizer as a number that callbacks read and set."""

from __future__ import annotations

from typing import Any


def read_rate(optimizer: Any) -> float:
    """Return the rate of the next step; that of a schedule too."""
    rate = optimizer.learning_rate
    return float(rate(optimizer.iterations) if callable(rate) else rate)


def set_rate(optimizer: Any, rate: float, owner: str) -> None:
    """Set the rate.

    Raises
    ------
    TypeError
        If the optimizer was given a schedule, which would be lost.
    """
    if callable(optimizer.learning_rate):
        raise TypeError(
            f"{owner} cannot set the learning rate of an optimizer that has a schedule. Pass a number as "
            f"`learning_rate`, or leave {owner} out. Received: learning_rate={optimizer.learning_rate!r}."
        )
    optimizer.learning_rate = rate
