"""The gradient of a table: the rows a batch touched, never the whole table."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.dispatch import backend_for

Array = np.ndarray[Any, Any]


class RowGradient:
    """Gradients of some rows of a table; an id may occur more than once, and then its gradients add up.

    Parameters
    ----------
    ids : ndarray of int32 or int64, shape (n,)
        The rows.
    values : ndarray, shape (m, output_dim)
        Gradient vectors. Without `sources`, m = n and vector p belongs to ``ids[p]``.
    shape : tuple of int
        ``(input_dim, output_dim)`` of the table.
    sources : ndarray of int64, shape (n,), optional
        ``ids[p]`` receives ``values[sources[p]]``: the ids of one bag share one vector, and no copy is made.
    scales : ndarray of the dtype of `values`, shape (n,), optional
        Factor of the vector of ``ids[p]``; without it, 1.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    TypeError
        If `ids` are not integers or `values` not floats.

    Examples
    --------
    >>> import numpy as np
    >>> gradient = RowGradient(np.array([2, 0, 2]), np.ones((3, 2), "float32"), shape=(4, 2))
    >>> gradient.sum_duplicates().ids
    array([0, 2])
    >>> gradient.to_dense()
    array([[1., 1.],
           [0., 0.],
           [2., 2.],
           [0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        ids: Array,
        values: Array,
        shape: tuple[int, int],
        sources: Array | None = None,
        scales: Array | None = None,
    ):
        self.ids = _checked_ids(ids)
        self.values = _checked_values(values, int(shape[1]))
        self.shape = (int(shape[0]), int(shape[1]))
        self.sources = None if sources is None else _checked_sources(sources, len(self.ids), len(self.values))
        self.scales = None if scales is None else _checked_scales(scales, len(self.ids))
        if sources is None and len(self.ids) != len(self.values):
            raise ValueError(
                "`values` must hold one gradient vector per id. "
                f"Received: {len(self.ids)} ids and values of shape {self.values.shape}."
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the gradient vectors."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes held by the ids and the vectors."""
        return self.ids.nbytes + self.values.nbytes

    def expand(self) -> RowGradient:
        """Return the same gradient with one vector per id (`sources` and `scales` applied)."""
        if self.sources is None and self.scales is None:
            return self
        values = self.values if self.sources is None else self.values[self.sources]
        if self.scales is not None:
            values = values * self.scales[:, None].astype(values.dtype, copy=False)
        return RowGradient(self.ids, values, self.shape)

    def sum_duplicates(self) -> RowGradient:
        """Return the same gradient with every id once, in ascending order.

        The gradients of an id are added in the order of their positions, whatever the number of threads.

        Raises
        ------
        IndexError
            If an id is not a row of the table.
        """
        ids, values = backend_for("cpu:0").sum_duplicates(self)
        return RowGradient(ids, values, self.shape)

    def to_dense(self) -> Array:
        """Return the gradient as a whole ``(input_dim, output_dim)`` array; meant for small tables and tests."""
        summed = self.sum_duplicates()
        dense = np.zeros(self.shape, self.dtype)
        dense[summed.ids] = summed.values
        return dense

    def norm(self) -> float:
        """Euclidean norm of the dense gradient: duplicates are summed first."""
        values = self.sum_duplicates().values
        return float(np.sqrt(np.einsum("ij,ij->", values, values, dtype=np.float64)))

    def __add__(self, other: RowGradient | Array) -> RowGradient | Array:
        """Merge with another gradient of the same table; with a dense gradient the sum is dense."""
        if not isinstance(other, RowGradient | np.ndarray):
            return NotImplemented
        if other.shape != self.shape:
            raise ValueError(f"Gradients of different tables cannot be added. Received: {self.shape}, {other.shape}.")
        if not isinstance(other, RowGradient):
            return self.to_dense() + other
        left, right = self.expand(), other.expand()
        ids = np.concatenate([left.ids, right.ids])
        return RowGradient(ids, np.concatenate([left.values, right.values]), self.shape)

    __radd__ = __add__
    __array_ufunc__ = None

    def __mul__(self, factor: float) -> RowGradient:
        """Return the gradient scaled by a number."""
        return RowGradient(self.ids, self.values * factor, self.shape, self.sources, self.scales)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"<RowGradient of {len(self)} ids for a table of shape {self.shape}, {self.dtype}>"


def _checked_ids(ids: Any) -> Array:
    ids = np.ascontiguousarray(ids)
    if ids.ndim != 1:
        raise ValueError(f"`ids` of a row gradient must be one-dimensional. Received: shape {ids.shape}.")
    if ids.dtype in (np.int32, np.int64):
        return ids
    if ids.dtype.kind not in "iu":
        raise TypeError(f"`ids` of a row gradient must be integers. Received: dtype {ids.dtype}.")
    return ids.astype(np.int64)


def _checked_sources(sources: Any, n_ids: int, n_values: int) -> Array:
    sources = np.ascontiguousarray(sources)
    if sources.dtype.kind not in "iu":
        raise TypeError(f"`sources` of a row gradient must be integers. Received: dtype {sources.dtype}.")
    if sources.shape != (n_ids,):
        raise ValueError(f"`sources` of a row gradient must have the shape ({n_ids},). Received: {sources.shape}.")
    if n_ids and (sources.min() < 0 or sources.max() >= n_values):
        raise ValueError(
            f"`sources` of a row gradient must lie in [0, {n_values}). Received: {sources.min()} to {sources.max()}."
        )
    return sources.astype(np.int64, copy=False)


def _checked_scales(scales: Any, n_ids: int) -> Array:
    scales = np.ascontiguousarray(scales)
    if scales.dtype.kind != "f":
        raise TypeError(f"`scales` of a row gradient must be floats. Received: dtype {scales.dtype}.")
    if scales.shape != (n_ids,):
        raise ValueError(f"`scales` of a row gradient must have the shape ({n_ids},). Received: {scales.shape}.")
    return scales


def _checked_values(values: Any, output_dim: int) -> Array:
    values = np.ascontiguousarray(values)
    if values.dtype.kind != "f":
        raise TypeError(f"`values` of a row gradient must be floats. Received: dtype {values.dtype}.")
    if values.dtype not in (np.float32, np.float64):  # the types that kernels take
        values = values.astype(np.float32 if values.dtype == np.float16 else np.float64)
    if values.ndim != 2 or values.shape[1] != output_dim:
        raise ValueError(f"`values` of a row gradient must have the shape (n, {output_dim}). Received: {values.shape}.")
    return values
