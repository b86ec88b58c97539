"""Training: the tables end where Keras's optimizers, handed dense gradients, would have brought them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from warnings import catch_warnings, filterwarnings

import numpy as np
import pytest
from bridged import (
    BACKEND,
    BATCH,
    LENGTH,
    QUIET,
    ROWS,
    WIDTH,
    assert_same_training,
    dense_model,
    fast,
    first_table,
    fit,
    keras,
    make_data,
    make_model,
    our_model,
    table_of,
)

pytestmark = QUIET
optimizers, schedules = keras.optimizers, keras.optimizers.schedules

RULES: dict[str, Callable[[], Any]] = {
    "SGD": lambda: optimizers.SGD(0.05),
    "momentum": lambda: optimizers.SGD(0.02, momentum=0.9),
    "nesterov": lambda: optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    "Adam": lambda: optimizers.Adam(0.01),
    "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "AdamW": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "Adagrad": lambda: optimizers.Adagrad(0.1),
    "Adadelta": lambda: optimizers.Adadelta(1.0),
    "RMSprop": lambda: optimizers.RMSprop(0.005),
    "centered RMSprop": lambda: optimizers.RMSprop(0.005, momentum=0.5, centered=True),
    "Adamax": lambda: optimizers.Adamax(0.01),
    "Nadam": lambda: optimizers.Nadam(0.01),
    "Lion": lambda: optimizers.Lion(0.001),
}

OPTIONS: dict[str, Callable[[], Any]] = {
    "a schedule": lambda: optimizers.Adam(schedules.ExponentialDecay(0.01, 10, 0.9)),
    "a norm of each": lambda: optimizers.Adam(0.01, clipnorm=0.01),
    "a norm of all": lambda: optimizers.SGD(0.5, global_clipnorm=0.05),
    "a largest value": lambda: optimizers.SGD(1.0, clipvalue=0.001),
    "accumulation": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=4),
    "accumulation, norm of each": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2, clipnorm=0.01),
    "a scale of the loss": lambda: optimizers.SGD(0.05, loss_scale_factor=8.0),
    "scale and norm of all": lambda: optimizers.SGD(0.5, loss_scale_factor=8.0, global_clipnorm=0.05),
    "a scale that moves": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01), dynamic_growth_steps=7),
    "moving scale and norm of all": lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.5, global_clipnorm=0.05)),
    "weight decay": lambda: optimizers.SGD(0.05, weight_decay=0.1),
}


@pytest.mark.parametrize("rule", RULES)
def test_the_compiled_optimizer_trains_the_table_as_by_the_dense_gradient(rule: str) -> None:
    assert_same_training(RULES[rule])


@pytest.mark.parametrize("option", OPTIONS)
def test_the_options_of_the_compiled_optimizer_hold_for_the_table(option: str) -> None:
    assert_same_training(OPTIONS[option])


def test_decay_reaches_no_table_that_is_excluded() -> None:
    def make() -> Any:
        optimizer = optimizers.AdamW(0.01, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["embeddings"])
        return optimizer

    assert_same_training(make)


@pytest.mark.parametrize("rule", ["SGD", "Adam", "a norm of all", "a scale that moves"])
def test_an_l2_penalty_on_the_table_is_that_of_keras(rule: str) -> None:
    regularizer = keras.regularizers.L2(0.01)
    with catch_warnings():
        filterwarnings("ignore", message="`embeddings_regularizer` of the layer")
        assert_same_training((RULES | OPTIONS)[rule], embeddings_regularizer=regularizer)


@pytest.mark.parametrize("kind", [keras.regularizers.L2, keras.regularizers.L1], ids=["L2", "L1"])
def test_a_penalty_on_the_rows_of_a_batch_counts_each_of_them_once(kind: Any) -> None:
    ids, targets = make_data(1)
    options = {"embeddings_regularizer": kind(0.01), "regularizer_scope": "batch"}
    plain, penalised = our_model(optimizers.SGD(0.5)), our_model(optimizers.SGD(0.5), **options)
    losses = [model.train_on_batch(ids, targets) for model in (plain, penalised)]
    touched, rows = np.unique(ids), first_table()
    assert losses[1] - losses[0] == pytest.approx(float(np.array(kind(0.01)(rows[touched]))), rel=1e-3)
    moved = table_of(plain) - table_of(penalised)
    expected = np.zeros_like(rows)
    expected[touched] = 0.005 * (2 * rows[touched] if kind is keras.regularizers.L2 else np.sign(rows[touched]))
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-6)


def test_a_penalty_counts_in_evaluate_and_goes_with_the_config() -> None:
    data = make_data(3)
    plain, penalised = our_model("sgd"), our_model("sgd", embeddings_regularizer=keras.regularizers.L2(0.01))
    difference = penalised.evaluate(*data, verbose=0) - plain.evaluate(*data, verbose=0)
    assert difference == pytest.approx(0.01 * np.square(first_table()).sum(), rel=1e-4)
    copied = fast.Embedding.from_config(penalised.layers[0].get_config())
    assert copied.get_config() == penalised.layers[0].get_config()


def test_keras_s_own_embedding_gives_the_same_where_no_id_repeats() -> None:
    data = make_data(100, repeats=False)
    theirs = make_model(keras.layers.Embedding(ROWS, WIDTH), optimizers.Adam(0.01))
    ours = our_model(optimizers.Adam(0.01))
    for model in (theirs, ours):
        fit(model, data)
    np.testing.assert_allclose(table_of(ours), table_of(theirs), rtol=0, atol=1e-5)


def test_callbacks_set_the_rate_of_the_table() -> None:
    data = make_data(10)
    tables = []
    for make in (dense_model, our_model):
        model = make(optimizers.SGD(0.5))
        plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=0, min_delta=10.0)
        fit(model, data, 4, callbacks=[plateau])
        assert float(np.array(model.optimizer.learning_rate)) < 0.01
        tables.append(table_of(model))
    np.testing.assert_allclose(*tables, rtol=0, atol=1e-5)


def test_a_rate_that_is_assigned_holds_from_the_next_step() -> None:
    ids, targets = make_data(1)
    model = our_model(optimizers.SGD(0.5))
    model.train_on_batch(ids, targets)
    before = table_of(model)
    model.optimizer.learning_rate = 0.0
    model.train_on_batch(ids, targets)
    np.testing.assert_array_equal(table_of(model), before)


def test_lazy_leaves_the_rows_that_a_batch_does_not_hold() -> None:
    model = our_model(optimizers.Adam(0.01), update="lazy")
    ids, targets = make_data(2)
    model.train_on_batch(ids[:BATCH], targets[:BATCH])
    before = table_of(model)
    model.train_on_batch(ids[BATCH:], targets[BATCH:])
    idle = np.setdiff1d(ids[:BATCH], ids[BATCH:])
    np.testing.assert_array_equal(table_of(model)[idle], before[idle])
    assert np.abs(table_of(model) - before)[np.unique(ids[BATCH:])].min() > 0


def test_an_optimizer_that_is_given_trains_the_table_at_its_own_rate() -> None:
    data = make_data(20)
    given, compiled = our_model(optimizers.SGD(0.1), optimizer=optimizers.Adam(0.01)), our_model(optimizers.Adam(0.01))
    for layer in [*given.layers[2:], *compiled.layers[2:]]:
        layer.trainable = False
    for model in (given, compiled):
        fit(model, data)
    np.testing.assert_array_equal(table_of(given), table_of(compiled))


def test_evaluate_and_predict_train_nothing() -> None:
    data = make_data(3)
    model = our_model(optimizers.SGD(0.5))
    fit(model, data)
    before = table_of(model)
    model.evaluate(*data, verbose=0)
    model.predict(data[0], verbose=0)
    np.testing.assert_array_equal(table_of(model), before)


def test_a_frozen_layer_keeps_its_bits_and_trains_when_it_is_let() -> None:
    data = make_data(3)
    model = our_model(optimizers.SGD(0.5))
    model.layers[0].trainable = False
    model.compile(optimizers.SGD(0.5), "mse")
    fit(model, data)
    np.testing.assert_array_equal(table_of(model), first_table())
    model.layers[0].trainable = True
    model.compile(optimizers.SGD(0.5), "mse")
    fit(model, data)
    assert np.abs(table_of(model) - first_table()).max() > 1e-3


class Pair(keras.Model):
    """One lookup layer for two inputs."""

    def __init__(self, layer: Any):
        super().__init__()
        self.layer = layer
        self.dense = keras.layers.Dense(1, kernel_initializer="ones")

    def call(self, inputs: Any) -> Any:
        left, right = (keras.ops.mean(self.layer(ids), axis=1) for ids in inputs)
        return self.dense(left * right)


def test_a_layer_that_two_inputs_share_makes_one_step_of_the_sum() -> None:
    ids, targets = make_data(20)
    tables = []
    for layer in (fast.Embedding(ROWS, WIDTH), DenseTable()):
        model = Pair(layer)
        model((ids[:1], ids[:1]))
        layer.set_weights([first_table() * 10])
        model.compile(optimizers.Adam(0.01), "mse")
        model.fit((ids, ids[::-1].copy()), targets, batch_size=BATCH, shuffle=False, verbose=0)
        tables.append(np.array(layer.get_weights()[0]))
        assert int(np.array(model.optimizer.iterations)) == 20
    np.testing.assert_allclose(*tables, rtol=0, atol=1e-5)


def test_two_layers_are_trained_each_by_its_own_state() -> None:
    ids, targets = make_data(10)
    layers = [fast.Embedding(ROWS, WIDTH), fast.Embedding(ROWS, WIDTH)]
    ins = [keras.Input((LENGTH,), dtype="int64") for _ in layers]
    rows = [layer(one) for layer, one in zip(layers, ins, strict=True)]
    for layer in layers:
        layer.set_weights([first_table()])
    model = keras.Model(ins, keras.ops.mean(rows[0] + rows[1], axis=(1, 2)))
    model.compile(optimizers.Adam(0.01), "mse")
    model.fit([ids, ids], targets, batch_size=BATCH, verbose=0)
    np.testing.assert_array_equal(layers[0].get_weights()[0], layers[1].get_weights()[0])
    assert np.abs(layers[0].get_weights()[0] - first_table()).max() > 1e-3


def gradients_of(model: Any, ids: Any, targets: Any) -> list[Any]:
    """The gradients of one batch, by the tape of the backend."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = keras.ops.mean(keras.ops.square(model(ids) - targets))
        return tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    model.zero_grad()
    keras.ops.mean(keras.ops.square(model(keras.ops.convert_to_tensor(ids)) - targets)).backward()
    return [weight.value.grad for weight in model.trainable_weights]


