"""`LearningRateSchedule`, the base of all schedules, and the identifiers and configs of learning rates."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastembed_layer import named
from fastembed_layer.checks import check_number

Schedule = Callable[[int], float]


class LearningRateSchedule(named.StrictArguments):
    """Base class of the schedules.

    A subclass writes `__call__`, and `get_config` where an optimizer that has it needs a config. Any function of the
    step is a schedule too, and a constant rate is a plain number.

    Parameters
    ----------
    name : str, optional
        Kept in the config, as in Keras; without it, the name of the class.

    Raises
    ------
    TypeError
        If `name` is not a string.
    """

    _arguments: tuple[str, ...] = ()

    def __init__(self, name: str | None = None):
        if name is not None and not isinstance(name, str):
            raise TypeError(f"`name` must be a string. Received: {name!r} (of type {type(name).__name__}).")
        self.name = name or type(self).__name__

    def __call__(self, step: int) -> float:
        """Return the rate of the step that follows `step` finished ones."""
        raise NotImplementedError(f"{type(self).__name__} must override `__call__(self, step)`.")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this schedule again."""
        if not self._arguments:
            raise NotImplementedError(f"{type(self).__name__} must override `get_config(self)` to have a config.")
        return {name: getattr(self, name) for name in (*self._arguments, "name")}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """Build the schedule from what `get_config` returned, here or in Keras."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._arguments)
        return f"{type(self).__name__}({arguments})"


SCHEDULES: named.NamedObjects[LearningRateSchedule] = named.NamedObjects("learning-rate schedule", LearningRateSchedule)


def get(identifier: Any) -> float | Schedule:
    """Return the learning rate that `identifier` stands for: a number or a function of the step.

    Parameters
    ----------
    identifier : float, callable or dict
        A rate, a schedule or any other function of the step, or a schedule's config, also one of Keras.

    Raises
    ------
    ValueError
        For a negative or infinite rate, or a config that names no schedule or whose arguments do not fit.
    TypeError
        For an identifier of another kind.

    Examples
    --------
    >>> from fastembed_layer.optimizers import schedules
    >>> schedules.get(0.5)
    0.5
    >>> schedules.get({"class_name": "PiecewiseConstantDecay", "config": {"boundaries": [10], "values": [1.0, 0.5]}})
    PiecewiseConstantDecay(boundaries=[10.0], values=[1.0, 0.5])
    """
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    if isinstance(identifier, type):
        raise TypeError(f"`learning_rate` must be a number or a schedule, not a class. Received: {identifier!r}.")
    if not callable(identifier):
        return check_number(identifier, "learning_rate", low=0.0)
    return WithoutStep(identifier) if _takes_nothing(identifier) else identifier


class WithoutStep:
    """A schedule made from a function without arguments, as Keras takes one."""

    def __init__(self, function: Callable[[], float]):
        self.function = function

    def __call__(self, step: int) -> float:
        """Return what the function returns."""
        return self.function()


def _takes_nothing(function: Callable[..., Any]) -> bool:
    try:
        return not inspect.signature(function).parameters
    except (TypeError, ValueError):  # some functions written in C do not tell
        return False


def serialize(learning_rate: float | Schedule) -> Any:
    """Return the config of a schedule; a number, or a function that is no `LearningRateSchedule`, stays itself.

    Raises
    ------
    NotImplementedError
        For a schedule of one's own that has no `get_config`.
    """
    return named.serialize(learning_rate) if isinstance(learning_rate, LearningRateSchedule) else learning_rate


def deserialize(config: Mapping[str, Any]) -> LearningRateSchedule:
    """Return the schedule that a config describes.

    Raises
    ------
    ValueError
        If it names no schedule or its arguments do not fit.
    TypeError
        If it is no config.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"`config` must be a dict. Received: {config!r} (of type {type(config).__name__}).")
    schedule = SCHEDULES.get(config)
    assert schedule is not None
    return schedule


def check_rate(value: Any, argument: str) -> float:
    """Return a finite number that is not negative, or raise."""
    return check_number(value, argument, low=0.0)


def rate_of_step(learning_rate: float | Schedule, finished: int) -> float:
    """Return the rate of the step that follows `finished` ones, or raise where a schedule returns no rate."""
    if not callable(learning_rate):
        return float(learning_rate)
    returned = learning_rate(finished)
    if isinstance(returned, bool | np.bool_ | str | bytes) or np.ndim(returned) or not hasattr(returned, "__float__"):
        raise TypeError(
            f"`learning_rate` must be a number. Received: a schedule that returned {returned!r} "
            f"(of type {type(returned).__name__}) at step {finished}."
        )
    rate = float(returned)
    if not math.isfinite(rate) or rate < 0:
        raise ValueError(
            f"`learning_rate` must be a finite number that is not negative. Received: a schedule that returned "
            f"{rate} at step {finished}."
        )
    return rate


def power(base: float, exponent: float) -> float:
    """Return ``base ** exponent``, infinity where it is too large for a float."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
