"""`class_weight`: weights of samples by their class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastembed_layer.checks import check_number

Array = np.ndarray[Any, Any]


def check_class_weight(class_weight: Any, sample_weight: Any) -> None:
    """Raise unless weights of classes are a dict of numbers, and no weights of samples come with them."""
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"`class_weight` must be a dict from class numbers to weights. Received: {type(class_weight).__name__}."
        )
    for label, weight in class_weight.items():
        if isinstance(label, bool) or not isinstance(label, int | np.integer):
            raise TypeError(f"The keys of `class_weight` must be class numbers. Received: {label!r}.")
        check_number(weight, f"class_weight[{label}]")
    if sample_weight is not None:
        raise ValueError(
            "`class_weight` and `sample_weight` must not be given at the same time. Received: both; multiply the "
            "weights of the samples with those of their classes."
        )


def weigh_classes(targets: Any, class_weight: Mapping[int, float]) -> Array:
    """Return the weight of each sample by its class, 1 where the class has none.

    The class of a row is that of its largest entry, as in one-hot targets; that of a number is the nearest integer.

    Raises
    ------
    ValueError
        If there are targets of several outputs, or none.
    """
    if targets is None or isinstance(targets, list | tuple | dict):
        received = "None" if targets is None else f"a {type(targets).__name__}"
        raise ValueError(f"`class_weight` needs the targets of a single output. Received: {received}.")
    labels = np.asarray(targets)
    if labels.ndim > 1:
        labels = labels[..., 0] if labels.shape[-1] == 1 else labels.argmax(axis=-1)
    if labels.ndim != 1:
        raise ValueError(
            f"`class_weight` needs one class per sample: targets of shape (n,), (n, 1) or (n, classes). "
            f"Received: shape {np.shape(targets)}."
        )
    known, places = np.unique(np.round(labels).astype(np.int64), return_inverse=True)
    return np.array([class_weight.get(int(label), 1.0) for label in known], np.float32)[places]
