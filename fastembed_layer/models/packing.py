"""Batches as the one argument `data` that `train_step` and its like are called with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Logs = dict[str, Any]


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Return the three parts of what `train_step`, `test_step` or `predict_step` is called with.

    Parameters
    ----------
    data : x, (x,), (x, y) or (x, y, sample_weight)
        One batch.

    Returns
    -------
    x, y, sample_weight
        None for what is not there.

    Raises
    ------
    ValueError
        If `data` has more parts.

    Examples
    --------
    >>> from fastembed_layer import models
    >>> models.unpack_x_y_sample_weight(([1, 2], [0.5, 1.5]))
    ([1, 2], [0.5, 1.5], None)
    """
    if not isinstance(data, list | tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(f"`data` must be x, (x,), (x, y) or (x, y, sample_weight). Received: {len(data)} parts.")
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return a batch as `fit` hands it to `train_step`.

    Returns
    -------
    data
        ``(x, y, sample_weight)`` without what is None at its end; `x` alone is not put into a tuple unless it is a list
        or a tuple itself.

    Examples
    --------
    >>> from fastembed_layer import models
    >>> models.pack_x_y_sample_weight([1, 2], [0.5, 1.5])
    ([1, 2], [0.5, 1.5])
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, list | tuple) else x


def read_logs(logs: Any, step: str) -> Logs:
    """Return the numbers of a step as Python numbers; a dict within takes the place of its name.

    Raises
    ------
    TypeError
        If a step returned no dict.
    """
    if not isinstance(logs, Mapping):
        raise TypeError(f"`{step}` must return a dict of numbers by name. Received: {type(logs).__name__}.")
    numbers: Logs = {}
    for name, value in logs.items():
        numbers |= read_logs(value, step) if isinstance(value, Mapping) else {name: _as_number(value)}
    return numbers


def _as_number(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray | np.generic) and np.size(value) == 1 else value
