"""Bags of ids with or without per-sample weights: how callers write them, and as kernels take them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.arrays import as_contiguous, is_on_cpu, move_like, to_cpu
from fastembed_layer.inputs.foreign import read_foreign
from fastembed_layer.inputs.ids import normalise_ids
from fastembed_layer.inputs.positions import describe_position
from fastembed_layer.inputs.ragged import Ragged, is_sparse_matrix, split_sparse_matrix

Array = np.ndarray[Any, Any]


class WeightedIds(NamedTuple):
    """The ids of some bags and a weight for each: the two inputs of a layer."""

    ids: Any
    weights: Any


class Bags(NamedTuple):
    """Flat ids, where each bag begins, and what goes with them.

    Attributes
    ----------
    ids : ndarray of int32 or int64, shape (n,)
        The ids of all bags, one bag after the other.
    offsets : ndarray of int64, shape (n_bags + 1,)
        Bag b is ``ids[offsets[b]:offsets[b + 1]]``; on the host, wherever the ids live.
    weights : ndarray, shape (n,), or None
        The per-sample weights.
    shape : tuple of int
        Shape of the bags; n_bags is its product.
    ids_shape : tuple of int
        Shape of the ids as the caller passed them, for messages.
    """

    ids: Array
    offsets: Array
    weights: Array | None
    shape: tuple[int, ...]
    ids_shape: tuple[int, ...]

    def select(self, kept: Array | None) -> Bags:
        """Leave out the ids where `kept` is False, with their weights; None keeps all."""
        if kept is None:
            return self
        before = np.concatenate([[0], np.cumsum(to_cpu(kept))])
        weights = None if self.weights is None else self.weights[kept]
        return self._replace(ids=self.ids[kept], offsets=before[self.offsets], weights=weights)

    def copy(self) -> Bags:
        """Return bags that the caller's later writes into its arrays do not reach."""
        return self._replace(ids=self.ids.copy(), weights=None if self.weights is None else self.weights.copy())

    def owners(self) -> Array:
        """Return the number of the bag of each id."""
        return move_like(np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets)), self.ids)


def arrange_inputs(inputs: Any, layer_name: str) -> Any:
    """Return what the caller passed to a bag layer as ids, or as `WeightedIds`.

    Parameters
    ----------
    inputs : array_like, Ragged, list of lists, scipy CSR matrix, WeightedIds, or [ids, weights]
        Ids, with weights in the last three. An integer and a float array in a list are ids and weights; other lists
        of arrays are bags.
    layer_name : str
        Named in errors.

    Returns
    -------
    ids : ndarray or Ragged of int32 or int64, or WeightedIds
        Weights that are arrays are the caller's own, so that a tape knows them again.

    Raises
    ------
    TypeError, ValueError
        If the ids are no integers, or a sparse matrix comes with further weights or is not CSR.
    """
    inputs = read_foreign(inputs)
    ids, weights = inputs if isinstance(inputs, WeightedIds) or _is_pair(inputs) else (inputs, None)
    if is_sparse_matrix(ids):
        if weights is not None:
            raise ValueError("`weights` must be None when the ids are a sparse matrix, whose data are the weights.")
        ids, weights = split_sparse_matrix(ids)
    ids = normalise_ids(Ragged.from_lists(ids) if _is_list_of_bags(ids) else ids, layer_name)
    if weights is None:
        return ids
    if isinstance(weights, np.ndarray | Ragged) or not is_on_cpu(weights):
        return WeightedIds(ids, weights)
    is_ragged = Ragged.describes(weights) or (isinstance(ids, Ragged) and _is_list_of_bags(weights))
    return WeightedIds(ids, Ragged.from_lists(weights) if is_ragged else np.asarray(weights))


