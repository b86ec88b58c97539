"""A Keras recommender, as it is written with Keras, and with the layer of this package in its place.

A user's history and an item are looked up in one table, and the dot product of the history's mean with the item says
whether the user takes it. Both runs start from the same weights and see the same batches; their losses agree, and the
time of a step does not. Histories are made up: items come in groups, and a user stays in one.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import keras
import numpy as np

import fastembed_layer.keras as fast

GROUP, LENGTH = 50, 20


def make_model(embedding: Any, n_items: int, dim: int) -> Any:
    """Return a model with one table for histories and items, always with the same first values."""
    items = embedding(n_items, dim, name="items")
    history = keras.Input((LENGTH,), dtype="int64", name="history")
    item = keras.Input((), dtype="int64", name="item")
    taste = keras.layers.GlobalAveragePooling1D()(items(history))
    score = keras.layers.Dot(axes=1)([taste, items(item)])
    model = keras.Model([history, item], keras.layers.Dense(1, kernel_initializer="ones")(score))
    first = np.random.default_rng(1).normal(0, 0.3, (n_items, dim)).astype("float32")
    items.set_weights([first])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


def make_data(n_items: int, samples: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw histories, items and whether both are of the same group."""
    random = np.random.default_rng(0)
    group = random.integers(n_items // GROUP, size=(samples, 1)) * GROUP
    history = group + random.integers(GROUP, size=(samples, LENGTH))
    taken = random.integers(2, size=samples)
    item = np.where(taken, group[:, 0] + random.integers(GROUP, size=samples), random.integers(n_items, size=samples))
    return [history, item], taken.astype("float32")[:, None]


def main() -> None:
    """Train the same model twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--users", type=int, default=512, help="of a batch")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    inputs, targets = make_data(options.items, options.users * options.steps)
    results = {}
    for name, embedding in (("keras", keras.layers.Embedding), ("fastembed_layer.keras", fast.Embedding)):
        model = make_model(embedding, options.items, options.dim)
        arguments: dict[str, Any] = {"batch_size": options.users, "shuffle": False, "verbose": 0}
        losses = model.fit(inputs, targets, **arguments).history["loss"]  # graph and kernels are there afterwards
        start = time.perf_counter()
        losses += model.fit(inputs, targets, **arguments).history["loss"]
        milliseconds = 1e3 * (time.perf_counter() - start) / options.steps
        results[name] = losses
        print(f"{name:22} loss {losses[0]:.4f} to {losses[-1]:.4f}, {milliseconds:.1f} ms a step")
    print(f"largest difference of the losses: {np.abs(np.subtract(*results.values())).max():.1e}")


if __name__ == "__main__":
    main()
