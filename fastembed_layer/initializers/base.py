"""`Initializer`, the base class, and what turns a plain callable into one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import copy_blocks, is_on_cpu
from fastembed_layer.kernels.dtypes import TABLE_NAMES, TABLE_TYPES
from fastembed_layer.named import StrictArguments

Array = np.ndarray[Any, Any]

BLOCK_BYTES = 1 << 24  # of the rows that are computed on the host at a time for an array on a device


class Initializer(StrictArguments):
    """Base class of the initializers. A subclass writes `__call__`, as in Keras.

    Attributes
    ----------
    is_row_local : bool
        Whether `fill` can write some rows of an array without computing the others.
    fills_devices : bool
        Whether `_fill_rows` writes arrays on devices, too; for others rows are computed on the host and copied.
    is_zero : bool
        Whether all values are 0, so that memory that holds zeros need not be written.
    """

    is_row_local = False
    fills_devices = False
    is_zero = False
    _arguments: tuple[str, ...] = ()

    def __call__(self, shape: int | Sequence[int], dtype: Any = "float32") -> Array:
        """Return a new array of first values; a second call returns the same values, as in Keras 3.

        Parameters
        ----------
        shape : int or sequence of int
            Shape of the array.
        dtype : dtype
            float32 (also meant by None) or float64.

        Raises
        ------
        TypeError
            If `shape` or `dtype` is of another kind.
        ValueError
            If there are no values for this shape.
        """
        out = np.empty(checked_shape(shape), checked_dtype(dtype))
        self.fill(out)
        return out

    def fill(self, out: Array, first_row: int = 0, shape: Sequence[int] | None = None) -> None:
        """Write first values into an array, or into a stretch of its rows, in place.

        Row-local initializers need no further memory, so a table never exists twice; on a device nor on the host.

        Parameters
        ----------
        out : ndarray of float32 or float64
            Rows ``first_row``, ``first_row + 1``, ... of the array; written whole.
        first_row : int
            Number of the first row of `out`.
        shape : sequence of int, optional
            Shape of the whole array, for the initializers that depend on it; by default the array ends with
            the last row of `out`.

        Raises
        ------
        TypeError
            If `out` is not an array of float32 or float64.
        ValueError
            If `out` cannot be written or there are no values for this shape.
        """
        _check_out(out, first_row)
        ending_here = (first_row + len(out), *out.shape[1:]) if out.ndim else ()
        fill_rows = self._fill_rows if is_on_cpu(out) or self.fills_devices else self._fill_device
        fill_rows(out, first_row, ending_here if shape is None else checked_shape(shape))

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        """Write the rows by computing the whole array; row-local initializers override this."""
        if type(self).__call__ is Initializer.__call__:
            raise NotImplementedError(f"{type(self).__name__} must define `__call__(shape, dtype=None)`.")
        copy_rows(out, first_row, _checked_values(self(shape, out.dtype.name), shape, repr(self)))

    def _fill_device(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        """Compute rows on the host and copy them, block by block where rows do not need each other."""
        count = max(1, BLOCK_BYTES * len(out) // max(1, out.nbytes)) if self.is_row_local else max(1, len(out))
        for begin in range(0, len(out), count):
            part = out[begin : begin + count]
            block = np.empty(part.shape, part.dtype)
            self._fill_rows(block, first_row + begin, shape)
            copy_blocks(part, block)

    def spawn(self, number: int) -> Initializer:
        """Return the initializer of table `number` of a group that shares this one: itself, if it draws nothing."""
        return self

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this initializer again."""
        return {name: getattr(self, name) for name in self._arguments}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Initializer:
        """Build the initializer from a config, of this package or of either parent."""
        return cls(**{name: value for name, value in config.items() if name != "dtype"})

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._arguments)
        return f"{type(self).__name__}({arguments})"


class FunctionInitializer(Initializer):
    """An initializer made from a callable; `get` makes one from anything that can be called.

    Parameters
    ----------
    function : callable
        ``function(shape, dtype=...)`` returns the values; `dtype` is given as a name such as ``"float32"``.

    Raises
    ------
    TypeError
        If the function cannot be called like that.
    """

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.name = str(getattr(function, "__name__", type(function).__name__))
        _check_signature(function, self.name)

    def __call__(self, shape: int | Sequence[int], dtype: Any = "float32") -> Array:
        """Return what the function returns; its shape is checked."""
        shape, dtype = checked_shape(shape), checked_dtype(dtype)
        values = _checked_values(self.function(shape, dtype=dtype.name), shape, self.name)
        return values.astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Refuse: a config cannot hold a function."""
        raise ValueError(
            f"The initializer {self.name!r} is a plain function and has no config; subclass `Initializer` instead."
        )

    def __repr__(self) -> str:
        return f"FunctionInitializer({self.name})"


def copy_rows(out: Array, first_row: int, values: Array) -> None:
    """Write to `out` its rows of the whole array `values`."""
    out[...] = values[first_row : first_row + len(out)] if out.ndim else values


def checked_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of int."""
    sizes = (shape,) if isinstance(shape, int | np.integer) else shape
    if not isinstance(sizes, tuple | list) or not all(_is_integer(size) for size in sizes):
        raise TypeError(f"`shape` must be an integer or a sequence of integers. Received: {shape!r}.")
    if any(size < 0 for size in sizes):
        raise ValueError(f"`shape` must not have negative sizes. Received: {shape!r}.")
    return tuple(int(size) for size in sizes)


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """Return a dtype that initializers can fill; None means float32."""
    try:
        found = np.dtype("float32" if dtype is None else dtype)
    except TypeError:
        found = None
    if found is None or found not in TABLE_TYPES:  # numpy finds None equal to float64
        raise TypeError(f"`dtype` must be {' or '.join(TABLE_NAMES)}. Received: {dtype!r}.")
    return found


def as_matrix(out: Array) -> Array:
    """View an array as the matrix whose columns are its last axis."""
    return out.reshape(math.prod(out.shape[:-1]), out.shape[-1] if out.ndim else 1)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _check_out(out: Any, first_row: Any) -> None:
    is_array = isinstance(out, np.ndarray) or not is_on_cpu(out)
    if not is_array or out.dtype not in TABLE_TYPES:
        kind = f"dtype {out.dtype}" if is_array else f"{type(out).__name__}"
        raise TypeError(f"`out` must be an array of {' or '.join(TABLE_NAMES)}. Received: {kind}.")
    if not getattr(out.flags, "writeable", True) or not (out.ndim <= 2 or out.flags.c_contiguous):
        raise ValueError(
            "`out` must be writable and, from three dimensions on, C-contiguous. "
            f"Received: shape {out.shape}, strides {out.strides}, "
            f"writable {getattr(out.flags, 'writeable', True)}."
        )
    if not _is_integer(first_row):
        raise TypeError(f"`first_row` must be an integer. Received: {first_row!r}.")
    if first_row < 0 or (first_row and out.ndim < 2):
        raise ValueError(
            "`first_row` must not be negative, and 0 for an array without rows. "
            f"Received: {first_row!r} for the shape {out.shape}."
        )


def _checked_values(values: Any, shape: tuple[int, ...], name: str) -> Array:
    array: Array = np.asarray(values)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise ValueError(
            f"The initializer {name} must return numbers of the shape {shape}. "
            f"Received: shape {array.shape}, dtype {array.dtype}."
        )
    return array


def _check_signature(function: Callable[..., Any], name: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not tell
        return
    try:
        signature.bind((), dtype="float32")
    except TypeError as error:
        raise TypeError(
            f"The initializer {name!r} must accept `(shape, dtype=...)`. Received: the signature {signature}."
        ) from error
