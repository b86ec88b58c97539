"""PyTorch and JAX on a GPU, and the one function by which benchmarks ask for any of those who take part there."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from .common import Job, Workload, take_turns
from .gpu_systems import GPU, FastembedOnGpu, GpuSystem, on_host, open_gpu
from .rivals import find_missing
from .systems import FIRST_VALUE

RATE = 0.01
EPSILON = 1e-7
WARM_UP = 3  # calls: kernels are compiled or traced, and pools of memory filled


class TorchOnGpu(GpuSystem):
    """PyTorch, with sparse gradients or with dense ones.

    Parameters
    ----------
    is_sparse : bool
        Whether gradients are sparse: SGD, Adagrad and SparseAdam, which is lazy. Dense ones take Adam, which is exact.
    home : str
        Where tables live, in PyTorch's words.
    device : str
        Where batches and gradients live.
    """

    requires = ("torch",)

    def __init__(self, is_sparse: bool = True, home: str = "cuda", device: str = "cuda"):
        import torch

        torch.sparse.check_sparse_tensor_invariants.disable()  # as by default, but without its warning
        self.torch, self.is_sparse, self.home, self.device = torch, is_sparse, home, device
        optim: Any = torch.optim
        both = {"sgd": optim.SGD, "adagrad": optim.Adagrad}
        # Of the dense ones the fused: one kernel for a step, PyTorch's fastest.
        alone = {"adam_lazy": optim.SparseAdam} if is_sparse else {"adam": lambda all_: optim.Adam(all_, fused=True)}
        self.optimizers: dict[str, Any] = both | alone

    def lookup(self, workload: Workload) -> Job:
        return self._look_up(self._make("Embedding", workload), workload)

    def bag_lookup(self, workload: Workload) -> Job:
        return self._look_up(self._make("EmbeddingBag", workload, mode="sum"), workload)

    def training_step(self, workload: Workload, optimizer: str) -> Job:
        layer, d_rows = self._make("Embedding", workload), self._put(workload, "gradient")[0]
        update = self._optimizer(optimizer, layer)

        def step(ids: Any) -> None:
            self._arrive(layer(ids.to(self.home))).backward(d_rows)
            update.step()
            update.zero_grad()

        return take_turns(step, self._put(workload, "batches"))

    def update(self, workload: Workload, optimizer: str) -> Job:
        if not self.is_sparse:
            raise NotImplementedError("a dense gradient is as large as the table, whoever makes it: see the whole step")
        layer = self._make("Embedding", workload)
        values = self._put(workload, "gradient")[0].reshape(-1, workload.columns).to(self.home)
        update, shape = self._optimizer(optimizer, layer), tuple(layer.weight.shape)

        def step(ids: Any) -> None:
            layer.weight.grad = self.torch.sparse_coo_tensor(ids.reshape(1, -1), values, shape)
            update.step()

        return take_turns(step, [ids.to(self.home) for ids in self._put(workload, "batches")])

    def release(self) -> None:
        super().release()
        if self.torch.cuda.is_available():
            self.torch.cuda.empty_cache()

    def _look_up(self, layer: Any, workload: Workload) -> Job:
        look_up = self.torch.no_grad()(lambda ids: self._arrive(layer(ids.to(self.home))))
        return take_turns(look_up, self._put(workload, "batches"))

    def _arrive(self, rows: Any) -> Any:
        return rows.to(self.device)

    def _optimizer(self, name: str, layer: Any) -> Any:
        if name not in self.optimizers:
            raise NotImplementedError(f"torch has no {name} for {'sparse' if self.is_sparse else 'dense'} gradients")
        return self.optimizers[name](list(layer.parameters()))

    def _make(self, kind: str, workload: Workload, **keywords: Any) -> Any:
        weight = self.torch.full((workload.rows, workload.columns), FIRST_VALUE, device=self.home)
        layer = getattr(self.torch.nn, kind)
        return layer(workload.rows, workload.columns, _weight=weight, sparse=self.is_sparse, **keywords)

    def _put(self, workload: Workload, what: str) -> list[Any]:
        """Return batches, or the gradient alone, where they live."""
        plain = on_host(workload)
        arrays = plain.batches() if what == "batches" else [plain.gradient()]
        return [self.torch.from_numpy(array).to(self.device) for array in arrays]


class JaxOnGpu(GpuSystem):
    """JAX: `jnp.take`, gradients summed by a scatter, and the update that optax makes of them; all jitted."""

    requires = ("jax",)

    def __init__(self) -> None:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else it takes most of what others need
        import jax

        self.jax, self.np = jax, jax.numpy

    def lookup(self, workload: Workload) -> Job:
        return self._look_up(workload, lambda table, ids: self.np.take(table, ids, axis=0))

    def bag_lookup(self, workload: Workload) -> Job:
        return self._look_up(workload, lambda table, ids: self.np.take(table, ids, axis=0).sum(axis=1))

    def training_step(self, workload: Workload, optimizer: str) -> Job:
        return self._step(workload, optimizer, lambda table, ids: self.np.take(table, ids, axis=0))

    def update(self, workload: Workload, optimizer: str) -> Job:
        return self._step(workload, optimizer, lambda table, ids: None)

    def finish(self, result: Any) -> None:
        self.jax.block_until_ready(result)

    def _look_up(self, workload: Workload, look_up: Callable[[Any, Any], Any]) -> Job:
        table, compiled = self._table(workload), self.jax.jit(look_up)
        return take_turns(lambda ids: compiled(table, ids), self._batches(workload))

    def _step(self, workload: Workload, optimizer: str, look_up: Callable[[Any, Any], Any]) -> Job:
        rules = {"sgd": self._step_sgd, "adagrad": self._step_adagrad, "adam": self._step_adam}
        if optimizer not in rules:
            raise NotImplementedError(f"optax has no {optimizer}")
        rule, slots = rules[optimizer], {"sgd": 0, "adagrad": 1, "adam": 2}[optimizer]
        shape = (workload.rows, workload.columns)
        state = [self._table(workload), *(self.np.full(shape, 1e-4, self.np.float32) for _ in range(slots))]
        state.append(self.np.ones(()))  # the number of the next step
        d_rows = self.np.asarray(on_host(workload).gradient())
        # The rows are a result, or the compiler would drop the lookup.
        compiled = self.jax.jit(lambda kept, ids, d: (look_up(kept[0], ids), rule(kept, ids, d)), donate_argnums=0)

        def step(ids: Any) -> Any:
            rows, state[:] = compiled(state, ids, d_rows)
            return rows, state[0]

        return take_turns(step, self._batches(workload))

    @staticmethod
    def _step_sgd(state: list[Any], ids: Any, d_rows: Any) -> list[Any]:
        table, step = state
        return [table.at[ids].add(-RATE * d_rows), step + 1]

    def _step_adagrad(self, state: list[Any], ids: Any, d_rows: Any) -> list[Any]:
        table, total, step = state
        gradient = self.np.zeros_like(table).at[ids].add(d_rows)
        total = total + gradient**2
        return [table - RATE * gradient / (self.np.sqrt(total) + EPSILON), total, step + 1]

    def _step_adam(self, state: list[Any], ids: Any, d_rows: Any) -> list[Any]:
        table, mean, square, step = state
        gradient = self.np.zeros_like(table).at[ids].add(d_rows)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        rate = RATE * self.np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        return [table - rate * mean / (self.np.sqrt(square) + EPSILON), mean, square, step + 1]

    def _table(self, workload: Workload) -> Any:
        return self.np.full((workload.rows, workload.columns), FIRST_VALUE, self.np.float32)

    def _batches(self, workload: Workload) -> list[Any]:
        return [self.np.asarray(ids) for ids in on_host(workload).batches(np.int32)]


def cache_hot_rows(layer: Any) -> None:
    """Keep a tenth of the rows on the GPU: hot ids are from half as many, and sets are not filled evenly."""
    layer.cache_rows(GPU, max(1, layer.input_dim // 10))


def list_host_tables() -> dict[str, Callable[[], GpuSystem]]:
    """Return those whose table is in the memory of the host while batches are on the GPU, by name."""
    return {
        "host table": lambda: FastembedOnGpu("cpu:0"),
        "cached host table": lambda: FastembedOnGpu("cpu:0", cache_hot_rows),
        "torch host table": lambda: TorchOnGpu(home="cpu"),
    }


MAKERS: dict[str, Callable[[], GpuSystem]] = {
    "fastembed_layer": FastembedOnGpu,
    "torch sparse": TorchOnGpu,
    "torch dense": lambda: TorchOnGpu(is_sparse=False),
    "jax": JaxOnGpu,
}
IN_GPU = tuple(MAKERS)
FED = ("fastembed_layer", *list_host_tables())


@cache
def get_gpu_system(name: str) -> GpuSystem:
    """Return one of those who take part, imported.

    Raises
    ------
    NotImplementedError
        If there is no GPU, or the library is not installed or does not find the GPU.
    """
    open_gpu()
    library = name.partition(" ")[0]
    missing = find_missing((library,)) if library in ("torch", "jax") else []
    if missing:
        raise NotImplementedError(f"{library} is not installed")
    system = (MAKERS | list_host_tables())[name]()
    check_reach(system)
    return system


def check_reach(system: GpuSystem) -> None:
    """Raise NotImplementedError if a rival was installed without its part for GPUs, whose times would be a CPU's."""
    if isinstance(system, TorchOnGpu) and not system.torch.cuda.is_available():
        raise NotImplementedError("this torch finds no GPU")
    if isinstance(system, JaxOnGpu) and system.jax.default_backend() != "gpu":
        raise NotImplementedError("this jax finds no GPU")


def prepare_gpu_job(name: str, method: str, workload: Workload, *arguments: Any) -> Job:
    """Return a job of one library after its first calls."""
    job: Job = getattr(get_gpu_system(name), method)(workload, *arguments)
    for _ in range(WARM_UP):
        job()
    return job


make_gpu_job = lru_cache(maxsize=1)(prepare_gpu_job)  # asv calls `setup` before each of its samples
