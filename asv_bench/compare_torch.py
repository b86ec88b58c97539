"""A whole PyTorch recommender, a step of it with layers and optimizers of torch and of this package, side by side.

``python compare_torch.py [--rows N]`` prints milliseconds a step and other settings' time divided by ours; two threads
each. FBGEMM is measured beside the bags where ``fbgemm_gpu`` is installed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import fastembed_layer
import fastembed_layer.torch as fast

WIDTH, BATCH, LENGTH, THREADS = 64, 4096, 50, 2

CASES: dict[str, tuple[Any, dict[str, Any], Callable[[Any], Any]]] = {
    "nn.Embedding, fused dense Adam": (torch.nn.Embedding, {}, lambda p: torch.optim.Adam(p, fused=True)),
    "nn.Embedding(sparse=True), SparseAdam": (torch.nn.Embedding, {"sparse": True}, torch.optim.SparseAdam),
    "nn.Embedding(sparse=True), our SparseAdam": (torch.nn.Embedding, {"sparse": True}, fast.optim.SparseAdam),
    "our Embedding, our SparseAdam": (fast.Embedding, {}, fast.optim.SparseAdam),
    "our Embedding, our exact Adam": (fast.Embedding, {}, fast.optim.Adam),
}
BAGS: dict[str, tuple[Any, dict[str, Any], Callable[[Any], Any]]] = {
    "nn.EmbeddingBag(sparse=True), SGD": (
        torch.nn.EmbeddingBag,
        {"sparse": True},
        lambda p: torch.optim.SGD(p, lr=0.1),
    ),
    "nn.EmbeddingBag(sparse=True), Adagrad": (
        torch.nn.EmbeddingBag,
        {"sparse": True},
        lambda p: torch.optim.Adagrad(p, lr=0.1),
    ),
    "nn.EmbeddingBag(sparse=True), SparseAdam": (torch.nn.EmbeddingBag, {"sparse": True}, torch.optim.SparseAdam),
    "our EmbeddingBag, our SGD": (fast.EmbeddingBag, {}, lambda p: fast.optim.SGD(p, lr=0.1)),
    "our EmbeddingBag, our Adagrad": (fast.EmbeddingBag, {}, lambda p: fast.optim.Adagrad(p, lr=0.1)),
    "our EmbeddingBag, our SparseAdam": (fast.EmbeddingBag, {}, fast.optim.SparseAdam),
}


class Recommender(torch.nn.Module):
    """A table, its rows averaged over a history, and two dense layers."""

    def __init__(self, layer: Any):
        super().__init__()
        self.layer = layer
        self.head = torch.nn.Sequential(torch.nn.Linear(WIDTH, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))

    def forward(self, ids: Any) -> Any:
        """Return one number a sample."""
        rows = self.layer(ids)
        return self.head(rows.mean(dim=1) if rows.dim() == 3 else rows)[:, 0]


def make_batches(rows: int, kind: str, count: int) -> list[tuple[Any, Any]]:
    """Batches of ids and targets."""
    random = np.random.default_rng(0)
    shape = (count, BATCH, LENGTH)
    ids = random.integers(0, rows, shape) if kind == "uniform" else np.minimum(random.zipf(1.2, shape), rows) - 1
    targets = random.integers(0, 2, (count, BATCH)).astype("float32")
    return [(torch.from_numpy(one), torch.from_numpy(target)) for one, target in zip(ids, targets, strict=True)]


def make_fbgemm(rows: int, name: str) -> Any:
    """FBGEMM's table-batched bags, whose backward pass is their step."""
    from fbgemm_gpu.split_embedding_configs import EmbOptimType
    from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode
    from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
        ComputeDevice,
        SplitTableBatchedEmbeddingBagsCodegen,
    )

    optimizer = {"SGD": EmbOptimType.EXACT_SGD, "Adagrad": EmbOptimType.EXACT_ADAGRAD}[name]
    bags = SplitTableBatchedEmbeddingBagsCodegen(
        [(rows, WIDTH, EmbeddingLocation.HOST, ComputeDevice.CPU)],
        optimizer=optimizer, learning_rate=0.1, pooling_mode=PoolingMode.MEAN,
    )  # fmt: skip
    offsets = torch.arange(BATCH + 1) * LENGTH
    layer = torch.nn.Module()
    layer.bags = bags
    layer.forward = lambda ids: bags(ids.reshape(-1), offsets)
    return layer


def make_step(layer: Any, make_optimizer: Callable[[Any], Any] | None) -> Callable[[Any, Any], None]:
    """Return one step of a whole model; the head has torch's own Adam."""
    model = Recommender(layer)
    optimizers = [torch.optim.Adam(model.head.parameters())]
    if make_optimizer is not None:
        optimizers.append(make_optimizer(layer.parameters()))
    loss_of = torch.nn.BCEWithLogitsLoss()

    def step(ids: Any, targets: Any) -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss_of(model(ids), targets).backward()
        for optimizer in optimizers:
            optimizer.step()

    return step


def measure(
    steps: dict[str, Callable[[Any, Any], None]], batches: list[tuple[Any, Any]]
) -> dict[str, tuple[float, float]]:
    """Return the least time and the lower quartile of each step, in milliseconds, after two that warm up.

    All take turns, batch by batch, so that whoever else uses the machine slows all of them down.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for ids, targets in batches:
        for name, step in steps.items():
            start = time.perf_counter()
            step(ids, targets)
            seconds[name].append(1e3 * (time.perf_counter() - start))
    return {name: (min(taken[2:]), statistics.quantiles(taken[2:])[0]) for name, taken in seconds.items()}


def list_cases(rows: int) -> list[tuple[str, Callable[[], Callable[[Any, Any], None]]]]:
    """All settings by name, as functions that make the step."""
    cases = [
        (
            name,
            lambda kind=kind, options=options, optimizer=optimizer: make_step(kind(rows, WIDTH, **options), optimizer),
        )
        for name, (kind, options, optimizer) in (CASES | BAGS).items()
    ]
    try:
        import fbgemm_gpu  # noqa: F401
    except ImportError:
        return cases
    return cases + [
        (f"FBGEMM table-batched bags, {name}", lambda name=name: make_step(make_fbgemm(rows, name), None))
        for name in ("SGD", "Adagrad")
    ]


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    fastembed_layer.set_threads(THREADS)
    torch.manual_seed(0)
    for kind in ("uniform", "zipf"):
        batches = make_batches(options.rows, kind, options.steps)
        for group in ("Embedding", "Bag"):
            cases = {
                name: make()
                for name, make in list_cases(options.rows)
                if ("Bag" in name or "bags" in name) == (group == "Bag") and options.only in name
            }
            for name, (least, quartile) in measure(cases, batches).items():
                print(f"{kind:8} {name:45} {least:8.1f} {quartile:8.1f} ms", flush=True)


if __name__ == "__main__":
    main()
