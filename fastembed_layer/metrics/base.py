"""The base classes of the metrics, and the mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastembed_layer.losses.comparison import align_ranks, align_weights, as_numbers
from fastembed_layer.named import snake_case

Array = np.ndarray[Any, Any]


class Metric:
    """Base class of the metrics.

    Parameters
    ----------
    name : str, optional
        Name of the metric; by default the class name in snake case.
    """

    def __init__(self, name: str | None = None):
        self.name = name or snake_case(type(self).__name__)
        self.reset_state()

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take one batch into account, usually as ``update_state(y_true, y_pred, sample_weight, mask)``."""
        raise NotImplementedError(f"{type(self).__name__} must implement `update_state`.")

    def result(self) -> float:
        """Return the value over all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} must implement `result`.")

    def reset_state(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} must implement `reset_state`.")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """Build a metric from a config; the `dtype` in configs of Keras has no meaning here."""
        return cls(**{key: value for key, value in config.items() if key != "dtype"})


class _RunningMean(Metric):
    """A weighted mean over samples; what a sample holds beyond its first axis is averaged first."""

    total: float
    count: float

    def reset_state(self) -> None:
        """Forget all batches."""
        self.total = self.count = 0.0

    def result(self) -> float:
        """Return the weighted mean over all samples since the last reset, 0 when there were none."""
        return self.total / self.count if self.count else 0.0

    def _add(self, values: Array, sample_weight: Any, mask: Any) -> None:
        per_sample = max(math.prod(values.shape[1:]), 1)
        weights = combine_weights(values.shape, sample_weight, mask)
        self.total += float(np.sum(values * weights, dtype=np.float64)) / per_sample
        self.count += float(np.sum(weights, dtype=np.float64)) / per_sample


class Mean(_RunningMean):
    """The weighted mean of values, such as the losses of batches.

    Examples
    --------
    >>> mean = Mean()
    >>> mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> mean.result()
    2.0
    """

    def update_state(self, values: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Take values into account; `sample_weight` and `mask` match their axes from the left."""
        self._add(as_numbers("values", values), sample_weight, mask)


class MeanOfSamples(_RunningMean):
    """Base class of metrics that are a mean over samples: a subclass writes `per_sample`."""

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return one value, or more, for every sample; ranks are already matched."""
        raise NotImplementedError(f"{type(self).__name__} must implement `per_sample(y_true, y_pred)`.")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Take one batch into account.

        Parameters
        ----------
        y_true, y_pred : array_like
            Targets and predictions; ``(n,)`` fits ``(n, 1)``.
        sample_weight, mask : array_like, optional
            Factors of what `per_sample` returns, axes matched from the left; a mask counts as 0 or 1.

        Raises
        ------
        ValueError
            If the shapes do not fit together.
        TypeError
            If an argument does not hold numbers.
        """
        targets, predictions = align_ranks(as_numbers("y_true", y_true), as_numbers("y_pred", y_pred))
        self._add(np.asarray(self.per_sample(targets, predictions)), sample_weight, mask)


class FunctionMetric(MeanOfSamples):
    """The mean of what a function ``function(y_true, y_pred)`` returns; `get` makes one from any callable."""

    def __init__(self, function: Callable[[Array, Array], Array], name: str | None = None):
        super().__init__(name or getattr(function, "__name__", None))
        self.function = function

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return what the function returns."""
        return self.function(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Refuse, because a config cannot hold a function."""
        raise ValueError(f"The metric {self.name!r} is a plain function, which has no config; subclass `Metric`.")


def combine_weights(shape: tuple[int, ...], sample_weight: Any, mask: Any) -> Array:
    weights = np.ones(()) if sample_weight is None else align_weights("sample_weight", sample_weight, shape)
    if mask is not None:
        weights = weights * align_weights("mask", mask, shape).astype(bool)
    return np.broadcast_to(weights, shape)
