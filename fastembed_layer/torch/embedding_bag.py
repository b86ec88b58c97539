"""`EmbeddingBag`: torch's, with lookups and sparse gradients of this package."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.inputs.bags import Bags
from fastembed_layer.layers.combiners import Combined, combine_bags, pull_back_bags, pull_back_weights
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table
from fastembed_layer.torch.gradients import make_gradient
from fastembed_layer.torch.lookups import (
    ReadsRows,
    check_ids,
    check_new_weight,
    explain,
    open_table,
    refuse_renorm,
)
from fastembed_layer.torch.shared_tables import SharedTable

Array = np.ndarray[Any, Any]
Tensor = Any


class BagLookup(torch.autograd.Function):
    """Rows of a table, reduced by bag; the gradient of the table is sparse."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, scales: Tensor | None, table: SharedTable, bags: Bags, mode: str) -> Tensor:
        """Look the bags up."""
        ctx.table, ctx.combined = table, combine(table, bags, mode)
        ctx.save_for_backward(weight, scales)
        return torch.from_numpy(ctx.combined.output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_bags: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        """Return ids and vectors, and the gradient of the per-sample weights where it is asked for."""
        table, combined = ctx.table, ctx.combined
        gradient, positions = pull_back_bags(table, combined, d_bags.numpy())
        d_scales = None
        if ctx.needs_input_grad[1]:
            _ = ctx.saved_tensors  # raises if the rows have been trained since
            d_scales = torch.from_numpy(pull_back_weights(table, combined, gradient, positions))
        ids = torch.from_numpy(gradient.ids).to(torch.int64)
        return make_gradient(ids, torch.from_numpy(spread(gradient)), gradient.shape), d_scales, None, None, None


class EmbeddingBag(ReadsRows, torch.nn.EmbeddingBag):
    """`torch.nn.EmbeddingBag` on a CPU: the same arguments and weight, sparse gradients in all modes.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    max_norm, norm_type, scale_grad_by_freq
        Only torch's defaults: lookups never write the table, and repeated ids add up.
    mode : {"mean", "sum", "max"}
        How the rows of a bag become one.
    sparse : bool
        True, unlike torch's: the gradient names the rows of the batch. False leaves the layer to torch.
    **options
        ``include_last_offset``, ``padding_idx``, ``device``, ``dtype`` and torch's private ones.

    Examples
    --------
    >>> import torch
    >>> from fastembed_layer.torch import EmbeddingBag
    >>> layer = EmbeddingBag(10, 3, mode="sum")
    >>> layer(torch.tensor([1, 2, 2, 4]), torch.tensor([0, 3])).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = True,
        **options: Any,
    ):
        refuse_renorm(max_norm, scale_grad_by_freq)
        options |= {"norm_type": norm_type, "mode": mode, "sparse": sparse}
        super().__init__(num_embeddings, embedding_dim, **options)
        check_new_weight(self._parameters["weight"])

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """Return one vector for each bag; see torch's layer.

        Raises
        ------
        IndexError
            If an id is not a row.
        """
        refuse_renorm(self.max_norm, self.scale_grad_by_freq)
        if not self.sparse:
            return super().forward(input, offsets, per_sample_weights)
        weight = self._parameters["weight"]
        table = open_table(weight)
        _check_scales(input, per_sample_weights, self.mode)
        bags, scales, kept = self._arrange(input, offsets, per_sample_weights, table)
        bags = bags.select(kept)
        scales = scales if scales is None or kept is None else scales[torch.from_numpy(kept)]
        try:
            needs_gradient = weight.requires_grad or (scales is not None and scales.requires_grad)
            if torch.is_grad_enabled() and needs_gradient:
                return BagLookup.apply(weight, scales, table, bags, self.mode)
            return torch.from_numpy(combine(table, bags, self.mode).output)
        except IdsOutOfRangeError as error:
            raise explain(_at_caller(error, kept), input, table) from None

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, *arguments: Any, **options: Any) -> Any:
        """Make a layer of given rows, as torch does; gradients are sparse unless ``sparse=False``."""
        if len(arguments) < 5:  # `sparse` is the fifth
            options.setdefault("sparse", True)
        return super().from_pretrained(embeddings, freeze, *arguments, **options)

    def _arrange(
        self, input: Tensor, offsets: Tensor | None, scales: Tensor | None, table: SharedTable
    ) -> tuple[Bags, Tensor | None, Array | None]:
        """Return the bags, their weights as autograd knows them, and which ids are no padding; None for all."""
        ids = check_ids(input, "input").detach().reshape(-1).numpy()
        bounds = _read_offsets(input, offsets, self.include_last_offset)
        ids = ids[: bounds[-1]]
        if scales is not None:
            scales = scales.reshape(-1)[: len(ids)]
        numbers = None if scales is None else scales.detach().numpy().astype(table.dtype, copy=False)
        bags = Bags(np.ascontiguousarray(ids), bounds, numbers, (len(bounds) - 1,), tuple(input.shape))
        kept = None if self.padding_idx is None else ids != self.padding_idx
        return bags, scales, None if kept is None or kept.all() else kept


def combine(table: SharedTable, bags: Bags, mode: str) -> Combined:
    """Return the reduced rows of bags, and what the way back needs."""
    if mode != "max":
        return combine_bags(table, bags, mode)
    argmax = np.empty((len(bags.offsets) - 1, table.output_dim), np.int32)
    output = backend_of(table).gather_max(table, bags.ids, bags.offsets, bags.weights, mode, argmax)
    return Combined(output, bags, mode, None, argmax)


def spread(gradient: RowGradient) -> Array:
    """Return one vector for each id of a gradient whose vectors are shared by bags."""
    if gradient.argmax is not None or gradient.sources is None:
        return gradient.expand().values
    shared = Table(gradient.values)
    values = backend_of(shared).gather_rows(shared, gradient.sources)
    if gradient.scales is not None:
        values *= gradient.scales[:, None]
    return values


def _check_scales(input: Tensor, scales: Tensor | None, mode: str) -> None:
    if scales is None:
        return
    if mode != "sum":
        raise NotImplementedError(f"`per_sample_weights` go with mode='sum' only, as in torch. Received: {mode!r}.")
    if scales.shape != input.shape:
        raise ValueError(
            f"`per_sample_weights` must have the shape of the ids, {tuple(input.shape)}. "
            f"Received: {tuple(scales.shape)}."
        )
    if not scales.is_floating_point():
        raise TypeError(f"`per_sample_weights` must be floats. Received: {scales.dtype}.")


def _read_offsets(input: Tensor, offsets: Tensor | None, include_last: bool) -> Array:
    """Return where each bag begins and the last one ends."""
    if input.dim() == 2 and offsets is None:
        return np.arange(input.shape[0] + 1, dtype=np.int64) * input.shape[1]
    if input.dim() != 1 or offsets is None or offsets.dim() != 1:
        raise ValueError(
            "`input` must be a matrix of ids, a bag in each row, or a vector of ids with one-dimensional `offsets`. "
            f"Received: input of shape {tuple(input.shape)}, offsets "
            f"{'None' if offsets is None else f'of shape {tuple(offsets.shape)}'}."
        )
    bounds = check_ids(offsets, "offsets").detach().numpy().astype(np.int64)
    if not include_last:
        bounds = np.append(bounds, len(input) if len(bounds) else 0)
    if not len(bounds) or bounds[0] != 0 or bounds[-1] > len(input) or (np.diff(bounds) < 0).any():
        raise ValueError(
            f"`offsets` must begin with 0, never fall, and end by {len(input)}, the number of ids. "
            f"Received: {offsets.tolist()[:10]}."
        )
    return bounds


def _at_caller(error: IdsOutOfRangeError, kept: Array | None) -> IdsOutOfRangeError:
    """Return the error with the position among all ids, padding included."""
    position = error.position if kept is None else int(np.flatnonzero(kept)[error.position])
    return IdsOutOfRangeError(position, 0, 0)
