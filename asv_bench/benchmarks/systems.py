"""What a library has to offer to be compared, and two that do: this package and numpy. The others: `rivals.py`.

A method returns a job: a function without arguments that does the work once, on the next batch. Tables exist when it
returns; what else happens once (compiling, tracing, slots of some libraries) happens in the first calls of the job.
What a library cannot do raises `NotImplementedError` with the reason, which asv shows as skipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fastembed_layer
import fastembed_layer.backends.cpu  # loads numba here, before asv forks for each of its measurements
from fastembed_layer import optimizers
from fastembed_layer.backends import dispatch
from fastembed_layer.backends.contract import Step

from .common import Features, Job, Workload, take_turns, use_threads

FIRST_VALUE = 0.01  # of tables
SLOT_VALUE = 1e-4  # slots are written once: zeros that were never touched are not in memory


class System:
    """One library; the base offers nothing."""

    requires: tuple[str, ...] = ()

    def lookup(self, workload: Workload) -> Job:
        """Return the lookup of a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no lookup of rows")

    def training_step(self, workload: Workload, optimizer: str) -> Job:
        """Return lookup, way back with a given gradient, and update."""
        raise NotImplementedError(f"{type(self).__name__} does not train rows with {optimizer}")

    def bag_lookup(self, workload: Workload) -> Job:
        """Return the lookup of the sum of each bag."""
        raise NotImplementedError(f"{type(self).__name__} does not sum bags while it reads them")

    def bag_step(self, workload: Workload, optimizer: str) -> Job:
        """Return bag lookup, way back with a given gradient, and update."""
        raise NotImplementedError(f"{type(self).__name__} does not train bags with {optimizer}")

    def features_lookup(self, features: Features) -> Job:
        """Return the lookup of a batch with many features, each in its own table."""
        raise NotImplementedError(f"{type(self).__name__} does not look up many features")

    def features_step(self, features: Features, optimizer: str) -> Job:
        """Return lookup of many features, way back with a given gradient, and update."""
        raise NotImplementedError(f"{type(self).__name__} does not train many features with {optimizer}")


