"""Models with several outputs: a loss, a weight and metrics for each. The numbers are those that Keras 3 gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dense, Input, Model, Sequential, losses, metrics, optimizers

X, Y = np.ones((4, 3), np.float32), np.zeros((4, 1), np.float32)
PAIR = [Y, Y + 1]  # both outputs predict 3
NAMED = {"zed": Y, "why": Y + 1}


def make_functional(form: str = "list") -> Model:
    inputs = Input((3,))
    first, second = (Dense(1, name=name, kernel_initializer="ones")(inputs) for name in "ab")
    return Model(inputs, [first, second] if form == "list" else {"zed": first, "why": second})


class Subclass(Model):
    """Two outputs without names, or in a dict."""

    def __init__(self, form: str = "list"):
        super().__init__()
        self.form = form
        self.first, self.second = Dense(1, kernel_initializer="ones"), Dense(1, kernel_initializer="ones")

    def call(self, inputs: Any) -> Any:
        first, second = self.first(inputs), self.second(inputs)
        return [first, second] if self.form == "list" else {"zed": first, "why": second}


def run(model: Model, targets: Any, sample_weight: Any = None, **options: Any) -> dict[str, float]:
    """The numbers of one batch."""
    model.compile(optimizers.SGD(0.01), **options)
    return model.evaluate(X, targets, sample_weight=sample_weight, verbose=0, return_dict=True)


def train(model: Model, targets: Any, **options: Any) -> dict[str, list[float]]:
    """The numbers of one step, which are those before it."""
    model.compile(optimizers.SGD(0.01), **options)
    return model.fit(X, targets, verbose=0).history


SHARED = {"loss": 13.0, "a_loss": 9.0, "b_loss": 4.0}
WEIGHTED = {"loss": 10.0, "a_loss": 9.0, "b_loss": 2.0}
MEASURED = {"a_mae": 3.0, "b_mse": 4.0}
CASES: list[tuple[dict[str, Any], dict[str, float]]] = [
    ({"loss": "mse"}, SHARED),
    ({"loss": losses.MeanSquaredError()}, SHARED),
    ({"loss": "mse", "loss_weights": 0.5}, SHARED | {"loss": 6.5}),
    ({"loss": ["mse", "mae"], "loss_weights": [1.0, 0.5]}, WEIGHTED),
    ({"loss": {"b": "mae", "a": "mse"}, "loss_weights": {"a": 1.0, "b": 0.5}}, WEIGHTED),
    (
        {"loss": ["mse", "mae"], "metrics": [["mae"], "mse"], "loss_weights": [1, 0.5]},
        WEIGHTED | {"a_mae": 3, "b_mse": 4},
    ),
    (
        {"loss": "mse", "metrics": {"a": ["mae"], "b": ["mse", "mae"]}},
        SHARED | {"a_mae": 3.0, "b_mse": 4.0, "b_mae": 2.0},
    ),
    ({"loss": "mse", "metrics": {"b": metrics.MeanAbsoluteError("m")}}, SHARED | {"b_m": 2.0}),
    ({"loss": ["mse", None]}, {"loss": 9.0}),
]


@pytest.mark.parametrize(("options", "expected"), CASES, ids=lambda case: str(case)[:60])
def test_a_list_of_outputs_has_the_numbers_of_keras(options: dict[str, Any], expected: dict[str, float]) -> None:
    assert run(make_functional(), PAIR, **options) == expected


NAMED_CASES: list[tuple[dict[str, Any], dict[str, float]]] = [
    ({"loss": "mse"}, {"loss": 13.0, "zed_loss": 9.0, "why_loss": 4.0}),
    (
        {"loss": {"zed": "mse", "why": "mae"}, "metrics": {"zed": ["mae"]}, "loss_weights": {"zed": 1.0, "why": 0.25}},
        {"loss": 9.5, "zed_loss": 9.0, "why_loss": 2.0, "zed_mae": 3.0},
    ),
    ({"loss": {"zed": "mse"}}, {"loss": 9.0}),
    ({"loss": ["mse", "mae"]}, {"loss": 7.0, "why_loss": 4.0, "zed_loss": 3.0}),  # in alphabetical order
]


@pytest.mark.parametrize("make", [lambda: make_functional("dict"), lambda: Subclass("dict")], ids=["functional", "own"])
@pytest.mark.parametrize(("options", "expected"), NAMED_CASES, ids=lambda case: str(case)[:60])
def test_a_dict_of_outputs_has_the_numbers_of_keras(make: Any, options: Any, expected: dict[str, float]) -> None:
    assert run(make(), NAMED, **options) == expected


def test_outputs_without_names_are_told_apart_by_numbers() -> None:
    found = run(Subclass(), PAIR, loss="mse", metrics=[["mae"], ["mae"]])
    assert found == {"loss": 13.0, "mse_loss": 9.0, "mse_loss_1": 4.0, "mae": 3.0, "mae_1": 2.0}


def test_targets_may_be_a_dict_for_a_list_of_outputs_and_the_other_way_round() -> None:
    assert run(make_functional(), {"b": Y + 1, "a": Y}, loss="mse") == SHARED
    assert run(make_functional("dict"), [Y + 1, Y], loss="mse")["zed_loss"] == 9.0


def test_targets_of_outputs_without_a_loss_may_be_left_out() -> None:
    assert run(make_functional(), [Y], loss=["mse", None]) == {"loss": 9.0}
    assert run(make_functional("dict"), {"zed": Y}, loss={"zed": "mse"}) == {"loss": 9.0}
    assert run(make_functional(), Y, loss=["mse", None]) == {"loss": 9.0}


def test_sample_weights_are_for_all_outputs_or_for_each() -> None:
    first, three = np.array([1.0, 0, 0, 0]), np.array([1.0, 1, 1, 0])
    options: dict[str, Any] = {"loss": "mse", "metrics": [["mae"], None], "weighted_metrics": [["mae"], ["mae"]]}
    shared = run(make_functional(), PAIR, first, **options)
    assert shared == {
        "loss": 3.25,
        "a_loss": 2.25,
        "b_loss": 1.0,
        "a_mae": 3.0,
        "a_weighted_mae": 3.0,
        "b_mae": 2.0,
    }
    assert run(make_functional(), PAIR, [first, three], loss="mse") == {"loss": 5.25, "a_loss": 2.25, "b_loss": 3.0}
    assert run(make_functional(), PAIR, {"a": first, "b": three}, loss="mse")["loss"] == 5.25


def test_a_step_is_that_of_the_weighted_sum() -> None:
    model = make_functional()
    found = train(model, PAIR, loss=["mse", "mse"], loss_weights=[1.0, 0.5])
    assert found == {"loss": [11.0], "a_loss": [9.0], "b_loss": [4.0]}
    first, second = (layer.get_weights()[0][0, 0] for layer in model.layers)
    assert first == pytest.approx(1 - 0.01 * 2 * 3)
    assert second == pytest.approx(1 - 0.01 * 0.5 * 2 * 2)


def test_outputs_without_a_loss_are_not_trained() -> None:
    model = make_functional()
    with pytest.warns(UserWarning, match="Gradients do not exist for the weights"):
        assert train(model, PAIR, loss=["mse", None]) == {"loss": [9.0]}
    assert model.layers[1].get_weights()[0][0, 0] == 1.0


def test_a_step_of_its_own_reports_the_numbers_of_all_outputs() -> None:
    class Own(Model):
        def train_step(self, data: Any) -> Any:
            x, y = data
            y_pred = self(x, training=True)
            self.compute_loss(x, y, y_pred)
            return self.compute_metrics(x, y, y_pred)

    plain = make_functional()
    model = Own(plain._inputs, plain._outputs)
    model.compile("sgd", "mse", metrics={"a": ["mae"]})
    found = model.fit(X, PAIR, verbose=0).history
    assert found == {"loss": [0.0], "a_loss": [9.0], "b_loss": [4.0], "a_mae": [3.0]}


def test_losses_of_outputs_are_means_over_the_epoch() -> None:
    model = make_functional()
    model.compile(optimizers.SGD(0.0), "mse")
    targets = np.array([[0.0], [0.0], [1.0], [2.0]])
    logs = model.evaluate(X, [targets, targets], batch_size=3, verbose=0, return_dict=True)
    assert logs["a_loss"] == pytest.approx((9 + 9 + 4 + 1) / 4)
    assert logs["loss"] == pytest.approx(2 * logs["a_loss"])


def test_evaluate_lists_the_numbers_in_the_order_of_keras() -> None:
    model = make_functional()
    model.compile(optimizers.SGD(0.0), "mse", metrics={"a": ["mae"], "b": ["mse"]})
    assert model.evaluate(X, PAIR, verbose=0) == [13.0, 9.0, 4.0, 3.0, 4.0]  # then a_mae and b_mse
    assert model.metrics_names == ["loss", "compile_metrics", "a_loss", "b_loss"]
    assert model.train_on_batch(X, PAIR) == [13.0, 9.0, 4.0, 3.0, 4.0]


def test_accuracy_fits_the_shape_of_each_output() -> None:
    inputs = Input((3,))
    outputs = {"two": Dense(2, "softmax")(inputs), "one": Dense(1, "sigmoid")(inputs)}
    model = Model(inputs, outputs)
    model.compile(
        "sgd",
        {"two": "sparse_categorical_crossentropy", "one": "bce"},
        metrics={"two": ["accuracy"], "one": "accuracy"},
    )
    predicted = model.predict(X)
    targets = {"two": predicted["two"].argmax(axis=1), "one": (predicted["one"] > 0.5).astype("float32")}
    logs = model.evaluate(X, targets, verbose=0, return_dict=True)
    assert (logs["two_accuracy"], logs["one_accuracy"]) == (1.0, 1.0)


@pytest.mark.parametrize("name", ["crossentropy", "ce"])
@pytest.mark.parametrize(
    ("targets", "columns", "chosen"),
    [
        (np.ones((4, 1)), 1, "binary_crossentropy"),
        (np.array([0, 1, 2, 0]), 3, "sparse_categorical_crossentropy"),
        (np.array([[0], [1], [2], [0]]), 3, "sparse_categorical_crossentropy"),
        (np.eye(3)[[0, 1, 2, 0]], 3, "categorical_crossentropy"),
    ],
    ids=lambda case: str(np.shape(case)),
)
def test_the_crossentropy_fits_the_shapes(name: str, targets: Any, columns: int, chosen: str) -> None:
    model = Sequential([Dense(columns, "sigmoid" if columns == 1 else "softmax")])
    assert run(model, targets, loss=name) == run(model, targets, loss=chosen)


@pytest.mark.parametrize("form", ["list", "dict"])
def test_predictions_have_the_form_of_the_outputs(form: str) -> None:
    for model in (make_functional(form), Subclass(form)):
        outputs = model.predict(X, batch_size=3)
        assert isinstance(outputs, list if form == "list" else dict)
        parts = outputs if form == "list" else [outputs["zed"], outputs["why"]]
        assert [part.shape for part in parts] == [(4, 1), (4, 1)]
    assert make_functional("dict").output_shape == {"zed": (None, 1), "why": (None, 1)}
    assert make_functional("dict").output_names == ["zed", "why"]
    assert make_functional().output_names == ["a", "b"]


def test_a_layer_with_two_outputs_names_them_apart() -> None:
    first, second, layer = Input((3,)), Input((3,)), Dense(1, name="score")
    assert Model([first, second], [layer(first), layer(second)]).output_names == ["score", "score_1"]


def test_a_single_output_takes_targets_and_losses_in_a_list_of_one() -> None:
    model = Sequential([Dense(1, kernel_initializer="ones")])
    assert run(model, [Y], loss=["mse"]) == {"loss": 9.0}
    twins = run(Sequential([Dense(1, kernel_initializer="ones")]), Y, loss="mse", metrics=["mae", "mae"])
    assert twins == {"loss": 9.0, "mae": 3.0, "mae_1": 3.0}


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (PAIR, {"loss": {"a": "mse"}}, r"`loss` must be for the outputs \['a', 'b'\]\. Received: none for \['b'\]"),
        (PAIR, {"loss": {"a": "mse", "c": "mse"}}, r"`loss` must be for .*Received: \['c'\]"),
        (PAIR, {"loss": ["mse"]}, r"`loss` must have one entry for each of the 2 outputs \['a', 'b'\]\. Received: 1"),
        (PAIR, {"loss": "mse", "loss_weights": [1.0]}, "`loss_weights` must have one entry for each of the 2 outputs"),
        (PAIR, {"loss": "mse", "metrics": ["mae"]}, "`metrics` must have one entry for each of the 2 outputs"),
        (PAIR, {"loss": "mse", "metrics": {"d": "mae"}}, r"`metrics` must be for the outputs .*Received: \['d'\]"),
        (PAIR, {"loss": "mse", "metrics": "mae"}, "`metrics` must be a list or a dict with the metrics of each"),
        (Y, {"loss": "mse"}, "`y` must be a list or a dict of targets for 2 outputs. Received: one array"),
        ([Y], {"loss": "mse"}, "`y` must have one entry for each of the 2 outputs"),
        ({"a": Y}, {"loss": "mse"}, "`y` must be given for the output 'b'"),
        ({"a": Y, "bee": Y}, {"loss": "mse"}, r"`y` must be for the outputs \['a', 'b'\]\. Received: \['bee'\]"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_outputs_is_named(targets: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(make_functional(), targets, **options)


def test_a_dict_for_outputs_without_names_is_refused() -> None:
    with pytest.raises(ValueError, match="`loss` must be a list: the outputs of the model have no names"):
        run(Subclass(), PAIR, loss={"a": "mse", "b": "mse"})


# Other arguments of compile


@pytest.mark.parametrize("weights", ["1", ["1"], {"a": None}, True], ids=str)
def test_weights_of_losses_are_numbers(weights: Any) -> None:
    with pytest.raises(TypeError, match=r"`loss_weights.* must be a number"):
        make_functional().compile("sgd", "mse", loss_weights=weights)


def test_what_only_concerns_a_compiler_is_accepted_and_kept() -> None:
    model = make_functional()
    model.compile("sgd", "mse", run_eagerly=True, jit_compile=False, steps_per_execution=4)
    assert (model.run_eagerly, model.jit_compile, model.steps_per_execution) == (True, False, 4)
    model.compile("sgd", "mse", run_eagerly=None, jit_compile=None)
    assert (model.run_eagerly, model.jit_compile, model.steps_per_execution) == (False, None, 1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"run_eagerly": "yes"}, TypeError),
        ({"run_eagerly": 1}, TypeError),
        ({"jit_compile": "always"}, ValueError),
        ({"jit_compile": 1}, ValueError),
        ({"steps_per_execution": 0}, ValueError),
        ({"steps_per_execution": "two"}, TypeError),
    ],
    ids=str,
)
def test_other_values_of_them_are_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    [name] = arguments
    with pytest.raises(error, match=rf"`{name}` must be .*Received: "):
        make_functional().compile("sgd", "mse", **arguments)
