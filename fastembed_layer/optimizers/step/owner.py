"""What the parts of a step ask of the optimizer that makes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from fastembed_layer.optimizers.step.accumulation import Accumulation
from fastembed_layer.optimizers.step.averages import MovingAverages
from fastembed_layer.optimizers.step.clipping import Clipping
from fastembed_layer.optimizers.step.decay import WeightDecay
from fastembed_layer.optimizers.step.idle_book import IdleBook, IdleMotion
from fastembed_layer.optimizers.step.reasons import Reason, list_reasons
from fastembed_layer.optimizers.step.trained_rows import row_rates_of
from fastembed_layer.tables.parameter import Parameter

Array = np.ndarray[Any, Any]
Slots = dict[Parameter, dict[str, Array]]


class Owner(Protocol):
    """An optimizer, as far as a step knows it; `Optimizer` documents the members."""

    update: str
    learning_rate: Any
    iterations: int
    skipped_steps: int
    own_slots: Slots
    row_wise_slots: tuple[str, ...]
    non_negative_slots: frozenset[str]
    decay: WeightDecay
    clipping: Clipping
    accumulation: Accumulation
    averages: MovingAverages
    idle_book: IdleBook

    @property
    def rule(self) -> str: ...
    @property
    def slots(self) -> Slots: ...
    @property
    def is_gradient_descent(self) -> bool: ...
    def scalars(self, learning_rate: float, step: int) -> tuple[float, ...]: ...
    def slot_values(self) -> dict[str, float]: ...
    def slots_of(self, parameter: Parameter) -> dict[str, Array]: ...
    def stands_still(self, learning_rate: float) -> bool: ...
    def idle_motion(self) -> IdleMotion | None: ...
    def idle_amount(self, learning_rate: float, step: int) -> float | Array: ...
    def refusal_of_row_rates(self) -> str | None: ...
    def build(self, var_list: Iterable[Parameter]) -> None: ...


def find_motion(optimizer: Owner) -> IdleMotion | None:
    """Return how idle rows change; None where they stay as they are."""
    return optimizer.idle_motion() if optimizer.update == "exact" else None


def find_reasons(optimizer: Owner, parameter: Parameter) -> list[Reason]:
    """Return why a step of this optimizer has to visit every row of a table; without a reason the touched ones do."""
    motion = find_motion(optimizer)
    return list_reasons(parameter, motion is not None and (motion.moves_rows or optimizer.decay.reaches(parameter)))


def check_row_rates(parameter: Parameter, optimizer: Owner) -> None:
    """Raise where an optimizer cannot give the rows of a table rates of their own.

    Raises
    ------
    ValueError
        With the reason, and what can be done instead.
    """
    rates = row_rates_of(parameter)
    if rates is None or rates.factors is None:
        return
    reason = optimizer.refusal_of_row_rates()
    if reason is None and optimizer.update == "exact" and optimizer.decay.reaches(parameter):
        reason = (
            "in exact mode weight decay reaches idle rows, and what several steps leave of a row is not linear in its "
            "rate. Pass update='lazy', or leave the table out by exclude_from_weight_decay"
        )
    if reason is not None:
        raise ValueError(
            f"`row_rates` of the weight {parameter.name!r} cannot be trained by {type(optimizer).__name__}: {reason}."
        )
