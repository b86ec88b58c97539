"""The layers by themselves: values, masks, types, bags, groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bridged import BATCH, LENGTH, QUIET, ROWS, WIDTH, fast, first_table, fit, keras, make_data, make_model, table_of

import fastembed_layer

pytestmark = QUIET
optimizers, ops = keras.optimizers, keras.ops


def value_of(tensor: Any) -> Any:
    return ops.convert_to_numpy(tensor)


def test_lookups_return_the_rows_of_ids_of_any_shape() -> None:
    layer = fast.Embedding(ROWS, WIDTH, weights=first_table())
    for shape in ((), (3,), (2, 3), (2, 3, 4), (0, 3)):
        ids = np.random.default_rng(0).integers(0, ROWS, shape)
        np.testing.assert_array_equal(value_of(layer(ids)), first_table()[ids])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "float32"])
def test_ids_of_all_types_name_the_same_rows(dtype: str) -> None:
    layer = fast.Embedding(ROWS, WIDTH, weights=first_table())
    np.testing.assert_array_equal(value_of(layer(np.array([[1, 5]], dtype))), first_table()[[[1, 5]]])


def test_ragged_ids_of_tensorflow_give_ragged_rows() -> None:
    if keras.config.backend() != "tensorflow":
        pytest.skip("ragged tensors are TensorFlow's")
    import tensorflow as tf

    rows = fast.Embedding(ROWS, WIDTH, weights=first_table())(tf.ragged.constant([[1, 2], [3]]))
    np.testing.assert_array_equal(rows.flat_values.numpy(), first_table()[[1, 2, 3]])
    assert rows.row_lengths().numpy().tolist() == [2, 1]


def test_the_mask_reaches_the_layers_behind() -> None:
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    outputs = []
    for cls in (fast.Embedding, keras.layers.Embedding):
        layer = cls(ROWS, WIDTH, mask_zero=True)
        model = keras.Sequential([keras.Input((4,), dtype="int64"), layer, keras.layers.GlobalAveragePooling1D()])
        layer.set_weights([first_table()])
        outputs.append(model.predict(ids, verbose=0))
    np.testing.assert_allclose(*outputs, rtol=1e-6)


def test_a_recurrent_layer_takes_rows_and_mask() -> None:
    ids, targets = make_data(2)
    model = keras.Sequential([fast.Embedding(ROWS, WIDTH, mask_zero=True), keras.layers.LSTM(3), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    losses = model.fit(ids, targets, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_under_a_mixed_policy_rows_are_half_and_the_table_is_single(policy: str) -> None:
    layer = fast.Embedding(ROWS, WIDTH, dtype=policy)
    assert keras.backend.standardize_dtype(layer(np.array([[1, 2]])).dtype) == policy.removeprefix("mixed_")
    assert layer.embeddings.dtype == "float32"


def test_a_model_under_a_mixed_policy_trains_as_keras_s_own() -> None:
    data = make_data(20, repeats=False)
    tables = []
    for cls in (keras.layers.Embedding, fast.Embedding):
        keras.config.set_dtype_policy("mixed_float16")
        try:
            model = make_model(cls(ROWS, WIDTH), optimizers.SGD(0.05))
        finally:
            keras.config.set_dtype_policy("float32")
        assert isinstance(model.optimizer, optimizers.LossScaleOptimizer)
        fit(model, data)
        tables.append(table_of(model))
    assert np.abs(tables[0] - first_table()).max() > 1e-3
    np.testing.assert_allclose(*tables, rtol=0, atol=1e-3)


def test_a_step_whose_gradients_are_not_finite_is_left_out() -> None:
    model = make_model(fast.Embedding(ROWS, WIDTH), optimizers.LossScaleOptimizer(optimizers.SGD(0.05)))
    ids, targets = make_data(1)
    model.train_on_batch(ids, targets)
    before = table_of(model)
    model.train_on_batch(ids, targets * np.float32(np.inf))
    np.testing.assert_array_equal(table_of(model), before)
    model.train_on_batch(ids, targets)
    assert np.abs(table_of(model) - before).max() > 0


def test_double_precision_is_trained_too() -> None:
    layer = fast.Embedding(ROWS, WIDTH, dtype="float64", weights=first_table())
    assert keras.backend.standardize_dtype(layer(np.array([1])).dtype) == "float64"


@pytest.mark.parametrize("combiner", ["mean", "sum", "sqrtn", "max", "min"])
@pytest.mark.parametrize("options", [{}, {"mask_zero": True}, {"padding_id": 3}, {"out_of_range": "zero"}], ids=str)
def test_bags_train_as_those_of_the_native_layer(combiner: str, options: dict[str, Any]) -> None:
    ids, targets = make_data(5)
    if "out_of_range" in options:
        ids = ids + 10
    bag = fast.EmbeddingBag(ROWS, WIDTH, combiner, weights=first_table(), **options)
    model = keras.Sequential([keras.Input((LENGTH,), dtype="int64"), bag, keras.layers.Dense(1, use_bias=False)])
    kernel = np.random.default_rng(3).normal(size=(WIDTH, 1)).astype("float32")
    model.layers[1].set_weights([kernel])
    model.layers[1].trainable = False
    model.compile(optimizers.Adam(0.01), "mse")
    with pytest.warns(UserWarning, match="out of range") if "out_of_range" in options else np.errstate():
        fit(model, (ids, targets))
    native = fastembed_layer.EmbeddingBag(ROWS, WIDTH, combiner, weights=first_table(), **options)
    optimizer = fastembed_layer.optimizers.Adam(0.01)
    with pytest.warns(UserWarning, match="out of range") if "out_of_range" in options else np.errstate():
        for start in range(0, len(ids), BATCH):
            with fastembed_layer.GradientTape() as tape:
                rows = native(ids[start : start + BATCH])
            error = rows @ kernel - targets[start : start + BATCH]
            [gradient] = tape.gradient([rows], [native.embeddings], [2 * error @ kernel.T / len(error)])
            optimizer.apply_gradients([(gradient, native.embeddings)])
    np.testing.assert_allclose(table_of(model), native.get_weights()[0], rtol=0, atol=1e-5)
    assert bag.out_of_range_count == native.out_of_range_count


def test_weights_of_the_ids_of_a_bag_have_a_gradient() -> None:
    ids, targets = make_data(1)
    ins = keras.Input((LENGTH,), dtype="int64"), keras.Input((LENGTH,))
    scale = keras.layers.Dense(LENGTH, use_bias=False, kernel_initializer="identity")
    bag = fast.EmbeddingBag(ROWS, WIDTH, "sum", weights=first_table())
    model = keras.Model(ins, ops.sum(bag([ins[0], scale(ins[1])]), axis=1))
    model.compile(optimizers.SGD(1.0), "mse")
    numbers = np.random.default_rng(0).normal(size=ids.shape).astype("float32")
    rows = first_table()[ids].sum(axis=2)
    error = (rows * numbers).sum(axis=1) - targets[:, 0]
    model.train_on_batch([ids, numbers], targets)
    expected = np.eye(LENGTH) - 2 * numbers.T @ (rows * error[:, None]) / BATCH
    np.testing.assert_allclose(scale.get_weights()[0], expected, rtol=0, atol=1e-5)


def test_the_native_layer_is_named_where_rows_or_bags_are_out_of_range() -> None:
    for cls in (fast.Embedding, fast.EmbeddingBag):
        layer = cls(ROWS, WIDTH, name="items")
        with pytest.raises(IndexError, match=rf"indices\[0,1\] = {ROWS} is not in \[0, {ROWS}\) \(layer 'items'"):
            layer(np.array([[1, ROWS]]))


FEATURES = {"city": 30, "weekday": 7, "shop": 11}


@pytest.mark.parametrize("combiner", [None, "mean", "max"])
@pytest.mark.parametrize("widths", [4, [4, 2, 4]], ids=str)
def test_a_group_trains_as_separate_layers(combiner: str | None, widths: Any) -> None:
    rng = np.random.default_rng(0)
    shape = (5 * BATCH,) if combiner is None else (5 * BATCH, 3)
    ids = {name: rng.integers(0, size, shape) for name, size in FEATURES.items()}
    targets = rng.normal(size=(5 * BATCH, 1)).astype("float32")
    each = dict(zip(FEATURES, widths if isinstance(widths, list) else [widths] * 3, strict=True))
    tables = {
        name: np.random.default_rng(5).normal(size=(size, each[name])).astype("float32")
        for name, size in FEATURES.items()
    }
    group = fast.EmbeddingGroup(FEATURES, widths, combiner=combiner, concatenate=True)
    single: dict[str, Any] = {}
    for name, size in FEATURES.items():
        make = fast.Embedding if combiner is None else fast.EmbeddingBag
        single[name] = make(size, each[name], **({} if combiner is None else {"combiner": combiner}))
        single[name].set_weights([tables[name]])
    group.set_weights(list(tables.values()))
    ins = [{name: keras.Input(shape[1:], dtype="int64", name=name) for name in FEATURES} for _ in range(2)]
    joined = ops.concatenate([single[name](ins[1][name]) for name in FEATURES], axis=1)
    for inputs, rows in ((ins[0], group(ins[0])), (ins[1], joined)):
        model = keras.Model(inputs, ops.mean(ops.square(rows), axis=1, keepdims=True))
        model.compile(optimizers.Adam(0.01), "mse")
        model.fit(ids, targets, batch_size=BATCH, shuffle=False, verbose=0)
    for name, found in zip(FEATURES, group.get_weights(), strict=True):
        assert np.abs(found - tables[name]).max() > 1e-3
        np.testing.assert_array_equal(found, single[name].get_weights()[0])
        np.testing.assert_array_equal(found, group.embeddings_of(name).numpy())


def test_a_group_takes_one_array_a_list_or_a_dict() -> None:
    group = fast.EmbeddingGroup(FEATURES, 4)
    ids = np.array([[1, 2, 3], [4, 5, 6]])
    columns = [ids[:, place] for place in range(3)]
    for inputs in (columns, dict(zip(FEATURES, columns, strict=True))):
        np.testing.assert_array_equal(value_of(group(inputs)), value_of(group(ids)))


def test_a_group_names_the_feature_whose_id_is_out_of_range() -> None:
    group = fast.EmbeddingGroup(FEATURES, 4)
    with pytest.raises(IndexError, match=r"indices\[1,1\] = 7 is not in \[0, 7\) \(feature 'weekday'"):
        group(np.array([[1, 2, 3], [4, 7, 6]]))


def test_a_constraint_holds_after_each_step() -> None:
    model = make_model(fast.Embedding(ROWS, WIDTH, embeddings_constraint=keras.constraints.NonNeg()), "sgd")
    data = make_data(20)
    fit(model, data)
    assert table_of(model)[np.unique(data[0])].min() >= 0


def test_rows_that_do_not_train_keep_their_bits() -> None:
    model = make_model(fast.Embedding(ROWS, WIDTH, trainable_rows=slice(0, 30)), optimizers.Adam(0.01))
    fit(model, make_data(10))
    np.testing.assert_array_equal(table_of(model)[30:], first_table()[30:])
    assert np.abs(table_of(model)[:30] - first_table()[:30]).max() > 1e-3
