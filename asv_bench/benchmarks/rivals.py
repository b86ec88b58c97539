"""The other libraries, and the one function by which benchmarks ask for any of them."""

from __future__ import annotations

import gc
import importlib.util
import os
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from .common import THREADS, Features, Job, Workload, take_turns
from .systems import FIRST_VALUE, FastembedLayer, Numpy, System


class Torch(System):
    """PyTorch: sparse gradients where an optimizer takes them, else what its users run instead, the dense one."""

    requires = ("torch",)

    def __init__(self) -> None:
        # Off by default; tables in huge pages, as numpy's are, make its lookups faster.
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
        import torch

        torch.set_num_threads(THREADS)
        torch.sparse.check_sparse_tensor_invariants.disable()  # as by default, but without its warning
        self.torch = torch
        optim = torch.optim
        self.sparse = {"sgd": optim.SGD, "adagrad": optim.Adagrad, "adam_lazy": optim.SparseAdam}
        self.dense = {
            "adam": lambda weights: optim.Adam(weights, fused=True),
            "rmsprop": lambda weights: optim.RMSprop(weights, foreach=False),
        }

    def lookup(self, workload: Workload) -> Job:
        return self._without_gradient(self._layer("Embedding", workload, sparse=True), workload)

    def bag_lookup(self, workload: Workload) -> Job:
        return self._without_gradient(self._layer("EmbeddingBag", workload, sparse=True, mode="sum"), workload)

    def training_step(self, workload: Workload, optimizer: str) -> Job:
        self._check_optimizer(optimizer)
        layer = self._layer("Embedding", workload, sparse=optimizer in self.sparse)
        return self._step(layer, workload, optimizer, workload.gradient())

    def bag_step(self, workload: Workload, optimizer: str) -> Job:
        self._check_optimizer(optimizer)
        layer = self._layer("EmbeddingBag", workload, sparse=optimizer in self.sparse, mode="sum")
        return self._step(layer, workload, optimizer, workload.gradient(bags=True))

    def features_lookup(self, features: Features) -> Job:
        layers = self._layers_of(features, sparse=True)
        return take_turns(self.torch.no_grad()(lambda columns: self._look_up(layers, columns)), self._columns(features))

    def features_step(self, features: Features, optimizer: str) -> Job:
        self._check_optimizer(optimizer)
        layers = self._layers_of(features, sparse=optimizer in self.sparse)
        weights = [layer.weight for layer in layers]
        update = (self.sparse.get(optimizer) or self.dense[optimizer])(weights)
        gradient = self.torch.from_numpy(features.gradient())

        def step(columns: Any) -> None:
            self._look_up(layers, columns).backward(gradient)
            update.step()
            update.zero_grad()

        return take_turns(step, self._columns(features))

    def _layers_of(self, features: Features, sparse: bool) -> list[Any]:
        tables = [Workload(rows, features.columns) for rows in features.rows]
        return [self._layer("EmbeddingBag", table, sparse=sparse, mode="sum") for table in tables]

    def _look_up(self, layers: list[Any], columns: list[Any]) -> Any:
        return self.torch.stack([layer(ids) for layer, ids in zip(layers, columns, strict=True)], dim=1)

    def _columns(self, features: Features) -> list[Any]:
        """Return the batches with bags of one id for each feature."""
        batches = [self.torch.from_numpy(ids) for ids in features.batches()]
        return [[column.contiguous()[:, None] for column in ids.T] for ids in batches]

    def _check_optimizer(self, name: str) -> None:
        if name not in self.sparse and name not in self.dense:
            raise NotImplementedError(f"torch has no optimizer {name}")

    def _layer(self, kind: str, workload: Workload, **keywords: Any) -> Any:
        weight = self.torch.full((workload.rows, workload.columns), FIRST_VALUE)
        return getattr(self.torch.nn, kind)(workload.rows, workload.columns, _weight=weight, **keywords)

    def _batches(self, workload: Workload) -> list[Any]:
        return [self.torch.from_numpy(ids) for ids in workload.batches()]

    def _without_gradient(self, layer: Any, workload: Workload) -> Job:
        return take_turns(self.torch.no_grad()(layer.forward), self._batches(workload))

    def _step(self, layer: Any, workload: Workload, name: str, d_rows: Any) -> Job:
        optimizer = (self.sparse.get(name) or self.dense[name])(layer.parameters())
        gradient = self.torch.from_numpy(d_rows)

        def step(ids: Any) -> None:
            layer(ids).backward(gradient)
            optimizer.step()
            optimizer.zero_grad()

        return take_turns(step, self._batches(workload))