def read_bags(inputs: Any, dtype: Any) -> Bags:
    """Return what `arrange_inputs` returned as bags: the last axis of an array is the bag.

    Parameters
    ----------
    inputs : ndarray, Ragged or WeightedIds
        The ids, and perhaps their weights.
    dtype : dtype
        Type that the weights are brought to.

    Raises
    ------
    ValueError
        If there is no bag, or the weights are not one finite number per id.
    TypeError
        If the weights are no numbers.
    """
    inputs = read_foreign(inputs)
    ids, weights = inputs if isinstance(inputs, WeightedIds) else (inputs, None)
    if isinstance(ids, Ragged):
        if ids.values.ndim != 1:
            raise ValueError(f"The bags of an EmbeddingBag must hold single ids. Received: shape {ids.shape}.")
        bags = Bags(ids.values, ids.offsets, None, (len(ids),), ids.values.shape)
    else:
        if ids.ndim == 0:
            raise ValueError("The ids of an EmbeddingBag must have the shape (..., length). Received: a single id.")
        shape, length = ids.shape[:-1], ids.shape[-1]
        offsets = np.arange(int(np.prod(shape, dtype=np.int64)) + 1) * length
        bags = Bags(ids.reshape(-1), offsets, None, shape, ids.shape)
    return bags if weights is None else bags._replace(weights=_checked_weights(weights, bags, ids, np.dtype(dtype)))


def _checked_weights(weights: Array | Ragged, bags: Bags, ids: Array | Ragged, dtype: np.dtype[Any]) -> Array:
    """Return the weights as flat numbers of a type, one per id."""
    values = weights.values if isinstance(weights, Ragged) else weights
    if values.dtype.kind not in "biuf":
        raise TypeError(f"`weights` must be numbers. Received: dtype {values.dtype}.")
    if not _fit(weights, bags, ids):
        raise ValueError(_explain_misfit(weights, bags, ids))
    with np.errstate(over="ignore"):
        flat = as_contiguous(values.reshape(-1).astype(dtype, copy=False))
    finite = np.isfinite(flat)
    if not finite.all():
        position = int(np.argmin(finite))
        raise ValueError(
            f"`weights` must be finite numbers of {dtype}. Received: "
            f"weights{_describe_position(position, bags, ids)} = {values.reshape(-1)[position]!s}, one of "
            f"{int((~finite).sum())} that are not. Leave an id out, or give it the weight 0, where it has none."
        )
    return flat


def _fit(weights: Array | Ragged, bags: Bags, ids: Array | Ragged) -> bool:
    """Tell whether the weights are one number per id, in the form of the ids."""
    if isinstance(weights, Ragged):
        return weights.values.ndim == 1 and np.array_equal(weights.offsets, bags.offsets)
    if not isinstance(ids, Ragged) or weights.shape == bags.ids.shape:
        return weights.shape == bags.ids_shape
    is_matrix = weights.ndim == 2 and len(weights) == len(ids)
    return is_matrix and bool((ids.lengths == weights.shape[1]).all())


def _explain_misfit(weights: Array | Ragged, bags: Bags, ids: Array | Ragged) -> str:
    """Write what is wrong with weights that do not fit the ids."""
    rule = "`weights` must hold one number per id, in the shape of the ids"
    if isinstance(weights, Ragged) and weights.values.ndim == 1 and len(weights) == len(bags.offsets) - 1:
        have, want = weights.lengths, np.diff(bags.offsets)
        index = int(np.argmax(have != want))
        return f"{rule}. Received: bag {index} has {want[index]} ids and {have[index]} weights."
    if isinstance(ids, Ragged):
        return (
            f"{rule}: {len(bags.ids)} in {len(ids)} bags, as a flat array or a Ragged. Received: shape {weights.shape}."
        )
    return f"{rule}, {bags.ids_shape}. Received: shape {weights.shape}."


def _describe_position(position: int, bags: Bags, ids: Array | Ragged) -> str:
    """Write a flat position as an index of the ids, or of the bags if these are ragged."""
    if not isinstance(ids, Ragged):
        return describe_position(position, bags.ids_shape)
    bag = int(np.searchsorted(bags.offsets, position, side="right")) - 1
    return f"[{bag},{position - bags.offsets[bag]}]"


def _is_pair(inputs: Any) -> bool:
    """Tell whether `inputs` is a list of an array of ids and an array of weights, as Keras passes two inputs."""
    if not isinstance(inputs, list | tuple) or len(inputs) != 2:
        return False
    if not all(isinstance(part, np.ndarray | Ragged) for part in inputs):
        return False
    return inputs[0].dtype.kind in "iu" and inputs[1].dtype.kind == "f"


def _is_list_of_bags(inputs: Any) -> bool:
    """Tell whether `inputs` is a list of lists of ids, which numpy could not read where lengths differ."""
    if not isinstance(inputs, list | tuple) or not inputs:
        return False
    return all(isinstance(row, list | tuple) and not any(map(np.ndim, row[:1])) for row in inputs)
