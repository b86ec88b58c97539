"""Lookups and steps as operations of TensorFlow, run as they are or in a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from fastembed_layer.keras.row_trainer import RowTrainer
from fastembed_layer.keras.ways import Way
from fastembed_layer.tables.parameter import Parameter

Array = np.ndarray[Any, Any]
Tensor = Any


def look_up(trainer: RowTrainer, way: Way, anchor: Any, inputs: Sequence[Tensor], number: int) -> Tensor:
    """Return what a layer makes of some inputs; its gradient goes to the trainer, and a count of it to the anchor.

    The lookup takes the value of the anchor, which a step writes last. So in a graph, too, it comes after the step
    before, and the step after all gradients that arrive for it.
    """
    _refuse_replicas()
    inputs = [tf.convert_to_tensor(each) for each in inputs]

    @tf.custom_gradient
    def rows_of(anchor_value: Tensor, *inputs: Tensor) -> tuple[Tensor, Callable[[Tensor], list[Tensor | None]]]:
        output, *kept = call(partial(trainer.look_up, way), [anchor_value, *inputs], [way.dtype, *way.kept_types])

        def pull_back(d_output: Tensor) -> list[Tensor | None]:
            tensors = [tf.convert_to_tensor(d_output), *inputs, *kept]
            floats = [place for place, each in enumerate(inputs) if place in way.weight_places]
            types = [np.float64, *[way.dtype for _ in floats]]
            token, *d_floats = call(partial(trainer.receive, way, number), tensors, types)
            found = dict(zip(floats, d_floats, strict=True))
            return [token, *[_like(found.get(place), each) for place, each in enumerate(inputs)]]

        return output, pull_back

    return rows_of(tf.convert_to_tensor(anchor.value), *inputs)


def call(function: Callable[..., list[Array]], tensors: Sequence[Tensor], types: Sequence[Any]) -> list[Tensor]:
    """Call a function of arrays, now or whenever the graph runs."""
    if tf.executing_eagerly():
        return [tf.convert_to_tensor(array) for array in function(*[np.asarray(each) for each in tensors])]
    return list(tf.numpy_function(function, list(tensors), [tf.as_dtype(each) for each in types]))


def outside_graphs() -> Any:
    """Return a context in which variables can be read, also while a graph is made."""
    return tf.init_scope()


def map_flat(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """Call a function of tensors; of a ragged one, of its values."""
    if isinstance(tensor, tf.RaggedTensor):
        return tensor.with_flat_values(function(tensor.flat_values))
    return function(tensor)


def set_shape(tensor: Tensor, shape: Any) -> Tensor:
    """Tell the shape that is known of a tensor."""
    tensor.set_shape(shape)
    return tensor


def numbers_of(gradient: Tensor) -> Tensor:
    """Return the numbers of a gradient; of one of rows, those of its rows as they are."""
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def scale(gradient: Tensor, factor: Tensor) -> Tensor:
    """Return a gradient times a number."""
    return tf.math.scalar_mul(tf.cast(factor, gradient.dtype), gradient)


def read_table(table: Parameter) -> Tensor:
    """Return the values of a table as a tensor, copied; in a graph, those of the time when it runs."""
    if tf.executing_eagerly():
        return tf.convert_to_tensor(table.value)
    return set_shape(tf.numpy_function(table.numpy, [], tf.as_dtype(table.dtype)), table.shape)


def _like(gradient: Tensor | None, tensor: Tensor) -> Tensor | None:
    return None if gradient is None else tf.cast(tf.reshape(gradient, tf.shape(tensor)), tensor.dtype)


def _refuse_replicas() -> None:
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas > 1:
        raise ValueError(
            "The layers of fastembed_layer.keras train in one process without replicas. "
            f"Received: a tf.distribute strategy of {replicas}. Leave the strategy out, or use keras.layers.Embedding."
        )
