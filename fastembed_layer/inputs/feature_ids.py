"""Ids of several features, each with a vocabulary of its own: as callers write them, and as operations take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np

from fastembed_layer.backends.arrays import as_contiguous, to_cpu
from fastembed_layer.inputs.ids import join_ids, normalise_ids
from fastembed_layer.inputs.ragged import Ragged

Array = np.ndarray[Any, Any]
Feature = str | int


class FeatureBags:
    """The bags of all features of a batch.

    Parameters
    ----------
    values : ndarray of int32 or int64, shape (n,)
        The ids of all bags, one feature after the other.
    offsets : ndarray of int64, shape (n_features, batch_size + 1)
        Bag s of feature f is ``values[offsets[f, s]:offsets[f, s + 1]]``.
    """

    def __init__(self, values: Array, offsets: Array):
        self.values = values
        self.offsets = offsets

    def __len__(self) -> int:
        return self.offsets.shape[1] - 1


def read_ids(inputs: Any, features: Sequence[Feature], layer_name: str) -> Array:
    """Return one id per sample and feature as a C-contiguous int32 or int64 array, shape (batch_size, n_features).

    Parameters
    ----------
    inputs : array_like of that shape, or list or dict of arrays
        In a list or dict there is an array of shape (batch_size,) or (batch_size, 1) for each feature.
    features : sequence of str or int
        The keys of a dict, in the order of the columns.
    layer_name : str
        Named in errors.

    Raises
    ------
    TypeError, ValueError
        If `inputs` is nothing of that kind; see also `normalise_ids`.
    """
    if not isinstance(inputs, Mapping | list | tuple):
        ids = normalise_ids(inputs, layer_name)
        _check_columns(np.shape(ids), (2,), features, layer_name)
        return ids  # type: ignore[return-value]
    columns = [_as_column(part, feature, layer_name) for feature, part in _by_feature(inputs, features, layer_name)]
    _check_lengths(columns, features, layer_name)
    return join_ids(columns, partial(np.stack, axis=1))


def read_bags(inputs: Any, features: Sequence[Feature], layer_name: str) -> FeatureBags:
    """Return one bag of ids per sample and feature.

    Parameters
    ----------
    inputs : array_like, or list or dict
        An array of shape (batch_size, n_features) or (batch_size, n_features, length). Or, for each feature, an array
        of shape (batch_size,) or (batch_size, length), a `Ragged`, or a tuple of values and offsets; in a dict also
        a list of lists.
    features, layer_name
        As for `read_ids`.

    Raises
    ------
    TypeError, ValueError
        If `inputs` is nothing of that kind; see also `normalise_ids` and `Ragged`.
    """
    if not isinstance(inputs, Mapping | list | tuple):
        return _split_columns(normalise_ids(inputs, layer_name), features, layer_name)
    bags = [_as_bags(part, feature, layer_name) for feature, part in _by_feature(inputs, features, layer_name)]
    _check_lengths(bags, features, layer_name)
    starts = np.cumsum([0, *(len(part.values) for part in bags)])
    offsets = np.stack([part.offsets + start for part, start in zip(bags, starts, strict=False)])
    return FeatureBags(join_ids([part.values for part in bags], np.concatenate), offsets)


def refuse_ids(ids: Array | FeatureBags, input_dims: Array, features: Sequence[Feature], layer_name: str) -> NoReturn:
    """Raise the `IndexError` of ids of which at least one is not in the vocabulary of its feature."""
    if isinstance(ids, FeatureBags):
        values, owners = to_cpu(ids.values), np.repeat(np.arange(len(features)), np.ptp(ids.offsets, axis=1))
    else:
        values, owners = to_cpu(ids).reshape(-1), np.tile(np.arange(len(features)), len(ids))
    bad = (values < 0) | (values >= input_dims[owners])
    first = int(np.argmax(bad))
    number = int(owners[first])
    input_dim = int(input_dims[number])
    hint = ""
    if values[owners == number].max() == input_dim:
        hint = f" Did you mean input_dims[{features[number]!r}]={input_dim + 1}?"
    position = ",".join(map(str, _find_position(ids, first, number)))
    raise IndexError(
        f"indices[{position}] = {values[first]} is not in [0, {input_dim}) (feature {features[number]!r} of the layer "
        f"{layer_name!r}, {int(bad.sum())} of {len(values)} ids are out of range).{hint}"
    )


def _find_position(ids: Array | FeatureBags, position: int, feature: int) -> tuple[int, ...]:
    """Sample and feature of a flat position, and the position in the bag."""
    if not isinstance(ids, FeatureBags):
        return position // ids.shape[1], feature
    sample = int(np.searchsorted(ids.offsets[feature], position, side="right")) - 1
    return sample, feature, position - int(ids.offsets[feature, sample])


def _by_feature(inputs: Any, features: Sequence[Feature], layer_name: str) -> list[tuple[Feature, Any]]:
    if isinstance(inputs, Mapping):
        if inputs.keys() != set(features):
            raise ValueError(
                f"The ids of the layer {layer_name!r} must be a dict with the keys {list(features)}. "
                f"Received: the keys {list(inputs)}."
            )
        return [(feature, inputs[feature]) for feature in features]
    if any(isinstance(part, list) or (not isinstance(part, Ragged | tuple) and not np.ndim(part)) for part in inputs):
        raise TypeError(
            f"A list of ids for the layer {layer_name!r} must hold an array for each feature. Lists in lists could "
            "also hold the ids of each sample: pass an array of shape (batch_size, features), or a dict. "
            f"Received: a list of {type(inputs[0]).__name__}."
        )
    if len(inputs) != len(features):
        raise ValueError(
            f"A list of ids for the layer {layer_name!r} must hold an array for each of its {len(features)} "
            f"features. Received: {len(inputs)}."
        )
    return list(zip(features, inputs, strict=True))


def _as_column(part: Any, feature: Feature, layer_name: str) -> Array:
    if not isinstance(part, Ragged | tuple):
        ids = normalise_ids(part, layer_name)
        if not isinstance(ids, Ragged) and (ids.ndim == 1 or ids.shape[1:] == (1,)):
            return ids.reshape(-1)
    raise ValueError(
        f"The ids of feature {feature!r} of the layer {layer_name!r} must have the shape (batch_size,) or "
        "(batch_size, 1); several ids per sample need a `combiner`. "
        f"Received: {_describe(part)}."
    )


def _as_bags(part: Any, feature: Feature, layer_name: str) -> Ragged:
    if isinstance(part, tuple) and len(part) == 2:
        part = Ragged(*part)
    elif isinstance(part, list) and part and isinstance(part[0], list):
        part = Ragged.from_lists(part)
    if not isinstance(part, tuple):
        ids = normalise_ids(part, layer_name)
        if isinstance(ids, Ragged) and ids.values.ndim == 1:
            return ids
        if not isinstance(ids, Ragged) and ids.ndim in (1, 2):
            length = ids.size // max(1, len(ids))
            return Ragged(ids.reshape(-1), np.arange(len(ids) + 1) * length)
    raise ValueError(
        f"The ids of feature {feature!r} of the layer {layer_name!r} must be an array of shape (batch_size,) or "
        f"(batch_size, length), a Ragged, or a tuple of values and offsets. Received: {_describe(part)}."
    )


def _split_columns(ids: Any, features: Sequence[Feature], layer_name: str) -> FeatureBags:
    """Bring the bags of an array into the order of the features."""
    _check_columns(np.shape(ids), (2, 3), features, layer_name)
    batch_size, length = len(ids), ids.shape[2] if ids.ndim == 3 else 1
    values = as_contiguous(ids.swapaxes(0, 1)).reshape(-1)
    first_bags = np.arange(len(features))[:, None] * batch_size
    return FeatureBags(values, (first_bags + np.arange(batch_size + 1)) * length)


def _check_columns(shape: tuple[Any, ...], ranks: tuple[int, ...], features: Sequence[Feature], name: str) -> None:
    if len(shape) not in ranks or shape[1] != len(features):
        wanted = f"(batch_size, {len(features)})"
        wanted += f" or (batch_size, {len(features)}, length)" if 3 in ranks else ""
        remedy = "" if 3 in ranks else "; several ids per sample and feature need a `combiner`"
        raise ValueError(
            f"The ids of the layer {name!r} must have the shape {wanted}, or be a list or dict of "
            f"{len(features)} arrays{remedy}. Received: shape {shape}."
        )


def _check_lengths(parts: Sequence[Any], features: Sequence[Feature], layer_name: str) -> None:
    lengths = dict(zip(features, map(len, parts), strict=True))
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"All features of the layer {layer_name!r} must have the same number of samples. Received: {lengths}."
        )


def _describe(part: Any) -> str:
    if isinstance(part, list | tuple):
        return f"a {type(part).__name__} of {len(part)}"
    return repr(part) if isinstance(part, Ragged) else f"shape {np.shape(part)}"
