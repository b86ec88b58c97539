"""Sparse gradients of torch as row gradients, and back, without a copy."""

from __future__ import annotations

from typing import Any

import torch

from fastembed_layer.tables.row_gradient import RowGradient

Tensor = Any


def read_gradient(weight: Tensor) -> RowGradient:
    """Return the sparse gradient of a parameter; ids and vectors share torch's memory.

    Raises
    ------
    ValueError
        If it is sparse in another way than by rows.
    """
    gradient = weight.grad
    if gradient.layout != torch.sparse_coo or gradient.sparse_dim() != 1 or gradient.shape != weight.shape:
        raise ValueError(
            "The gradient of a table must hold ids and one vector for each: layout torch.sparse_coo, one sparse "
            f"dimension, shape {tuple(weight.shape)}. Received: {describe(gradient)}. "
            "`gradient.to_sparse(1)` makes one of a dense gradient."
        )
    shape = (int(weight.shape[0]), int(weight.shape[1]))
    return RowGradient(gradient._indices()[0].numpy(), gradient._values().detach().numpy(), shape)


def make_gradient(ids: Tensor, values: Tensor, shape: Any, is_coalesced: bool = False) -> Tensor:
    """Return ids and vectors as a sparse tensor, which shares their memory."""
    return torch.sparse_coo_tensor(
        ids.reshape(1, -1), values, tuple(shape), check_invariants=False, is_coalesced=is_coalesced or None
    )


def is_sparse(gradient: Tensor | None) -> bool:
    """Tell whether a gradient is sparse, in whatever layout."""
    return gradient is not None and gradient.layout != torch.strided


def describe(gradient: Tensor) -> str:
    """Name layout and shape of a sparse gradient."""
    sparse = f", {gradient.sparse_dim()} sparse dimensions" if gradient.layout == torch.sparse_coo else ""
    return f"layout {gradient.layout}{sparse}, shape {tuple(gradient.shape)}"
