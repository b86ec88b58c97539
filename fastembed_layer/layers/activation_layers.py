"""`Activation`, `ReLU` and `Softmax`: activations as layers of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.layers import activations
from fastembed_layer.layers.layer import Layer
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]

MASKED = {"float16": -3e4}  # what Keras puts in the place of a masked number; -1e9 for wider types


class Activation(Layer):
    """Applies an activation.

    Parameters
    ----------
    activation : str or callable
        ``"linear"``, ``"relu"``, ``"sigmoid"``, ``"tanh"``, ``"softmax"``, or a function that returns the output
        and its pullback.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Activation
    >>> Activation("relu")(np.array([-3.0, -1.0, 0.0, 2.0]))
    array([0., 0., 0., 2.])
    """

    supports_masking = True

    def __init__(self, activation: Any, **keywords: Any):
        super().__init__(**keywords)
        self.activation = activations.get(activation)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Apply the activation."""
        output, pull_back = self.activation(inputs)
        return output, lambda d_output: Cotangents([pull_back(d_output)])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"activation": activations.serialize(self.activation)}


class ReLU(Layer):
    """``min(x, max_value)`` above `threshold`, and ``negative_slope * (x - threshold)`` elsewhere.

    Parameters
    ----------
    max_value : float, optional
        Largest output; without it, there is none.
    negative_slope : float
        Slope below the threshold, at least 0.
    threshold : float
        Where the output begins, at least 0.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import ReLU
    >>> ReLU(max_value=6, negative_slope=0.5)(np.array([-10.0, -5.0, 0.0, 5.0, 10.0]))
    array([-5. , -2.5,  0. ,  5. ,  6. ])
    """

    supports_masking = True

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **keywords: Any
    ):
        super().__init__(**keywords)
        self.max_value = None if max_value is None else check_number(max_value, "max_value", low=0.0)
        self.negative_slope = check_number(negative_slope, "negative_slope", low=0.0)
        self.threshold = check_number(threshold, "threshold", low=0.0)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Apply the three pieces; the derivative at the threshold is that below it."""
        slope, above = inputs.dtype.type(self.negative_slope), inputs > self.threshold
        upper = inputs if self.max_value is None else np.minimum(inputs, inputs.dtype.type(self.max_value))
        output = np.where(above, upper, slope * (inputs - inputs.dtype.type(self.threshold)))

        def pull_back(d_output: Array) -> Cotangents:
            limit = np.inf if self.max_value is None else self.max_value
            return Cotangents([np.where(above, d_output * (inputs < limit), d_output * slope)])

        return output, pull_back

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        own = {"max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}
        return super().get_config() | own


class Softmax(Layer):
    """``exp(x)`` divided by its sum along an axis, or several.

    Parameters
    ----------
    axis : int or list of int
        Where the results add up to 1.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Softmax
    >>> Softmax()(np.array([1.0, 2.0, 1.0]), mask=np.array([True, True, False])).round(4)
    array([0.2689, 0.7311, 0.    ])
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **keywords: Any):
        super().__init__(**keywords)
        axes = axis if isinstance(axis, list | tuple) else [axis]
        if not axes or any(isinstance(each, bool) or not isinstance(each, int) for each in axes):
            raise TypeError(f"`axis` must be an integer or a list of integers. Received: {axis!r}.")
        self.axis = axis

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Divide; masked numbers give 0."""
        kept = None if mask is None else self._check_mask(np.asarray(mask), inputs)
        axes = tuple(self.axis) if isinstance(self.axis, list | tuple) else self.axis
        scores = (
            inputs if kept is None else np.where(kept, inputs, inputs.dtype.type(MASKED.get(inputs.dtype.name, -1e9)))
        )
        exponentials = np.exp(scores - np.max(scores, axis=axes, keepdims=True, initial=-np.inf))
        output = exponentials / np.sum(exponentials, axis=axes, keepdims=True)
        output = output if kept is None else output * kept

        def pull_back(d_output: Array) -> Cotangents:
            weighted = d_output * output
            return Cotangents([weighted - output * np.sum(weighted, axis=axes, keepdims=True)])

        return output, pull_back

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"axis": self.axis}

    def _check_mask(self, mask: Array, inputs: Array) -> Array:
        sizes = zip(mask.shape[::-1], inputs.shape[::-1], strict=False)
        if mask.ndim > inputs.ndim or any(size not in (1, other) for size, other in sizes):
            raise ValueError(
                f"`mask` of the layer {self.name!r} must have the shape of the inputs, up to axes of size 1. "
                f"Received: shapes {mask.shape} and {inputs.shape}."
            )
        return mask if mask.dtype == bool else mask > 0.5
