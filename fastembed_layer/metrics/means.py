"""Sums and means of values, and the metrics that are means over samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastembed_layer.losses import LOSSES, Loss
from fastembed_layer.losses.comparison import align_ranks, as_numbers
from fastembed_layer.metrics.base import Metric, combine_weights

Array = np.ndarray[Any, Any]


class Sum(Metric):
    """The weighted sum of values.

    Examples
    --------
    >>> total = Sum()
    >>> total([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    4.0
    """

    def __init__(self, name: str | None = None, dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Add values; `sample_weight` and `mask` match their axes from the left."""
        numbers = as_numbers("values", values)
        weights = combine_weights(numbers.shape, sample_weight, mask)
        self.total.assign_add(np.sum(numbers * weights, dtype=np.float64))

    def result(self) -> float:
        """Return the sum of all values since the last reset."""
        return float(self.total)


class _RunningMean(Metric):
    """A weighted mean over samples; what a sample holds beyond its first axis is averaged first."""

    def __init__(self, name: str | None = None, dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def result(self) -> float:
        """Return the weighted mean over all samples since the last reset, 0 when there were none."""
        return float(self.total) / float(self.count) if self.count else 0.0

    def _add(self, values: Array, sample_weight: Any, mask: Any) -> None:
        per_sample = max(math.prod(values.shape[1:]), 1)
        weights = combine_weights(values.shape, sample_weight, mask)
        self.total.assign_add(np.sum(values * weights, dtype=np.float64) / per_sample)
        self.count.assign_add(np.sum(weights, dtype=np.float64) / per_sample)


class Mean(_RunningMean):
    """The weighted mean of values, such as the losses of batches.

    Examples
    --------
    >>> mean = Mean()
    >>> mean([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
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
        if self.float_dtype is not None and predictions.dtype.kind == "f":
            predictions = predictions.astype(self.float_dtype, copy=False)
        self._add(np.asarray(self.per_sample(targets, predictions)), sample_weight, mask)


class MeanMetricWrapper(MeanOfSamples):
    """The mean of what a function returns for every sample; `get` makes one from any callable.

    Parameters
    ----------
    fn : callable
        ``fn(y_true, y_pred, **kwargs)`` returns values per sample. A `Loss` stands for its losses of samples.
    name : str, optional
        By default that of the function.
    dtype
        See `Metric`.
    **kwargs
        Further arguments of the function.

    Examples
    --------
    >>> from fastembed_layer import losses
    >>> metric = MeanMetricWrapper(losses.huber, delta=2.0)
    >>> metric([[0.0], [0.0]], [[1.0], [3.0]])
    2.25
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name or getattr(fn, "__name__", None) or getattr(fn, "name", None), dtype)
        self.fn = fn
        self.kwargs = kwargs

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return what the function returns."""
        function = self.fn.call if isinstance(self.fn, Loss) else self.fn
        return np.asarray(function(y_true, y_pred, **self.kwargs))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again; ValueError for a function that has no name here."""
        is_plain = not isinstance(self.fn, Loss) and self.fn not in LOSSES.functions
        if is_plain:
            raise ValueError(
                f"The metric {self.name!r} is a plain function, which has no config; subclass `Metric`. "
                f"Received: {self.fn!r}."
            )
        return {**super().get_config(), "fn": LOSSES.serialize(self.fn), **self.kwargs}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """Build a metric from what `get_config` returned."""
        named = {function.__name__: function for function in LOSSES.functions}
        fn = config["fn"]
        return super().from_config({**config, "fn": named[fn] if isinstance(fn, str) else LOSSES.get(fn)})


FunctionMetric = MeanMetricWrapper
