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
            "This optimizer was created with a `LearningRateSchedule` as its `learning_rate`, hence its learning rate "
            f"is not settable by {owner}. Pass a number as `learning_rate`, or leave {owner} out. "
            f"Received: learning_rate={optimizer.learning_rate!r}."
        )
    optimizer.learning_rate = rate
