"""Losses as functions, and what all losses share: dtype, axis, values without a gradient, unknown arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import GradientTape, losses

Array = np.ndarray[Any, Any]

FUNCTIONS = {
    losses.mean_squared_error: losses.MeanSquaredError,
    losses.mean_absolute_error: losses.MeanAbsoluteError,
    losses.mean_absolute_percentage_error: losses.MeanAbsolutePercentageError,
    losses.mean_squared_logarithmic_error: losses.MeanSquaredLogarithmicError,
    losses.huber: losses.Huber,
    losses.log_cosh: losses.LogCosh,
    losses.cosine_similarity: losses.CosineSimilarity,
    losses.hinge: losses.Hinge,
    losses.squared_hinge: losses.SquaredHinge,
    losses.categorical_hinge: losses.CategoricalHinge,
    losses.kl_divergence: losses.KLDivergence,
    losses.poisson: losses.Poisson,
    losses.binary_crossentropy: losses.BinaryCrossentropy,
    losses.categorical_crossentropy: losses.CategoricalCrossentropy,
    losses.sparse_categorical_crossentropy: losses.SparseCategoricalCrossentropy,
    losses.binary_focal_crossentropy: losses.BinaryFocalCrossentropy,
    losses.categorical_focal_crossentropy: losses.CategoricalFocalCrossentropy,
}
each_function = pytest.mark.parametrize(("function", "kind"), FUNCTIONS.items(), ids=lambda one: one.__name__)
with_axis = [
    losses.BinaryCrossentropy,
    losses.CategoricalCrossentropy,
    losses.SparseCategoricalCrossentropy,
    losses.BinaryFocalCrossentropy,
    losses.CategoricalFocalCrossentropy,
    losses.CosineSimilarity,
]


def make_batch(kind: type[losses.Loss]) -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    classes = rng.integers(0, 3, (4, 2))
    y_true = classes if kind is losses.SparseCategoricalCrossentropy else np.eye(3)[classes]
    return y_true, rng.uniform(0.05, 0.95, (4, 2, 3))


@each_function
def test_a_function_returns_the_losses_of_the_samples(function: Any, kind: Any) -> None:
    y_true, y_pred = make_batch(kind)
    values = function(y_true, y_pred)
    assert values.shape == (4, 2)
    np.testing.assert_array_equal(values, kind(reduction=None)(y_true, y_pred))
    np.testing.assert_array_equal(values, kind().call(y_true, y_pred))


@each_function
def test_a_tape_goes_back_through_a_function(function: Any, kind: Any) -> None:
    y_true, y_pred = make_batch(kind)
    with GradientTape() as tape:
        values = function(y_true, y_pred)
    expected = kind(reduction="sum").value_and_gradient(y_true, y_pred)[1]
    np.testing.assert_array_equal(tape.gradient(values, y_pred), expected)


@each_function
def test_a_function_and_its_name_stand_for_the_class(function: Any, kind: Any) -> None:
    assert type(losses.get(function)) is kind
    assert losses.serialize(function) == function.__name__
    assert type(losses.deserialize(losses.serialize(function))) is kind


def test_the_short_names_are_the_functions() -> None:
    assert losses.mse is losses.MSE is losses.mean_squared_error
    assert losses.mae is losses.MAE is losses.mean_absolute_error
    assert losses.mape is losses.MAPE is losses.mean_absolute_percentage_error
    assert losses.msle is losses.MSLE is losses.mean_squared_logarithmic_error
    assert losses.bce is losses.BCE is losses.binary_crossentropy
    assert losses.kld is losses.KLD is losses.kl_divergence


def test_options_of_functions_are_those_of_the_classes() -> None:
    y_true, y_pred = np.array([[0.0, 2.0]]), np.array([[0.5, -3.0]])
    assert losses.huber(y_true, y_pred, delta=2.0) == losses.Huber(2.0)(y_true, y_pred)
    bits = np.array([[0, 1]])
    smoothed = losses.binary_crossentropy(bits, y_pred, from_logits=True, label_smoothing=0.1)
    assert smoothed == losses.BinaryCrossentropy(True, 0.1)(bits, y_pred)
    ignored = losses.sparse_categorical_crossentropy([0, 1], [[0.5, 0.5]] * 2, ignore_class=1)
    np.testing.assert_allclose(ignored, [np.log(2), 0])


@pytest.mark.parametrize("kind", with_axis)
@pytest.mark.parametrize("axis", [0, 1, -2])
def test_an_axis_gives_what_moving_it_to_the_end_gives(kind: Any, axis: int) -> None:
    y_true, y_pred = make_batch(kind)
    rng = np.random.default_rng(1)
    weights = rng.random((4, 2))
    value, gradient = kind().value_and_gradient(y_true, y_pred, sample_weight=weights)
    moved_true = np.moveaxis(y_true, -1, axis) if y_true.ndim == 3 else y_true
    moved_value, moved = kind(axis=axis).value_and_gradient(
        moved_true, np.moveaxis(y_pred, -1, axis), sample_weight=weights
    )
    assert moved_value == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(np.moveaxis(moved, axis, -1), gradient, rtol=1e-14)


def test_an_axis_that_predictions_lack_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`axis` must be an axis of `y_pred`. Received: axis=2 and y_pred of shape"):
        losses.CosineSimilarity(axis=2)(np.ones((3, 2)), np.ones((3, 2)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", np.float16, np.dtype("float64")])
def test_a_loss_has_the_dtype_asked_for_and_the_gradient_that_of_the_predictions(dtype: Any) -> None:
    loss, y_pred = losses.MeanSquaredError(dtype=dtype), np.array([[0.1], [0.7]], "float32")
    value, gradient = loss.value_and_gradient(np.zeros((2, 1)), y_pred)
    assert value.dtype == dtype
    assert gradient.dtype == np.float32
    assert loss.dtype == np.dtype(dtype).name
    assert value == pytest.approx(0.25, rel=1e-3)
    again = losses.deserialize(losses.serialize(loss))
    assert again is not None
    assert again.get_config() == loss.get_config()


def test_a_dtype_is_also_a_policy_of_keras() -> None:
    class Policy:
        compute_dtype = "float16"

    assert losses.Huber(dtype=Policy()).dtype == "float16"
    assert losses.Huber().dtype is None


def test_float64_arithmetic_of_float32_predictions_is_that_of_float64_predictions() -> None:
    y_pred = np.array([[0.1, 0.3]], "float32")
    value = losses.MeanSquaredError(dtype="float64")(np.zeros((1, 2)), y_pred)
    assert value == losses.MeanSquaredError()(np.zeros((1, 2)), y_pred.astype("float64"))


def test_a_mean_with_sample_weight_is_the_weighted_mean() -> None:
    loss = losses.MeanSquaredError("mean_with_sample_weight")
    y_true, y_pred = np.zeros((3, 2)), np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    assert loss(y_true, y_pred) == pytest.approx(14 / 3)
    assert loss(y_true, y_pred, sample_weight=[1, 2, 0]) == pytest.approx((1 + 2 * 4) / 3)
    assert loss(y_true, y_pred, sample_weight=5.0) == pytest.approx(14 / 3)
    assert loss(y_true, y_pred, sample_weight=[1, 2, 3], mask=[True, False, True]) == pytest.approx((1 + 27) / 4)
    assert loss(y_true, y_pred, sample_weight=np.zeros(3)) == 0


class Cubed(losses.Loss):
    """A loss as in Keras's guide, with values alone."""

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return np.asarray(np.abs(y_true - y_pred) ** 3)


