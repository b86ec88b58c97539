"""Which rows of a table train, and at which share of the learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import CPU, as_array, move_array, to_cpu

Array = np.ndarray[Any, Any]
Rows = slice | Array

SLICE_KEYS = ("start", "stop", "step")
FORMS = "a slice, a bool for each row, or the ids of rows"


class RowRates:
    """How the rows of a table train where they do not train alike; never changed, only replaced.

    Parameters
    ----------
    trainable : ndarray of bool, shape (input_dim,), optional
        Whether a row trains; without it, all do.
    factors : ndarray of the table's dtype, shape (input_dim,), optional
        Share of the learning rate that a row takes; without it, 1. It means nothing for rows that do not train.
    """

    def __init__(self, trainable: Array | None = None, factors: Array | None = None):
        self.trainable = trainable
        self.factors = factors
        self._moved: dict[str, Array] = {}

    def factors_on(self, placement: str) -> Array | None:
        """Return the factors where a table lives; they are copied there once."""
        if self.factors is None or placement == CPU:
            return self.factors
        if placement not in self._moved:
            self._moved[placement] = move_array(self.factors, placement)
        return self._moved[placement]


def make_row_rates(
    input_dim: int, rows: Rows | None, factors: Array | None, padding_id: int | None = None
) -> RowRates | None:
    """Return how the rows of a table train; None where all train at the full rate.

    Parameters
    ----------
    input_dim : int
        Number of rows.
    rows : slice or ndarray, optional
        What `check_rows` returned: the rows that train.
    factors : ndarray, optional
        What `check_factors` returned; rows whose factor is 0 do not train.
    padding_id : int, optional
        A row that does not train; a negative number is none.
    """
    trainable = np.full(input_dim, rows is None)
    if rows is not None:
        trainable[rows] = True
    if factors is not None:
        trainable &= factors > 0
    if padding_id is not None and padding_id >= 0:
        trainable[padding_id] = False
    own_factors = None if factors is None or (factors[trainable] == 1).all() else factors
    if own_factors is None and trainable.all():
        return None
    return RowRates(None if trainable.all() else trainable, own_factors)


def check_rows(rows: Any, input_dim: int, argument: str = "trainable_rows") -> Rows | None:
    """Return a slice, or a copy of a mask or of ids as an array; None stays None.

    Parameters
    ----------
    rows : slice, array_like of bool or int, dict or None
        A mask has one value per row; ids may repeat; a dict is what `rows_to_config` made of a slice.
    input_dim : int
        Number of rows.
    argument : str
        Named in errors.

    Raises
    ------
    TypeError, ValueError
        If `rows` is of another kind, a mask has another length, or a slice or an id leaves the table.
    """
    if rows is None:
        return None
    if isinstance(rows, dict) and set(rows) == set(SLICE_KEYS):
        rows = slice(*(rows[key] for key in SLICE_KEYS))
    check = _checked_slice if isinstance(rows, slice) else _checked_array
    return check(rows, input_dim, argument)


def check_factors(factors: Any, input_dim: int, dtype: str) -> Array | None:
    """Return the factors of the learning rate in the table's type, a copy; None stays None.

    Raises
    ------
    TypeError, ValueError
        If `factors` is not one finite number per row that is not negative.
    """
    if factors is None:
        return None
    given = to_cpu(as_array(factors, is_weight=True))
    if given.dtype.kind not in "iuf":
        raise TypeError(
            f"`row_rates` must be an array of numbers, one factor of the learning rate for each row. "
            f"Received: {_describe(factors, given)}."
        )
    if given.shape != (input_dim,):
        raise ValueError(f"`row_rates` must have one factor per row, shape ({input_dim},). Received: {given.shape}.")
    with np.errstate(over="ignore"):
        checked = given.astype(dtype)
    wrong = ~(np.isfinite(checked) & (checked >= 0))
    if wrong.any():
        row_id = int(np.argmax(wrong))
        raise ValueError(
            f"`row_rates` must be finite numbers that are not negative; 0 freezes a row. "
            f"Received: row_rates[{row_id}] = {given[row_id]}."
        )
    return checked


def check_padding_id(padding_id: Any, input_dim: int) -> int | None:
    """Return the id of padding, a row of the table or a negative number; None stays None.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    if padding_id is None:
        return None
    if not isinstance(padding_id, int | np.integer) or isinstance(padding_id, bool):
        raise TypeError(
            f"`padding_id` must be an integer. Received: {padding_id!r} (of type {type(padding_id).__name__})."
        )
    if not np.iinfo(np.int64).min <= padding_id < input_dim:
        raise ValueError(
            f"`padding_id` must be a row of the table, in [0, {input_dim}), or a negative number such as -1, which is "
            f"none. Received: padding_id={padding_id}."
        )
    return int(padding_id)


def rows_to_config(rows: Rows | None) -> Any:
    """Return what `check_rows` returned in a form that JSON knows."""
    if isinstance(rows, slice):
        return {key: getattr(rows, key) for key in SLICE_KEYS}
    return None if rows is None else rows.tolist()


def _checked_slice(rows: slice, input_dim: int, argument: str) -> slice:
    """Beyond the table Python's slices are silently shorter, which would freeze rows unawares."""
    parts = [getattr(rows, key) for key in SLICE_KEYS]
    if any(isinstance(part, bool) or not (part is None or hasattr(part, "__index__")) for part in parts):
        raise TypeError(f"`{argument}` must be a slice of integers. Received: {rows!r}.")
    whole = [None if part is None else int(part) for part in parts]
    if whole[2] == 0:
        raise ValueError(f"`{argument}` must be a slice whose step is not 0. Received: {rows!r}.")
    if any(bound is not None and abs(bound) > input_dim for bound in whole[:2]):
        raise ValueError(f"`{argument}` must stay within the {input_dim} rows of the table. Received: {rows!r}.")
    return slice(*whole)


def _checked_array(rows: Any, input_dim: int, argument: str) -> Array:
    try:
        array = np.array(rows)
    except ValueError:
        array = np.array(None)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "biu":
        raise TypeError(f"`{argument}` must be {FORMS}. Received: {_describe(rows, array)}.")
    if array.dtype.kind == "b":
        if len(array) != input_dim:
            raise ValueError(
                f"`{argument}` must hold one bool for each of the {input_dim} rows. Received: {len(array)} bools."
            )
        return array
    outside = (array < 0) | (array >= input_dim)
    if outside.any():
        position = int(np.argmax(outside))
        raise ValueError(
            f"`{argument}` must hold rows of the table, in [0, {input_dim}). "
            f"Received: {argument}[{position}] = {array[position]}."
        )
    return array.astype(np.int64)


def _describe(given: Any, array: Array) -> str:
    """Name what the caller passed."""
    if isinstance(given, np.ndarray | list | tuple):
        return f"{type(given).__name__} of shape {array.shape} and dtype {array.dtype}"
    return f"{given!r} (of type {type(given).__name__})"
