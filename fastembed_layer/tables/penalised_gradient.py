"""The gradient of a loss with an L2 penalty over a whole table, without an array of the table's size."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import move_like
from fastembed_layer.checks import warn_caller
from fastembed_layer.placement.devices import format_bytes
from fastembed_layer.tables.dense_view import DenseView
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]


class PenalisedGradient(DenseView):
    """A row gradient, and a share of the table itself: what an L2 penalty over the table adds to the gradient.

    `SGD` without momentum applies the share as a decay, at the cost of the rows of the batch; other optimizers take
    the whole array, which `to_dense` and ``np.asarray`` return. A tape returns one for a layer with
    ``embeddings_regularizer="l2"``.

    Parameters
    ----------
    table : Table
        The table, whose value at the time of use counts.
    share : float
        Factor of the table: ``2 * l2`` for the penalty ``l2 * sum(w**2)``.
    rows : RowGradient, optional
        What the lookups contribute.
    layer_name : str
        Named in warnings.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Embedding, GradientTape
    >>> layer = Embedding(3, 1, weights=[[[1.0], [2.0], [3.0]]], embeddings_regularizer={"class_name": "L2"})
    >>> with GradientTape() as tape:
    ...     targets = [layer(np.array([1])), *layer.losses]
    >>> gradient = tape.gradient(targets, layer.embeddings)
    >>> gradient.share, gradient.rows.ids
    (0.02, array([1]))
    >>> gradient.to_dense().round(2)
    array([[0.02],
           [1.04],
           [0.06]], dtype=float32)
    """

    def __init__(self, table: Table, share: float, rows: RowGradient | None = None, layer_name: str = ""):
        self.table = table
        self.share = share
        self.rows = no_rows(table) if rows is None else rows
        self.layer_name = layer_name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the table."""
        return self.table.shape

    def to_dense(self) -> Array:
        """Return the whole ``(input_dim, output_dim)`` array."""
        dense = self.table.value * self.rows.dtype.type(self.share)
        summed = self.rows.sum_duplicates()
        dense[move_like(summed.ids, dense)] += move_like(summed.values, dense)
        return dense

    def copy(self) -> PenalisedGradient:
        """Return a gradient whose rows share no memory with this one."""
        return self.with_rows(self.rows.copy())

    def with_rows(self, rows: RowGradient) -> PenalisedGradient:
        """Return the same share of the table with another row gradient."""
        return PenalisedGradient(self.table, self.share, rows, self.layer_name)

    def __add__(self, other: PenalisedGradient | RowGradient | Array) -> PenalisedGradient | Array:
        """Merge with another gradient of the same table; with a dense gradient the sum is dense."""
        if isinstance(other, PenalisedGradient):
            rows, share = self.rows + other.rows, self.share + other.share
        elif isinstance(other, RowGradient):
            rows, share = self.rows + other, self.share
        else:
            return self.to_dense() + other
        assert isinstance(rows, RowGradient)
        return PenalisedGradient(self.table, share, rows, self.layer_name)

    __radd__ = __add__
    __array_ufunc__ = None

    def __mul__(self, factor: float) -> PenalisedGradient:
        """Return the gradient scaled by a number."""
        return PenalisedGradient(self.table, self.share * factor, self.rows * factor, self.layer_name)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"<PenalisedGradient of {len(self.rows)} ids and {self.share:g} times the table of shape {self.shape}>"


Gradient = Array | RowGradient | PenalisedGradient
_warned: weakref.WeakSet[Table] = weakref.WeakSet()


def no_rows(table: Table) -> RowGradient:
    """Return a gradient of no rows of a table."""
    return RowGradient(np.empty(0, np.int64), np.empty((0, table.output_dim), table.dtype), _shape_of(table))


def warn_of_dense_gradient(table: Table, layer_name: str) -> None:
    """Say once for each table what a penalty over all of it costs in every step, and the way out."""
    if table in _warned:
        return
    _warned.add(table)
    warn_caller(
        f"`embeddings_regularizer` of the layer {layer_name!r} is a term over the whole table, so every training "
        f"step reads and writes {format_bytes(3 * table.nbytes)} or more. Pass regularizer_scope='batch' to apply "
        "it to the rows of each batch only; L2 over the table is no burden to SGD without momentum and clipping.",
    )


def _shape_of(table: Table) -> tuple[int, int]:
    return table.input_dim, table.output_dim
