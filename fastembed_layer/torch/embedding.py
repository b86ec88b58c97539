"""`Embedding`: torch's, with lookups and sparse gradients of this package."""

from __future__ import annotations

from typing import Any

import torch

from fastembed_layer.torch.lookups import ReadsRows, check_new_weight, look_up, refuse_renorm

Tensor = Any


class Embedding(ReadsRows, torch.nn.Embedding):
    """`torch.nn.Embedding` on a CPU: the same arguments and weight, a faster lookup, sparse gradients.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    padding_idx : int, optional
        A row that receives no gradient.
    max_norm, norm_type, scale_grad_by_freq
        Only torch's defaults: lookups never write the table, and repeated ids add up.
    sparse : bool
        True, unlike torch's: the gradient names the rows of the batch. False leaves the layer to torch.
    **options
        ``device``, ``dtype`` and torch's private ones.

    Examples
    --------
    >>> import torch
    >>> from fastembed_layer.torch import Embedding
    >>> layer = Embedding(10, 3)
    >>> rows = layer(torch.tensor([[1, 2], [2, 4]]))
    >>> rows.sum().backward()
    >>> layer.weight.grad.coalesce().indices()
    tensor([[1, 2, 4]])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = True,
        **options: Any,
    ):
        refuse_renorm(max_norm, scale_grad_by_freq)
        super().__init__(num_embeddings, embedding_dim, padding_idx, norm_type=norm_type, sparse=sparse, **options)
        check_new_weight(self._parameters["weight"])

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows of ids of any shape.

        Raises
        ------
        IndexError
            If an id is not a row.
        """
        weight = self._parameters["weight"]
        refuse_renorm(self.max_norm, self.scale_grad_by_freq)
        return look_up(weight, input, self.padding_idx) if self.sparse else super().forward(input)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, *arguments: Any, **options: Any) -> Any:
        """Make a layer of given rows, as torch does; gradients are sparse unless ``sparse=False``."""
        if len(arguments) < 5:  # `sparse` is the fifth
            options.setdefault("sparse", True)
        return super().from_pretrained(embeddings, freeze, *arguments, **options)
