"""`Metric`, the base class of the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastembed_layer import initializers
from fastembed_layer.checks import FLOATS, INTEGERS, check_compute_dtype
from fastembed_layer.losses.comparison import align_weights
from fastembed_layer.metrics.variables import Variable, find_kinds
from fastembed_layer.named import StrictArguments, snake_case

Array = np.ndarray[Any, Any]


class Metric(StrictArguments):
    """Base class of the metrics.

    A subclass makes its variables in the constructor, and writes `update_state` and `result`, as in Keras.

    Parameters
    ----------
    dtype : str or dtype, optional
        What predictions are rounded to before they are compared. By default float64 stays what it is, and all else is
        float32, as in Keras. Sums are float64 in any case. Integers, which Keras takes too, round nothing.
    name : str, optional
        Name of the metric; by default the class name in snake case.

    Examples
    --------
    >>> import numpy as np
    >>> class LargestError(Metric):
    ...     def __init__(self, name="largest_error", dtype=None):
    ...         super().__init__(name=name, dtype=dtype)
    ...         self.largest = self.add_variable(name="largest")
    ...
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(np.maximum(self.largest, np.max(np.abs(y_true - y_pred))))
    ...
    ...     def result(self):
    ...         return float(self.largest)
    >>> metric = LargestError()
    >>> metric(np.array([1.0, 2.0]), np.array([1.5, 1.0]))
    1.0
    >>> [variable.name for variable in metric.variables]
    ['largest']
    """

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or snake_case(type(self).__name__)
        self._dtype = check_compute_dtype(dtype, (*FLOATS, *INTEGERS))
        if type(self).__init__ is Metric.__init__:  # without a constructor there is no other place for a first state
            self.reset_state()

    @property
    def dtype(self) -> str | None:
        """Name of the dtype of the comparison; None where it is that of the predictions."""
        return None if self._dtype is None else self._dtype.name

    @property
    def float_dtype(self) -> np.dtype[Any] | None:
        """The dtype that predictions are rounded to; None where they stay as they are."""
        return self._dtype if self._dtype is not None and self._dtype.name in FLOATS else None

    @property
    def variables(self) -> list[Variable]:
        """What the metric remembers, in the order in which it was made; those of metrics in it included."""
        found: list[Variable] = []
        for thing in find_kinds(list(vars(self).values()), Variable, Metric):
            found += thing.variables if isinstance(thing, Metric) else [thing]
        return list({id(variable): variable for variable in found}.values())

    def add_variable(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Return a new variable, to be kept in an attribute; float64 unless there is a `dtype`.

        Parameters
        ----------
        shape : tuple of int
            Shape of the variable.
        initializer : str or Initializer, optional
            Its first value; None means zeros.
        dtype : dtype, optional
            Its dtype.
        aggregation : str
            Has no effect here; Keras's argument.
        name : str, optional
            Name of the variable.
        """
        filler = initializers.get("zeros" if initializer is None else initializer)
        first = np.zeros(shape) if filler is None else filler(tuple(shape), "float64")
        return Variable(first.astype(dtype or np.float64), name or "variable")

    def add_weight(
        self, shape: tuple[int, ...] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """Return a new variable; tf.keras's name of `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take one batch into account, usually as ``update_state(y_true, y_pred, sample_weight, mask)``."""
        raise NotImplementedError(f"{type(self).__name__} must implement `update_state`.")

    def result(self) -> Any:
        """Return the value over all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} must implement `result`.")

    def reset_state(self) -> None:
        """Forget all batches: the variables become 0."""
        for variable in self.variables:
            variable.assign(0)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take one batch into account and return the value over all batches since the last reset."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build this metric again."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """Build a metric from a config, of here or of Keras."""
        return cls(**{key: value for key, value in config.items() if key != "dtype" or value is not None})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def combine_weights(shape: tuple[int, ...], sample_weight: Any, mask: Any) -> Array:
    """Return the weights of values of a shape: `sample_weight`, and 0 where `mask` is not set."""
    weights = np.ones(()) if sample_weight is None else align_weights("sample_weight", sample_weight, shape)
    if mask is not None:
        weights = weights * align_weights("mask", mask, shape).astype(bool)
    return np.broadcast_to(weights, shape)


def divide_no_nan(numerator: Any, denominator: Any) -> Array:
    """Divide, with 0 for a division by 0 (Keras's `divide_no_nan`)."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.asarray(np.divide(top, bottom, out=np.zeros(top.shape), where=bottom != 0))
