"""The gradient of a table: the rows a batch touched, never the whole table."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import (
    allocate,
    as_contiguous,
    backend_for,
    check_one_device,
    move_array,
    move_like,
    placement_of,
    to_cpu,
)
from fastembed_layer.kernels.dtypes import ID_TYPES, TABLE_TYPES
from fastembed_layer.tables.dense_view import DenseView

Array = np.ndarray[Any, Any]


class RowGradient(DenseView):
    """Gradients of some rows of a table; an id may occur more than once, and then its gradients add up.

    ``np.asarray(gradient)`` is `to_dense`: an array of the table's size. ``len(gradient)`` is the number of ids.

    Parameters
    ----------
    ids : ndarray of int32 or int64, shape (n,)
        The rows. They and the other arrays are numpy's, or all of one GPU, wherever the table lives.
    values : ndarray, shape (m, output_dim)
        Gradient vectors. Without `sources`, m = n and vector p belongs to ``ids[p]``.
    shape : tuple of int
        ``(input_dim, output_dim)`` of the table.
    sources : ndarray of int64, shape (n,), optional
        ``ids[p]`` receives ``values[sources[p]]``: the ids of one bag share one vector, and no copy is made.
    scales : ndarray of the dtype of `values`, shape (n,), optional
        Factor of the vector of ``ids[p]``; without it, 1.
    argmax : ndarray of int32, shape (m, output_dim), optional
        For bags of which only the largest values were kept: which position of the bag has won each column. It goes with
        `sources` and `bag_positions`.
    bag_positions : ndarray of int32, shape (n,), optional
        DeviceChoice of ``ids[p]`` in its bag. It receives those columns c of its vector for which
        ``argmax[sources[p], c] == bag_positions[p]``, and nothing in the others.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or the arrays live on different devices.
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
        argmax: Array | None = None,
        bag_positions: Array | None = None,
    ):
        check_one_device(
            ids=ids, values=values, sources=sources, scales=scales, argmax=argmax, bag_positions=bag_positions
        )
        self.ids = _checked_ids(ids)
        self.values = _checked_values(values, int(shape[1]))
        self.shape = (int(shape[0]), int(shape[1]))
        self.sources = None if sources is None else _checked_sources(sources, len(self.ids), len(self.values))
        self.scales = None if scales is None else _checked_scales(scales, len(self.ids))
        self.argmax, self.bag_positions = _checked_argmax(argmax, bag_positions, self)
        if sources is None and len(self.ids) != len(self.values):
            raise ValueError(
                "`values` must hold one gradient vector per id. "
                f"Received: {len(self.ids)} ids and values of shape {self.values.shape}."
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def indices(self) -> Array:
        """The ids, as in ``tf.IndexedSlices``.

        Raises
        ------
        AttributeError
            If `values` does not hold one vector per id, as behind bags; ``gradient.expand()`` does.
        """
        if self.sources is not None or self.scales is not None:
            raise AttributeError(
                "`values` of this RowGradient are shared by several ids, so they do not go with `indices`. "
                "Take both from gradient.expand() or gradient.sum_duplicates()."
            )
        return self.ids

    @property
    def dense_shape(self) -> tuple[int, int]:
        """Shape of the table, as in ``tf.IndexedSlices``."""
        return self.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the gradient vectors."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes held by the ids, the vectors and what says how they belong together."""
        return sum(array.nbytes for array in self._arrays() if array is not None)

    def expand(self) -> RowGradient:
        """Return the same gradient with one vector per id (`sources`, `scales` and `argmax` applied)."""
        if self.sources is None and self.scales is None:
            return self
        values = self.values if self.sources is None else self.values[self.sources]
        if self.argmax is not None and self.bag_positions is not None:
            values = np.where(self.argmax[self.sources] == self.bag_positions[:, None], values, values.dtype.type(0))
        if self.scales is not None:
            values = values * self.scales[:, None].astype(values.dtype, copy=False)
        return RowGradient(self.ids, values, self.shape)

    def select(self, kept: Array) -> RowGradient:
        """Return the part of the gradient that belongs to the ids where `kept` is True; shared vectors stay shared."""
        ids, values, *of_each = (self.ids, self.values, self.sources, self.scales, self.bag_positions)
        sources, scales, bag_positions = (None if array is None else array[kept] for array in of_each)
        values = values[kept] if sources is None else values
        return RowGradient(ids[kept], values, self.shape, sources, scales, self.argmax, bag_positions)

    def with_ids(self, ids: Array, input_dim: int) -> RowGradient:
        """Return the same vectors for other ids, one for each, of a table of so many rows."""
        return RowGradient(ids, self.values, (input_dim, self.shape[1]), *self._arrays()[2:])

    def to(self, placement: str) -> RowGradient:
        """Return the gradient with its arrays at a placement such as ``"gpu:0"``; itself if they are there."""
        if placement == placement_of(self.ids):
            return self
        ids, values, *others = (None if array is None else move_array(array, placement) for array in self._arrays())
        assert ids is not None
        assert values is not None
        return RowGradient(ids, values, self.shape, *others)

    def copy(self) -> RowGradient:
        """Return a gradient of the same form that shares no memory with this one."""
        ids, values, *others = (None if array is None else array.copy() for array in self._arrays())
        assert ids is not None
        assert values is not None
        return RowGradient(ids, values, self.shape, *others)

    def sum_duplicates(self) -> RowGradient:
        """Return the same gradient with every id once, in ascending order.

        The gradients of an id are added in the order of their positions, whatever the number of threads.

        Raises
        ------
        IndexError
            If an id is not a row of the table.
        """
        ids, values = backend_for(placement_of(self.ids)).sum_duplicates(self)
        return RowGradient(ids, values, self.shape)

    def distinct_ids(self) -> Array:
        """Return every id once, ascending, on the host."""
        ids = np.sort(to_cpu(self.ids))  # for 200,000 ids np.unique took five times as long
        return ids[np.append(True, ids[1:] != ids[:-1])] if len(ids) else ids

    def to_dense(self) -> Array:
        """Return the gradient as a whole ``(input_dim, output_dim)`` array; meant for small tables and tests."""
        summed = self.sum_duplicates()
        dense = allocate(self.shape, self.dtype, placement_of(summed.ids), 0)
        dense[summed.ids] = summed.values
        return dense

    def norm(self) -> float:
        """Euclidean norm of the dense gradient: duplicates are summed first."""
        values = self.sum_duplicates().values
        return float(np.sqrt(np.einsum("ij,ij->", values, values, dtype=np.float64)))

    def __add__(self, other: RowGradient | Array) -> RowGradient | Array:
        """Merge with another gradient of the same table; with a dense gradient the sum is dense.

        The sum lives where this gradient lives.
        """
        if not isinstance(other, RowGradient) and not hasattr(other, "dtype"):
            return NotImplemented
        if other.shape != self.shape:
            raise ValueError(f"Gradients of different tables cannot be added. Received: {self.shape}, {other.shape}.")
        if not isinstance(other, RowGradient):
            return self.to_dense() + move_like(other, self.ids)
        return _join(self, other.to(placement_of(self.ids)))

    __radd__ = __add__
    __array_ufunc__ = None

    def __mul__(self, factor: float) -> RowGradient:
        """Return the gradient scaled by a number."""
        return RowGradient(self.ids, self.values * factor, self.shape, *self._arrays()[2:])

    __rmul__ = __mul__

    def _arrays(self) -> tuple[Array | None, ...]:
        """The arrays in the order of the arguments, `shape` left out."""
        return self.ids, self.values, self.sources, self.scales, self.argmax, self.bag_positions

    def __repr__(self) -> str:
        return f"<RowGradient of {len(self)} ids for a table of shape {self.shape}, {self.dtype}>"


def _join(left: RowGradient, right: RowGradient) -> RowGradient:
    """Put two gradients one after the other; vectors that ids share stay shared."""
    sources, scales, argmax, bag_positions = None, None, None, None
    won = left.argmax is not None or right.argmax is not None
    if won or left.sources is not None or right.sources is not None:
        sources = np.concatenate([_sources_of(left), _sources_of(right) + len(left.values)])
    if left.scales is not None or right.scales is not None:
        scales = np.concatenate([_scales_of(left), _scales_of(right)])
    if won:
        argmax = np.concatenate([_argmax_of(left), _argmax_of(right)])
        bag_positions = np.concatenate([_bag_positions_of(left), _bag_positions_of(right)])
    ids, values = np.concatenate([left.ids, right.ids]), np.concatenate([left.values, right.values])
    return RowGradient(ids, values, left.shape, sources, scales, argmax, bag_positions)


def _sources_of(gradient: RowGradient) -> Array:
    return move_like(np.arange(len(gradient)), gradient.ids) if gradient.sources is None else gradient.sources


def _scales_of(gradient: RowGradient) -> Array:
    if gradient.scales is not None:
        return gradient.scales
    return move_like(np.ones(len(gradient), gradient.dtype), gradient.ids)


def _argmax_of(gradient: RowGradient) -> Array:
    """The argmax; without them position 0, where all ids are then, has won every column."""
    return np.zeros_like(gradient.values, np.int32) if gradient.argmax is None else gradient.argmax


def _bag_positions_of(gradient: RowGradient) -> Array:
    return np.zeros_like(gradient.ids, np.int32) if gradient.bag_positions is None else gradient.bag_positions


def _checked_ids(ids: Any) -> Array:
    ids = as_contiguous(ids)
    if ids.ndim != 1:
        raise ValueError(f"`ids` of a row gradient must be one-dimensional. Received: shape {ids.shape}.")
    if ids.dtype in ID_TYPES:
        return ids
    if ids.dtype.kind not in "iu":
        raise TypeError(f"`ids` of a row gradient must be integers. Received: dtype {ids.dtype}.")
    wide = ids.astype(np.int64)
    if ids.dtype.kind == "u" and wide.size and wide.min() < 0:
        position = int(np.argmax(wide < 0))
        raise IndexError(f"indices[{position}] = {ids[position]} of a row gradient is larger than any row can be.")
    return wide


def _checked_sources(sources: Any, n_ids: int, n_values: int) -> Array:
    sources = as_contiguous(sources)
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
    scales = as_contiguous(scales)
    if scales.dtype.kind != "f":
        raise TypeError(f"`scales` of a row gradient must be floats. Received: dtype {scales.dtype}.")
    if scales.shape != (n_ids,):
        raise ValueError(f"`scales` of a row gradient must have the shape ({n_ids},). Received: {scales.shape}.")
    return scales


def _checked_argmax(argmax: Any, bag_positions: Any, gradient: RowGradient) -> tuple[Array | None, Array | None]:
    """Kernels do not check bounds, so shapes are checked here; what the numbers are cannot do harm."""
    if argmax is None and bag_positions is None:
        return None, None
    if argmax is None or bag_positions is None or gradient.sources is None:
        raise ValueError(
            "`argmax` of a row gradient go with `bag_positions` and `sources`. Received: only some of them."
        )
    argmax, bag_positions = as_contiguous(argmax), as_contiguous(bag_positions)
    for name, array, shape in (
        ("argmax", argmax, gradient.values.shape),
        ("bag_positions", bag_positions, gradient.ids.shape),
    ):
        if array.dtype.kind not in "iu":
            raise TypeError(f"`{name}` of a row gradient must be integers. Received: dtype {array.dtype}.")
        if array.shape != shape:
            raise ValueError(f"`{name}` of a row gradient must have the shape {shape}. Received: {array.shape}.")
    return argmax.astype(np.int32, copy=False), bag_positions.astype(np.int32, copy=False)


def _checked_values(values: Any, output_dim: int) -> Array:
    values = as_contiguous(values)
    if values.dtype.kind != "f":
        raise TypeError(f"`values` of a row gradient must be floats. Received: dtype {values.dtype}.")
    if values.dtype not in TABLE_TYPES:
        values = values.astype(np.float32 if values.dtype == np.float16 else np.float64)
    if values.ndim != 2 or values.shape[1] != output_dim:
        raise ValueError(f"`values` of a row gradient must have the shape (n, {output_dim}). Received: {values.shape}.")
    return values