def test_a_subclass_with_call_alone_has_values_and_says_that_it_has_no_gradient() -> None:
    loss, y_true, y_pred = Cubed(), np.array([1.0, 0.0]), np.array([3.0, 1.0])
    assert loss(y_true, y_pred, sample_weight=[1, 2]) == (8 + 2) / 2
    with pytest.raises(NotImplementedError, match=r"Cubed has a value but no gradient: write `per_sample"):
        loss.value_and_gradient(y_true, y_pred)


def test_a_custom_object_is_found_by_its_name() -> None:
    config = losses.serialize(Cubed(name="mine"))
    loss = losses.deserialize(config, custom_objects={"Cubed": Cubed})
    assert type(loss) is Cubed
    assert loss.name == "mine"
    assert type(losses.deserialize("Cubed", {"Cubed": Cubed})) is Cubed
    with pytest.raises(ValueError, match="Unknown loss: 'Cubed'"):
        losses.deserialize(config)


@pytest.mark.parametrize("function", [losses.categorical_crossentropy, losses.categorical_focal_crossentropy])
def test_a_single_class_is_warned_of(function: Any) -> None:
    with pytest.warns(SyntaxWarning, match=rf"In loss {function.__name__}, .*y_pred.shape=\(2, 1\)"):
        function(np.ones((2, 1)), np.full((2, 1), 0.5))


@pytest.mark.parametrize("kind", [losses.CosineSimilarity, losses.Hinge, losses.CategoricalHinge, losses.LogCosh])
def test_vectors_of_zeros_have_a_finite_loss_and_gradient(kind: Any) -> None:
    value, gradient = kind().value_and_gradient(np.zeros((2, 3)), np.zeros((2, 3)))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_the_cosine_of_a_vector_of_zeros_pulls_nowhere() -> None:
    value, gradient = losses.CosineSimilarity().value_and_gradient(np.ones((1, 3)), np.zeros((1, 3)))
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


def test_labels_of_hinges_that_are_not_all_bits_stay() -> None:
    assert losses.hinge([[-1.0, 1.0]], [[0.5, 0.5]]) == 1.0
    assert losses.hinge([[0.0, 2.0]], [[0.5, 0.5]]) == 0.5


def test_equal_largest_wrong_classes_share_the_gradient_of_a_categorical_hinge() -> None:
    _, gradient = losses.CategoricalHinge().value_and_gradient([[0.0, 0.0, 1.0]], np.array([[0.4, 0.4, 0.2]]))
    np.testing.assert_array_equal(gradient, [[0.5, 0.5, -1]])


def test_percentages_and_logarithms_of_zeros_are_bounded() -> None:
    assert losses.mean_absolute_percentage_error([[0.0]], [[1e-9]]) == pytest.approx(1.0)
    value, gradient = losses.MeanSquaredLogarithmicError().value_and_gradient([[0.0]], np.array([[-1.0]]))
    assert value == 0
    assert gradient == 0


@pytest.mark.parametrize("kind", [*FUNCTIONS.values(), losses.Loss], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("name", "near"), [("reducton", "reduction"), ("nmae", "name"), ("dtpye", "dtype")])
def test_an_unknown_argument_comes_with_the_nearest_known_one(kind: Any, name: str, near: str) -> None:
    with pytest.raises(
        TypeError, match=rf"^{kind.__name__} got an unexpected keyword argument '{name}'\. Did you mean '{near}'"
    ):
        kind(**{name: None})


def test_bfloat16_says_what_makes_it_known() -> None:
    try:
        np.dtype("bfloat16")
    except TypeError:
        with pytest.raises(ValueError, match="`import ml_dtypes`"):
            losses.Huber(dtype="bfloat16")
    else:
        assert losses.Huber(dtype="bfloat16").dtype == "bfloat16"