class Fbgemm(System):
    """FBGEMM's table-batched embeddings on the CPU: the update is fused into the way back."""

    requires = ("torch", "fbgemm_gpu")

    def __init__(self) -> None:
        self.torch = get_system("torch").torch
        import fbgemm_gpu  # noqa: F401
        from fbgemm_gpu import split_table_batched_embeddings_ops_training as operations

        self.operations = operations
        self.optimizers = {
            "sgd": "EXACT_SGD",
            "adagrad": "EXACT_ADAGRAD",
            "rowwise_adagrad": "EXACT_ROWWISE_ADAGRAD",
        }

    def lookup(self, workload: Workload) -> Job:
        return self._without_gradient(workload, "NONE")

    def bag_lookup(self, workload: Workload) -> Job:
        return self._without_gradient(workload, "SUM")

    def training_step(self, workload: Workload, optimizer: str) -> Job:
        return self._step(workload, optimizer, "NONE", workload.gradient().reshape(-1, workload.columns))

    def bag_step(self, workload: Workload, optimizer: str) -> Job:
        return self._step(workload, optimizer, "SUM", workload.gradient(bags=True))

    def features_lookup(self, features: Features) -> Job:
        look_up = self.torch.no_grad()(self._tables(features.rows, features.columns, "sgd", "SUM").forward)
        return take_turns(lambda call: look_up(*call), self._feature_calls(features))

    def features_step(self, features: Features, optimizer: str) -> Job:
        tables = self._tables(features.rows, features.columns, optimizer, "SUM")
        gradient = self.torch.from_numpy(features.gradient()).reshape(features.batch_size, -1)
        return take_turns(lambda call: tables(*call).backward(gradient), self._feature_calls(features))

    def _feature_calls(self, features: Features) -> list[Any]:
        """Return ids, one feature after the other, and offsets that make each a bag of its own."""
        offsets = self.torch.arange(features.batch_size * len(features.rows) + 1)
        return [(self.torch.from_numpy(ids.T.copy()).reshape(-1), offsets) for ids in features.batches()]

    def _tables(self, rows: tuple[int, ...], columns: int, optimizer: str, pooling: str) -> Any:
        if optimizer not in self.optimizers:
            raise NotImplementedError(f"FBGEMM has no {optimizer} on the CPU")
        from fbgemm_gpu.split_embedding_configs import EmbOptimType
        from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode

        location = (EmbeddingLocation.HOST, self.operations.ComputeDevice.CPU)
        tables = self.operations.SplitTableBatchedEmbeddingBagsCodegen(
            [(input_dim, columns, *location) for input_dim in rows],
            optimizer=getattr(EmbOptimType, self.optimizers[optimizer]),
            pooling_mode=getattr(PoolingMode, pooling),
            learning_rate=0.01,
        )
        for weight in tables.split_embedding_weights():
            weight.fill_(FIRST_VALUE)
        return tables

    def _calls(self, workload: Workload) -> list[Any]:
        offsets = self.torch.arange(workload.shape[0] + 1) * workload.shape[1]
        return [(self.torch.from_numpy(ids.reshape(-1)), offsets) for ids in workload.batches()]

    def _without_gradient(self, workload: Workload, pooling: str) -> Job:
        look_up = self.torch.no_grad()(self._tables((workload.rows,), workload.columns, "sgd", pooling).forward)
        return take_turns(lambda call: look_up(*call), self._calls(workload))

    def _step(self, workload: Workload, optimizer: str, pooling: str, d_rows: Any) -> Job:
        tables = self._tables((workload.rows,), workload.columns, optimizer, pooling)
        gradient = self.torch.from_numpy(d_rows)
        return take_turns(lambda call: tables(*call).backward(gradient), self._calls(workload))


