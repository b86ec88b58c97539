"""`BatchNormalization`: values and moving statistics of Keras, masks, pullbacks, and what is saved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pullbacks import assert_pullback_agrees

from fastembed_layer import BatchNormalization, Dense, Embedding, GradientTape, Input, Sequential, optimizers
from fastembed_layer.layers.masks import mask_of

Array = np.ndarray[Any, Any]

STEPS = np.array([[[1.0, 4.0], [2.0, 0.0], [3.0, -1.0]], [[0.0, 2.0], [5.0, 5.0], [-2.0, 1.0]]])
MASK = np.array([[True, True, False], [True, False, False]])

# Of Keras 3 with momentum=0.9: axis, mask; output while training, moving mean and variance, output afterwards.
CASES: list[tuple[int, Any, Any, Any, Any, Any]] = [
    (
        -1,
        None,
        [
            [[-0.22547089, 1.02442896], [0.22547089, -0.86682457], [0.67641264, -1.33963799]],
            [[-0.67641264, 0.07880221], [1.57829618, 1.49724233], [-1.57829618, -0.39401117]],
        ],
        [0.15, 0.18333333],
        [1.39166667, 1.34722222],
        [
            [[0.72027004, 3.28702855], [1.56764662, -0.15789221], [2.41502309, -1.01912248]],
            [[-0.12710649, 1.56456816], [4.10977602, 4.14825869], [-1.8218596, 0.70333797]],
        ],
    ),
    (
        -1,
        MASK,
        [
            [[0, 1.22451532], [1.22382736, -1.22451532], [2.44765472, -1.83677292]],
            [[-1.22382736, 0], [4.89530945, 1.83677292], [-3.67148209, -0.61225766]],
        ],
        [0.1, 0.2],
        [0.96666664, 1.16666663],
        [
            [[0.91491264, 3.51660919], [1.9314822, -0.1850847], [2.94805193, -1.1105082]],
            [[-0.10165697, 1.66576231], [4.98119116, 4.44203281], [-2.13479614, 0.7403388]],
        ],
    ),
    (
        1,
        None,
        [
            [[-0.50697672, 1.52093017], [-0.47135216, -1.41405654], [1.43188393, -0.65085638]],
            [[-1.18294561, 0.16899224], [0.94270432, 0.94270432], [-1.17154145, 0.39051381]],
        ],
        [0.175, 0.3, 0.025],
        [1.11875, 1.35, 1.26875],
        [
            [[0.77963877, 3.61468887], [1.46258545, -0.25810331], [2.6401453, -0.90962994]],
            [[-0.16537791, 1.72465551], [4.0436182, 4.0436182], [-1.79707384, 0.86525774]],
        ],
    ),
]


@pytest.mark.parametrize(("axis", "mask", "trained", "mean", "variance", "later"), CASES)
def test_outputs_and_moving_statistics_are_those_of_keras(
    axis: int, mask: Any, trained: Any, mean: Any, variance: Any, later: Any
) -> None:
    layer = BatchNormalization(axis, momentum=0.9, dtype="float64")
    np.testing.assert_allclose(layer(STEPS, training=True, mask=mask), trained, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.get_weights()[2:], [mean, variance], rtol=1e-6)
    np.testing.assert_allclose(layer(STEPS), later, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("center", "scale"), [(True, True), (False, True), (True, False), (False, False)])
def test_the_pullback_agrees_with_differences(mask: Any, training: bool, center: bool, scale: bool) -> None:
    inputs = STEPS.copy()
    options: Any = {"center": center, "scale": scale, "gamma_initializer": "uniform", "beta_initializer": "uniform"}
    layer = BatchNormalization(**options, dtype="float64")
    layer(inputs)
    assert [weight.name for weight in layer.trainable_weights] == ["gamma"] * scale + ["beta"] * center
    sources = [inputs, *layer.trainable_weights]
    assert_pullback_agrees(lambda: layer(inputs, training=training, mask=mask), sources, tolerance=1e-6)


@pytest.mark.parametrize("shape", [(5, 3), (4, 2, 3), (2, 2, 2, 3)])
def test_inputs_of_any_rank_are_normalized_over_all_axes_but_one(shape: tuple[int, ...]) -> None:
    inputs = np.random.default_rng(0).normal(3, 2, size=shape)
    output = BatchNormalization(epsilon=0.0, dtype="float64")(inputs, training=True)
    rows = output.reshape(-1, 3)
    np.testing.assert_allclose([rows.mean(axis=0), rows.var(axis=0)], [[0] * 3, [1] * 3], atol=1e-12)


def test_inference_changes_nothing() -> None:
    layer = BatchNormalization()
    layer(STEPS)
    np.testing.assert_array_equal(layer.get_weights(), [[1, 1], [0, 0], [0, 0], [1, 1]])


def test_a_frozen_layer_uses_and_keeps_its_moving_statistics() -> None:
    layer = BatchNormalization(trainable=False, dtype="float64")
    np.testing.assert_array_equal(layer(STEPS, training=True), layer(STEPS))
    np.testing.assert_array_equal(layer.get_weights()[2:], [[0, 0], [1, 1]])
    assert layer.trainable_weights == []


def test_an_empty_batch_leaves_the_statistics_alone() -> None:
    layer = BatchNormalization()
    assert layer(np.ones((0, 3), np.float32), training=True).shape == (0, 3)
    np.testing.assert_array_equal(layer.get_weights()[2:], [[0] * 3, [1] * 3])


def test_moving_statistics_are_weights_that_are_not_trained() -> None:
    layer = BatchNormalization()
    layer(STEPS)
    assert [weight.name for weight in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [weight.name for weight in layer.non_trainable_weights] == ["moving_mean", "moving_variance"]
    layer.trainable = False
    layer.trainable = True
    assert [weight.name for weight in layer.trainable_weights] == ["gamma", "beta"]


def test_moving_statistics_are_saved_and_read_back() -> None:
    trained, fresh, stored = BatchNormalization(), BatchNormalization(), BatchNormalization()
    for _ in range(3):
        trained(STEPS, training=True)
    inputs, store = STEPS.astype(np.float32), {}
    fresh(inputs)
    fresh.set_weights(trained.get_weights())
    np.testing.assert_array_equal(fresh(inputs), trained(inputs))
    trained.save_own_variables(store)
    stored.build(inputs.shape)
    stored.load_own_variables(store)
    np.testing.assert_array_equal(stored(inputs), trained(inputs))


def test_fit_moves_the_statistics_and_predict_uses_them() -> None:
    model = Sequential([Dense(2, input_shape=(3,)), BatchNormalization(momentum=0.5), Dense(1)])
    inputs = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    model.compile(optimizers.SGD(0.01), "mse")
    model.fit(inputs, inputs[:, :1], epochs=2, batch_size=16, verbose=0)
    assert not np.allclose(model.layers[1].get_weights()[2], 0)
    np.testing.assert_array_equal(model.predict(inputs), model.predict(inputs))
    assert model.count_params() == 8 + 8 + 3


def test_a_mask_of_an_embedding_counts_and_is_handed_on() -> None:
    embedding, layer = Embedding(4, 2, mask_zero=True, dtype="float64"), BatchNormalization(momentum=0.0)
    ids = np.array([[3, 0, 1], [2, 0, 0]])
    rows = embedding(ids)
    np.testing.assert_array_equal(mask_of(layer(rows, training=True)), ids != 0)
    np.testing.assert_allclose(layer.get_weights()[2], rows[ids != 0].mean(axis=0), rtol=1e-5)


def test_gradients_reach_an_embedding_below() -> None:
    embedding = Embedding(5, 2, dtype="float64", embeddings_initializer="normal")
    layer, ids = BatchNormalization(dtype="float64"), np.array([[1, 2], [3, 1]])
    assert_pullback_agrees(lambda: layer(embedding(ids), training=True), [embedding.embeddings], tolerance=1e-5)
    with GradientTape() as tape:
        output = layer(embedding(ids), training=True)
    assert tape.gradient(output, embedding.embeddings).distinct_ids().tolist() == [1, 2, 3]


def test_a_config_of_keras_and_our_own_are_read() -> None:
    config = {"name": "norm", "trainable": True, "dtype": "float32", "axis": -1, "momentum": 0.9, "epsilon": 1e-5}
    switched_off = {"synchronized": False, "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99}
    zeros = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}
    layer = BatchNormalization.from_config({**config, **switched_off, "moving_mean_initializer": zeros})
    assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)
    assert BatchNormalization.from_config(layer.get_config()).get_config() == layer.get_config()
    with pytest.raises(ValueError, match="`renorm` is not among the options"):
        BatchNormalization.from_config(config | {"renorm": True})


@pytest.mark.parametrize("axis", ["1", 1.5, None, True, [1]])
def test_an_axis_that_is_no_integer_is_refused(axis: Any) -> None:
    with pytest.raises(TypeError, match="`axis` must be an integer"):
        BatchNormalization(axis)


def test_an_axis_that_is_open_and_a_mask_that_does_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="needs inputs of a known size along axis="):
        BatchNormalization()(Input((3, None)))
    with pytest.raises(ValueError, match="must have the shape of its inputs without the last axis"):
        BatchNormalization()(STEPS, training=True, mask=np.ones((2, 2), bool))
