"""Whole trainings beside those of Keras itself, where it is installed: the same weights give the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fastembed_layer

DRAWN = np.random.default_rng(0)
TABLE, KERNEL, WIDE_KERNEL = (DRAWN.normal(size=shape).astype("float32") for shape in [(20, 3), (3, 1), (3, 3)])
IDS = DRAWN.integers(0, 20, (50, 4), dtype=np.int32)
IS_LARGE, FIRST = (IDS.max(axis=1) > 15).astype("float32")[:, None], IDS[:, 0] % 3
WEIGHTS = DRAWN.random(50).astype("float32")

Numbers = dict[str, Any]


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def parts_of(library: Any) -> tuple[Any, Any, Any]:
    """Layers, `Input` and `Model` of Keras or of this package."""
    return library.layers, library.Input, library.Model


def make_model(library: Any, outputs: int = 1) -> Any:
    layers, make_input, make = parts_of(library)
    ids = make_input((4,), dtype="int32")
    rows = layers.Embedding(20, 3, name="rows")(ids)
    means = layers.GlobalAveragePooling1D(name="means")(rows)
    is_large = layers.Dense(1, activation="sigmoid", name="is_large")(means)
    first = layers.Dense(3, activation="softmax", name="first")(means) if outputs == 2 else None
    model = make(ids, is_large if first is None else [is_large, first])
    found = {layer.name: layer for layer in model.layers}
    found["rows"].set_weights([TABLE])
    found["is_large"].set_weights([KERNEL, np.zeros(1, "float32")])
    if first is not None:
        found["first"].set_weights([WIDE_KERNEL, np.zeros(3, "float32")])
    return model


def several_outputs(library: Any) -> Numbers:
    model = make_model(library, outputs=2)
    model.compile(
        library.optimizers.SGD(0.3),
        loss=["binary_crossentropy", "sparse_categorical_crossentropy"],
        loss_weights=[1.0, 0.3],
        metrics=[["accuracy", "mae"], ["accuracy"]],
        weighted_metrics=[["mse"], None],
    )
    options = {"batch_size": 16, "shuffle": False, "verbose": 0, "validation_split": 0.2, "validation_freq": 2}
    history = model.fit(IDS, [IS_LARGE, FIRST], sample_weight=[WEIGHTS, WEIGHTS], epochs=3, **options)
    return dict(history.history)


def weights_of_classes(library: Any) -> Numbers:
    model = make_model(library)
    model.compile(
        library.optimizers.Adam(0.05),
        loss="binary_crossentropy",
        metrics=["accuracy", "AUC", "mse"],
        weighted_metrics=["accuracy", "mae"],
    )
    validation = {"validation_data": (IDS[:21], IS_LARGE[:21]), "validation_batch_size": 5, "validation_steps": 3}
    options = {"batch_size": 7, "shuffle": False, "verbose": 0, "initial_epoch": 1, "steps_per_epoch": 4}
    history = model.fit(IDS, IS_LARGE, class_weight={0: 1.0, 1: 3.0}, epochs=4, **validation, **options)
    return dict(history.history)


def callbacks_that_steer(library: Any) -> Numbers:
    model = make_model(library)
    model.compile(library.optimizers.SGD(0.5), loss="mse", metrics=["mae"])
    chosen = [
        library.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.005),
        library.callbacks.EarlyStopping("val_mae", patience=3, restore_best_weights=True),
    ]
    options = {"batch_size": 10, "shuffle": False, "verbose": 0, "validation_split": 0.3}
    history = model.fit(IDS, IS_LARGE, epochs=12, callbacks=chosen, **options)
    final = np.concatenate([weight.ravel() for weight in model.get_weights()])
    return dict(history.history) | {"epochs": history.epoch, "final": final}


def single_steps(library: Any) -> Numbers:
    model = make_model(library)
    model.compile(library.optimizers.SGD(0.5), loss="mse", metrics=["mae"])
    batch = IDS[:10], IS_LARGE[:10]
    return {
        "plain": model.train_on_batch(*batch),
        "weighted": model.train_on_batch(*batch, sample_weight=WEIGHTS[:10]),
        "by class": model.train_on_batch(*batch, class_weight={1: 2.0}),
        "tested": model.test_on_batch(*batch),
        "evaluated": model.evaluate(IDS, IS_LARGE, batch_size=8, steps=3, verbose=0),
        "predicted": model.predict(IDS, batch_size=8, steps=2, verbose=0),
    }


def batches_of_a_generator(library: Any) -> Numbers:
    def endless() -> Iterator[Any]:
        while True:
            for begin in range(0, 50, 10):
                rows = slice(begin, begin + 10)
                yield IDS[rows], IS_LARGE[rows], WEIGHTS[rows]

    model = make_model(library)
    model.compile(library.optimizers.SGD(0.5), loss="mse", metrics=["mae"], weighted_metrics=["mae"])
    return dict(model.fit(endless(), epochs=4, steps_per_epoch=3, shuffle=False, verbose=0).history)


def numbers_of_batches(library: Any) -> Numbers:
    told: list[list[float]] = []

    class Tell(library.callbacks.Callback):  # type: ignore[misc, name-defined]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            told.append([batch, logs["loss"], logs["mae"]])

        on_test_batch_end = on_train_batch_end

    model = make_model(library)
    model.compile(library.optimizers.SGD(0.5), loss="mse", metrics=["mae"])
    options = {"batch_size": 20, "shuffle": False, "verbose": 0, "validation_split": 0.4}
    model.fit(IDS, IS_LARGE, epochs=2, callbacks=[Tell()], **options)
    return {"told": told}


TRAININGS: list[Callable[[Any], Numbers]] = [
    several_outputs,
    weights_of_classes,
    callbacks_that_steer,
    single_steps,
    batches_of_a_generator,
    numbers_of_batches,
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras's backends
@pytest.mark.parametrize("train", TRAININGS, ids=lambda train: train.__name__)
def test_a_training_has_the_numbers_of_keras_itself(keras: Any, train: Callable[[Any], Numbers]) -> None:
    expected, found = train(keras), train(fastembed_layer)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("train", TRAININGS, ids=lambda train: train.__name__)
def test_the_same_training_runs_without_keras(train: Callable[[Any], Numbers]) -> None:
    assert all(np.isfinite(np.asarray(values, float)).all() for values in train(fastembed_layer).values())
