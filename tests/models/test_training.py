"""compile, fit, evaluate, predict and single steps."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from reference import assert_same_bits

from fastembed_layer import (
    Concatenate,
    Dense,
    Embedding,
    EmbeddingBag,
    Flatten,
    GlobalAveragePooling1D,
    Input,
    Layer,
    Model,
    Sequential,
    initializers,
    losses,
    metrics,
    optimizers,
)

Array = np.ndarray[Any, Any]

IDS = np.random.default_rng(0).integers(0, 20, (50, 4))
TARGETS = (IDS.max(axis=1) > 15).astype(np.float32)


def make_model(optimizer: Any = "sgd", loss: Any = "mse", metrics: Any = None, **options: Any) -> Sequential:
    table = np.random.default_rng(1).normal(size=(20, 3))
    layers = [Embedding(20, 3, weights=[table], **options), GlobalAveragePooling1D()]
    model = Sequential([*layers, Dense(1, weights=[np.ones((3, 1)), np.zeros(1)])])
    model.compile(optimizer, loss, metrics)
    return model


class Constant(Model):
    """Predicts its one weight for every sample, so that losses can be written down."""

    def __init__(self, value: float = 0.0):
        super().__init__()
        self.embedding = Embedding(1, 1, weights=[[[value]]], dtype="float64")

    def call(self, inputs: Any) -> Any:
        return self.embedding(np.zeros(len(inputs), int))


def make_constant(value: float = 0.0, optimizer: Any = None, **options: Any) -> Constant:
    model = Constant(value)
    model.compile(optimizer or optimizers.SGD(0.0), "mse", **options)
    return model


# compile


@pytest.mark.parametrize(
    "optimizer", ["sgd", optimizers.SGD, optimizers.SGD(), {"class_name": "SGD", "config": {}}], ids=str
)
@pytest.mark.parametrize("loss", ["mse", losses.MeanSquaredError, losses.MeanSquaredError()], ids=str)
def test_a_model_is_compiled_from_names_classes_instances_and_configs(optimizer: Any, loss: Any) -> None:
    model = make_model(optimizer, loss)
    assert isinstance(model.optimizer, optimizers.SGD)
    assert isinstance(model.loss, losses.MeanSquaredError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": "adamm"}, "Unknown optimizer: 'adamm'. Did you mean"),
        ({"loss": "msee"}, "Unknown loss: 'msee'. Did you mean 'mse'"),
        ({"optimizer": None}, "`optimizer` must be an optimizer or its name. Received: None"),
    ],
    ids=str,
)
def test_unknown_names_are_refused_by_compile(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        make_model(**arguments)


def test_a_model_knows_whether_it_was_compiled() -> None:
    model = Sequential([Embedding(20, 3)])
    assert (model.compiled, model.run_eagerly, model.jit_compile, model.steps_per_execution) == (
        False,
        False,
        "auto",
        1,
    )
    model.compile("sgd", "mse")
    assert model.compiled


@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_model_that_was_not_compiled_cannot_be_trained(call: str) -> None:
    model = Sequential([Embedding(20, 3)])
    with pytest.raises(RuntimeError, match=r"You must compile your model before training/testing"):
        getattr(model, call)(IDS, TARGETS)


@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_model_without_a_loss_cannot_be_trained(call: str) -> None:
    model = make_model(loss=None)
    with pytest.raises(ValueError, match=r"No loss was given\. Pass a `loss` argument to `compile\(\)`"):
        getattr(model, call)(IDS, TARGETS)


def test_predict_needs_neither_compile_nor_loss() -> None:
    assert Sequential([Embedding(20, 3)]).predict(IDS).shape == (50, 4, 3)


# Steps


def test_a_training_step_is_the_gradient_step_of_the_loss() -> None:
    model = make_constant(3.0, optimizers.SGD(0.1))
    assert model.train_on_batch(np.zeros(4), np.array([[1.0], [1.0], [1.0], [1.0]])) == 4.0
    assert model.get_weights()[0].item() == pytest.approx(3.0 - 0.1 * 2 * 2.0)


def test_test_on_batch_trains_nothing() -> None:
    model = make_model()
    before = model.get_weights()
    assert model.test_on_batch(IDS, TARGETS) > 0
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        assert_same_bits(ours, theirs)


def test_predict_on_batch_is_the_call_without_training() -> None:
    model = make_model()
    np.testing.assert_array_equal(model.predict_on_batch(IDS), model(IDS))


def test_penalties_are_part_of_the_loss_and_trained() -> None:
    regularizer = {"class_name": "L2", "config": {"l2": 0.5}}
    model = Sequential([Embedding(2, 1, embeddings_regularizer=regularizer, weights=[[[2.0], [3.0]]])])
    model.compile(optimizers.SGD(0.1), "mse")
    logs = model.train_on_batch(np.array([[0]]), np.array([[[2.0]]]), return_dict=True)
    assert logs["loss"] == pytest.approx(0.5 * (4 + 9))
    np.testing.assert_allclose(model.get_weights()[0], [[2.0 - 0.1 * 2.0], [3.0 - 0.1 * 3.0]])
    assert model.evaluate(np.array([[0]]), np.array([[[1.8]]]), verbose=0) == pytest.approx(0.5 * (1.8**2 + 2.7**2))


def test_an_id_out_of_range_in_a_step_leaves_the_model_as_it_was() -> None:
    model = make_model("adam")
    before = model.get_weights()
    ids = IDS.copy()
    ids[7, 1] = 20
    with pytest.raises(IndexError, match=r"indices\[7,1\] = 20 is not in \[0, 20\).*Did you mean input_dim=21"):
        model.train_on_batch(ids, TARGETS)
    assert model.optimizer is not None
    assert model.optimizer.iterations == 0
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        assert_same_bits(ours, theirs)


def test_weights_that_the_loss_does_not_reach_are_warned_about_once() -> None:
    class Unreached(Model):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.cut = Embedding(20, 1), Embedding(20, 1)

        def call(self, inputs: Any) -> Any:
            self.cut(inputs)
            return self.used(inputs)

    model = Unreached()
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r"Gradients do not exist for the weights \['embeddings'\] of the model"):
        model.train_on_batch(IDS, np.zeros((50, 4, 1)))
    model.train_on_batch(IDS, np.zeros((50, 4, 1)))


def test_arithmetic_between_layers_is_warned_about() -> None:
    class Doubles(Model):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.dense = Embedding(20, 3), Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.dense(self.embedding(inputs) * 2)

    model = Doubles()
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="Array arithmetic between layers is not recorded"):
        model.fit(IDS, np.zeros((50, 4, 1)), verbose=0)


def test_the_mask_of_the_predictions_reaches_the_loss() -> None:
    table = np.array([[5.0], [1.0], [2.0]])
    model = Sequential([Embedding(3, 1, mask_zero=True, weights=[table], dtype="float64")])
    model.compile(optimizers.SGD(1.0), "mse")
    ids = np.array([[1, 0, 0], [2, 2, 0]])
    assert model.evaluate(ids, np.zeros((2, 3, 1)), verbose=0) == pytest.approx((1 + 4 + 4) / 3)
    model.train_on_batch(ids, np.zeros((2, 3, 1)))
    np.testing.assert_allclose(model.get_weights()[0], [[5.0], [1 - 2 / 3], [2 - 2 * 2 * 2 / 3]])


# fit


def test_fit_returns_a_history_with_a_number_per_epoch() -> None:
    history = make_model(metrics=["mae"]).fit(IDS, TARGETS, epochs=3, verbose=0)
    assert history.epoch == [0, 1, 2]
    assert len(history.history) == 2
    assert all(len(numbers) == 3 for numbers in history.history.values())
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_the_loss_of_an_epoch_is_the_mean_over_its_samples() -> None:
    history = make_constant().fit(np.zeros(5), np.arange(5.0)[:, None], batch_size=2, verbose=0)
    assert history.history["loss"] == [pytest.approx((np.arange(5.0) ** 2).mean())]


def test_the_last_batch_may_be_smaller() -> None:
    sizes = []

    class Sees(Constant):
        def call(self, inputs: Any) -> Any:
            sizes.append(len(inputs))
            return super().call(inputs)

    model = Sees()
    model.compile("sgd", "mse")
    model.fit(np.zeros(7), np.zeros((7, 1)), batch_size=3, verbose=0)
    assert sizes == [3, 3, 1]


def orders_of(shuffle: bool, epochs: int = 2) -> list[list[float]]:
    """The samples in the order in which each epoch saw them."""
    seen: list[float] = []

    class Sees(Constant):
        def call(self, inputs: Any) -> Any:
            seen.extend(inputs.tolist())
            return super().call(inputs)

    model = Sees()
    model.compile("sgd", "mse")
    model.fit(np.arange(40.0), np.zeros((40, 1)), batch_size=8, epochs=epochs, shuffle=shuffle, verbose=0)
    return [seen[begin : begin + 40] for begin in range(0, len(seen), 40)]


def test_samples_are_shuffled_anew_for_each_epoch() -> None:
    first, second = orders_of(shuffle=True)
    assert first != sorted(first)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(40))


def test_without_shuffle_samples_keep_their_order() -> None:
    assert orders_of(shuffle=False) == [list(range(40))] * 2


def test_set_seed_repeats_the_shuffling() -> None:
    runs = []
    for _ in range(2):
        initializers.set_seed(3)
        runs.append(orders_of(shuffle=True))
    initializers.set_seed(None)
    assert runs[0] == runs[1]


def test_inputs_and_targets_and_weights_are_shuffled_together() -> None:
    class Identity(Layer):
        def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
            return inputs, None

    model = Sequential([Identity()])
    model.compile("sgd", "mse")
    numbers = np.arange(100.0)[:, None]
    history = model.fit(numbers, numbers, sample_weight=numbers[:, 0] + 1, batch_size=7, verbose=0)
    assert history.history["loss"] == [0.0]


def test_validation_split_keeps_the_last_samples_out_of_training() -> None:
    model = make_constant(0.0)
    targets = np.array([[1.0]] * 8 + [[3.0]] * 2)
    history = model.fit(np.zeros(10), targets, validation_split=0.2, epochs=2, verbose=0)
    assert history.history["loss"] == [1.0, 1.0]
    assert history.history["val_loss"] == [9.0, 9.0]


def test_validation_data_wins_over_validation_split() -> None:
    data = (np.zeros(4), np.full((4, 1), 5.0))
    history = make_constant().fit(np.zeros(10), np.ones((10, 1)), validation_data=data, validation_split=0.5, verbose=0)
    assert history.history == {"loss": [1.0], "val_loss": [25.0]}


def test_validation_data_may_have_sample_weights_or_be_batches() -> None:
    inputs, targets = np.zeros(2), np.array([[1.0], [3.0]])
    weighted = make_constant().fit(inputs, targets, validation_data=(inputs, targets, np.array([2.0, 0.0])), verbose=0)
    assert weighted.history["val_loss"] == [1.0]
    batches = make_constant().fit(inputs, targets, validation_data=iter([(inputs, targets)]), verbose=0)
    assert batches.history["val_loss"] == [5.0]


def test_metrics_of_the_validation_are_reported_beside_those_of_the_training() -> None:
    history = make_constant(metrics=["mae"]).fit(np.zeros(10), np.ones((10, 1)), validation_split=0.5, verbose=0)
    names = set(history.history)
    assert {name.removeprefix("val_") for name in names if name.startswith("val_")} == {
        name for name in names if not name.startswith("val_")
    }
    assert len(names) == 4


def test_sample_weights_scale_the_loss_of_each_sample() -> None:
    inputs, targets, weights = np.zeros(2), np.array([[1.0], [3.0]]), np.array([1.0, 0.5])
    model = make_constant()
    expected = (1 * 1 + 0.5 * 9) / 2
    assert model.evaluate(inputs, targets, sample_weight=weights, verbose=0) == pytest.approx(expected)
    assert model.train_on_batch(inputs, targets, weights) == pytest.approx(expected)
    assert model.fit(inputs, targets, sample_weight=weights, verbose=0).history["loss"] == [pytest.approx(expected)]


def test_a_sample_of_weight_zero_trains_nothing() -> None:
    model = make_model(optimizers.SGD(0.5))
    before = model.get_weights()
    model.train_on_batch(IDS, TARGETS, np.zeros(50))
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_initial_epoch_is_where_the_counting_starts() -> None:
    history = make_model().fit(IDS, TARGETS, initial_epoch=3, epochs=5, verbose=0)
    assert history.epoch == [3, 4]


@pytest.mark.parametrize("threads", [3])
def test_threads_may_train_models_of_their_own_at_once(threads: int) -> None:
    expected = make_model("adam")
    expected.fit(IDS, TARGETS, epochs=3, shuffle=False, verbose=0)
    models = [make_model("adam") for _ in range(threads)]
    runs = [
        threading.Thread(target=model.fit, args=(IDS, TARGETS), kwargs={"epochs": 3, "shuffle": False, "verbose": 0})
        for model in models
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    for model in models:
        for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
            assert_same_bits(ours, theirs)


# Kinds of inputs


def test_lists_of_different_lengths_are_trained_on() -> None:
    rows = [row[: 1 + number % 4].tolist() for number, row in enumerate(IDS)]
    model = Sequential([EmbeddingBag(20, 3), Dense(1)])
    model.compile(optimizers.Adam(0.1), "mse")
    history = model.fit(rows, TARGETS, epochs=5, validation_split=0.2, batch_size=7, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.predict(rows, batch_size=9).shape == (50, 1)


def test_ragged_outputs_of_several_batches_are_joined() -> None:
    model = Sequential([Embedding(20, 3)])
    rows = [[1, 2], [3], [], [4, 5, 6], [7]]
    whole, parts = model.predict(rows), model.predict(rows, batch_size=2)
    assert parts.offsets.tolist() == whole.offsets.tolist()
    np.testing.assert_array_equal(parts.values, whole.values)


def make_two_inputs() -> Model:
    left, right = Input((2,), dtype="int64"), Input((1,))
    rows = Flatten()(Embedding(20, 3)(left))
    model = Model([left, right], Dense(1)(Concatenate()([rows, right])))
    model.compile("sgd", "mse")
    return model


def test_several_inputs_are_a_list_of_arrays() -> None:
    model = make_two_inputs()
    inputs = [IDS[:, :2], TARGETS[:, None]]
    history = model.fit(inputs, TARGETS, validation_split=0.2, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.predict(inputs, batch_size=8).shape == (50, 1)
    assert np.isfinite(model.evaluate(inputs, TARGETS, verbose=0))


@pytest.mark.parametrize("with_weights", [False, True])
def test_an_iterable_of_batches_is_trained_on(with_weights: bool) -> None:
    batches = [(IDS[begin : begin + 10], TARGETS[begin : begin + 10]) for begin in range(0, 50, 10)]
    weighted = [(*batch, np.ones(10)) for batch in batches] if with_weights else batches
    by_batches, by_arrays = make_model(), make_model()

    class Batches:
        def __iter__(self) -> Iterator[Any]:
            return iter(weighted)

    by_batches.fit(Batches(), epochs=2, verbose=0)
    by_arrays.fit(IDS, TARGETS, batch_size=10, epochs=2, shuffle=False, verbose=0)
    for ours, theirs in zip(by_batches.get_weights(), by_arrays.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_steps_per_epoch_cuts_an_endless_iterator_into_epochs() -> None:
    taken = []

    def endless() -> Iterator[Any]:
        while True:
            taken.append(1)
            yield IDS[:5], TARGETS[:5]

    history = make_model().fit(endless(), steps_per_epoch=4, epochs=3, verbose=0)
    assert len(history.epoch) == 3
    assert len(taken) == 12


def test_steps_per_epoch_goes_on_where_the_last_epoch_ended() -> None:
    seen = []

    class Sees(Constant):
        def call(self, inputs: Any) -> Any:
            seen.append(inputs[0].item())
            return super().call(inputs)

    model = Sees()
    model.compile("sgd", "mse")
    model.fit(np.arange(6.0), np.zeros((6, 1)), batch_size=1, steps_per_epoch=3, epochs=3, shuffle=False, verbose=0)
    assert seen == [0, 1, 2, 3, 4, 5, 0, 1, 2]


def test_an_iterator_that_has_run_out_is_an_error() -> None:
    batches = iter([(IDS[:5], TARGETS[:5])])
    with pytest.raises(ValueError, match="an iterator that has run out"):
        make_model().fit(batches, epochs=2, verbose=0)


def test_targets_beside_an_iterable_are_refused() -> None:
    with pytest.raises(ValueError, match="`y` and `sample_weight` must be part of the batches"):
        make_model().fit(iter([(IDS, TARGETS)]), TARGETS, verbose=0)


# evaluate and predict


def test_evaluate_returns_the_loss_or_all_numbers() -> None:
    inputs, targets = np.zeros(4), np.full((4, 1), 2.0)
    assert make_constant().evaluate(inputs, targets, verbose=0) == 4.0
    with_metric = make_constant(metrics=["mae"])
    assert with_metric.evaluate(inputs, targets, verbose=0) == [4.0, 2.0]
    numbers = with_metric.evaluate(inputs, targets, verbose=0, return_dict=True)
    assert list(numbers.values()) == [4.0, 2.0]
    assert next(iter(numbers)) == "loss"


def test_evaluate_does_not_depend_on_the_batch_size() -> None:
    model = make_model(metrics=["mae"])
    whole = model.evaluate(IDS, TARGETS, batch_size=50, verbose=0)
    np.testing.assert_allclose(model.evaluate(IDS, TARGETS, batch_size=7, verbose=0), whole, rtol=1e-6)


def test_predict_joins_the_batches() -> None:
    model = make_model()
    np.testing.assert_allclose(model.predict(IDS, batch_size=7), model(IDS), rtol=1e-6)


def test_predict_of_nothing_has_the_shape_of_the_output() -> None:
    assert make_model().predict(np.zeros((0, 4), int)).shape == (0, 1)


def test_predict_does_not_train_and_does_not_drop_out() -> None:
    from fastembed_layer import Dropout

    model = Sequential([Embedding(20, 3), Dropout(0.9)])
    np.testing.assert_array_equal(model.predict(IDS), model.layers[0](IDS))


# Metrics


@pytest.mark.parametrize("metric", ["mae", metrics.MeanAbsoluteError, metrics.MeanAbsoluteError()], ids=str)
def test_a_metric_may_be_a_name_a_class_or_an_instance(metric: Any) -> None:
    assert make_constant(metrics=[metric]).evaluate(np.zeros(2), np.full((2, 1), 3.0), verbose=0)[1] == 3.0


def test_sample_weights_reach_the_weighted_metrics_alone() -> None:
    inputs, targets, weights = np.zeros(2), np.array([[1.0], [3.0]]), np.array([1.0, 0.0])
    model = make_constant(metrics=["mae"], weighted_metrics=["mae"])
    numbers = model.evaluate(inputs, targets, sample_weight=weights, verbose=0, return_dict=True)
    assert numbers == {"loss": 0.5, "mae": 2.0, "weighted_mae": 1.0}


def test_one_metric_needs_no_list() -> None:
    assert make_constant(metrics="mae").evaluate(np.zeros(2), np.full((2, 1), 3.0), verbose=0)[1] == 3.0


def test_metrics_start_afresh_with_each_epoch_and_evaluation() -> None:
    model = make_constant(metrics=["mae"])
    for value in (1.0, 3.0, 1.0):
        assert model.evaluate(np.zeros(2), np.full((2, 1), value), verbose=0)[1] == value


def test_accuracy_fits_the_shape_of_the_targets() -> None:
    model = Sequential([EmbeddingBag(20, 3), Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
    predicted = model.predict(IDS).argmax(axis=1)
    assert model.evaluate(IDS, predicted, verbose=0)[1] == 1.0
    assert model.evaluate(IDS, 1 - predicted, verbose=0)[1] == 0.0


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unknown metric: 'maee'\. Did you mean 'mae'"):
        make_constant(metrics=["maee"]).evaluate(np.zeros(2), np.zeros((2, 1)), verbose=0)


# Wrong arguments


@pytest.mark.parametrize("call", ["fit", "evaluate"])
def test_arrays_of_different_lengths_are_refused(call: str) -> None:
    model = make_model()
    with pytest.raises(ValueError, match=r"`x`, `y` and `sample_weight` must have one length\. Received: \[50, 49\]"):
        getattr(model, call)(IDS, TARGETS[:-1], verbose=0)
    with pytest.raises(ValueError, match=r"Received: \[50, 50, 3\]"):
        getattr(model, call)(IDS, TARGETS, sample_weight=np.ones(3), verbose=0)


def test_targets_must_be_given() -> None:
    with pytest.raises(ValueError, match=r"`y` must be given: .*Received: None"):
        make_model().fit(IDS, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"batch_size": 0}, ValueError),
        ({"batch_size": -1}, ValueError),
        ({"batch_size": 2.5}, TypeError),
        ({"batch_size": True}, TypeError),
        ({"epochs": "3"}, TypeError),
        ({"epochs": 2.5}, TypeError),
        ({"epochs": -1}, ValueError),
        ({"steps_per_epoch": 0}, ValueError),
        ({"steps_per_epoch": 1.5}, TypeError),
        ({"validation_split": 1.0}, ValueError),
        ({"validation_split": -0.1}, ValueError),
        ({"validation_split": math.nan}, ValueError),
        ({"validation_split": "0.2"}, TypeError),
        ({"validation_split": 0.999}, ValueError),
        ({"validation_data": 3}, TypeError),
        ({"validation_data": (IDS,)}, TypeError),
        ({"callbacks": [3]}, TypeError),
        ({"verbose": "loud"}, ValueError),
        ({"verbose": 3}, ValueError),
    ],
    ids=lambda case: str(case)[:40],
)
def test_a_wrong_argument_of_fit_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    [name] = arguments
    with pytest.raises(error, match=rf"`{name}` must .*Received: "):
        make_model().fit(IDS, TARGETS, **({"verbose": 0} | arguments))


def test_no_samples_are_an_error_of_fit() -> None:
    with pytest.raises(ValueError, match=r"`x` holds no samples"):
        make_model().fit(np.zeros((0, 4), int), np.zeros(0), verbose=0)
