"""The operations that train tables and other weights, and those that give them their first values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastembed_layer.backends.contract.hooks import Hooks
from fastembed_layer.backends.contract.types import Gradient, GroupedGradient, Step, TableState, Weight

Array = np.ndarray[Any, Any]


class Updates(Hooks):
    """Operations on gradients, and those that write weights."""

    def group_gradient(self, gradient: Gradient) -> GroupedGradient:
        """Check the ids of a gradient and bring the positions of each id together; nothing is written to a table.

        Raises
        ------
        IdsOutOfRangeError
            If an id is not a row.
        """
        return self._arrange("group_gradient", gradient)

    def sum_duplicates(self, gradient: Gradient) -> tuple[Array, Array]:
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
        return self._arrange("sum_duplicates", gradient)

    def update_rows(self, table: TableState, grouped: GroupedGradient, step: Step) -> None:
        """Apply one optimizer step to the rows of a gradient; table and slots change in place, other rows do not.

        The gradients of an id are summed, in the order of their positions, before the rule sees them. Table and
        slots have the same bits afterwards for any number of threads.

        Parameters
        ----------
        table : TableState
            The table to train.
        grouped : GroupedGradient
            What `group_gradient` returned.
        step : Step
            The rule with its slots and numbers.

        Notes
        -----
        Where the rows have rates of their own, ``table.row_rates.factors``, a row goes its share of the step, decay
        included, and its slots change in full. Rows that do not train must not be in the gradient.

        Where ``table.idle`` is set, each row is first brought up to date with the steps it has been idle, in the same
        pass, and ``table.idle.last_steps`` of the rows becomes the step after the clock's present one. The caller
        advances the clock.
        """
        self.prepare_update(table, grouped, step)()

    def prepare_update(self, table: TableState, grouped: GroupedGradient, step: Step) -> Callable[[], None]:
        """Return `update_rows` as a function that only writes, after everything that can fail has been done.

        Nothing is written before it is called. A backend that cannot tell the two apart does all of it then.
        """
        return self._write("prepare_update", table, grouped, step)

    def prepare_dense_update(self, parameter: Weight, gradient: Array, step: Step) -> Callable[[], None]:
        """Return `update_dense` as a function that only writes, as `prepare_update` does."""
        return self._write("prepare_dense_update", parameter, gradient, step)

    def finish_rows(self, table: TableState) -> None:
        """Bring every row of a table with ``table.idle`` up to date; table, slots and last steps change in place."""
        self._write("finish_rows", table)

    def update_dense(self, parameter: Weight, gradient: Array, step: Step) -> None:
        """Apply one optimizer step to every element of a parameter; parameter and slots change in place.

        Parameters
        ----------
        parameter : Weight
            Of any rank.
        gradient : ndarray of the shape of the parameter
            Its gradient.
        step : Step
            The rule with its slots and numbers.
        """
        self.prepare_dense_update(parameter, gradient, step)()

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
        self._write("fill_random", out, seed, distribution, scalars, first_row)
