"""`warmup`: afterwards a training step compiles nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from fastembed_layer import warmup
from fastembed_layer.kernels.gather import gather_rows
from fastembed_layer.kernels.rules import RULES
from fastembed_layer.optimizers import SGD, Adam

COUNT_COMPILATIONS = """
import numpy as np
from numba.core.event import install_recorder
from fastembed_layer import Embedding, EmbeddingBag, GlobalAveragePooling1D, Sequential, warmup
from fastembed_layer.optimizers import Adam

if {warm}:
    warmup("adam")
with install_recorder("numba:compile") as compilations:
    for layers in ([Embedding(50, 8), GlobalAveragePooling1D()], [EmbeddingBag(50, 8)]):
        for id_type in ("int32", "int64"):
            model = Sequential(layers)
            model.compile(Adam(), "mse")
            for row_id in (3, 4, 3):
                model.train_on_batch(np.full((5, 6), row_id, id_type), np.ones((5, 8)))
            model.layers[0].get_weights()
print(sorted({{event.data["dispatcher"].py_func.__qualname__ for _, event in compilations.buffer}}))
"""


@pytest.mark.parametrize("warm", [True, False])
def test_after_it_nothing_is_compiled(warm: bool, tmp_path: Any) -> None:
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PATH": ""}
    script = COUNT_COMPILATIONS.format(warm=warm)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip() == "[]") == warm, done.stdout


def test_it_leaves_the_optimizer_alone_and_returns_the_time() -> None:
    optimizer = SGD(0.1, gradient_accumulation_steps=4)
    assert warmup(optimizer) > 0
    assert optimizer.iterations == 0
    assert not optimizer.slots


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("adamm",), ValueError, "adam"),
        ((None,), TypeError, "Received: None"),
        ((Adam(), 3), TypeError, "3"),
    ],
)
def test_what_is_no_optimizer_is_refused(arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        warmup(*arguments)


def test_kernels_of_large_tables_are_compiled_for_their_width() -> None:
    warmup("sgd", output_dim=24)
    assert gather_rows.at(24).signatures
    assert RULES["sgd"].update_rows.at(24).signatures
    with pytest.raises((TypeError, ValueError), match="`output_dim`"):
        warmup("sgd", output_dim=0)
