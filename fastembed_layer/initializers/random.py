"""Initializers that draw random numbers.

They come from a counter-based generator, Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as
1, 2, 3" (SC11, 2011): the element at (row, column) depends on the seed, the row and the column and on nothing
else. So a table has the same first values for every number of threads, whichever layer is built first, and
its rows keep them when it grows. The float32 values of a seed are its float64 values, to float32's precision.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import backend_for, placement_of
from fastembed_layer.checks import check_choice, check_number
from fastembed_layer.initializers.base import Array, Initializer, as_matrix, checked_dtype, checked_shape
from fastembed_layer.initializers.seeds import SEEDS, checked_seed

TRUNCATED_DEVIATION = 0.87962566103423978  # of a standard normal variable that is cut off at two deviations
MODES = ("fan_in", "fan_out", "fan_avg")
SCALED_DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")

Axes = Sequence[int] | None


class _RandomInitializer(Initializer):
    """Common to all that draw: the seed, and drawing row by row."""

    is_row_local = True
    fills_devices = True

    def __init__(self, seed: int | None = None):
        self.seed = checked_seed(seed)

    def spawn(self, number: int) -> Initializer:
        """Return the initializer of table `number` of a group: this one with the seed ``seed + number``."""
        twin = copy.copy(self)
        twin.seed = (self.seed + number) % SEEDS
        return twin

    def _draw(self, out: Array, first_row: int, distribution: str, scalars: tuple[float, float]) -> None:
        if max(map(abs, scalars)) > float(np.finfo(out.dtype).max):
            raise ValueError(f"{self!r} draws numbers that {out.dtype} cannot hold.")
        rows_before = first_row * math.prod(out.shape[1:-1])
        backend_for(placement_of(out)).fill_random(
            as_matrix(out), self.seed % SEEDS, distribution, scalars, rows_before
        )


class RandomUniform(_RandomInitializer):
    """Numbers that are equally likely between two bounds.

    Parameters
    ----------
    minval, maxval : float
        The bounds; `maxval` itself is drawn only where rounding to the dtype leads there.
    seed : int, optional
        Key of the generator, up to 64 bits. Without it a new one is drawn, see `set_seed`. The config holds
        the seed in use, so what is built from a config has the same first values.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If a bound is infinite or NaN, or `minval` is above `maxval`.

    Examples
    --------
    >>> RandomUniform(0.0, 1.0, seed=7)((2, 3)).round(4)
    array([[0.9546, 0.7502, 0.1142],
           [0.495 , 0.1717, 0.3112]], dtype=float32)
    """

    _arguments = ("minval", "maxval", "seed")

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None):
        super().__init__(seed)
        self.minval = check_number(minval, "minval")
        self.maxval = check_number(maxval, "maxval", self.minval)
        check_number(self.maxval - self.minval, "maxval - minval")

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        self._draw(out, first_row, "uniform", (self.minval, self.maxval))


class RandomNormal(_RandomInitializer):
    """Normally distributed numbers.

    Parameters
    ----------
    mean, stddev : float
        Mean and standard deviation; the latter is not negative.
    seed : int, optional
        See `RandomUniform`.
    """

    _arguments = ("mean", "stddev", "seed")
    _distribution = "normal"

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        super().__init__(seed)
        self.mean = check_number(mean, "mean")
        self.stddev = check_number(stddev, "stddev", 0)

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        self._draw(out, first_row, self._distribution, (self.mean, self.stddev))


class TruncatedNormal(RandomNormal):
    """Normally distributed numbers; those beyond two standard deviations are drawn again.

    Parameters
    ----------
    mean, stddev : float
        Mean and standard deviation before the truncation, which multiplies the latter by 0.8796.
    seed : int, optional
        See `RandomUniform`.
    """

    _distribution = "truncated_normal"


class VarianceScaling(_RandomInitializer):
    """Random numbers of mean 0 whose variance is ``scale / max(1, n)`` for a number n that the shape gives.

    Parameters
    ----------
    scale : float
        Positive.
    mode : {"fan_in", "fan_out", "fan_avg"}
        n is the number of inputs, of outputs, or the average of the two; see `find_fans`.
    distribution : {"truncated_normal", "untruncated_normal", "uniform", "normal"}
        ``"normal"`` means ``"truncated_normal"``. The uniform distribution has the bounds
        ``+-sqrt(3 * scale / max(1, n))``.
    seed : int, optional
        See `RandomUniform`.
    input_axes, output_axes : sequence of int, optional
        With both, n counts these axes.
    """

    _arguments: tuple[str, ...] = ("scale", "mode", "distribution", "seed", "input_axes", "output_axes")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ):
        super().__init__(seed)
        self.scale = check_number(scale, "scale", 0)
        if not self.scale:
            raise ValueError(f"`scale` must be positive. Received: {scale!r}.")
        self.mode = check_choice(mode, "mode", MODES)
        spelled = distribution.lower() if isinstance(distribution, str) else distribution
        spelled = "truncated_normal" if spelled == "normal" else spelled
        self.distribution = check_choice(spelled, "distribution", SCALED_DISTRIBUTIONS)
        self.input_axes = input_axes
        self.output_axes = output_axes

    def _fill_rows(self, out: Array, first_row: int, shape: tuple[int, ...]) -> None:
        fan_in, fan_out = find_fans(shape, self.input_axes, self.output_axes)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        deviation = math.sqrt(self.scale / max(1.0, fans[self.mode]))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * deviation
            self._draw(out, first_row, "uniform", (-limit, limit))
        elif self.distribution == "truncated_normal":
            self._draw(out, first_row, "truncated_normal", (0.0, deviation / TRUNCATED_DEVIATION))
        else:
            self._draw(out, first_row, "normal", (0.0, deviation))


class _FixedScaling(VarianceScaling):
    """A variance scaling known by a name of its own."""

    _arguments = ("seed", "input_axes", "output_axes")
    _fixed: tuple[float, str, str]

    def __init__(self, seed: int | None = None, input_axes: Axes = None, output_axes: Axes = None):
        super().__init__(*self._fixed, seed, input_axes, output_axes)


class GlorotUniform(_FixedScaling):
    """Uniform within ``+-sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio, 2010); see `VarianceScaling`."""

    _fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(_FixedScaling):
    """Truncated normal of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    See `VarianceScaling`.
    """

    _fixed = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_FixedScaling):
    """Uniform within ``+-sqrt(6 / fan_in)`` (He et al., 2015); see `VarianceScaling`."""

    _fixed = (2.0, "fan_in", "uniform")


class HeNormal(_FixedScaling):
    """Truncated normal of variance ``2 / fan_in`` (He et al., 2015); see `VarianceScaling`."""

    _fixed = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_FixedScaling):
    """Uniform within ``+-sqrt(3 / fan_in)`` (LeCun et al., 1998); see `VarianceScaling`."""

    _fixed = (1.0, "fan_in", "uniform")


class LecunNormal(_FixedScaling):
    """Truncated normal of variance ``1 / fan_in`` (LeCun et al., 1998); see `VarianceScaling`."""

    _fixed = (1.0, "fan_in", "truncated_normal")


class Orthogonal(_RandomInitializer):
    """Orthogonal rows or columns, whichever are fewer (Saxe et al., 2014).

    The Q of the QR decomposition of normally distributed numbers. An array of more dimensions is taken as
    the matrix whose columns are its last axis. The whole array is computed at once, and its last bits depend
    on the LAPACK that numpy uses.

    Parameters
    ----------
    gain : float
        Factor of the values.
    seed : int, optional
        See `RandomUniform`.
    """

    is_row_local = False
    fills_devices = False
    _arguments = ("gain", "seed")

    def __init__(self, gain: float = 1.0, seed: int | None = None):
        super().__init__(seed)
        self.gain = check_number(gain, "gain")

    def __call__(self, shape: int | Sequence[int], dtype: Any = "float32") -> Array:
        """Return an orthogonal array, which needs at least two dimensions."""
        shape = checked_shape(shape)
        if len(shape) < 2:
            raise ValueError(f"`shape` must have at least two dimensions. Received: {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        drawn = np.empty((max(rows, columns), min(rows, columns)), checked_dtype(dtype))
        self._draw(drawn, 0, "normal", (0.0, 1.0))
        basis, triangle = np.linalg.qr(drawn)
        basis *= self.gain * np.copysign(1, np.diagonal(triangle))
        return np.ascontiguousarray(basis.T if rows < columns else basis).reshape(shape)


def find_fans(shape: tuple[int, ...], input_axes: Axes = None, output_axes: Axes = None) -> tuple[int, int]:
    """Return the numbers of inputs and outputs of a weight, as Keras counts them.

    Of a table they are its input_dim and output_dim; further leading dimensions are a receptive field.
    """
    if input_axes is not None and output_axes is not None:
        return _count_units(shape, input_axes, "input_axes"), _count_units(shape, output_axes, "output_axes")
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _count_units(shape: tuple[int, ...], axes: Sequence[int], name: str) -> int:
    if not all(-len(shape) <= axis < len(shape) for axis in axes):
        raise ValueError(f"`{name}` must name axes of the shape {shape}. Received: {axes!r}.")
    return math.prod(shape[axis] for axis in axes)
