"""The seeds of initializers that were given none."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

SEEDS = 1 << 64  # keys of the generator


class _DefaultSeeds:
    """Where default seeds come from: the operating system, unless `set_seed` was called."""

    source: random.Random = random.SystemRandom()


def set_seed(seed: int | None) -> None:
    """Make default seeds reproducible, as ``keras.utils.set_random_seed`` does.

    What is built afterwards without a seed receives the same seeds in the same order.

    Parameters
    ----------
    seed : int or None
        Where the sequence of default seeds starts; None goes back to seeds from the operating system.

    Raises
    ------
    TypeError
        If `seed` is neither an integer nor None.

    Examples
    --------
    >>> from fastembed_layer import initializers
    >>> initializers.set_seed(1)
    >>> first = initializers.RandomUniform().seed
    >>> initializers.set_seed(1)
    >>> initializers.RandomUniform().seed == first
    True
    >>> initializers.set_seed(None)
    """
    _DefaultSeeds.source = random.SystemRandom() if seed is None else random.Random(checked_seed(seed))


def draw_seed() -> int:
    """Return the next default seed: 31 bits, so that it is a seed for Keras, TensorFlow and numpy too."""
    return _DefaultSeeds.source.getrandbits(31)


def checked_seed(seed: Any) -> int:
    """Return an integer seed: a new one for None, that of a Keras ``SeedGenerator`` for its config.

    Raises
    ------
    TypeError
        If `seed` is of another kind.
    ValueError
        If it does not fit into 64 bits.
    """
    if seed is None:
        return draw_seed()
    if isinstance(seed, Mapping) and seed.get("class_name") == "SeedGenerator":
        return checked_seed(seed["config"]["seed"])
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"`seed` must be an integer or None. Received: {seed!r} (of type {type(seed).__name__}).")
    if not -SEEDS // 2 <= seed < SEEDS:
        raise ValueError(f"`seed` must fit into 64 bits. Received: {seed!r}.")
    return int(seed)
