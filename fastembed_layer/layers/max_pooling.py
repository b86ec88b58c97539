"""`GlobalMaxPooling1D`: the largest value of each feature over the steps of a sequence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.layers.pooling_base import GlobalPooling1D
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class GlobalMaxPooling1D(GlobalPooling1D):
    """Takes the largest value of each feature over axis 1. A sequence without steps gives zeros.

    As in Keras 3 a mask is not used but ended, with a warning: padded steps take part. Pass sequences as `Ragged`, or
    use ``EmbeddingBag(combiner="max", mask_zero=True)``, to leave padding out. Equal values share the gradient.

    Parameters
    ----------
    data_format : {"channels_last", "channels_first"}, optional
        Whether inputs are ``(batch, steps, features)``, the default, or ``(batch, features, steps)``.
    keepdims : bool
        Whether the axis of the steps stays, with size 1.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import GlobalMaxPooling1D
    >>> GlobalMaxPooling1D()(np.array([[[1.0, 5.0], [3.0, 2.0]]]))
    array([[3., 5.]])
    """

    def refuse_unsupported_mask(self, masks: Any) -> None:
        """Warn, as Keras 3 does, that padded steps take part."""
        if masks is not None and not (isinstance(masks, list) and all(mask is None for mask in masks)):
            warnings.warn(
                f"The layer {self.name!r} (GlobalMaxPooling1D) was passed an input with a mask, which it does not use: "
                "padded steps take part in the maximum. Pass ragged sequences, or use "
                "EmbeddingBag(combiner='max', mask_zero=True), to leave them out.",
                stacklevel=3,
            )

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Return False: the steps are gone."""
        return False

    def pool(self, inputs: Array, mask: Any) -> tuple[Array, Pullback]:
        """Take the maxima; the pullback divides each gradient among the steps that have it."""
        if inputs.shape[1] == 0:
            zeros = np.zeros((len(inputs), inputs.shape[2]), inputs.dtype)
            return zeros, lambda _: Cotangents([np.zeros_like(inputs)])
        output = inputs.max(axis=1)

        def pull_back(d_output: Array) -> Cotangents:
            largest = inputs == output[:, None]
            shares = d_output / np.maximum(largest.sum(axis=1), 1).astype(d_output.dtype)
            return Cotangents([largest * shares[:, None]])

        return output, pull_back

    def pool_ragged(self, rows: Ragged) -> tuple[Array, Pullback]:
        """Take the maxima of the steps that there are."""
        owners, filled = np.repeat(np.arange(len(rows)), rows.lengths), rows.lengths > 0
        output = np.zeros((len(rows), rows.values.shape[1]), rows.dtype)
        if filled.any():
            output[filled] = np.maximum.reduceat(rows.values, rows.offsets[:-1][filled])

        def pull_back(d_output: Array) -> Cotangents:
            largest = rows.values == output[owners]
            counts = np.zeros(output.shape, d_output.dtype)
            np.add.at(counts, owners, largest)
            return Cotangents([largest * (d_output / np.maximum(counts, 1))[owners]])

        return output, pull_back
