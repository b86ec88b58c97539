"""Clipping of sparse and dense gradients together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from fastembed_layer.torch.gradients import is_sparse, make_gradient, read_gradient

Tensor = Any


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale the gradients of some parameters so that their common norm is at most `max_norm`.

    As `torch.nn.utils.clip_grad_norm_`, which does not take sparse gradients. Those of repeated ids are summed first,
    so the norm is that of the dense gradients.

    Parameters
    ----------
    parameters : iterable of torch.Tensor, or one
        Those without a gradient are left out.
    max_norm : float
        The largest norm.
    norm_type : float
        Of the norm; infinity for the largest value.
    error_if_nonfinite : bool
        Whether a norm that is not finite is a RuntimeError.

    Returns
    -------
    norm : torch.Tensor
        The norm before clipping.

    Examples
    --------
    >>> import torch
    >>> from fastembed_layer.torch import Embedding, clip_grad_norm_
    >>> layer = Embedding(10, 4)
    >>> layer(torch.tensor([3, 3])).sum().backward()
    >>> clip_grad_norm_(layer.parameters(), 1.0)
    tensor(4.)
    """
    weights = [weight for weight in _listed(parameters) if weight.grad is not None]
    if not weights:
        return torch.tensor(0.0)
    with torch.no_grad():
        for weight in weights:
            if is_sparse(weight.grad):
                weight.grad = _summed(weight)
        norms = [torch.linalg.vector_norm(_values_of(weight.grad), norm_type) for weight in weights]
        total = torch.linalg.vector_norm(torch.stack([norm.to(norms[0]) for norm in norms]), norm_type)
        if error_if_nonfinite and not torch.isfinite(total):
            raise RuntimeError(
                f"The norm of the gradients must be finite with error_if_nonfinite=True. Received: {total.item()}."
            )
        factor = torch.clamp(max_norm / (total + 1e-6), max=1.0)
        for weight in weights:
            _values_of(weight.grad).mul_(factor.to(weight.grad.dtype))
    return total


def _listed(parameters: Any) -> Iterable[Tensor]:
    return [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)


def _values_of(gradient: Tensor) -> Tensor:
    return gradient._values() if is_sparse(gradient) else gradient


def _summed(weight: Tensor) -> Tensor:
    """The sparse gradient of a parameter with each id once, on memory of its own."""
    summed = read_gradient(weight).sum_duplicates()
    return make_gradient(torch.from_numpy(summed.ids), torch.from_numpy(summed.values), weight.shape, True)
