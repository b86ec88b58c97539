"""`Masking`: masks the steps of a sequence that hold nothing but one value."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_number
from fastembed_layer.layers.layer import Layer
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class Masking(Layer):
    """Masks every step whose features all equal `mask_value`, and sets them to 0.

    Parameters
    ----------
    mask_value : float
        The value that stands for padding.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import GlobalAveragePooling1D, Masking
    >>> steps = np.array([[[1.0, 2.0], [3.0, 6.0], [-1.0, -1.0]]])
    >>> GlobalAveragePooling1D()(Masking(-1.0)(steps))
    array([[2., 4.]])
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **keywords: Any):
        super().__init__(**keywords)
        self.mask_value = check_number(mask_value, "mask_value")

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Set masked steps to 0; they receive no gradient."""
        kept = self.compute_mask(inputs)[..., None]

        def masked(array: Array) -> Array:
            return np.where(kept, array, array.dtype.type(0))

        return masked(inputs), lambda d_output: Cotangents([masked(d_output)])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where a step holds another value; a mask of the input is replaced, as in Keras."""
        return np.any(inputs != self.mask_value, axis=-1)

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Return True."""
        return True

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"mask_value": self.mask_value}