class Keras(System):
    """Keras on TensorFlow, compiled as `fit` compiles it: a `tf.function`."""

    requires = ("keras", "tensorflow")

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        import keras
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(THREADS)
        tensorflow.config.threading.set_inter_op_parallelism_threads(THREADS)
        self.keras, self.tensorflow = keras, tensorflow
        kinds = keras.optimizers
        self.optimizers = {"sgd": kinds.SGD, "adagrad": kinds.Adagrad, "rmsprop": kinds.RMSprop, "adam": kinds.Adam}

    def lookup(self, workload: Workload) -> Job:
        layer = self._layer(workload)
        return take_turns(self.tensorflow.function(layer.call), self._batches(workload))

    def bag_lookup(self, workload: Workload) -> Job:
        layer = self._layer(workload)
        return take_turns(self.tensorflow.function(lambda ids: self._sum(layer(ids))), self._batches(workload))

    def training_step(self, workload: Workload, optimizer: str) -> Job:
        return self._step(workload, optimizer, lambda rows: rows, workload.gradient())

    def bag_step(self, workload: Workload, optimizer: str) -> Job:
        return self._step(workload, optimizer, self._sum, workload.gradient(bags=True))

    def _sum(self, rows: Any) -> Any:
        """Sum the rows of a bag, as a layer of Keras behind an `Embedding` does."""
        return self.tensorflow.reduce_sum(rows, axis=1)

    def _step(self, workload: Workload, optimizer: str, combine: Callable[[Any], Any], d_output: Any) -> Job:
        if optimizer not in self.optimizers:
            raise NotImplementedError(f"Keras has no optimizer {optimizer}")
        layer, update = self._layer(workload), self.optimizers[optimizer]()
        weights = layer.trainable_weights
        update.build(weights)
        gradient = self.tensorflow.constant(d_output)

        @self.tensorflow.function
        def step(ids: Any) -> None:
            with self.tensorflow.GradientTape() as tape:
                output = combine(layer(ids))
            update.apply(tape.gradient(output, weights, output_gradients=gradient), weights)

        return take_turns(step, self._batches(workload))

    def _layer(self, workload: Workload) -> Any:
        self.keras.backend.clear_session()  # which forgets the tables of earlier jobs
        gc.collect()
        first_values = self.keras.initializers.Constant(FIRST_VALUE)
        layer = self.keras.layers.Embedding(workload.rows, workload.columns, embeddings_initializer=first_values)
        layer.build(None)
        return layer

    def _batches(self, workload: Workload) -> list[Any]:
        return [self.tensorflow.constant(ids) for ids in workload.batches(np.int32)]


SYSTEMS: dict[str, type[System]] = {
    "fastembed_layer": FastembedLayer,
    "numpy": Numpy,
    "torch": Torch,
    "fbgemm": Fbgemm,
    "keras": Keras,
}
IMPLEMENTATIONS = tuple(SYSTEMS)


def find_missing(packages: tuple[str, ...]) -> list[str]:
    """Return those of some packages that are not installed, without importing them."""
    return [package for package in packages if importlib.util.find_spec(package) is None]


@cache
def find_installed() -> list[str]:
    """Return the libraries that can be compared here."""
    return [name for name, system in SYSTEMS.items() if not find_missing(system.requires)]


@cache
def get_system(name: str) -> System:
    """Return a library, imported and set to the common number of threads.

    Raises
    ------
    NotImplementedError
        If it is not installed.
    """
    missing = find_missing(SYSTEMS[name].requires)
    if missing:
        raise NotImplementedError(f"{', '.join(missing)} is not installed")
    return SYSTEMS[name]()


def prepare_job(implementation: str, method: str, workload: Workload | Features, *arguments: Any) -> Job:
    """Return a job of a library after its first two calls, in which things happen that happen once."""
    job: Job = getattr(get_system(implementation), method)(workload, *arguments)
    job()
    job()
    return job


make_job = lru_cache(maxsize=1)(prepare_job)  # asv calls `setup` before each of its samples
