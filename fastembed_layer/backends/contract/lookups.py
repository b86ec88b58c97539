"""The operations that read tables: lookups, and what prepares and undoes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.contract.hooks import Hooks
from fastembed_layer.backends.contract.types import Gradient, TableState

Array = np.ndarray[Any, Any]


class Lookups(Hooks):
    """Operations that never write a table."""

    def gather_rows(self, table: TableState, ids: Array, out: Array | None = None) -> Array:
        """Look rows up.

        Parameters
        ----------
        table : TableState
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
        return self._look_up("gather_rows", table, ids=ids, out=out)

    def gather_bags(
        self,
        table: TableState,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "sum",
        divisors: Array | None = None,
    ) -> Array:
        """Look rows up and sum them by bag, without holding the rows.

        Parameters
        ----------
        table : TableState
            Never written.
        ids : ndarray, shape (n,)
            The ids of all bags, one bag after the other.
        offsets : ndarray of int64, shape (n_bags + 1,)
            Bag b holds the positions ``offsets[b]`` to ``offsets[b + 1]``; checked by the caller.
        scales : ndarray of the table's dtype, shape (n,), optional
            Factor of each row; without it, 1. A row whose scale is 0 is left out, even where it is NaN.
        combiner : {"sum", "mean", "sqrtn"}
            What the sum of a bag is divided by: nothing, the sum of its scales, or the root of the sum of their
            squares.
        divisors : ndarray of the table's dtype, shape (n_bags,), optional
            Where to write what each bag was divided by: infinity in place of 0.

        Returns
        -------
        bags : ndarray, shape (n_bags, output_dim)
            ``bags[b]`` is the sum of ``scales[p] * table[ids[p]]`` in the order of the positions, divided; an empty
            bag, and one whose divisor would be 0, is 0.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row.
        """
        bags = {"ids": ids, "offsets": offsets, "scales": scales}
        return self._look_up("gather_bags", table, **bags, combiner=combiner, divisors=divisors)

    def gather_max(
        self,
        table: TableState,
        ids: Array,
        offsets: Array,
        scales: Array | None,
        combiner: str = "max",
        argmax: Array | None = None,
    ) -> Array:
        """Look rows up and keep the largest or smallest value of each column by bag, without holding the rows.

        Parameters
        ----------
        table : TableState
            Never written.
        ids, offsets, scales
            As for `gather_bags`; a row whose scale is 0 takes part with zeros.
        combiner : {"max", "min"}
            Which values are kept.
        argmax : ndarray of int32, shape (n_bags, output_dim), optional
            Where to write which row each value comes from, as a position within its bag: the first of equal ones, and
            -1 in an empty bag.

        Returns
        -------
        bags : ndarray, shape (n_bags, output_dim)
            ``bags[b, c]`` is the largest or smallest ``scales[p] * table[ids[p], c]`` of bag b, NaN if one of them is;
            an empty bag is 0.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row.
        """
        bags = {"ids": ids, "offsets": offsets, "scales": scales}
        return self._look_up("gather_max", table, **bags, combiner=combiner, argmax=argmax)

    def dot_rows(self, table: TableState, gradient: Gradient) -> Array:
        """Multiply each row of a gradient by its gradient vector: the derivative with respect to its scale.

        Parameters
        ----------
        table : TableState
            Never written.
        gradient : Gradient
            Its `scales` are left out.

        Returns
        -------
        products : ndarray of the table's dtype, shape (n,)
            ``products[p]`` is the dot product of ``table[ids[p]]`` with the vector that ``ids[p]`` receives.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row.
        """
        return self._look_up("dot_rows", table, gradient=gradient)

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
        return self._arrange("offset_ids", ids, columns, row_offsets, input_dims)

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
        return self._arrange("offset_bags", values, offsets, row_offsets, input_dims)
