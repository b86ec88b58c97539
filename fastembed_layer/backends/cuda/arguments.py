"""What tables, gradients and clocks are to CUDA kernels: arrays and numbers in the order in which kernels take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from fastembed_layer.backends.contract.types import ClockState, IdleState

Array = Any  # of the library of the GPU, or of whatever stands in for it
Arguments = tuple[Any, ...]

MOST_SLOTS = 3
MOST_NUMBERS = 6


def pack_state(weights: Array, slots: Sequence[Array]) -> Arguments:
    """Return a matrix, its slots, and the columns of each slot; a rule with fewer slots leaves the last ones out."""
    missing = MOST_SLOTS - len(slots)
    widths = [np.int64(slot.shape[-1]) for slot in slots]
    return (weights, *slots, *[None] * missing, *widths, *[np.int64(0)] * missing)


def pack_numbers(numbers: Sequence[float], dtype: Any) -> Arguments:
    """Return the numbers of a rule in the type that its kernel computes in."""
    kind = np.dtype(dtype).type
    return tuple(kind(number) for number in [*numbers, *[0.0] * (MOST_NUMBERS - len(numbers))])


class DeviceGradient(NamedTuple):
    """A row gradient on the device: sorted keys, and the arrays that their positions refer to."""

    keys: Array
    values: Array
    sources: Array | None
    scales: Array | None
    argmax: Array | None
    bag_positions: Array | None

    def pack(self) -> Arguments:
        """Return the arguments of a kernel, the number of keys after the keys."""
        return (self.keys, np.int64(len(self.keys)), *self[1:])


class DeviceSeries:
    """The sums of clocks, which are kept on the host, as they are on the device.

    A step changes few of them, so a copy is brought up to date rather than made anew.
    """

    def __init__(self) -> None:
        self._copies: WeakKeyDictionary[ClockState, dict[str, _Copy]] = WeakKeyDictionary()

    def follow(self, clock: ClockState, xp: Any, like: Array) -> Array:
        """Return the series of a clock on the device of the array `like`, up to its present step."""
        copies = self._copies.setdefault(clock, {})
        copy = copies.get(str(like.device))
        if copy is None or copy.base != clock.base or copy.series.shape != clock.series.shape:
            copy = copies[str(like.device)] = _Copy(xp.asarray(clock.series.copy()), clock.base, clock.now)
        elif copy.now != clock.now:
            first = max(0, copy.now + 1 - clock.base - clock.reach)
            changed = slice(first, clock.now - clock.base + 1)
            copy.series[changed] = xp.asarray(clock.series[changed])
            copy.now = clock.now
        return copy.series


class _Copy:
    """The series of a clock at one of its steps."""

    def __init__(self, series: Array, base: int, now: int):
        self.series = series
        self.base = base
        self.now = now


def pack_idle(idle: IdleState, series: Array) -> Arguments:
    """Return the last steps of the rows, what the clock knows, and the constants of the rule."""
    clock = idle.clock
    times = np.int64(series.shape[1]), np.int64(clock.base), np.int64(clock.now), np.float64(clock.shrink)
    return (idle.last_steps, series, *times, *pack_numbers(idle.constants, np.float64))
