"""Layers and optimizers for PyTorch models on a CPU: swap one line, keep your model.

>>> import torch
>>> import fastembed_layer.torch as fast
>>> model = torch.nn.Sequential(fast.Embedding(1000, 8), torch.nn.Flatten(), torch.nn.Linear(24, 1))
>>> optimizer = fast.optim.Adam(model.parameters(), lr=1e-3)
>>> model(torch.randint(1000, (4, 3))).sum().backward()
>>> optimizer.step()
"""

from __future__ import annotations

from fastembed_layer.torch.requirements import check_torch

check_torch()

from fastembed_layer.torch import optim  # noqa: E402
from fastembed_layer.torch.clipping import clip_grad_norm_  # noqa: E402
from fastembed_layer.torch.conversion import convert  # noqa: E402
from fastembed_layer.torch.embedding import Embedding  # noqa: E402
from fastembed_layer.torch.embedding_bag import EmbeddingBag  # noqa: E402

__all__ = ["Embedding", "EmbeddingBag", "clip_grad_norm_", "convert", "optim"]
