"""`EmbeddingGroup`: the tables of many categorical features, looked up and updated together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.checks import check_choice, check_dimension, check_flag
from fastembed_layer.initializers import Initializer
from fastembed_layer.inputs.feature_ids import Feature, read_bags, read_ids, refuse_ids
from fastembed_layer.layers.columns import join_columns, take_columns
from fastembed_layer.layers.combiners import COMBINERS
from fastembed_layer.layers.configs import read_initializer
from fastembed_layer.layers.placed_layer import PlacedLayer
from fastembed_layer.layers.symbolic import Shape, SymbolicTensor, require_first
from fastembed_layer.layers.table_stack import FeatureRows, LookedUp, TableStack
from fastembed_layer.named import serialize
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class EmbeddingGroup(PlacedLayer):
    """Turns the ids of many categorical features, each with a table of its own, into vectors in one call.

    Tables of the same width lie under each other in one array, so there is one lookup and one update for all of them,
    and optimizers are handed one weight. Results are those of an `Embedding` (or `EmbeddingBag`) for each feature.

    Parameters
    ----------
    input_dims : list of int, or dict of str to int
        Size of each feature's vocabulary. The keys of a dict are the names of the features; without names, features
        go by their numbers, from 0.
    output_dim : int or list of int
        Size of the vectors, of all features or of each.
    embeddings_initializer : str, dict, type, Initializer or callable, or list of them
        First values of the tables, one for each feature or one for all. One that draws random numbers with a seed s
        fills the table of feature f with the seed s + f, so tables differ and no table depends on another.
    combiner : {None, "sum", "mean", "sqrtn", "max", "min"}
        None where each sample has one id of each feature. Otherwise it has a bag of ids of each feature, whose vectors
        are combined as by `EmbeddingBag`.
    concatenate : bool, optional
        Whether the vectors of a sample are laid one behind the other, in the order of the features, shape
        ``(batch_size, sum of sizes)``, and not stacked, shape ``(batch_size, features, output_dim)``. By default they
        are where their sizes differ, and there they have to be.
    activity_regularizer : optional
        Penalty on the output, divided by the batch size.
    device : str, optional
        Where the tables go, as for `Embedding`.
    **keywords
        ``name``, ``dtype``, ``trainable``, ``weights`` (an array for each feature) and the others of `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value.

    See Also
    --------
    Embedding, EmbeddingBag : a single table.

    Notes
    -----
    Called on an array of ids of shape ``(batch_size, features)``, or on a list or, with names, a dict of arrays of
    shape ``(batch_size,)``. With a `combiner`, each array may also have the shape ``(batch_size, length)``, or be a
    `Ragged` or a tuple of values and offsets, and one array for all the shape ``(batch_size, features, length)``.

    An id that is not in the vocabulary of its own feature is an ``IndexError``, raised before anything is written;
    its position is given as ``indices[sample,feature]``, with a combiner as
    ``indices[sample,feature,position in the bag]``.

    `get_weights` and `set_weights` handle one array for each feature; `weights` are the arrays that training sees, one
    for each width.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import EmbeddingGroup
    >>> group = EmbeddingGroup({"city": 500, "weekday": 7}, 4)
    >>> group(np.array([[17, 0], [401, 6], [17, 3]])).shape
    (3, 2, 4)
    >>> group({"city": [17, 401, 17], "weekday": [0, 6, 3]}).shape
    (3, 2, 4)
    >>> group.embeddings_of("weekday").value.shape
    (7, 4)
    """

    def __init__(
        self,
        input_dims: Any,
        output_dim: Any,
        embeddings_initializer: Any = "uniform",
        combiner: str | None = None,
        concatenate: bool | None = None,
        activity_regularizer: Any = None,
        *,
        device: str | None = None,
        **keywords: Any,
    ):
        super().__init__(device, activity_regularizer=activity_regularizer, **keywords)
        self.features, self.input_dims = _checked_vocabularies(input_dims)
        count = len(self.features)
        self.output_dims = _checked_widths(output_dim, count)
        self.embeddings_initializer = _read_initializers(embeddings_initializer, count)
        self.combiner = check_choice(combiner, "combiner", (None, *COMBINERS))
        self.concatenate = _checked_concatenate(concatenate, self.output_dims)
        self._stacks: list[TableStack] = []
        self._tables: list[Table] = []  # where weights are found

    @property
    def tables(self) -> list[Table]:
        """The tables that training sees, one for each width; asking for them builds the layer."""
        self.ensure_built(None)
        return list(self._tables)

    @property
    def input_shape(self) -> Any:
        """Shape of the ids that the layer was built for, the batch size first."""
        return self._built_shape or self.batch_input_shape or (None, len(self.features))

    def embeddings_of(self, feature: Feature) -> FeatureRows:
        """Return the table of one feature, a view of the rows that training writes.

        Parameters
        ----------
        feature : str or int
            Its name, or its number where features have no names.

        Raises
        ------
        KeyError
            If there is no such feature.
        """
        if feature not in self.features or isinstance(feature, bool):
            raise KeyError(f"`feature` must be one of {list(self.features)}. Received: {feature!r}.")
        self.ensure_built(None)
        return self._rows_of(self.features.index(feature))

    def build(self, input_shape: Any = None) -> None:
        """Create the tables; `input_shape` plays no part in it.

        Raises
        ------
        MemoryError
            If there is no memory for them; the message holds the estimate.
        """
        if self._stacks:
            return
        self._stacks = [self._make_stack(width) for width in dict.fromkeys(self.output_dims)]
        self._tables = [stack.table for stack in self._stacks]
        super().build(input_shape)

    def table_shapes(self) -> list[tuple[int, int]]:
        """Return the shapes of the tables, one for each width."""
        sizes = list(zip(self.input_dims, self.output_dims, strict=True))
        return [(sum(rows for rows, of in sizes if of == width), width) for width in dict.fromkeys(self.output_dims)]

    def shown_weights(self) -> list[Parameter]:
        """Return the tables of the features, in their order."""
        return [self._rows_of(number) for number in range(len(self.features))] if self._stacks else []

    def set_weights(self, weights: Any) -> None:
        """Overwrite the tables, building the layer first where need be; `weights` holds an array for each feature."""
        self.build()
        super().set_weights(weights)

    def prepare(self, inputs: Any) -> Any:
        """Turn the caller's ids into one array of integers, or with a combiner into `FeatureBags`."""
        read = read_ids if self.combiner is None else read_bags
        return read(inputs, self.features, self.name)

    def shape_of(self, arrays: Any) -> Any:
        """Return the shape to build for."""
        return (None, len(self.features))

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Look all features up; the pullback's gradient is a `RowGradient` for each width."""
        try:
            found = [stack.look_up(inputs, self.combiner) for stack in self._stacks]
        except IdsOutOfRangeError:
            refuse_ids(inputs, np.array(self.input_dims), self.features, self.name)
        blocks, looked_up = zip(*found, strict=True)
        output = join_columns(blocks, [stack.runs for stack in self._stacks])
        output = output.reshape(self._shape_for(len(inputs))).astype(self.compute_dtype, copy=False)
        return output, lambda d_output: self._pull_back(looked_up, d_output)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return ``(batch_size, features, output_dim)``, or what `concatenate` says.

        Parameters
        ----------
        input_shape : tuple, or list of tuple
            Shape of the ids, or of the ids of each feature.

        Raises
        ------
        ValueError
            If it is not a shape for so many features.
        """
        several = isinstance(input_shape, list)
        received = len(input_shape) if several else (input_shape[1] if len(input_shape) > 1 else 1)
        if received not in (None, len(self.features)):
            raise ValueError(
                f"The layer {self.name!r} needs ids of {len(self.features)} features. Received: the input shape "
                f"{input_shape}."
            )
        return self._shape_for(input_shape[0][0] if several else input_shape[0])

    def check_symbolic(self, tensors: list[SymbolicTensor]) -> None:
        """Refuse any place but the first."""
        if not all(tensor.is_input for tensor in tensors):
            require_first(self.name)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        sizes, widths, given = list(self.input_dims), list(self.output_dims), self.embeddings_initializer
        named = isinstance(self.features[0], str)
        return super().get_config() | {
            "input_dims": dict(zip(self.features, sizes, strict=True)) if named else sizes,
            "output_dim": widths[0] if len(set(widths)) == 1 else widths,
            "embeddings_initializer": [*map(serialize, given)] if isinstance(given, list) else serialize(given),
            "combiner": self.combiner,
            "concatenate": self.concatenate,
            "activity_regularizer": serialize(self.activity_regularizer),
        }

    def _make_stack(self, width: int) -> TableStack:
        table_name = f"embeddings_{width}" if len(set(self.output_dims)) > 1 else "embeddings"
        stack = TableStack(self.input_dims, self.output_dims, width, lambda shape: self.make_table(shape, table_name))
        given = self.embeddings_initializer
        for number in stack.members.tolist():
            initializer = given[number] if isinstance(given, list) else given.spawn(number)
            initializer.fill(stack.rows_of(number).array)
        return stack

    def _rows_of(self, number: int) -> FeatureRows:
        stack = next(stack for stack in self._stacks if number in stack.members)
        return stack.rows_of(number, f"embeddings of {self.features[number]}")

    def _shape_for(self, batch_size: Any) -> Any:
        if self.concatenate:
            return (batch_size, sum(self.output_dims))
        return (batch_size, len(self.features), self.output_dims[0])

    def _pull_back(self, looked_up: Sequence[LookedUp], d_output: Array) -> Cotangents:
        joined = d_output.reshape(len(d_output), sum(self.output_dims))
        gradients = [
            (stack.table, stack.pull_back(found, take_columns(joined, stack.runs)))
            for stack, found in zip(self._stacks, looked_up, strict=True)
        ]
        return Cotangents([None], gradients)


def _checked_vocabularies(input_dims: Any) -> tuple[tuple[Feature, ...], tuple[int, ...]]:
    """Return the names or numbers of the features, and the sizes of their vocabularies."""
    if not isinstance(input_dims, Mapping | list | tuple):
        raise TypeError(
            "`input_dims` must be a list of sizes, or a dict of names and sizes; for one table use Embedding. "
            f"Received: input_dims={input_dims!r} (of type {type(input_dims).__name__})."
        )
    features = tuple(input_dims) if isinstance(input_dims, Mapping) else tuple(range(len(input_dims)))
    if not features:
        raise ValueError(f"`input_dims` must hold at least one size. Received: input_dims={input_dims!r}.")
    if isinstance(input_dims, Mapping) and not all(isinstance(feature, str) for feature in features):
        raise TypeError(f"The keys of `input_dims` must be strings. Received: {list(features)!r}.")
    return features, tuple(check_dimension(input_dims[each], f"input_dims[{each!r}]") for each in features)


def _checked_widths(output_dim: Any, count: int) -> tuple[int, ...]:
    if not isinstance(output_dim, list | tuple):
        return (check_dimension(output_dim, "output_dim"),) * count
    _check_count(output_dim, "output_dim", count)
    return tuple(check_dimension(width, f"output_dim[{number}]") for number, width in enumerate(output_dim))


def _read_initializers(given: Any, count: int) -> Initializer | list[Initializer]:
    if not isinstance(given, list | tuple):
        return read_initializer(given, "embeddings_initializer")
    _check_count(given, "embeddings_initializer", count)
    return [read_initializer(each, f"embeddings_initializer[{number}]") for number, each in enumerate(given)]


def _checked_concatenate(concatenate: Any, widths: tuple[int, ...]) -> bool:
    differ = len(set(widths)) > 1
    if concatenate is None:
        return differ
    if differ and not check_flag(concatenate, "concatenate"):
        raise ValueError(
            "`concatenate` must be True or None where the sizes of the vectors differ: they cannot be stacked. "
            f"Received: concatenate=False and output_dim={list(widths)}."
        )
    return check_flag(concatenate, "concatenate")


def _check_count(given: Any, argument: str, count: int) -> None:
    if len(given) != count:
        raise ValueError(f"`{argument}` must have one entry for each of {count} features. Received: {len(given)}.")
