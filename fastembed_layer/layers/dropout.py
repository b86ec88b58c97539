"""`Dropout`: sets a random part of its input to zero while training."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.initializers.seeds import checked_seed
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import Shape, check_shape
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class Dropout(Layer):
    """Sets each element to zero with probability `rate` while training, and divides the others by ``1 - rate``.

    Parameters
    ----------
    rate : float
        The probability, in ``[0, 1]``.
    noise_shape : tuple of int or None, optional
        Shape of the random mask where it is shared along some axes; None entries follow the input.
    seed : int, optional
        Seed of the layer's own generator.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Dropout
    >>> Dropout(0.5)(np.ones(3, "float32"))
    array([1., 1., 1.], dtype=float32)
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **keywords: Any):
        super().__init__(**keywords)
        self.rate = check_number(rate, "rate", 0.0, 1.0)
        self.noise_shape = None if noise_shape is None else check_shape(noise_shape, "noise_shape")
        self.seed = checked_seed(seed)
        self._generator = np.random.default_rng(self.seed)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Multiply by a random mask while training."""
        if not training or self.rate == 0:
            return inputs, lambda d_output: Cotangents([d_output])
        shape = inputs.shape if self.noise_shape is None else _fill_open_sizes(self.noise_shape, inputs.shape)
        kept = (self._generator.random(shape, np.float32) >= self.rate).astype(inputs.dtype)
        factors = kept / (1 - self.rate) if self.rate < 1 else kept
        return inputs * factors, lambda d_output: Cotangents([d_output * factors])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}


def _fill_open_sizes(noise_shape: Shape, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != len(noise_shape):
        raise ValueError(
            f"`noise_shape` must have one entry per axis of the input, whose shape is {shape}. Received: {noise_shape}."
        )
    return tuple(have if want is None else want for have, want in zip(shape, noise_shape, strict=True))
