"""A PyTorch recommender, as it is written with torch, and with the table and the optimizer of this package.

The model averages the items of a user's history and predicts the next one among ten candidates. Both runs start from
the same weights and see the same batches; their losses agree, and the time of a step does not. Histories are made up:
items come in groups, and a user stays in one.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch

import fastembed_layer.torch as fast

CANDIDATES, GROUP = 10, 50


class Recommender(torch.nn.Module):
    """Scores candidates by the dot product with the mean of a history."""

    def __init__(self, embedding: Any, n_items: int, dim: int):
        super().__init__()
        self.items = embedding(n_items, dim)
        self.mix = torch.nn.Linear(dim, dim)

    def forward(self, history: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return a score for each candidate of each user."""
        taste = self.mix(self.items(history).mean(dim=1))
        return torch.einsum("ud,ucd->uc", taste, self.items(candidates))


def make_batches(n_items: int, users: int, length: int, steps: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Draw histories and candidates; the first candidate is of the user's group, the others are of any."""
    random, batches = np.random.default_rng(0), []
    for _ in range(steps):
        first = random.integers(n_items // GROUP, size=(users, 1)) * GROUP
        history = first + random.integers(GROUP, size=(users, length))
        candidates = random.integers(n_items, size=(users, CANDIDATES))
        candidates[:, :1] = first + random.integers(GROUP, size=(users, 1))
        batches.append((torch.from_numpy(history), torch.from_numpy(candidates)))
    return batches


def train(model: Recommender, optimizer: Any, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> list[float]:
    """Train on all batches and return the losses."""
    losses = []
    for history, candidates in batches:
        optimizer.zero_grad()
        scores = model(history, candidates)
        loss = torch.nn.functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.int64))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main() -> None:
    """Train the same model twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--users", type=int, default=512, help="of a batch")
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    batches, results = make_batches(options.items, options.users, 20, options.steps), {}
    for name, embedding, optimizer in (
        ("torch", torch.nn.Embedding, torch.optim.Adam),
        ("fastembed_layer.torch", fast.Embedding, fast.optim.Adam),
    ):
        torch.manual_seed(0)
        model = Recommender(embedding, options.items, options.dim)
        trained = optimizer(model.parameters(), lr=0.01)
        train(model, trained, batches[:2])  # memory and kernels are there before the clock starts
        start = time.perf_counter()
        losses = train(model, trained, batches[2:])
        milliseconds = 1e3 * (time.perf_counter() - start) / max(1, len(losses))
        results[name] = losses
        print(f"{name:22} loss {losses[0]:.4f} to {losses[-1]:.4f}, {milliseconds:.1f} ms a step")
    print(f"largest difference of the losses: {np.abs(np.subtract(*results.values())).max():.1e}")


if __name__ == "__main__":
    main()
