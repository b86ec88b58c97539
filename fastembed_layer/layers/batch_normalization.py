"""`BatchNormalization`: every feature is brought to mean 0 and variance 1 over the batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.layers.configs import read_initializer
from fastembed_layer.layers.normalization_base import Axes, Normalization, pull_standardized, spread_shape
from fastembed_layer.named import serialize
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]

MASK_EPSILON = 1e-7  # what Keras adds to the number of steps that a mask keeps


class _Moments(NamedTuple):
    """Mean and variance of a batch, with axes of size 1, and the share that each element has in them."""

    mean: Array
    variance: Array
    weights: Array | float


class BatchNormalization(Normalization):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with mean and variance of each feature.

    While training they are those of the batch, of the steps that a mask keeps if there is one; and the moving
    statistics take ``1 - momentum`` of them. Otherwise, and in a layer with ``trainable=False``, they are the moving
    statistics, which are weights that no optimizer trains. The variance is that of the whole batch (divided by its
    size), as in Keras.

    Parameters
    ----------
    axis : int
        The axis of the features.
    momentum : float
        Share that the moving statistics keep at each step.
    epsilon : float
        Added to the variance.
    center, scale : bool
        Whether there is a ``beta``, and a ``gamma``.
    moving_mean_initializer, moving_variance_initializer : optional
        First values of the moving statistics.
    **keywords
        ``beta_initializer``, ``gamma_initializer``, ``beta_regularizer``, ``gamma_regularizer``, ``beta_constraint``,
        ``gamma_constraint``, and those of `Layer`.

    References
    ----------
    Ioffe and Szegedy, *Batch Normalization*, 2015, https://arxiv.org/abs/1502.03167.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import BatchNormalization
    >>> layer = BatchNormalization()
    >>> layer(np.array([[1.0], [3.0]], "float32"), training=True).round(2)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> layer.moving_mean.numpy()
    array([0.02], dtype=float32)
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        **keywords: Any,
    ):
        super().__init__(epsilon, center, scale, **keywords)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"`axis` must be an integer. Received: {axis!r}.")
        self.axis = axis
        self.momentum = check_number(momentum, "momentum", 0.0, 1.0)
        self.moving_mean_initializer = read_initializer(moving_mean_initializer, "moving_mean_initializer")
        self.moving_variance_initializer = read_initializer(moving_variance_initializer, "moving_variance_initializer")
        self.moving_mean: Parameter | None = None
        self.moving_variance: Parameter | None = None

    def build(self, input_shape: Any = None) -> None:
        """Create ``gamma``, ``beta`` and the moving statistics."""
        [axis] = self.find_axes((self.axis,), input_shape)
        shape = (int(input_shape[axis]),)
        self.make_scale_and_offset(shape)
        mean = self.moving_mean_initializer(shape, self.variable_dtype)
        variance = self.moving_variance_initializer(shape, self.variable_dtype)
        self.moving_mean = Parameter(mean, "moving_mean", trainable=False)
        self.moving_variance = Parameter(variance, "moving_variance", trainable=False)
        super().build(input_shape)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Normalize by the batch, whose statistics are remembered, or by the moving statistics."""
        values, shape = self.as_computed(inputs), spread_shape(inputs.shape, (self.axis % inputs.ndim,))
        others = tuple(axis for axis in range(inputs.ndim) if axis != self.axis % inputs.ndim)
        moments = self._moving_moments(values, shape)
        mask = None if mask is None else self._check_mask(np.asarray(mask, bool), values)
        if training and self.trainable and values.size:
            moments = _batch_moments(values, others, mask)
            self._remember(moments)
        scale = 1 / np.sqrt(moments.variance + values.dtype.type(self.epsilon))
        normalized = (values - moments.mean) * scale

        def pull_back(d_output: Array) -> Cotangents:
            d_normalized, parameters = self.pull_output(d_output, normalized, shape)
            d_inputs = scale * pull_standardized(d_normalized, normalized, others, moments.weights)
            return Cotangents([d_inputs], parameters)

        return self.finish_output(normalized, shape), pull_back

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        return super().get_config() | {
            "axis": self.axis,
            "momentum": self.momentum,
            "moving_mean_initializer": serialize(self.moving_mean_initializer),
            "moving_variance_initializer": serialize(self.moving_variance_initializer),
        }

    def _check_mask(self, mask: Array, values: Array) -> Array:
        """Return the mask with an axis for the features."""
        if mask.shape != values.shape[:-1]:
            raise ValueError(
                f"`mask` of the layer {self.name!r} must have the shape of its inputs without the last axis. "
                f"Received: shapes {mask.shape} and {values.shape}."
            )
        return mask[..., None]

    def _moving_moments(self, values: Array, shape: tuple[int, ...]) -> _Moments:
        assert self.moving_mean is not None
        assert self.moving_variance is not None
        moving = (self.moving_mean.value, self.moving_variance.value)
        mean, variance = (array.reshape(shape).astype(values.dtype, copy=False) for array in moving)
        return _Moments(mean, variance, 0.0)

    def _remember(self, moments: _Moments) -> None:
        for moving, batch in ((self.moving_mean, moments.mean), (self.moving_variance, moments.variance)):
            assert moving is not None
            moving.assign(moving.value * self.momentum + batch.reshape(-1) * (1 - self.momentum))


def _batch_moments(values: Array, others: Axes, mask: Array | None) -> _Moments:
    if mask is None:
        weights: Any = 1 / (values.size / np.prod([values.shape[a] for a in range(values.ndim) if a not in others]))
        mean = values.mean(axis=others, keepdims=True)
        return _Moments(mean, np.mean((values - mean) ** 2, axis=others, keepdims=True), float(weights))
    kept = np.broadcast_to(mask, values.shape)
    counts = kept.sum(axis=others, keepdims=True).astype(values.dtype) + values.dtype.type(MASK_EPSILON)
    zero = values.dtype.type(0)
    mean = np.where(kept, values, zero).sum(axis=others, keepdims=True) / counts
    squares = np.where(kept, values - mean, zero) ** 2
    return _Moments(mean, squares.sum(axis=others, keepdims=True) / counts, kept / counts)
