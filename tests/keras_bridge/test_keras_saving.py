"""Files, configs, copies and weights: what Keras saves and reads back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bridged import (
    BATCH,
    LENGTH,
    QUIET,
    ROWS,
    WIDTH,
    fast,
    first_table,
    fit,
    keras,
    make_data,
    our_model,
    table_of,
)

pytestmark = QUIET
optimizers = keras.optimizers

MAKERS = {
    "Adam": lambda: optimizers.Adam(0.01),
    "momentum": lambda: optimizers.SGD(0.02, momentum=0.9),
    "Adagrad": lambda: optimizers.Adagrad(0.1),
    "accumulation": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=4),
    "schedule": lambda: optimizers.AdamW(optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)),
    "loss scale": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01)),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_a_resumed_training_ends_with_the_bits_of_one_that_was_saved_and_went_on(maker: str, tmp_path: Path) -> None:
    data = make_data(10)
    model = our_model(MAKERS[maker]())
    fit(model, data)
    model.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(table_of(resumed), table_of(model))
    for one in (model, resumed):
        fit(one, data)
    np.testing.assert_array_equal(table_of(resumed), table_of(model))


def test_a_resumed_training_is_close_to_one_that_was_never_saved(tmp_path: Path) -> None:
    data = make_data(10)
    model, straight = our_model(optimizers.Adam(0.01)), our_model(optimizers.Adam(0.01))
    for one in (model, straight):
        fit(one, data)
    model.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    for one in (resumed, straight):
        fit(one, data)
    np.testing.assert_allclose(table_of(resumed), table_of(straight), rtol=0, atol=1e-6)


def test_a_model_that_is_loaded_and_saved_again_still_resumes(tmp_path: Path) -> None:
    data = make_data(10)
    model = our_model(optimizers.Adam(0.01))
    fit(model, data)
    model.save(tmp_path / "one.keras")
    keras.models.load_model(tmp_path / "one.keras").save(tmp_path / "two.keras")
    resumed = keras.models.load_model(tmp_path / "two.keras")
    for one in (model, resumed):
        fit(one, data)
    np.testing.assert_array_equal(table_of(resumed), table_of(model))


def test_another_process_reads_the_file(tmp_path: Path) -> None:
    data = make_data(5)
    model = our_model(optimizers.Adam(0.01))
    fit(model, data)
    model.save(tmp_path / "model.keras")
    fit(model, data)
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from bridged import fit, keras, make_data, table_of
import numpy as np
import fastembed_layer.keras
model = keras.models.load_model({str(tmp_path / "model.keras")!r})
fit(model, make_data(5))
np.save({str(tmp_path / "table.npy")!r}, table_of(model))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "table.npy"), table_of(model), rtol=0, atol=1e-6)


def test_weights_go_to_a_file_and_back_with_the_state_of_the_optimizer(tmp_path: Path) -> None:
    data = make_data(10)
    model, other = our_model(optimizers.Adam(0.01)), our_model(optimizers.Adam(0.01))
    fit(model, data)
    model.save_weights(tmp_path / "model.weights.h5")
    fit(other, make_data(1))
    other.load_weights(tmp_path / "model.weights.h5")
    for one in (model, other):
        fit(one, data)
    np.testing.assert_allclose(table_of(other), table_of(model), rtol=0, atol=1e-7)


def test_weights_of_keras_s_own_layer_can_be_loaded_and_the_other_way_round(tmp_path: Path) -> None:
    theirs, ours = (
        keras.Sequential([keras.Input((LENGTH,), dtype="int64"), cls(ROWS, WIDTH)])
        for cls in (keras.layers.Embedding, fast.Embedding)
    )
    for model, seed in ((theirs, 1), (ours, 2)):
        model.layers[0].set_weights([first_table(seed)])
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.save_weights(tmp_path / "ours.weights.h5")
    ours.load_weights(tmp_path / "theirs.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_array_equal(table_of(ours), first_table(1))
    np.testing.assert_array_equal(table_of(theirs), first_table(2))


def test_the_state_of_another_optimizer_is_left_alone(tmp_path: Path) -> None:
    data = make_data(5)
    model = our_model(optimizers.Adam(0.01))
    fit(model, data)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one in (loaded, model):
        one.compile(optimizers.SGD(0.01), "mse")
        fit(one, data)
    np.testing.assert_array_equal(table_of(loaded), table_of(model))


def test_a_config_makes_an_equal_untrained_layer() -> None:
    layer = fast.Embedding(
        ROWS,
        WIDTH,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.5, seed=3),
        embeddings_constraint=keras.constraints.NonNeg(),
        mask_zero=True,
        optimizer=optimizers.Adagrad(0.5),
        update="lazy",
        out_of_range="clip",
        padding_id=3,
        trainable_rows=[1, 2],
    )
    other = fast.Embedding.from_config(layer.get_config())
    assert other.get_config() == layer.get_config()
    for one in (layer, other):
        one.build()
    np.testing.assert_array_equal(one.get_weights()[0], layer.get_weights()[0])
    assert float(other._given.learning_rate) == 0.5


def test_a_clone_has_its_own_table() -> None:
    model = our_model("adam")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(table_of(clone), table_of(model))
    clone.compile("sgd", "mse")
    fit(clone, make_data(2))
    np.testing.assert_array_equal(table_of(model), first_table())
    assert np.abs(table_of(clone) - first_table()).max() > 0


def test_the_weights_of_the_layer_are_the_table_and_those_of_the_model_bring_it_back() -> None:
    model = our_model(optimizers.Adam(0.05))
    assert [weight.shape for weight in model.layers[0].get_weights()] == [(ROWS, WIDTH)]
    kept, data = model.get_weights(), make_data(3)
    fit(model, data)
    assert np.abs(table_of(model) - first_table()).max() > 1e-3
    model.set_weights(kept)
    np.testing.assert_array_equal(table_of(model), first_table())


def test_early_stopping_restores_the_best_table() -> None:
    data = make_data(3)
    model = our_model(optimizers.SGD(0.05))
    tables: list[Any] = []
    noting = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tables.append(table_of(model)))
    stopping = keras.callbacks.EarlyStopping(
        "loss", mode="max", patience=2, restore_best_weights=True
    )  # falls, so the first is best
    fit(model, data, 6, callbacks=[noting, stopping])
    assert len(tables) == 3
    np.testing.assert_array_equal(table_of(model), tables[0])


def test_checkpoints_of_a_callback_hold_the_table(tmp_path: Path) -> None:
    model = our_model(optimizers.SGD(0.05))
    saving = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True)
    fit(model, make_data(3), 2, callbacks=[saving])
    np.testing.assert_array_equal(table_of(keras.models.load_model(tmp_path / "best.keras")), table_of(model))


def test_the_table_counts_among_the_parameters() -> None:
    model = our_model("adam")
    assert model.layers[0].count_params() == ROWS * WIDTH
    lines: list[str] = []
    model.summary(print_fn=lambda text, **options: lines.append(text))
    assert f"{ROWS * WIDTH}" in "\n".join(lines)


def test_weights_of_a_wrong_shape_are_refused() -> None:
    layer = fast.Embedding(ROWS, WIDTH)
    with pytest.raises(ValueError, match=r"must be arrays of the shapes \[\(60, 8\)\]. Received: \[\(3, 3\)\]"):
        layer.set_weights([np.zeros((3, 3))])


def test_initializers_of_keras_give_their_own_values() -> None:
    initializer = keras.initializers.RandomUniform(seed=7)
    ours, theirs = fast.Embedding(ROWS, WIDTH, initializer), keras.layers.Embedding(ROWS, WIDTH, initializer)
    for layer in (ours, theirs):
        layer.build((None, LENGTH))
    np.testing.assert_array_equal(ours.get_weights()[0], theirs.get_weights()[0])


def test_the_seed_of_keras_makes_first_values_reproducible() -> None:
    tables = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        layer = fast.Embedding(ROWS, WIDTH)
        layer.build()
        tables.append(layer.get_weights()[0])
    np.testing.assert_array_equal(tables[0], tables[1])
    assert np.abs(tables[0] - tables[2]).max() > 0


def test_an_interrupted_training_is_restored_by_keras_s_callback(tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    data = make_data(5)
    interrupted, straight = our_model(optimizers.Adam(0.01)), our_model(optimizers.Adam(0.01))
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted, data, 4, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup"), Stop()])
    restored = our_model(optimizers.Adam(0.01))
    fit(restored, data, 4, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")])
    fit(straight, data, 4)
    np.testing.assert_allclose(table_of(restored), table_of(straight), rtol=0, atol=1e-6)


def test_a_group_goes_to_a_file_and_back(tmp_path: Path) -> None:
    features = {"city": 30, "weekday": 7}
    ins = {name: keras.Input((), dtype="int64", name=name) for name in features}
    group = fast.EmbeddingGroup(features, [4, 2])
    model = keras.Model(ins, keras.layers.Dense(1)(group(ins)))
    model.compile(optimizers.Adam(0.01), "mse")
    rng = np.random.default_rng(0)
    ids = {name: rng.integers(0, size, 5 * BATCH) for name, size in features.items()}
    targets = rng.normal(size=(5 * BATCH, 1))
    model.fit(ids, targets, batch_size=BATCH, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, resumed):
        one.fit(ids, targets, batch_size=BATCH, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
