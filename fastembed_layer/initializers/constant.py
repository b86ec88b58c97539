"""Initializers without randomness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import as_array, to_cpu
from fastembed_layer.checks import check_number
from fastembed_layer.initializers.base import Array, Initializer, copy_rows


class Zeros(Initializer):
    """Zeros everywhere."""

    is_row_local = True
    is_zero = True

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        out[...] = 0


class Ones(Initializer):
    """Ones everywhere."""

    is_row_local = True

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        out[...] = 1


class Constant(Initializer):
    """One number everywhere, or an array that is broadcast to the shape asked for.

    Parameters
    ----------
    value : float or array_like
        The number or the array. The config holds an array as it is.

    Raises
    ------
    TypeError
        If `value` holds anything but numbers.
    ValueError
        If a single number is infinite or NaN.

    Examples
    --------
    >>> Constant(0.5)((2, 3))
    array([[0.5, 0.5, 0.5],
           [0.5, 0.5, 0.5]], dtype=float32)
    """

    is_row_local = True
    _arguments = ("value",)

    def __init__(self, value: Any = 0.0):
        self.value = as_number_array(value) if np.ndim(value) else check_number(value, "value")

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        try:
            values = np.broadcast_to(self.value, shape)
        except ValueError:
            raise ValueError(
                f"`value` must have a shape that can be broadcast to {shape}. Received: shape {np.shape(self.value)}."
            ) from None
        copy_rows(out, first_row, values)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Initializer:
        """Build the initializer from a config; Keras 3 wraps an array in a config of its own."""
        value = config.get("value", 0.0)
        if isinstance(value, Mapping):
            value = np.array(value["config"]["value"], value["config"].get("dtype"))
        return super().from_config({**config, "value": value})


class FromArray(Initializer):
    """The values of an array, for weights of exactly its shape, such as pretrained vectors; `get` makes one.

    Parameters
    ----------
    array : array_like
        Numbers; kept, not copied. The config holds the array itself.

    Raises
    ------
    TypeError
        If `array` holds anything but numbers.
    """

    is_row_local = True
    _arguments = ("array",)

    def __init__(self, array: Any):
        self.array = as_number_array(array)

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        if shape != self.array.shape:
            raise ValueError(
                f"An initializer that is an array of shape {self.array.shape} cannot fill weights of another "
                f"shape. Received: shape {shape}."
            )
        copy_rows(out, first_row, self.array)

    def __repr__(self) -> str:
        return f"FromArray(<array of shape {self.array.shape}, {self.array.dtype}>)"


class Identity(Initializer):
    """The identity matrix, also of a shape that is not square, times a factor.

    Parameters
    ----------
    gain : float
        The factor.
    """

    is_row_local = True
    _arguments = ("gain",)

    def __init__(self, gain: float = 1.0):
        self.gain = check_number(gain, "gain")

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(f"`shape` of an identity matrix must have two dimensions. Received: {shape}.")
        out[...] = 0
        if first_row < shape[1]:
            np.fill_diagonal(out[: shape[1] - first_row, first_row:], self.gain)


def as_number_array(values: Any) -> Array:
    """Return an array of numbers, or raise a TypeError."""
    array = to_cpu(as_array(values, is_weight=True))
    if array.dtype.kind not in "fiu":
        raise TypeError(f"An initializer that is an array must hold numbers. Received: dtype {array.dtype}.")
    return array
