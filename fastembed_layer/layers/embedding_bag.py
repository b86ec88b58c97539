"""`EmbeddingBag`: the vectors of each bag of ids, combined to one without holding them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.checks import check_choice
from fastembed_layer.inputs.bags import Bags, WeightedIds, arrange_inputs, read_bags
from fastembed_layer.inputs.ids import refuse_wide_ids
from fastembed_layer.inputs.out_of_range import Replaced, join_zeroed, set_padding_apart
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.layers.combiners import (
    COMBINERS,
    Combined,
    combine_bags,
    pull_back_bags,
    pull_back_weights,
    spread_over,
)
from fastembed_layer.layers.embedding import Embedding
from fastembed_layer.layers.symbolic import Shape, SymbolicTensor, as_list
from fastembed_layer.tape import Cotangents, Pullback, is_recording

Array = np.ndarray[Any, Any]


class EmbeddingBag(Embedding):
    """Looks up the rows of each bag of ids and combines them to one vector.

    Neither the rows nor their gradients are held: the forward pass combines while it reads, and all ids of a bag share
    the bag's gradient.

    Parameters
    ----------
    input_dim : int
        Size of the vocabulary.
    output_dim : int
        Size of a vector.
    combiner : {"mean", "sum", "sqrtn", "max", "min"}
        Whether the sum is divided by the number of ids, by nothing, or by the root of the number; or whether the
        largest or smallest value of each column is taken. With ``mask_zero`` ids 0, and with ``padding_id`` the ids of
        padding, do not take part.
    **keywords
        The other arguments of `Embedding`.

    See Also
    --------
    Embedding : returns one vector per id.
    Ragged : bags from values and offsets or lengths.

    Notes
    -----
    Called on ids of shape ``(..., length)``, on lists of different lengths or on a `Ragged`; the output has shape
    ``(..., output_dim)``. An empty bag gives zeros.

    ``bag(ids, weights)`` takes a number for each id: an array of the shape of the ids, a `Ragged` or lists of the same
    lengths, or for ragged ids one flat array. A list of an integer and a float array is ids and weights too, and so is
    a CSR matrix of scipy, whose column indices are the ids of a row's bag. With weights w and rows r

    - ``sum`` is the sum of w r,
    - ``mean`` is that over the sum of w,
    - ``sqrtn`` is that over the root of the sum of w**2,
    - ``max`` and ``min`` are those of w r.

    The first three are the definitions of ``tf.nn.embedding_lookup_sparse``, with a difference to
    ``tf.nn.safe_embedding_lookup_sparse``: weights that are not positive count like others. A bag whose divisor would
    be 0 gives zeros. Of equal values the first one wins the gradient, as in ``torch.nn.EmbeddingBag``, and a NaN is
    both the largest and the smallest. A tape gives the gradient of the weights as well, flat if they are ragged; it
    is computed only when it is asked for.

    Bad input is refused before anything is written: ids that are no rows with an ``IndexError``, weights of another
    shape and weights that are not finite with a ``ValueError``, ids or weights of another type with a ``TypeError``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import EmbeddingBag
    >>> bag = EmbeddingBag(4, 2, combiner="sum", weights=np.arange(8.0).reshape(4, 2))
    >>> bag([[1, 3], [], [2]])
    array([[ 8., 10.],
           [ 0.,  0.],
           [ 4.,  5.]], dtype=float32)
    >>> bag([[1, 3], [], [2]], [[1.0, 0.5], [], [-1.0]])
    array([[ 5. ,  6.5],
           [ 0. ,  0. ],
           [-4. , -5. ]], dtype=float32)
    """

    def __init__(self, input_dim: int, output_dim: int, combiner: str = "mean", **keywords: Any):
        super().__init__(input_dim, output_dim, **keywords)
        self.combiner = check_choice(combiner, "combiner", COMBINERS)

    def __call__(  # type: ignore[override]
        self, inputs: Any, weights: Any = None, training: bool | None = None, mask: Any = None
    ) -> Any:
        """Combine bags of ids; `weights` stand second, as in ``keras_rs.layers.EmbedReduce``."""
        return super().__call__(
            inputs if weights is None else WeightedIds(inputs, weights), training=training, mask=mask
        )

    def prepare(self, inputs: Any) -> Any:
        """Turn the caller's ids into integers of a type that the kernels take."""
        return arrange_inputs(inputs, self.name)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Combine rows by bag; the pullback's gradient holds one vector per bag.

        Which rows have the largest or smallest values is noted for a tape only; without one there is no pullback then.
        """
        bags = read_bags(inputs, self.variable_dtype)
        looked_up = set_padding_apart(bags.ids, self.padding_id)
        if self.mask_zero:
            looked_up = looked_up.also_zero(bags.ids == 0)
        combined, kept = self._combine_in_range(bags, looked_up)
        output = combined.output.reshape(*bags.shape, self.output_dim).astype(self.compute_dtype, copy=False)
        if combined.divisors is None and combined.argmax is None:
            return output, None
        return output, lambda d_bags: self._pull_back_bags(inputs, combined, kept, d_bags)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the steps are gone."""
        return

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Tell that the output carries no mask."""
        return False

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the ids, the first of two inputs, with `output_dim` in place of the length."""
        several = bool(input_shape) and isinstance(input_shape[0], list | tuple)
        return (*super().compute_output_shape(input_shape[0] if several else input_shape)[:-2], self.output_dim)

    def check_symbolic(self, tensors: list[SymbolicTensor]) -> None:
        """Refuse ids that are not the first input of a model; weights may come from anywhere."""
        super().check_symbolic(tensors[:1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        return super().get_config() | {"combiner": self.combiner}

    def _call_symbolically(self, inputs: Any) -> SymbolicTensor:
        tensors = as_list(inputs)
        if len(tensors) > 2 or not all(isinstance(tensor, SymbolicTensor) for tensor in tensors):
            raise TypeError(
                f"The layer {self.name!r} must be called on ids, or on ids and weights, in a functional model all of "
                f"them symbolic. Received: {inputs!r}."
            )
        return super()._call_symbolically(WeightedIds(*tensors) if len(tensors) == 2 else inputs)

    def _combine_in_range(self, bags: Bags, looked_up: Replaced) -> tuple[Combined, Array | None]:
        """Combine the ids that are kept, and tell which; the policy deals with those that are no rows."""
        try:
            return self._combine(bags, looked_up)
        except IdsOutOfRangeError:
            replaced = self._out_of_range.handle(looked_up.ids, bags.ids_shape, self.name)
        return self._combine(bags, join_zeroed(looked_up, replaced, self.padding_id))

    def _combine(self, bags: Bags, looked_up: Replaced) -> tuple[Combined, Array | None]:
        refuse_wide_ids(looked_up.ids, self.input_dim)
        kept = None if looked_up.zeroed is None else ~looked_up.zeroed
        taken = bags._replace(ids=looked_up.ids).select(kept)
        combined = combine_bags(self.embeddings, taken, self.combiner)
        self._penalise_looked_up(Replaced(taken.ids, None))
        if kept is None and is_recording():  # the caller may write into its arrays before the way back
            combined = combined._replace(bags=taken.copy())
        return combined, kept

    def _pull_back_bags(self, inputs: Any, combined: Combined, kept: Array | None, d_bags: Array) -> Cotangents:
        table = self.embeddings
        gradient, positions = pull_back_bags(table, combined, d_bags)
        if not isinstance(inputs, WeightedIds):
            return Cotangents([None], [(table, gradient)])

        def d_weights() -> Array:
            flat = pull_back_weights(table, combined, gradient, positions)
            flat = flat if kept is None else spread_over(kept, flat, len(kept))
            given = inputs.weights
            return flat.reshape(given.values.shape if isinstance(given, Ragged) else given.shape)

        return Cotangents([None, d_weights], [(table, gradient)])
