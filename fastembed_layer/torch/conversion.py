"""`convert`: a model's embedding layers, replaced where they stand."""

from __future__ import annotations

from typing import Any

import torch

from fastembed_layer.torch.embedding import Embedding
from fastembed_layer.torch.embedding_bag import EmbeddingBag
from fastembed_layer.torch.lookups import check_new_weight, open_table, refuse_renorm

REPLACEMENTS: dict[Any, Any] = {torch.nn.Embedding: Embedding, torch.nn.EmbeddingBag: EmbeddingBag}


def convert(model: Any) -> Any:
    """Turn every `torch.nn.Embedding` and `torch.nn.EmbeddingBag` of a model into the layer of this package.

    The modules and their parameters stay the same objects, so optimizers, hooks and shared weights go on; gradients
    are sparse from now on. Subclasses with a ``forward`` of their own are left alone.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.

    Returns
    -------
    model : torch.nn.Module
        The same object.

    Raises
    ------
    ValueError, TypeError
        If a layer uses ``max_norm`` or ``scale_grad_by_freq``, or its weight cannot be used; nothing is changed then.

    Examples
    --------
    >>> import torch
    >>> from fastembed_layer.torch import convert
    >>> convert(torch.nn.Sequential(torch.nn.Embedding(10, 3)))
    Sequential(
      (0): Embedding(10, 3, sparse=True)
    )
    """
    found = [module for module in model.modules() if type(module) in REPLACEMENTS]
    for module in found:
        refuse_renorm(module.max_norm, module.scale_grad_by_freq)
        check_new_weight(module.weight)
    for module in found:
        module.__class__ = REPLACEMENTS[type(module)]
        module.sparse = True
        if module.weight.device.type == "cpu":
            open_table(module.weight)
    return model
