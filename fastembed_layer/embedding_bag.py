"""`EmbeddingBag`: the vectors of each bag of ids, summed or averaged without holding them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_choice
from fastembed_layer.dispatch import backend_of
from fastembed_layer.embedding import Embedding
from fastembed_layer.ids import normalise_ids
from fastembed_layer.models.combiners import COMBINERS, find_owners, find_scales
from fastembed_layer.models.symbolic import Shape
from fastembed_layer.out_of_range import Replaced, join_zeroed, set_padding_apart
from fastembed_layer.ragged import Ragged
from fastembed_layer.row_gradient import RowGradient
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class EmbeddingBag(Embedding):
    """Looks up the rows of each bag of ids and combines them to one vector.

    Neither the rows nor their gradients are held: the forward pass sums while it reads, and all ids of a bag share
    the bag's gradient.

    Parameters
    ----------
    input_dim : int
        Size of the vocabulary.
    output_dim : int
        Size of a vector.
    combiner : {"mean", "sum", "sqrtn"}
        Whether the sum is divided by the number of ids, by nothing, or by the root of the number. With ``mask_zero``
        ids 0, and with ``padding_id`` the ids of padding, do not count and add nothing.
    **keywords
        The other arguments of `Embedding`.

    See Also
    --------
    Embedding : returns one vector per id.

    Notes
    -----
    Called on ids of shape ``(..., length)``, on lists of different lengths or on a `Ragged`; the output has shape
    ``(..., output_dim)``. An empty bag gives zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import EmbeddingBag
    >>> bag = EmbeddingBag(4, 2, combiner="sum", weights=np.arange(8.0).reshape(4, 2))
    >>> bag([[1, 3], [], [2]])
    array([[ 8., 10.],
           [ 0.,  0.],
           [ 4.,  5.]], dtype=float32)
    """

    def __init__(self, input_dim: int, output_dim: int, combiner: str = "mean", **keywords: Any):
        super().__init__(input_dim, output_dim, **keywords)
        self.combiner = check_choice(combiner, "combiner", COMBINERS)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Sum rows by bag; the pullback's gradient holds one vector per bag."""
        bags, shape = _as_bags(inputs)
        looked_up = self._rows_in_range(bags.values, bags.values.shape if bags is inputs else inputs.shape)
        if self.mask_zero:
            looked_up = looked_up.also_zero(bags.values == 0)
        self._penalise_looked_up(looked_up)
        ids, offsets = looked_up.ids, bags.offsets
        kept = None if looked_up.zeroed is None else ~looked_up.zeroed
        scales = find_scales(self.combiner, offsets, kept, self.variable_dtype)
        sums = backend_of(self.embeddings).gather_bags(self.embeddings, ids, offsets, scales)
        output = sums.reshape(*shape, self.output_dim).astype(self.compute_dtype, copy=False)
        return output, lambda d_bags: self._pull_back_bags(ids, offsets, scales, d_bags)

    def prepare(self, inputs: Any) -> Any:
        """Turn the caller's ids into integers of a type that the kernels take."""
        if _is_list_of_bags(inputs):
            return normalise_ids(Ragged.from_lists(inputs), self.name)
        return normalise_ids(inputs, self.name)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the steps are gone."""
        return

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Tell that the output carries no mask."""
        return False

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the ids with `output_dim` in place of the length."""
        return (*super().compute_output_shape(input_shape)[:-2], self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        return super().get_config() | {"combiner": self.combiner}

    def _rows_in_range(self, ids: Array, shape: tuple[int, ...]) -> Replaced:
        looked_up = set_padding_apart(ids, self.padding_id)
        ids = looked_up.ids
        if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= self.input_dim):
            looked_up = join_zeroed(looked_up, self._out_of_range.handle(ids, shape, self.name), self.padding_id)
        return looked_up

    def _pull_back_bags(self, ids: Array, offsets: Array, scales: Array | None, d_bags: Array) -> Cotangents:
        values = np.ascontiguousarray(d_bags.reshape(-1, self.output_dim))
        owners = find_owners(offsets)
        if scales is not None and not scales.all():
            owners, ids, scales = owners[scales != 0], ids[scales != 0], scales[scales != 0]
        gradient = RowGradient(ids, values, (self.input_dim, self.output_dim), owners, scales)
        return Cotangents([None], [(self.embeddings, gradient)])


def _as_bags(inputs: Array | Ragged) -> tuple[Ragged, tuple[int, ...]]:
    """Return the ids as bags and the shape of the bags: the last axis of an array is the bag."""
    if isinstance(inputs, Ragged):
        if inputs.values.ndim != 1:
            raise ValueError(f"The bags of an EmbeddingBag must hold single ids. Received: shape {inputs.shape}.")
        return inputs, (len(inputs),)
    if inputs.ndim == 0:
        raise ValueError("The ids of an EmbeddingBag must have the shape (..., length). Received: a single id.")
    shape, length = inputs.shape[:-1], inputs.shape[-1]
    offsets = np.arange(int(np.prod(shape, dtype=np.int64)) + 1) * length
    return Ragged(inputs.reshape(-1), offsets), shape


def _is_list_of_bags(inputs: Any) -> bool:
    """Tell whether `inputs` is a list of lists of ids, which numpy could not read where lengths differ."""
    if not isinstance(inputs, list | tuple) or not inputs:
        return False
    return all(isinstance(row, list | tuple) and not any(map(np.ndim, row[:1])) for row in inputs)
