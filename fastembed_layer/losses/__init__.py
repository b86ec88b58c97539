"""Losses: the loss of every sample and its gradient, weighted and reduced as in Keras.

There is no autodiff of array code in this package, so a loss knows its own derivative: a subclass writes
`Loss.per_sample`, and the weighting, the averaging and the tape are the business of the base class. Each loss is also
a function of targets and predictions that returns the losses of the samples and is recorded on an open tape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastembed_layer.losses.base import FunctionLoss, Loss
from fastembed_layer.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sigmoid,
    sparse_categorical_crossentropy,
)
from fastembed_layer.losses.divergence import KLDivergence, Poisson, kl_divergence, poisson
from fastembed_layer.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from fastembed_layer.losses.hinge import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from fastembed_layer.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from fastembed_layer.named import NamedObjects

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "FunctionLoss",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sigmoid",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

LOSSES: NamedObjects[Loss] = NamedObjects("loss", Loss, wrap=FunctionLoss)
LOSSES.add(MeanSquaredError, "mse", function=mean_squared_error)
LOSSES.add(MeanAbsoluteError, "mae", function=mean_absolute_error)
LOSSES.add(MeanAbsolutePercentageError, "mape", function=mean_absolute_percentage_error)
LOSSES.add(MeanSquaredLogarithmicError, "msle", function=mean_squared_logarithmic_error)
LOSSES.add(Huber, "huber_loss", function=huber)
LOSSES.add(LogCosh, "logcosh", function=log_cosh)
LOSSES.add(CosineSimilarity, function=cosine_similarity)
LOSSES.add(Hinge, function=hinge)
LOSSES.add(SquaredHinge, function=squared_hinge)
LOSSES.add(CategoricalHinge, function=categorical_hinge)
LOSSES.add(KLDivergence, "kld", "kullback_leibler_divergence", function=kl_divergence)
LOSSES.add(Poisson, function=poisson)
LOSSES.add(BinaryCrossentropy, "bce", function=binary_crossentropy)
LOSSES.add(CategoricalCrossentropy, function=categorical_crossentropy)
LOSSES.add(SparseCategoricalCrossentropy, function=sparse_categorical_crossentropy)
LOSSES.add(BinaryFocalCrossentropy, function=binary_focal_crossentropy)
LOSSES.add(CategoricalFocalCrossentropy, function=categorical_focal_crossentropy)

# The short names of tf.keras.
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh


def get(identifier: Any) -> Loss | None:
    """Return the loss that a name, config, class, instance or function stands for; None stays None.

    The functions of this module stand for their classes. Another function is accepted if
    ``function(y_true, y_pred)`` returns a pair: the losses per sample, and their gradient with respect to `y_pred`
    (see `Loss.per_sample`). Arbitrary code is not differentiated.

    Examples
    --------
    >>> get("mse").name, get("BCE").name, get(hinge).name
    ('mean_squared_error', 'binary_crossentropy', 'hinge')
    """
    return LOSSES.get(identifier)


def serialize(loss: Any) -> Any:
    """Return the config of a loss, or the name of one of this module's functions; None stays None.

    Examples
    --------
    >>> serialize(Huber(0.5))
    {'class_name': 'Huber', 'config': {'name': 'huber_loss', 'reduction': 'sum_over_batch_size', 'delta': 0.5}}
    """
    return LOSSES.serialize(loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss | None:
    """Return the loss of a name or a config; `custom_objects` holds classes and functions of your own by name.

    Examples
    --------
    >>> deserialize({"class_name": "Huber", "config": {"delta": 0.5}}).delta
    0.5
    """
    return LOSSES.deserialize(name, custom_objects)
