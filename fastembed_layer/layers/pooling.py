"""`GlobalAveragePooling1D`: the mean over the steps of a sequence, padding left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.buffers import borrow_array
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.kernels.threads import BYTES_PER_THREAD, run_parallel
from fastembed_layer.layers.pooling_base import GlobalPooling1D
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class GlobalAveragePooling1D(GlobalPooling1D):
    """Averages over axis 1; with a mask, over the steps that it keeps. A sequence without steps gives zeros.

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
    >>> from fastembed_layer import Embedding, GlobalAveragePooling1D
    >>> rows = Embedding(10, 4, mask_zero=True)(np.array([[3, 7, 0, 0], [5, 0, 0, 0]]))
    >>> means = GlobalAveragePooling1D()(rows)
    >>> bool(np.allclose(means[0], rows[0, :2].mean(axis=0)))
    True
    """

    supports_masking = True

    def __call__(  # type: ignore[override]  # Keras's order
        self, inputs: Any, mask: Any = None, training: bool | None = None
    ) -> Any:
        """Call the layer; the mask comes second, as in Keras."""
        return super().__call__(inputs, training, mask)

    def pool(self, inputs: Array, mask: Any) -> tuple[Array, Pullback]:
        """Average; the pullback spreads each gradient over the steps that counted."""
        kept = np.ones(inputs.shape[:2], inputs.dtype) if mask is None else np.asarray(mask, inputs.dtype)
        shares = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
        output = np.matmul(shares[:, None, :], inputs)[:, 0]
        return output, lambda d_output: Cotangents([_spread(shares, d_output)])

    def pool_ragged(self, rows: Ragged) -> tuple[Array, Pullback]:
        """Average the steps that there are."""
        return _average_ragged(rows)


def _spread(shares: Array, d_output: Array) -> Array:
    """Give each step its share of the gradient of its sequence; numpy lets other threads run meanwhile."""
    d_inputs = borrow_array((*shares.shape, d_output.shape[-1]), np.result_type(shares, d_output))

    def spread(begin: int, end: int) -> None:
        np.multiply(shares[begin:end, :, None], d_output[begin:end, None, :], out=d_inputs[begin:end])

    run_parallel(spread, len(shares), max(1, BYTES_PER_THREAD * len(shares) // max(1, d_inputs.nbytes)))
    return d_inputs


def _average_ragged(rows: Ragged) -> tuple[Array, Pullback]:
    lengths = rows.lengths
    owners = np.repeat(np.arange(len(rows)), lengths)
    sums = np.zeros((len(rows), rows.values.shape[1]), rows.dtype)
    filled = lengths > 0
    if filled.any():
        sums[filled] = np.add.reduceat(rows.values, rows.offsets[:-1][filled])
    divisors = np.maximum(lengths, 1).astype(rows.dtype)[:, None]
    return sums / divisors, lambda d_output: Cotangents([(d_output / divisors)[owners]])
