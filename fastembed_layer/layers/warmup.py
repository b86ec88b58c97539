"""`warmup`: compile the kernels of a training step before they are needed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from fastembed_layer import optimizers
from fastembed_layer.backends.launch import LARGE_TABLE
from fastembed_layer.checks import check_dimension
from fastembed_layer.layers.embedding import Embedding
from fastembed_layer.layers.embedding_bag import EmbeddingBag
from fastembed_layer.tape import GradientTape

ROWS, COLUMNS = 4, 2
LAYERS = (Embedding, EmbeddingBag)
BESIDE_THE_UPDATE = ("gradient_accumulation_steps", "loss_scale_factor", "use_ema")


def warmup(*identifiers: Any, dtype: str = "float32", output_dim: int | None = None) -> float:
    """Compile the kernels of lookups, bags and updates, or load them from the cache on disk.

    What is compiled is kept on disk where there is a writable place, so that later processes load it. Call this before
    measuring, before serving, and before forking workers, which then share the compiled code.

    Parameters
    ----------
    *identifiers : str, dict, type or Optimizer
        The optimizers whose updates are wanted. They serve as models: nothing of them is changed. Without any, only
        lookups are compiled.
    dtype : {"float32", "float64"}
        Type of the tables.
    output_dim : int, optional
        Number of columns of large tables, 16 MiB and more, whose kernels are compiled for it.

    Returns
    -------
    seconds : float
        Time it took.

    Raises
    ------
    ValueError, TypeError
        If an optimizer or the type is not known.

    Examples
    --------
    >>> from fastembed_layer import warmup
    >>> seconds = warmup("sgd")
    >>> warmup("sgd") < 1
    True
    """
    start = time.perf_counter()
    copies = [_copy(identifier) for identifier in identifiers]
    layers = [make(ROWS, COLUMNS, dtype=dtype, device="cpu:0") for make in LAYERS]
    if output_dim is not None:  # of its zeros few take up memory
        rows = LARGE_TABLE // (4 * check_dimension(output_dim, "output_dim")) + 1
        options: dict[str, Any] = {"embeddings_initializer": "zeros", "dtype": dtype, "device": "cpu:0"}
        layers += [make(rows, output_dim, **options) for make in LAYERS]
    for layer in layers:
        for id_type in (np.int32, np.int64):
            ids = np.zeros((1, 2), id_type)
            layer(ids)
            for optimizer in copies:
                _take_steps(layer, ids, optimizer)
    return time.perf_counter() - start


def _copy(identifier: Any) -> optimizers.Optimizer:
    """Return an optimizer that updates in the same way at every call, without state."""
    optimizer = optimizers.get(identifier)
    if optimizer is None:
        raise TypeError("`identifiers` must name optimizers. Received: None.")
    config = {key: value for key, value in optimizer.get_config().items() if key not in BESIDE_THE_UPDATE}
    return type(optimizer).from_config(config)


def _take_steps(layer: Embedding, ids: Any, optimizer: optimizers.Optimizer) -> None:
    """Make three steps, the last on a row that the second has left idle, and read the table."""
    for row_id in (0, 1, 0):
        with GradientTape() as tape:
            rows = layer(ids + ids.dtype.type(row_id))
        optimizer.apply_gradients([(tape.gradient(rows, layer.embeddings), layer.embeddings)])
    layer.get_weights()