class FastembedLayer(System):
    """This package, by its public names."""

    requires = ("fastembed_layer",)

    def __init__(self) -> None:
        use_threads()

    def lookup(self, workload: Workload) -> Job:
        return take_turns(self._layer("Embedding", workload), workload.batches())

    def bag_lookup(self, workload: Workload) -> Job:
        return take_turns(self._layer("EmbeddingBag", workload, combiner="sum"), workload.batches())

    def training_step(self, workload: Workload, optimizer: str) -> Job:
        layer = self._layer("Embedding", workload)
        return self._step(layer, workload, self.optimizer(optimizer), workload.gradient())

    def bag_step(self, workload: Workload, optimizer: str) -> Job:
        layer = self._layer("EmbeddingBag", workload, combiner="sum")
        return self._step(layer, workload, self.optimizer(optimizer), workload.gradient(bags=True))

    def on_threads(self, workload: Workload, count: int, method: str, *arguments: str) -> Job:
        """Return the job of one of the other methods on a number of threads."""
        job = getattr(self, method)(workload, *arguments)

        def on_so_many() -> None:
            fastembed_layer.set_threads(count)
            job()

        return on_so_many

    def features_lookup(self, features: Features) -> Job:
        return take_turns(self._group(features), features.batches())

    def features_step(self, features: Features, optimizer: str) -> Job:
        group, update, d_rows = self._group(features), self.optimizer(optimizer), features.gradient()
        for table in group.tables:
            _start_training(table, update)
        return take_turns(lambda ids: update.apply_gradients(_find_gradients(group, ids, d_rows)), features.batches())

    def features_apart_lookup(self, features: Features) -> Job:
        """Return the same by a layer for each feature, whose vectors are stacked."""
        layers = self._layers_of(features)

        def look_up(columns: Any) -> Any:
            return np.stack([layer(ids) for layer, ids in zip(layers, columns, strict=True)], axis=1)

        return take_turns(look_up, _as_columns(features))

    def features_apart_step(self, features: Features, optimizer: str) -> Job:
        """Return the same by a layer for each feature, all updated by one call of the optimizer."""
        layers, update = self._layers_of(features), self.optimizer(optimizer)
        for layer in layers:
            _start_training(layer.embeddings, update)
        d_columns = [np.ascontiguousarray(d_rows) for d_rows in features.gradient().swapaxes(0, 1)]

        def step(columns: Any) -> None:
            pairs = []
            for layer, ids, d_rows in zip(layers, columns, d_columns, strict=True):
                pairs += _find_gradients(layer, ids, d_rows)
            update.apply_gradients(pairs)

        return take_turns(step, _as_columns(features))

    def aged_step(self, workload: Workload, steps: int) -> Job:
        """Return the exact Adam step after some steps, with rows that have been idle since any one of them."""
        layer, optimizer = self._layer("Embedding", workload), self.optimizer("adam")
        job = self._step(layer, workload, optimizer, workload.gradient())
        idle = layer.embeddings.idle
        clock = idle.clock
        for _ in range(steps):
            if clock.is_full:  # the optimizer does the same: every row catches up, and the sums start afresh
                layer.embeddings.finish()
                clock.restart()
            clock.advance(optimizer.idle_amount(optimizer.learning_rate, steps))
        oldest = max(clock.base, clock.now - steps)
        idle.last_steps[:] = np.random.default_rng(0).integers(oldest, clock.now, len(idle.last_steps), endpoint=True)
        return job

    def step_part(self, workload: Workload, optimizer: str, part: str) -> Job:
        """Return one of the operations that a step consists of: lookup, grouping of the ids, update."""
        layer, rule = self._layer("Embedding", workload), self.optimizer(optimizer)
        if part == "lookup":
            return take_turns(layer, workload.batches())
        table, d_rows = layer.embeddings, workload.gradient().reshape(-1, workload.columns)
        gradients = [fastembed_layer.RowGradient(ids.reshape(-1), d_rows, table.shape) for ids in workload.batches()]
        backend = dispatch.backend_of(table)
        if part == "grouping":
            return take_turns(backend.group_gradient, gradients)
        _start_training(table, rule)
        slots, numbers = list(rule.slots_of(table).values()), rule.scalars(rule.learning_rate, 1)
        step = Step(rule.rule, slots, numbers)
        grouped = [backend.group_gradient(gradient) for gradient in gradients]
        return take_turns(lambda each: backend.update_rows(table, each, step), grouped)

    @staticmethod
    def optimizer(name: str) -> Any:
        """Return the optimizer of a benchmark's parameter; `update="exact"` is the default."""
        makers = {
            "sgd": optimizers.SGD,
            "adagrad": optimizers.Adagrad,
            "rowwise_adagrad": optimizers.RowwiseAdagrad,
            "rmsprop": optimizers.RMSprop,
            "adam": optimizers.Adam,
            "adam_lazy": lambda: optimizers.Adam(update="lazy"),
        }
        return makers[name]()

    @staticmethod
    def _layer(kind: str, workload: Workload, **keywords: Any) -> Any:
        first_values = fastembed_layer.initializers.Constant(FIRST_VALUE)
        layer = getattr(fastembed_layer, kind)(
            workload.rows, workload.columns, embeddings_initializer=first_values, **keywords
        )
        layer.build()
        return layer

    @staticmethod
    def _group(features: Features) -> Any:
        first_values = fastembed_layer.initializers.Constant(FIRST_VALUE)
        group = fastembed_layer.EmbeddingGroup(features.rows, features.columns, first_values)
        group.build()
        return group

    def _layers_of(self, features: Features) -> list[Any]:
        return [self._layer("Embedding", Workload(rows, features.columns)) for rows in features.rows]

    @staticmethod
    def _step(layer: Any, workload: Workload, optimizer: Any, d_rows: Any) -> Job:
        def step(ids: Any) -> None:
            optimizer.apply_gradients(_find_gradients(layer, ids, d_rows))

        _start_training(layer.embeddings, optimizer)
        return take_turns(step, workload.batches())


def _find_gradients(layer: Any, ids: Any, d_rows: Any) -> list[Any]:
    """Look up and go back; returns what an optimizer takes."""
    _, pullback = layer.forward(layer.prepare(ids))
    return [(gradient, parameter) for parameter, gradient in pullback(d_rows).parameters]


def _as_columns(features: Features) -> list[Any]:
    """Return the batches with an array for each feature."""
    return [[np.ascontiguousarray(column) for column in ids.T] for ids in features.batches()]


def _start_training(table: Any, optimizer: Any) -> None:
    """Bring a table to the state it has after an epoch: slots in memory, and no row that was never trained."""
    for slot in optimizer.slots_of(table).values():
        slot.fill(SLOT_VALUE)
    nothing = fastembed_layer.RowGradient(
        np.empty(0, np.int64), np.empty((0, table.output_dim), np.float32), table.shape
    )
    optimizer.apply_gradients([(nothing, table)])
    if table.idle is not None:
        table.idle.last_steps[:] = table.idle.clock.now


class Numpy(System):
    """What a user of numpy writes."""

    requires = ("numpy",)

    def lookup(self, workload: Workload) -> Job:
        table = np.full((workload.rows, workload.columns), FIRST_VALUE, np.float32)
        return take_turns(lambda ids: table.take(ids, axis=0, mode="clip"), workload.batches())

    def training_step(self, workload: Workload, optimizer: str) -> Job:
        if optimizer != "sgd":
            raise NotImplementedError("numpy has no optimizers")
        table = np.full((workload.rows, workload.columns), FIRST_VALUE, np.float32)
        rate, d_rows = np.float32(0.01), workload.gradient()

        def step(ids: Any) -> None:
            table.take(ids, axis=0, mode="clip")
            np.subtract.at(table, ids, rate * d_rows)

        return take_turns(step, workload.batches())