def apply(optimizer: Any, gradients: list[Any], model: Any) -> None:
    """One step by hand."""
    if BACKEND == "torch":
        import torch

        with torch.no_grad():
            optimizer.apply(gradients, model.trainable_weights)
    else:
        optimizer.apply(gradients, model.trainable_weights)


def test_a_loop_by_hand_trains_the_table() -> None:
    ids, targets = make_data(10)
    by_hand, by_fit = our_model(optimizers.SGD(0.05)), our_model(optimizers.SGD(0.05))
    optimizer = optimizers.SGD(0.05)
    targets = keras.ops.convert_to_tensor(targets)
    for start in range(0, len(ids), BATCH):
        batch = slice(start, start + BATCH)
        apply(optimizer, gradients_of(by_hand, ids[batch], targets[batch]), by_hand)
    fit(by_fit, (ids, np.array(targets)))
    np.testing.assert_allclose(table_of(by_hand), table_of(by_fit), rtol=0, atol=1e-6)


def test_gradients_that_never_arrive_train_nothing() -> None:
    ids, targets = make_data(2)
    looked_at, plain = our_model(optimizers.SGD(0.5)), our_model(optimizers.SGD(0.5))
    targets = keras.ops.convert_to_tensor(targets)
    gradients_of(looked_at, ids[BATCH:], targets[BATCH:])
    gradients_of(looked_at, ids[BATCH:], targets[BATCH:])
    for model in (looked_at, plain):
        model.train_on_batch(ids[:BATCH], targets[:BATCH])
    np.testing.assert_array_equal(table_of(looked_at), table_of(plain))


