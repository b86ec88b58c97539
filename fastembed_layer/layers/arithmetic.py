"""`Add`, `Subtract`, `Multiply` and `Average`: arithmetic of several arrays."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from fastembed_layer.layers.merge import Array, Masks, Merge, PullParts


class Add(Merge):
    """Adds a list of arrays.

    Parameters
    ----------
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Add
    >>> Add()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[11., 22.]])
    """

    def combine(self, arrays: list[Array], masks: Masks) -> tuple[Array, PullParts]:
        """Add; every array receives the gradient itself."""
        return np.asarray(reduce(np.add, arrays)), lambda d_output: [d_output] * len(arrays)


class Subtract(Merge):
    """Subtracts the second of two arrays from the first.

    Parameters
    ----------
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Subtract
    >>> Subtract()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[ -9., -18.]])
    """

    exact_count = 2

    def combine(self, arrays: list[Array], masks: Masks) -> tuple[Array, PullParts]:
        """Subtract; the second array receives the negative gradient."""
        return np.asarray(np.subtract(*arrays)), lambda d_output: [d_output, -d_output]


class Average(Merge):
    """Averages a list of arrays.

    Parameters
    ----------
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Average
    >>> Average()([np.array([[1.0, 2.0]]), np.array([[3.0, 6.0]])])
    array([[2., 4.]])
    """

    def combine(self, arrays: list[Array], masks: Masks) -> tuple[Array, PullParts]:
        """Add and divide; every array receives its share of the gradient."""
        count = len(arrays)
        return np.asarray(reduce(np.add, arrays) / count), lambda d_output: [d_output / count] * count


class Multiply(Merge):
    """Multiplies a list of arrays; a masked step counts as 1, and gives 0 where all inputs are masked.

    Parameters
    ----------
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Multiply
    >>> Multiply()([np.array([[1.0, 2.0]]), np.array([[3.0, 6.0]])])
    array([[ 3., 12.]])
    """

    def combine(self, arrays: list[Array], masks: Masks) -> tuple[Array, PullParts]:
        """Multiply; every array receives the gradient times the product of the others."""
        factors = [
            array if mask is None else np.where(mask, array, array.dtype.type(1))
            for array, mask in zip(arrays, masks, strict=True)
        ]
        kept = _any_kept(masks)
        output = np.asarray(reduce(np.multiply, factors))

        def pull_parts(d_output: Array) -> list[Array]:
            d_kept = _masked(d_output, kept)
            others = _products_of_others(factors)
            return [_masked(d_kept * other, mask) for other, mask in zip(others, masks, strict=True)]

        return _masked(output, kept), pull_parts


def _any_kept(masks: Masks) -> Array | None:
    """Where at least one input counts; None unless all are masked."""
    known = [mask for mask in masks if mask is not None]
    return reduce(np.logical_or, known) if len(known) == len(masks) else None


def _masked(array: Array, mask: Array | None) -> Array:
    return array if mask is None else np.where(mask, array, array.dtype.type(0))


def _products_of_others(factors: list[Array]) -> list[Array]:
    """For each factor the product of all others, without a division: from the left, then from the right."""
    ones: Any = np.ones((), factors[0].dtype)
    before, after = [ones], [ones]
    for factor in factors[:-1]:
        before.append(before[-1] * factor)
    for factor in factors[:0:-1]:
        after.append(after[-1] * factor)
    return [left * right for left, right in zip(before, reversed(after), strict=True)]


def add(inputs: Any, **keywords: Any) -> Any:
    """Return ``Add(**keywords)(inputs)``."""
    return Add(**keywords)(inputs)


def subtract(inputs: Any, **keywords: Any) -> Any:
    """Return ``Subtract(**keywords)(inputs)``."""
    return Subtract(**keywords)(inputs)


def average(inputs: Any, **keywords: Any) -> Any:
    """Return ``Average(**keywords)(inputs)``."""
    return Average(**keywords)(inputs)


def multiply(inputs: Any, **keywords: Any) -> Any:
    """Return ``Multiply(**keywords)(inputs)``."""
    return Multiply(**keywords)(inputs)
