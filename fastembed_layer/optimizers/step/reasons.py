"""Why a step has to visit every row of a table, and what it says about that."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastembed_layer.checks import warn_caller
from fastembed_layer.placement.devices import format_bytes
from fastembed_layer.tables.parameter import Parameter


class Reason(NamedTuple):
    """Why the touched rows are not enough, and what to pass instead."""

    text: str
    remedy: str


IDLE_ROWS = Reason("this optimizer moves idle rows", "update='lazy' to the optimizer")
NOT_LOCAL = Reason(
    "the constraint does not treat each row by itself", "a constraint that does (MaxNorm with axis=1, say)"
)


def list_reasons(parameter: Parameter, moves_idle_rows: bool) -> list[Reason]:
    """Return why rows outside a batch do not come out of a step as they went in; without a reason they do."""
    reasons = [IDLE_ROWS] if moves_idle_rows else []
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


def _is_row_local(constraint: Any) -> bool:
    return bool(getattr(constraint, "is_row_local", False))