def test_gradients_of_two_batches_that_are_added_make_one_step() -> None:
    ids, targets = make_data(2)
    added, joined = our_model(optimizers.SGD(0.5)), our_model(optimizers.SGD(0.5))
    tensor = keras.ops.convert_to_tensor(targets)
    one = [gradient + 0 for gradient in gradients_of(added, ids[:BATCH], tensor[:BATCH])]
    other = gradients_of(added, ids[BATCH:], tensor[BATCH:])
    apply(optimizers.SGD(0.25), [first + second for first, second in zip(one, other, strict=True)], added)
    joined.train_on_batch(ids, targets)
    np.testing.assert_allclose(table_of(added), table_of(joined), rtol=0, atol=1e-6)


def test_a_gradient_that_has_been_changed_on_its_way_is_refused() -> None:
    ids, targets = make_data(1)
    model = our_model(optimizers.SGD(0.5))
    gradients = [gradient * 0.3 for gradient in gradients_of(model, ids, keras.ops.convert_to_tensor(targets))]
    with pytest.raises(RuntimeError, match=r"must reach the optimizer as it left the tape") as caught:
        apply(optimizers.SGD(0.5), gradients, model)
    assert f"Received: {float(gradients[0])}" in str(caught.value)
    np.testing.assert_array_equal(table_of(model), first_table())


