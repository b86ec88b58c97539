"""Losses: the loss of every sample and its gradient, weighted and reduced as in Keras.

There is no autodiff of array code in this package, so a loss knows its own derivative: a subclass writes
`Loss.per_sample`, and the weighting, the averaging and the tape are the business of the base class.
"""

from __future__ import annotations

from typing import Any

from fastembed_layer.losses.base import FunctionLoss, Loss
from fastembed_layer.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    sigmoid,
)
from fastembed_layer.losses.regression import MeanAbsoluteError, MeanSquaredError
from fastembed_layer.named import NamedObjects, serialize

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "FunctionLoss",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "get",
    "serialize",
    "sigmoid",
]

_losses: NamedObjects[Loss] = NamedObjects("loss", Loss, wrap=FunctionLoss)
_losses.add(MeanSquaredError, "mse")
_losses.add(MeanAbsoluteError, "mae")
_losses.add(BinaryCrossentropy, "bce")
_losses.add(CategoricalCrossentropy)
_losses.add(SparseCategoricalCrossentropy)


def get(identifier: Any) -> Loss | None:
    """Return the loss that a name, config, class, instance or function stands for; None stays None.

    A plain function is accepted if ``function(y_true, y_pred)`` returns a pair: the losses per sample, and
    their gradient with respect to `y_pred` (see `Loss.per_sample`). Arbitrary code is not differentiated.

    Examples
    --------
    >>> get("mse").name, get("BCE").name
    ('mean_squared_error', 'binary_crossentropy')
    """
    return _losses.get(identifier)


deserialize = get
