"""L2 penalties over whole tables: as a decay where that is the same, else as a gradient of the table's size.

With the penalty ``l2 * sum(w**2)``, gradient descent does ``w -= lr (g + 2 l2 w)``, which is
``w = (1 - 2 lr l2) w - lr g``: a decay, and idle rows catch up with it as with weight decay. Decoupled weight decay
takes its share of the same w, so the two rates add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.optimizers.step.gradients import Pairs
from fastembed_layer.optimizers.step.owner import Owner
from fastembed_layer.optimizers.step.trained_rows import row_rates_of
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient, PenalisedGradient, warn_of_dense_gradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.running_squares import RunningSquares
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]


def settle_penalties(pairs: Pairs, optimizer: Owner) -> Pairs:
    """Return the pairs with dense gradients in place of those whose penalty is no decay under this optimizer."""
    return [(parameter, _settle(parameter, gradient, optimizer)) for parameter, gradient in pairs]


def split_penalties(pairs: Pairs, optimizer: Owner, learning_rate: float) -> tuple[Pairs, dict[Parameter, float]]:
    """Return row gradients without their penalties, and what these add to the rates of decay.

    A penalty that would turn the sign of the weights is no decay; its gradient becomes dense.
    """
    split: Pairs = []
    rates: dict[Parameter, float] = {}
    for parameter, gradient in pairs:
        if isinstance(gradient, PenalisedGradient):
            if optimizer.decay.decay_factor(parameter, learning_rate, gradient.share) > 0:
                rates[parameter], gradient = gradient.share, gradient.rows
            else:
                gradient = gradient.to_dense()
        split.append((parameter, gradient))
    if rates:
        optimizer.decay.penalise(rates)
    return split, rates


class WatchedSum(NamedTuple):
    """A running sum of squares in a step, and the rows that the step writes."""

    squares: RunningSquares
    table: Table
    row_ids: Array


def open_sums(pairs: Pairs, moves_rows: bool) -> list[WatchedSum]:
    """Before a step: take its rows out of the running sums of squares; sums that it makes invalid are dropped.

    Tables are without their sums until `close_sums`, so a step that fails leaves none that is wrong.
    """
    watched = []
    for table, gradient in pairs:
        if not isinstance(table, Table) or table.squares is None:
            continue
        if isinstance(gradient, RowGradient) and not moves_rows:
            watched.append(WatchedSum(table.squares, table, gradient.distinct_ids()))
            table.squares.take_out(table, watched[-1].row_ids)
        table.squares = None
    return watched


def close_sums(watched: Iterable[WatchedSum], decay_factors: Mapping[Parameter, float]) -> None:
    """After a step: put its rows back."""
    for squares, table, row_ids in watched:
        squares.put_back(table, row_ids, decay_factors[table])
        table.squares = squares


def _settle(parameter: Parameter, gradient: Gradient, optimizer: Owner) -> Gradient:
    if not isinstance(gradient, PenalisedGradient) or _is_decay(parameter, optimizer):
        return gradient
    warn_of_dense_gradient(gradient.table, gradient.layer_name)
    return gradient.to_dense()


def _is_decay(parameter: Parameter, optimizer: Owner) -> bool:
    """Tell whether a share of the weights in the gradient is nothing but a decay."""
    rates = row_rates_of(parameter)
    return (
        optimizer.is_gradient_descent
        and optimizer.update == "exact"
        and not optimizer.clipping.bounds
        and not optimizer.averages.use_ema
        and (rates is None or rates.factors is None)
    )
