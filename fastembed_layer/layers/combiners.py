"""How the rows of a bag become one vector, and how its gradient finds the way back to the rows and their weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.arrays import as_contiguous, move_like, to_cpu
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.inputs.bags import Bags
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table
from fastembed_layer.tape import is_recording

Array = np.ndarray[Any, Any]

COMBINERS = ("sum", "mean", "sqrtn", "max", "min")
EXTREMES = ("max", "min")


class Combined(NamedTuple):
    """The result of a lookup of bags, and what the way back needs of it.

    Attributes
    ----------
    output : ndarray, shape (n_bags, output_dim)
        The combined rows.
    bags : Bags
        The ids that took part.
    combiner : str
        How they were combined.
    divisors : ndarray, shape (n_bags,), or None
        What the sums were divided by.
    argmax : ndarray of int32, shape (n_bags, output_dim), or None
        Places of the largest or smallest values, while a tape records.
    """

    output: Array
    bags: Bags
    combiner: str
    divisors: Array | None
    argmax: Array | None


def combine_bags(table: Table, bags: Bags, combiner: str) -> Combined:
    """Look the rows of some bags up and combine them, without holding the rows.

    Raises
    ------
    IdsOutOfRangeError
        If an id is not a row.
    """
    backend, (ids, offsets, weights) = backend_of(table, bags.ids), bags[:3]
    if combiner not in EXTREMES:
        divisors = np.empty_like(ids, table.dtype, shape=len(offsets) - 1)
        output = backend.gather_bags(table, ids, offsets, weights, combiner, divisors)
        return Combined(output, bags, combiner, divisors, None)
    shape = (len(offsets) - 1, table.output_dim)
    argmax = np.empty_like(ids, np.int32, shape=shape) if is_recording() else None
    output = backend.gather_max(table, ids, offsets, weights, combiner, argmax)
    return Combined(output, bags, combiner, None, argmax)


def pull_back_bags(table: Table, combined: Combined, d_output: Array) -> tuple[RowGradient, Array | None]:
    """Return the gradient of the table, one vector per bag, and the positions of its ids; None for all of them."""
    values = as_contiguous(d_output.reshape(-1, table.output_dim))
    shape = (table.input_dim, table.output_dim)
    if combined.argmax is None:
        return _gradient_of_sums(combined, values, shape), None
    return _gradient_of_argmax(combined, values, shape)


def pull_back_weights(table: Table, combined: Combined, gradient: RowGradient, positions: Array | None) -> Array:
    """Return the gradient of the per-sample weights from what `pull_back_bags` returned."""
    products = backend_of(table, gradient.ids).dot_rows(table, gradient)
    if positions is not None:
        return spread_over(positions, products, len(combined.bags.ids))
    return _through_divisors(products, combined)


def spread_over(positions: Array, values: Array, count: int) -> Array:
    """Return an array of zeros with `values` at some positions."""
    spread = np.zeros_like(values, shape=count)
    spread[positions] = values
    return spread


def _gradient_of_sums(combined: Combined, d_bags: Array, shape: tuple[int, int]) -> RowGradient:
    """The gradient of rows whose scaled sum was divided: one vector per bag."""
    bags = combined.bags
    assert combined.divisors is not None
    values = d_bags if combined.combiner == "sum" else d_bags / combined.divisors[:, None]
    return RowGradient(bags.ids, values, shape, bags.owners(), bags.weights)


def _gradient_of_argmax(combined: Combined, d_bags: Array, shape: tuple[int, int]) -> tuple[RowGradient, Array]:
    """The gradient of the rows that have won a column of their bag, and their positions: one vector per bag."""
    bags, argmax = combined.bags, combined.argmax
    assert argmax is not None
    offsets = move_like(bags.offsets, bags.ids)
    won = np.zeros_like(bags.ids, bool)
    filled = offsets[1:] > offsets[:-1]
    won[(argmax[filled] + offsets[:-1][filled, None]).reshape(-1)] = True
    positions = np.flatnonzero(won)
    owners = bags.owners()[positions]
    weights = None if bags.weights is None else bags.weights[positions]
    bag_positions = positions - offsets[owners]
    return RowGradient(bags.ids[positions], d_bags, shape, owners, weights, argmax, bag_positions), positions


def _through_divisors(products: Array, combined: Combined) -> Array:
    """Add to the derivative of a bag's sum by its weights what the weights do through the divisor.

    With the divisor N, the output o and `products` r_i . d / N, the derivative by w_i is ``r_i.d/N - o.d/N`` for a mean
    and ``r_i.d/N - w_i o.d/N**2`` for sqrtn; o.d is the sum of ``w_i r_i.d/N`` over the bag.
    """
    bags, divisors = combined.bags, combined.divisors
    if combined.combiner == "sum":
        return products
    assert divisors is not None
    assert bags.weights is not None
    owners = bags.owners()
    # On the host also for a GPU, where sums of this kind have another order every time.
    sums = np.bincount(to_cpu(owners), to_cpu(bags.weights * products), len(divisors))
    totals = move_like(sums, products) / divisors
    indirect = totals[owners] if combined.combiner == "mean" else bags.weights * (totals / divisors)[owners]
    return (products - indirect).astype(products.dtype, copy=False)
