"""Every operation of a backend, documented here and nowhere else.

Arrays are numpy arrays on the CPU backend. `ids` are one-dimensional, contiguous, int32 or int64. A table is read
and written through ``table.storage``, and where ``table.idle`` is set, rows count as they are after their idle steps.
No operation creates an array of the table's shape.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from fastembed_layer.row_gradient import RowGradient
    from fastembed_layer.table import Parameter, Table

Array = np.ndarray[Any, Any]


class IdsOutOfRangeError(IndexError):
    """Some id is not a row of the table.

    Attributes
    ----------
    position : int
        Where the first such id stands in the flat ids.
    """

    def __init__(self, position: int, value: int, input_dim: int):
        super().__init__(f"indices[{position}] = {value} is not in [0, {input_dim})")
        self.position = position


class GroupedGradient(NamedTuple):
    """A row gradient whose ids have been checked and sorted: `keys` hold ids and positions in the backend's way."""

    gradient: RowGradient
    keys: Array


class Backend(ABC):
    """The operations on tables and row gradients."""

    @abstractmethod
    def gather_rows(self, table: Table, ids: Array, out: Array | None = None) -> Array:
        """Look rows up.

        Parameters
        ----------
        table : Table
            Never written.
        ids : ndarray, shape (n,)
            The rows to copy.
        out : ndarray of the table's dtype, shape (n, output_dim), optional
            Where to copy them; without it, memory of an earlier result that nobody holds any more is used again.

        Returns
        -------
        rows : ndarray, shape (n, output_dim)
            ``rows[p] = table[ids[p]]``.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row; `out` is then partly written.
        """

    @abstractmethod
    def gather_bags(self, table: Table, ids: Array, offsets: Array, scales: Array | None) -> Array:
        """Look rows up and sum them by bag, without holding the rows.

        Parameters
        ----------
        table : Table
            Never written.
        ids : ndarray, shape (n,)
            The ids of all bags, one bag after the other.
        offsets : ndarray of int64, shape (n_bags + 1,)
            Bag b holds the positions ``offsets[b]`` to ``offsets[b + 1]``; checked by the caller.
        scales : ndarray of the table's dtype, shape (n,), optional
            Factor of each row; without it, 1.

        Returns
        -------
        bags : ndarray, shape (n_bags, output_dim)
            ``bags[b]`` is the sum of ``scales[p] * table[ids[p]]`` in the order of the positions; an empty bag is 0.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row.
        """

    @abstractmethod
    def offset_ids(self, ids: Array, columns: Array, row_offsets: Array, input_dims: Array) -> Array:
        """Turn ids of several vocabularies into rows of the one table in which these lie under each other.

        Parameters
        ----------
        ids : ndarray of int32 or int64, shape (n_samples, n_columns)
            A column for each vocabulary; C-contiguous.
        columns : ndarray of int64, shape (n,)
            The columns to take, ascending.
        row_offsets : ndarray of int64, shape (n,)
            For each of them, the row with which its vocabulary begins.
        input_dims : ndarray of int64, shape (n,)
            For each of them, the size of its vocabulary.

        Returns
        -------
        rows : ndarray of int64, shape (n_samples * n,)
            ``ids[s, columns[k]] + row_offsets[k]``, sample by sample.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not in its vocabulary; the position is that in the flat `ids`.
        """

    @abstractmethod
    def offset_bags(self, values: Array, offsets: Array, row_offsets: Array, input_dims: Array) -> tuple[Array, Array]:
        """Do for bags what `offset_ids` does for single ids, and put them into the order of the samples.

        Parameters
        ----------
        values : ndarray of int32 or int64, shape (m,)
            The ids of all bags, one vocabulary after the other.
        offsets : ndarray of int64, shape (n, n_samples + 1)
            Bag s of vocabulary k holds the positions ``offsets[k, s]`` to ``offsets[k, s + 1]``; checked by the caller.
        row_offsets, input_dims
            As for `offset_ids`.

        Returns
        -------
        ids : ndarray of int64
            The rows of all these bags; bag ``s * n + k`` is that of sample s and vocabulary k.
        bag_offsets : ndarray of int64, shape (n_samples * n + 1,)
            Where each bag begins.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not in its vocabulary; the position is that in `values`.
        """

    @abstractmethod
    def group_gradient(self, gradient: RowGradient) -> GroupedGradient:
        """Check the ids of a gradient and bring the positions of each id together; nothing is written to a table.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row.
        """

    @abstractmethod
    def sum_duplicates(self, gradient: RowGradient) -> tuple[Array, Array]:
        """Sum the gradient vectors of each id in the order of their positions.

        Returns
        -------
        ids : ndarray of int64, shape (m,)
            Every id once, ascending.
        sums : ndarray, shape (m, output_dim)
            Their summed gradients, in the dtype of the values.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row.
        """

    @abstractmethod
    def update_rows(
        self,
        table: Table,
        grouped: GroupedGradient,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        keep: float = 1.0,
    ) -> None:
        """Apply one optimizer step to the rows of a gradient; table and slots change in place, other rows do not.

        The gradients of an id are summed, in the order of their positions, before the rule sees them. Table and
        slots have the same bits afterwards for any number of threads.

        Parameters
        ----------
        table : Table
            The table to train.
        grouped : GroupedGradient
            What `group_gradient` returned.
        rule : str
            Name of the update rule, such as ``"adagrad"``.
        slots : sequence of ndarray of the shape and dtype of the table
            The optimizer's state, in the order of the rule.
        scalars : sequence of float
            The numbers of the rule, in its order.
        keep : float
            What weight decay leaves of the weights; they are multiplied by it before the rule sees them.

        Notes
        -----
        Where the rows have rates of their own, ``table.row_rates.factors``, a row goes its share of the step, decay
        included, and its slots change in full. Rows that do not train must not be in the gradient.

        Where ``table.idle`` is set, each row is first brought up to date with the steps it has been idle, in the same
        pass, and ``table.idle.last_steps`` of the rows becomes the step after the clock's present one. The caller
        advances the clock.
        """

    @abstractmethod
    def finish_rows(self, table: Table) -> None:
        """Bring every row of a table with ``table.idle`` up to date; table, slots and last steps change in place."""

    @abstractmethod
    def update_dense(
        self,
        parameter: Parameter,
        gradient: Array,
        rule: str,
        slots: Sequence[Array],
        scalars: Sequence[float],
        keep: float = 1.0,
    ) -> None:
        """Apply one optimizer step to every element of a parameter; parameter and slots change in place.

        Parameters
        ----------
        parameter : Parameter
            Of any rank.
        gradient : ndarray of the shape of the parameter
            Its gradient.
        rule, slots, scalars, keep
            As for `update_rows`.
        """

    @abstractmethod
    def fill_random(
        self, out: Array, seed: int, distribution: str, scalars: tuple[float, float], first_row: int = 0
    ) -> None:
        """Draw random rows in place from a counter-based generator keyed by (seed, row, column).

        Parameters
        ----------
        out : ndarray of float32 or float64, shape (n, columns)
            Written whole; row r receives the values of row ``first_row + r`` of the stream.
        seed : int
            Key of the generator, 0 to 2**64 - 1.
        distribution : str
            ``"uniform"`` with scalars (low, high), ``"normal"`` with (mean, deviation) or ``"truncated_normal"``
            with (mean, deviation), redrawn beyond two deviations.
        scalars : tuple of float
            The two numbers of the distribution.
        first_row : int
            Number of the first row.
        """