def test_several_steps_in_one_call_are_those_of_single_calls() -> None:
    if BACKEND == "torch":
        pytest.skip("Keras has no steps_per_execution on torch")
    data = make_data(20)
    several = our_model(optimizers.Adam(0.01), {"steps_per_execution": 5})
    single = our_model(optimizers.Adam(0.01))
    for model in (several, single):
        fit(model, data)
    np.testing.assert_array_equal(table_of(several), table_of(single))


def test_eager_training_gives_the_bits_of_the_graph() -> None:
    data = make_data(20)
    eager, graph = our_model(optimizers.Adam(0.01), {"run_eagerly": True}), our_model(optimizers.Adam(0.01))
    for model in (eager, graph):
        fit(model, data)
    np.testing.assert_allclose(table_of(eager), table_of(graph), rtol=0, atol=1e-7)


class DenseTable(keras.layers.Layer):
    """Lookups by one-hot vectors, built without a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.table = self.add_weight(shape=(ROWS, WIDTH), name="embeddings")

    def call(self, inputs: Any) -> Any:
        return keras.ops.matmul(keras.ops.one_hot(inputs, ROWS), self.table)


def gradients_by_hand(layer: Any, lookups: list[Any]) -> list[Any]:
    """The gradients of the sum of some lookups, for an optimizer to apply later."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            total = sum(tf.reduce_sum(layer(ids)) for ids in lookups)
        return list(tape.gradient(total, [each.value for each in layer.trainable_weights]))
    sum(layer(ids).sum() for ids in lookups).backward()
    parameters = [each.value for each in layer.trainable_weights]
    gradients = [each.grad for each in parameters]
    for each in parameters:
        each.grad = None
    return gradients


def test_each_step_is_made_of_its_own_gradients_also_where_those_of_the_next_are_known() -> None:
    """As with two networks that train against each other; the first counts two lookups, the second one."""
    layer, optimizer = fast.Embedding(ROWS, WIDTH, weights=first_table()), optimizers.SGD(1.0)
    layer.build()
    optimizer.build(layer.trainable_weights)
    first = gradients_by_hand(layer, [np.array([1]), np.array([2])])
    second = gradients_by_hand(layer, [np.array([3])])
    expected = first_table()
    for gradients, rows in ((first, [1, 2]), (second, [3])):
        optimizer.apply(gradients, layer.trainable_weights)
        expected[rows] -= 1
        np.testing.assert_allclose(layer.get_weights()[0], expected, atol=1e-6)


def test_a_graph_reads_the_table_as_it_is_when_it_runs() -> None:
    if BACKEND != "tensorflow":
        pytest.skip("graphs are TensorFlow's")
    import tensorflow as tf

    model, (ids, targets) = our_model(optimizers.Adam(0.1)), make_data(4)
    fit(model, (ids[:BATCH], targets[:BATCH]))
    read = tf.function(lambda: model.layers[0].embeddings.value)
    np.testing.assert_array_equal(read().numpy(), table_of(model))
    fit(model, (ids[BATCH:], targets[BATCH:]))
    seen = read().numpy()  # rows that have been idle among them
    np.testing.assert_array_equal(seen, table_of(model))
