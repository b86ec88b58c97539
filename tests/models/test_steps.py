"""`train_step`, `test_step` and `predict_step` of a subclass, and the pieces that they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import assert_same_bits

from fastembed_layer import Dense, EmbeddingBag, GradientTape, Input, Model, Sequential, losses, metrics, optimizers

IDS = np.random.default_rng(0).integers(0, 20, (40, 4))
TARGETS = (IDS.max(axis=1) > 15).astype(np.float32)[:, None]
TABLE = np.random.default_rng(1).normal(size=(20, 3))


class Bag(Model):
    """A bag of rows and a dense layer, always of the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = EmbeddingBag(20, 3, weights=[TABLE])
        self.dense = Dense(1, weights=[np.ones((3, 1)), np.zeros(1)])

    def call(self, inputs: Any) -> Any:
        return self.dense(self.bag(inputs))


class WithKerasLoop(Bag):
    """The step of Keras's guide to custom training."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        trainable_vars = self.trainable_variables
        gradients = tape.gradient(loss, trainable_vars)
        assert self.optimizer is not None
        self.optimizer.apply(gradients, trainable_vars)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data: Any) -> Any:
        x, y = data
        y_pred = self(x, training=False)
        self.metrics[0].update_state(self.compute_loss(y=y, y_pred=y_pred))
        self.metrics[1].update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


def train(model: Model, **options: Any) -> tuple[Any, list[Any]]:
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(IDS, TARGETS, batch_size=10, epochs=3, shuffle=False, verbose=0, **options)
    return history.history, model.get_weights()


def test_a_loop_written_as_in_keras_trains_to_the_bits_of_the_built_in_step() -> None:
    expected, expected_weights = train(Bag(), validation_data=(IDS, TARGETS), validation_batch_size=20)
    found, weights = train(WithKerasLoop(), validation_data=(IDS, TARGETS), validation_batch_size=20)
    assert found.keys() == expected.keys() == {"loss", "mae", "val_loss", "val_mae"}
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)
    for ours, theirs in zip(weights, expected_weights, strict=True):
        assert_same_bits(ours, theirs)


class WithOlderLoop(Bag):
    """The step of tf.keras's guide, from before Keras 3."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        trainable_vars = self.trainable_variables
        assert self.optimizer is not None
        self.optimizer.apply_gradients(zip(tape.gradient(loss, trainable_vars), trainable_vars, strict=True))
        assert self.compiled_metrics is not None
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


def test_a_loop_written_for_tf_keras_trains_to_the_same_bits_and_numbers() -> None:
    expected, expected_weights = train(Bag())
    found, weights = train(WithOlderLoop())
    assert found == expected
    for ours, theirs in zip(weights, expected_weights, strict=True):
        assert_same_bits(ours, theirs)


def test_the_older_loss_needs_one_too() -> None:
    model = Bag()
    model.compile("sgd")
    with pytest.raises(ValueError, match="No loss was given"):
        model.compiled_loss(TARGETS, model(IDS))


