"""What the tests of the bridge to Keras share: they run on the backend that KERAS_BACKEND names, or skip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip(
    "keras", reason="Keras and its backend are not installed: pip install 'fastembed_layer[keras]' tensorflow-cpu"
)
BACKEND = keras.config.backend()
if BACKEND not in ("tensorflow", "torch"):
    pytest.skip(f"the bridge does not serve the backend {BACKEND}", allow_module_level=True)

import fastembed_layer.keras as fast  # noqa: E402

Array = np.ndarray[Any, Any]

# Keras's own variables do not know numpy's newest arguments yet; that is no error of what is tested here.
QUIET = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

ROWS, WIDTH, BATCH, LENGTH = 60, 8, 8, 4


class DenseLookup(keras.layers.Layer):
    """Lookups as products with one-hot vectors: Keras's optimizers are handed the dense gradient."""

    def __init__(self, regularizer: Any = None):
        super().__init__()
        self.regularizer = regularizer

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(shape=(ROWS, WIDTH), name="embeddings", regularizer=self.regularizer)

    def call(self, inputs: Any) -> Any:
        return keras.ops.matmul(keras.ops.one_hot(inputs, ROWS), self.table)


def first_table(seed: int = 0) -> Array:
    """First values of a table."""
    return np.random.default_rng(seed).normal(size=(ROWS, WIDTH)).astype("float32") * 0.1


def make_data(batches: int, repeats: bool = True) -> tuple[Array, Array]:
    """Ids, repeated within a batch or not, and targets."""
    rng = np.random.default_rng(1)
    if repeats:
        ids = rng.integers(0, ROWS, (batches * BATCH, LENGTH))
    else:
        ids = np.concatenate([rng.permutation(ROWS)[: BATCH * LENGTH].reshape(BATCH, LENGTH) for _ in range(batches)])
    return ids, rng.normal(size=(len(ids), 1)).astype("float32")


def make_model(layer: Any, optimizer: Any, **options: Any) -> Any:
    """A model of a lookup, a mean and two dense layers with weights that are always the same."""
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int64"),
            layer,
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(4, activation="tanh"),
            keras.layers.Dense(1),
        ]
    )
    rng = np.random.default_rng(2)
    layer.set_weights([first_table()])
    for dense in model.layers[2:]:
        dense.set_weights([rng.normal(size=weight.shape).astype("float32") for weight in dense.get_weights()])
    model.compile(optimizer, "mse", **options)
    return model


def fit(model: Any, data: tuple[Array, Array], epochs: int = 1, **options: Any) -> Any:
    """Train on the batches in their order."""
    return model.fit(*data, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, **options)


def table_of(model: Any) -> Array:
    """The values of the first layer's table."""
    return np.array(model.layers[0].get_weights()[0])


def our_model(compiled: Any, compile_options: Any = None, **options: Any) -> Any:
    """The model with our layer."""
    return make_model(fast.Embedding(ROWS, WIDTH, **options), compiled, **(compile_options or {}))


def dense_model(optimizer: Any, regularizer: Any = None) -> Any:
    """The model whose optimizer is handed the dense gradient."""
    return make_model(DenseLookup(regularizer), optimizer)


def assert_same_training(
    make_optimizer: Any, data: tuple[Array, Array] | None = None, epochs: int = 1, **options: Any
) -> None:
    """Check that 100 steps of both end at the same table, dense weights and losses."""
    data = make_data(100) if data is None else data
    dense, ours = (
        dense_model(make_optimizer(), options.get("embeddings_regularizer")),
        our_model(make_optimizer(), **options),
    )
    losses = [fit(model, data, epochs).history["loss"] for model in (dense, ours)]
    assert np.abs(table_of(dense) - first_table()).max() > 1e-3
    np.testing.assert_allclose(table_of(ours), table_of(dense), rtol=0, atol=1e-5)
    for one, other in zip(dense.layers[2:], ours.layers[2:], strict=True):
        np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], rtol=0, atol=2e-5)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
