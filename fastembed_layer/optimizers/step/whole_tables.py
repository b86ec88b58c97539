"""What has to visit every row of a table after a step, and what it says about that; projection by constraints."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from fastembed_layer.backends.arrays import move_array, to_cpu
from fastembed_layer.checks import warn_caller
from fastembed_layer.optimizers.step.trained_rows import write_trained
from fastembed_layer.placement.devices import format_bytes
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

if TYPE_CHECKING:
    from fastembed_layer.optimizers.optimizer import Optimizer

_warned: weakref.WeakSet[Parameter] = weakref.WeakSet()


class Reason(NamedTuple):
    """Why the touched rows are not enough, and what to pass instead."""

    text: str
    remedy: str


IDLE_ROWS = Reason("this optimizer moves idle rows", "update='lazy' to the optimizer")
NOT_LOCAL = Reason(
    "the constraint does not treat each row by itself", "a constraint that does (MaxNorm with axis=1, say)"
)


def find_reasons(optimizer: Optimizer, parameter: Parameter) -> list[Reason]:
    """Return why rows outside a batch do not come out of a step as they went in; without a reason they do."""
    motion = optimizer.idle_motion() if optimizer.update == "exact" else None
    reasons = []
    if motion is not None and (motion.moves_rows or optimizer.decay.reaches(parameter)):
        reasons.append(IDLE_ROWS)
    if parameter.constraint is not None and not _is_row_local(parameter.constraint):
        reasons.append(NOT_LOCAL)
    return reasons


def warn_of_all_rows(what: str, nbytes: int, reasons: list[Reason]) -> None:
    """Say what is done to every row at every step, how many bytes that moves at least, why, and the ways out."""
    warn_caller(
        f"{what} every row at every step, {format_bytes(nbytes)} or more, because "
        f"{' and '.join(reason.text for reason in reasons)}. "
        f"Pass {' and '.join(reason.remedy for reason in reasons)} to visit the rows of each batch only.",
    )


def apply_constraint(optimizer: Optimizer, parameter: Parameter, gradient: Gradient) -> None:
    """Project a parameter after its update: the touched rows where that is enough, else all, which a warning says.

    They are enough for a constraint that is row-local, as long as the optimizer does not move rows outside the batch.
    A constraint is a function of numpy arrays, so rows of a GPU are copied to the host for it.
    """
    constraint = parameter.constraint
    if constraint is None:
        return
    reasons = find_reasons(optimizer, parameter) if isinstance(gradient, RowGradient) else []
    if isinstance(gradient, RowGradient) and not reasons:
        touched = move_array(gradient.distinct_ids(), parameter.placement)
        projected = constraint(to_cpu(parameter.write_back()[touched]))
        parameter.write_back()[touched] = move_array(projected, parameter.placement)
        if isinstance(parameter, Table):
            parameter.squares = None
        return
    if reasons and isinstance(parameter, Table) and parameter not in _warned:
        _warned.add(parameter)
        what = f"The constraint of the weight {parameter.name!r} projects"
        warn_of_all_rows(what, 4 * parameter.nbytes, reasons)
    write_trained(parameter, constraint(to_cpu(parameter.value)))


def _is_row_local(constraint: Any) -> bool:
    return bool(getattr(constraint, "is_row_local", False))
