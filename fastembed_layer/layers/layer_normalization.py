"""`LayerNormalization`: every sample is brought to mean 0 and variance 1 on its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.layers.normalization_base import Normalization, pull_standardized, spread_shape
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class LayerNormalization(Normalization):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with mean and variance of one sample along `axis`.

    Parameters
    ----------
    axis : int or list of int
        The axes over which mean and variance are taken; ``gamma`` and ``beta`` have their shape.
    epsilon : float
        Added to the variance.
    center, scale : bool
        Whether there is a ``beta``, and a ``gamma``.
    **keywords
        ``beta_initializer``, ``gamma_initializer``, ``beta_regularizer``, ``gamma_regularizer``, ``beta_constraint``,
        ``gamma_constraint``, and those of `Layer`.

    References
    ----------
    Ba, Kiros and Hinton, *Layer Normalization*, 2016, https://arxiv.org/abs/1607.06450.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import LayerNormalization
    >>> LayerNormalization()(np.array([[0.0, 10.0], [20.0, 30.0]], "float32")).round(3)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True, **keywords: Any):
        super().__init__(epsilon, center, scale, **keywords)
        axes = axis if isinstance(axis, list | tuple) else [axis]
        if not axes or any(isinstance(each, bool) or not isinstance(each, int) for each in axes):
            raise TypeError(f"`axis` must be an integer or a list of integers. Received: {axis!r}.")
        self.axis = list(axes) if isinstance(axis, list | tuple) else axis
        self._axes = tuple(axes)

    def build(self, input_shape: Any = None) -> None:
        """Create ``gamma`` and ``beta``."""
        self._axes = self.find_axes(self._axes, input_shape)
        self.make_scale_and_offset(tuple(int(input_shape[axis]) for axis in self._axes))
        super().build(input_shape)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Normalize each sample."""
        values, axes = self.as_computed(inputs), self._axes
        shape = spread_shape(values.shape, axes)
        centred = values - values.mean(axis=axes, keepdims=True)
        scale = 1 / np.sqrt(np.mean(centred * centred, axis=axes, keepdims=True) + values.dtype.type(self.epsilon))
        normalized = centred * scale

        def pull_back(d_output: Array) -> Cotangents:
            d_normalized, parameters = self.pull_output(d_output, normalized, shape)
            weight = 1 / math.prod(values.shape[axis] for axis in axes)
            d_inputs = scale * pull_standardized(d_normalized, normalized, axes, weight)
            return Cotangents([d_inputs], parameters)

        return self.finish_output(normalized, shape), pull_back

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        return super().get_config() | {"axis": self.axis}