class Noting(Bag):
    """Notes what its steps are called with."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Any]] = []

    def train_step(self, data: Any) -> Any:
        self.seen.append(("train", data))
        return {"score": 2.0}

    def test_step(self, data: Any) -> Any:
        self.seen.append(("test", data))
        return {"score": np.float32(3.0)}

    def predict_step(self, data: Any) -> Any:
        self.seen.append(("predict", data))
        return np.full(len(data), 7.0)


def make_noting() -> Noting:
    model = Noting()
    model.compile("sgd")
    return model


def shapes_of(model: Noting) -> list[Any]:
    return [
        (name, tuple(part.shape for part in data) if isinstance(data, tuple) else data.shape)
        for name, data in model.seen
    ]


def test_fit_evaluate_and_predict_call_the_steps_and_use_what_they_return() -> None:
    model = make_noting()
    history = model.fit(IDS, TARGETS, batch_size=20, validation_data=(IDS[:5], TARGETS[:5]), verbose=0)
    assert history.history == {"score": [2.0], "val_score": [3.0]}
    assert model.evaluate(IDS[:7], TARGETS[:7], verbose=0) == 3.0
    assert model.predict(IDS, batch_size=30).tolist() == [7.0] * 40
    assert shapes_of(model) == [
        *[("train", ((20, 4), (20, 1)))] * 2,
        ("test", ((5, 4), (5, 1))),
        ("test", ((7, 4), (7, 1))),
        ("predict", (30, 4)),
        ("predict", (10, 4)),
    ]


def test_single_steps_call_them_too() -> None:
    model = make_noting()
    assert model.train_on_batch(IDS, TARGETS, np.ones(40)) == 2.0
    assert model.test_on_batch(IDS, TARGETS, return_dict=True) == {"score": 3.0}
    assert model.predict_on_batch(IDS).tolist() == [7.0] * 40
    assert shapes_of(model) == [
        ("train", ((40, 4), (40, 1), (40,))),
        ("test", ((40, 4), (40, 1))),
        ("predict", (40, 4)),
    ]


def test_steps_of_functional_and_sequential_subclasses_are_called() -> None:
    class Functional(Model):
        def train_step(self, data: Any) -> Any:
            return {"mine": 1.0}

    class Stack(Sequential):
        def train_step(self, data: Any) -> Any:
            return {"mine": 1.0}

    inputs = Input((3,))
    for model in (Functional(inputs, Dense(1)(inputs)), Stack([Dense(1)])):
        model.compile("sgd")
        assert model.fit(np.ones((2, 3)), np.ones(2), verbose=0).history == {"mine": [1.0]}


def test_a_step_that_returns_no_dict_is_an_error() -> None:
    class Forgets(Bag):
        def train_step(self, data: Any) -> Any:
            super().train_step(data)

    model = Forgets()
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"`train_step` must return a dict of numbers by name. Received: NoneType"):
        model.fit(IDS, TARGETS, verbose=0)


def test_a_step_with_a_loss_in_numpy_goes_through_output_gradients() -> None:
    class Ranks(Bag):
        def train_step(self, data: Any) -> Any:
            x, y = data
            with GradientTape() as tape:
                y_pred = self(x, training=True)
            slope = 2 * (y_pred - y) / len(y)
            weights = self.trainable_variables
            assert self.optimizer is not None
            self.optimizer.apply(tape.gradient(y_pred, weights, output_gradients=slope), weights)
            return {"loss": ((y_pred - y) ** 2).mean()}

    found, expected = Ranks(), Bag()
    _, weights = train(found)
    _, expected_weights = train(expected)
    for ours, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


# Losses


def test_a_loss_of_its_own_is_computed_in_compute_loss() -> None:
    class Weighs(Bag):
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
            return losses.MeanSquaredError()(y, y_pred, sample_weight=np.full(len(y), 3.0))

    model, plain = Weighs(), Bag()
    for each in (model, plain):
        each.compile(optimizers.SGD(0.0), "mse")
    ours = model.fit(IDS, TARGETS, verbose=0).history["loss"]
    assert ours == pytest.approx([3 * plain.evaluate(IDS, TARGETS, verbose=0)])


def test_compute_loss_adds_the_penalties_and_is_recorded() -> None:
    regularizer = {"class_name": "L2", "config": {"l2": 0.5}}
    model = Sequential([EmbeddingBag(2, 1, embeddings_regularizer=regularizer, weights=[[[2.0], [3.0]]])])
    model.compile(optimizers.SGD(0.1), "mse")
    with GradientTape() as tape:
        loss = model.compute_loss(y=np.array([[1.0]]), y_pred=model(np.array([[0]])))
    assert float(loss) == pytest.approx(1 + 0.5 * (4 + 9))
    [gradient] = tape.gradient(loss, model.trainable_weights)
    np.testing.assert_allclose(gradient.to_dense(), [[2 * 1 + 2.0], [3.0]])


def test_without_a_loss_penalties_alone_are_trained() -> None:
    regularizer = {"class_name": "L2", "config": {"l2": 0.5}}
    model = Sequential([EmbeddingBag(2, 1, embeddings_regularizer=regularizer, weights=[[[2.0], [3.0]]])])
    model.compile(optimizers.SGD(0.1))
    assert model.train_on_batch(np.array([[0]])) == pytest.approx(0.5 * (4 + 9))
    np.testing.assert_allclose(model.get_weights()[0], [[1.8], [2.7]])


def test_a_loss_scale_reaches_the_gradients_of_loss_and_penalties_alike() -> None:
    weights = []
    for factor in (None, 1024.0):
        model = Bag()
        model.compile(optimizers.SGD(0.1, loss_scale_factor=factor), "mse")
        model.fit(IDS, TARGETS, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


# Metrics


def test_metrics_among_the_attributes_are_reported_and_reset() -> None:
    class Counts(Bag):
        def __init__(self) -> None:
            super().__init__()
            self.largest = metrics.Mean(name="largest")

        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            self.largest.update_state([x.max()])
            return super().compute_metrics(x, y, y_pred, sample_weight)

    model = Counts()
    model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
    history = model.fit(np.full((6, 2), 3), np.ones((6, 1)), batch_size=2, epochs=2, verbose=0).history
    assert history["largest"] == [3.0, 3.0]
    assert model.evaluate(np.full((6, 2), 5), np.ones((6, 1)), verbose=0, return_dict=True)["largest"] == 5.0
    assert model.metrics_names == ["loss", "compile_metrics", "largest"]


def test_a_model_may_name_its_metrics_itself() -> None:
    class Own(Bag):
        def __init__(self) -> None:
            super().__init__()
            self.mean = metrics.Mean(name="mine")

        def train_step(self, data: Any) -> Any:
            self.mean.update_state([len(data[0])])
            return {"mine": self.mean.result()}

        @property
        def metrics(self) -> Any:
            return [self.mean]

    model = Own()
    model.compile("sgd")
    assert model.fit(IDS, TARGETS, batch_size=30, epochs=2, verbose=0).history == {"mine": [20.0, 20.0]}


def test_metrics_of_layers_are_found() -> None:
    class Layer(Dense):
        def __init__(self) -> None:
            super().__init__(1)
            self.calls = metrics.Mean(name="calls")

        def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
            self.calls.update_state([1.0])
            return super().forward(inputs, training, mask)

    model = Sequential([Layer()])
    model.compile("sgd", "mse")
    assert model.fit(np.ones((2, 2)), np.ones(2), verbose=0).history["calls"] == [1.0]
