"""Whole training steps in `fit`: Keras's own Embedding and that of this package, on the backends of Keras.

Run by hand, where Keras and the backends are installed: ``python compare_keras_bridge.py``. Each backend has a process
of its own; both layers take turns in it, epoch by epoch, and the least time of each counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BACKENDS = ("tensorflow", "torch")


def read_options() -> argparse.Namespace:
    """The sizes of the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--ids", type=int, default=40, help="for each sample; 1,000 x 40 is 1 % of the rows")
    parser.add_argument("--steps", type=int, default=4, help="of an epoch")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def make_models(options: argparse.Namespace) -> dict[str, Any]:
    """One model for each layer and way of updating."""
    import keras

    import fastembed_layer.keras as fast

    makers: dict[str, Callable[[], Any]] = {
        "keras.layers.Embedding": lambda: keras.layers.Embedding(options.rows, options.width),
        "fast.Embedding, exact": lambda: fast.Embedding(options.rows, options.width),
        "fast.Embedding, lazy": lambda: fast.Embedding(options.rows, options.width, update="lazy"),
    }
    models = {}
    for name, make in makers.items():
        models[name] = keras.Sequential(
            [
                keras.Input((options.ids,), dtype="int64"),
                make(),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(1),
            ]
        )
        models[name].compile(keras.optimizers.Adam(1e-3), "mse")
    return models


def measure(options: argparse.Namespace) -> None:
    """Print the milliseconds of a step of each model on one backend."""
    rng = np.random.default_rng(0)
    size = options.batch * options.steps
    ids, targets = rng.integers(0, options.rows, (size, options.ids)), rng.normal(size=(size, 1)).astype("float32")
    models = make_models(options)
    best = dict.fromkeys(models, float("inf"))
    for turn in range(options.turns + 1):
        for name, model in models.items():
            start = time.perf_counter()
            model.fit(ids, targets, batch_size=options.batch, shuffle=False, verbose=0)
            if turn:  # the first one compiles
                best[name] = min(best[name], (time.perf_counter() - start) / options.steps)
    slowest = best["keras.layers.Embedding"]
    for name, seconds in best.items():
        print(f"{options.one:12} {name:26} {seconds * 1e3:8.1f} ms a step  ({slowest / seconds:.1f})", flush=True)


def main() -> None:
    """Measure all backends, one after the other."""
    options = read_options()
    if options.one:
        measure(options)
        return
    for backend in options.backends:
        environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(
            [sys.executable, str(Path(__file__)), *sys.argv[1:], "--one", backend], check=True, env=environment
        )


if __name__ == "__main__":
    main()
