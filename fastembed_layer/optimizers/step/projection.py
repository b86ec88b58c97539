"""Projection by constraints after a step."""

from __future__ import annotations

import weakref

from fastembed_layer.backends.arrays import move_array, to_cpu
from fastembed_layer.optimizers.step.reasons import Reason, warn_of_all_rows
from fastembed_layer.optimizers.step.trained_rows import write_trained
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

_warned: weakref.WeakSet[Parameter] = weakref.WeakSet()


def apply_constraint(parameter: Parameter, gradient: Gradient, reasons: list[Reason]) -> None:
    """Project a parameter after its update: the touched rows, or for some reasons all, which a warning says.

    A constraint is a function of numpy arrays, so rows of a GPU are copied to the host for it.
    """
    constraint = parameter.constraint
    if constraint is None:
        return
    if isinstance(gradient, RowGradient) and not reasons:
        touched = move_array(gradient.distinct_ids(), parameter.placement)
        projected = constraint(to_cpu(parameter.write_back()[touched]))
        parameter.write_back()[touched] = move_array(projected, parameter.placement)
        if isinstance(parameter, Table):
            parameter.squares = None
        return
    if isinstance(gradient, RowGradient) and isinstance(parameter, Table) and parameter not in _warned:
        _warned.add(parameter)
        what = f"The constraint of the weight {parameter.name!r} projects"
        warn_of_all_rows(what, 4 * parameter.nbytes, reasons)
    write_trained(parameter, constraint(to_cpu(parameter.value)))
