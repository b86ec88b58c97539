"""Losses, judged by float64 formulas written from Keras's definitions and by finite differences."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as st_numpy
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fastembed_layer import losses, tape

Array = np.ndarray[Any, Any]

LOSSES = [
    losses.MeanSquaredError(),
    losses.MeanAbsoluteError(),
    losses.BinaryCrossentropy(),
    losses.BinaryCrossentropy(from_logits=True),
    losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
    losses.BinaryCrossentropy(label_smoothing=0.2),
    losses.CategoricalCrossentropy(),
    losses.CategoricalCrossentropy(from_logits=True),
    losses.CategoricalCrossentropy(label_smoothing=0.3),
    losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3),
    losses.SparseCategoricalCrossentropy(),
    losses.SparseCategoricalCrossentropy(from_logits=True),
    losses.SparseCategoricalCrossentropy(ignore_class=1),
    losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1),
    losses.BinaryFocalCrossentropy(gamma=1.5),
    losses.BinaryFocalCrossentropy(True, 0.3, from_logits=True, label_smoothing=0.2),
    losses.BinaryFocalCrossentropy(gamma=0.0),
    losses.CategoricalFocalCrossentropy(gamma=1.5),
    losses.CategoricalFocalCrossentropy([0.2, 0.3, 0.4], from_logits=True, label_smoothing=0.3),
    losses.MeanAbsolutePercentageError(),
    losses.MeanSquaredLogarithmicError(),
    losses.Huber(),
    losses.Huber(delta=0.3),
    losses.LogCosh(),
    losses.CosineSimilarity(),
    losses.Hinge(),
    losses.SquaredHinge(),
    losses.CategoricalHinge(),
    losses.KLDivergence(),
    losses.Poisson(),
]
OF_PROBABILITIES = (losses.KLDivergence, losses.Poisson, losses.MeanSquaredLogarithmicError)
OF_ONE_HOT_ROWS = (losses.CategoricalCrossentropy, losses.CategoricalFocalCrossentropy, losses.CategoricalHinge)
OF_BITS = (losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy, losses.Hinge, losses.SquaredHinge)


def describe(loss: losses.Loss) -> str:
    """Name a case: the class and every option that is set."""
    options = [f"{key}={value}" for key, value in loss.get_config().items() if value and key != "name"]
    return f"{type(loss).__name__}({', '.join(options)})"


every_loss = pytest.mark.parametrize("loss", LOSSES, ids=describe)


def takes_logits(loss: losses.Loss) -> bool:
    return getattr(loss, "from_logits", not isinstance(loss, OF_PROBABILITIES))


def make_batch(loss: losses.Loss, shape: tuple[int, ...], dtype: str = "float64") -> tuple[Array, Array]:
    """Draw targets and predictions that suit the loss."""
    rng = np.random.default_rng(7)
    classes = rng.integers(0, shape[-1], shape[:-1])
    y_pred = rng.normal(size=shape) * 3 if takes_logits(loss) else rng.uniform(0.05, 0.95, shape)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return classes, y_pred.astype(dtype)
    if isinstance(loss, OF_ONE_HOT_ROWS):
        return np.eye(shape[-1])[classes], y_pred.astype(dtype)
    if isinstance(loss, OF_BITS):
        return rng.integers(0, 2, shape), y_pred.astype(dtype)
    if isinstance(loss, OF_PROBABILITIES):
        return rng.uniform(0.05, 0.95, shape), y_pred.astype(dtype)
    return rng.normal(size=shape), y_pred.astype(dtype)


def naive_losses(loss: Any, y_true: Array, y_pred: Array) -> Array:
    """Compute the loss of every sample in float64, one row at a time."""
    rows = y_pred.astype(np.float64).reshape(-1, y_pred.shape[-1])
    targets = y_true.reshape(len(rows), -1).astype(np.float64)
    values = [naive_row(loss, target, row) for target, row in zip(targets, rows, strict=True)]
    return np.array(values).reshape(y_pred.shape[:-1])


def naive_huber(loss: Any, target: Array, row: Array) -> float:
    delta, errors = loss.delta, abs(row - target)
    return float(np.mean([e**2 / 2 if e <= delta else delta * e - delta**2 / 2 for e in errors]))


def naive_categorical_hinge(loss: Any, target: Array, row: Array) -> float:
    return float(max(max((1 - target) * row) - np.sum(target * row) + 1, 0))


def as_signs(target: Array) -> Array:
    return 2 * target - 1


FORMULAS: dict[Any, Any] = {
    losses.MeanAbsolutePercentageError: lambda loss, t, p: 100 * np.mean(abs((t - p) / t)),
    losses.MeanSquaredLogarithmicError: lambda loss, t, p: np.mean((np.log(t + 1) - np.log(p + 1)) ** 2),
    losses.Huber: naive_huber,
    losses.LogCosh: lambda loss, t, p: np.mean(np.log(np.cosh(p - t))),
    losses.CosineSimilarity: lambda loss, t, p: -np.sum(t * p) / np.linalg.norm(t) / np.linalg.norm(p),
    losses.Hinge: lambda loss, t, p: np.mean(np.maximum(1 - as_signs(t) * p, 0)),
    losses.SquaredHinge: lambda loss, t, p: np.mean(np.maximum(1 - as_signs(t) * p, 0) ** 2),
    losses.CategoricalHinge: naive_categorical_hinge,
    losses.KLDivergence: lambda loss, t, p: np.sum(t * np.log(t / p)),
    losses.Poisson: lambda loss, t, p: np.mean(p - t * np.log(p + 1e-7)),
}


def naive_row(loss: Any, target: Array, row: Array) -> float:
    if isinstance(loss, losses.MeanSquaredError):
        return float(np.mean((target - row) ** 2))
    if isinstance(loss, losses.MeanAbsoluteError):
        return float(np.mean(abs(target - row)))
    if isinstance(loss, losses.BinaryCrossentropy):
        target = target * (1 - loss.label_smoothing) + loss.label_smoothing / 2
        p = 1 / (1 + np.exp(-row)) if loss.from_logits else np.clip(row, 1e-7, 1 - 1e-7)
        return float(-np.mean(target * np.log(p) + (1 - target) * np.log(1 - p)))
    if isinstance(loss, losses.BinaryFocalCrossentropy):
        target = target * (1 - loss.label_smoothing) + loss.label_smoothing / 2
        p = 1 / (1 + np.exp(-row)) if loss.from_logits else row
        focal = (1 - (target * p + (1 - target) * (1 - p))) ** loss.gamma
        weight = target * loss.alpha + (1 - target) * (1 - loss.alpha) if loss.apply_class_balancing else 1
        return float(-np.mean(weight * focal * (target * np.log(p) + (1 - target) * np.log(1 - p))))
    if isinstance(loss, losses.CategoricalCrossentropy | losses.CategoricalFocalCrossentropy):
        target = target * (1 - loss.label_smoothing) + loss.label_smoothing / len(row)
        p = np.exp(row) / np.exp(row).sum() if loss.from_logits else np.clip(row / row.sum(), 1e-7, 1 - 1e-7)
        focal = getattr(loss, "alpha", 1) * (1 - p) ** getattr(loss, "gamma", 0)
        return float(-np.sum(focal * target * np.log(p)))
    if type(loss) in FORMULAS:
        return float(FORMULAS[type(loss)](loss, target, row))
    if target[0] == loss.ignore_class:
        return 0.0
    p = np.exp(row) if loss.from_logits else np.clip(row, 1e-7, 1 - 1e-7)
    return float(-np.log(p[int(target[0])] / p.sum()))


def differentiate(loss: losses.Loss, y_true: Array, y_pred: Array, **weights: Any) -> Array:
    """Differentiate the reduced loss by central differences."""
    gradient, step = np.empty_like(y_pred), 1e-6
    for index in np.ndindex(y_pred.shape):
        ends = []
        for sign in (1, -1):
            moved = y_pred.copy()
            moved[index] += sign * step
            ends.append(loss(y_true, moved, **weights).sum())
        gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def with_reduction(loss: losses.Loss, reduction: str | None) -> losses.Loss:
    return type(loss).from_config({**loss.get_config(), "reduction": reduction})


@every_loss
@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_per_sample_losses_equal_the_formula(loss: losses.Loss, shape: tuple[int, ...], dtype: str) -> None:
    y_true, y_pred = make_batch(loss, shape, dtype)
    values = with_reduction(loss, None)(y_true, y_pred)
    assert values.shape == shape[:-1]
    assert values.dtype == dtype
    np.testing.assert_allclose(values, naive_losses(loss, y_true, y_pred), rtol=1e-5 if dtype == "float32" else 1e-12)


@every_loss
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_equals_finite_differences(
    loss: losses.Loss, reduction: str | None, weighted: bool, masked: bool
) -> None:
    y_true, y_pred = make_batch(loss, (2, 4, 3))
    rng = np.random.default_rng(1)
    weights: dict[str, Any] = {"sample_weight": rng.random(2)} if weighted else {}
    weights |= {"mask": np.array([[1, 0, 1, 1], [0, 0, 1, 0]], bool)} if masked else {}
    loss = with_reduction(loss, reduction)
    _, gradient = loss.value_and_gradient(y_true, y_pred, **weights)
    np.testing.assert_allclose(gradient, differentiate(loss, y_true, y_pred, **weights), rtol=1e-5, atol=1e-8)


@every_loss
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gradient_has_shape_and_dtype_of_predictions(loss: losses.Loss, dtype: str) -> None:
    y_true, y_pred = make_batch(loss, (4, 3), dtype)
    value, gradient = loss.value_and_gradient(y_true, y_pred)
    assert (gradient.shape, gradient.dtype) == (y_pred.shape, y_pred.dtype)
    assert type(value) is np.ndarray
    assert value.shape == ()
    assert value.dtype == np.promote_types(dtype, "float32")


@every_loss
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "auto", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("shape", [(0, 3), (0, 2, 3), (2, 0, 3)])
def test_empty_batch_has_loss_zero(loss: losses.Loss, reduction: str, shape: tuple[int, ...]) -> None:
    y_true, y_pred = make_batch(loss, shape)
    value, gradient = with_reduction(loss, reduction).value_and_gradient(y_true, y_pred)
    assert value == 0
    assert gradient.shape == shape


@pytest.mark.parametrize("loss", LOSSES[:4], ids=describe)
def test_empty_vector_has_loss_zero(loss: losses.Loss) -> None:
    assert loss(np.zeros(0), np.zeros(0)) == 0


@given(st_numpy.arrays(np.float64, (3, 2), elements=st.floats(-1e3, 1e3)), st.data())
def test_reductions_are_sums_and_means_of_weighted_samples(y_pred: Array, data: st.DataObject) -> None:
    y_true, weights = np.zeros((3, 2)), data.draw(st_numpy.arrays(np.float64, 3, elements=st.floats(0, 10)))
    weighted = (y_pred**2).mean(axis=1) * weights
    for reduction, expected in (("sum", weighted.sum()), ("mean", weighted.mean()), ("none", weighted)):
        value = losses.MeanSquaredError(reduction)(y_true, y_pred, sample_weight=weights)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)


def test_mean_under_a_mask_divides_by_the_samples_that_count() -> None:
    loss, y_pred = losses.MeanAbsoluteError(), np.array([[1.0], [2.0], [6.0]])
    assert loss(np.zeros((3, 1)), y_pred, mask=[True, False, True]) == 3.5
    assert loss(np.zeros((3, 1)), y_pred, sample_weight=[1, 1, 0.5], mask=[True, False, True]) == 2
    assert loss(np.zeros((3, 1)), y_pred, sample_weight=[1, 0, 1]) == pytest.approx(7 / 3)
    assert loss(np.zeros((3, 1)), y_pred, mask=[False] * 3) == 0


def test_ignored_class_does_not_count_even_where_predictions_are_nan() -> None:
    y_pred = np.array([[0.0, 0.0], [np.nan, 1.0], [0.0, 0.0]])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    value, gradient = loss.value_and_gradient(np.array([0, 255, 1], np.uint8), y_pred)
    assert value == pytest.approx(np.log(2))
    np.testing.assert_allclose(gradient, [[-0.25, 0.25], [0, 0], [0.25, -0.25]])


def test_mask_and_ignored_class_both_leave_samples_out_of_the_mean() -> None:
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1)
    assert loss([0, 1, 0], np.zeros((3, 2)), mask=[True, True, False]) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("true_shape", "pred_shape"),
    [((4,), (4, 1)), ((4, 1), (4,)), ((2, 3), (2, 3, 1)), ((2, 3, 1), (2, 3)), ((4,), (4,))],
)
def test_a_last_axis_of_length_one_is_added_or_dropped(true_shape: Any, pred_shape: Any) -> None:
    rng = np.random.default_rng(3)
    y_true, y_pred = rng.normal(size=true_shape), rng.normal(size=pred_shape)
    value, gradient = losses.MeanSquaredError().value_and_gradient(y_true, y_pred)
    assert value == pytest.approx(np.mean((y_true.ravel() - y_pred.ravel()) ** 2))
    np.testing.assert_allclose(gradient, 2 * (y_pred - y_true.reshape(pred_shape)) / y_pred.size)


def test_class_numbers_may_have_a_last_axis_and_be_whole_floats() -> None:
    loss, y_pred = losses.SparseCategoricalCrossentropy(), np.array([[0.1, 0.9], [0.4, 0.6]])
    expected = loss(np.array([1, 0]), y_pred)
    assert loss(np.array([[1], [0]], np.uint8), y_pred) == expected
    assert loss(np.array([1.0, 0.0], "float32"), y_pred) == expected


def test_sample_weights_are_matched_from_the_left() -> None:
    y_pred = np.arange(9.0).reshape(3, 3, 1)  # square, so that matching from the right would fit too
    value = losses.MeanAbsoluteError("sum")(np.zeros((3, 3, 1)), y_pred, sample_weight=[1, 0, 0])
    assert value == 0 + 1 + 2


@pytest.mark.parametrize("from_logits", [False, True])
def test_extreme_logits_and_probabilities_stay_finite(from_logits: bool) -> None:
    extreme = [[1e4, -1e4]] if from_logits else [[1.0, 0.0]]
    for dtype in ("float32", "float64"):
        y_pred = np.array(extreme, dtype)
        for loss, y_true in (
            (losses.BinaryCrossentropy(from_logits), np.array([[0, 1]])),
            (losses.CategoricalCrossentropy(from_logits), np.array([[0, 1]])),
            (losses.SparseCategoricalCrossentropy(from_logits), np.array([1])),
        ):
            value, gradient = loss.value_and_gradient(y_true, y_pred)
            assert np.isfinite(value)
            assert np.isfinite(gradient).all()
            assert np.any(gradient != 0) == from_logits


@pytest.mark.parametrize("loss", [losses.BinaryCrossentropy(), losses.SparseCategoricalCrossentropy()], ids=describe)
def test_clipped_probability_has_gradient_zero_and_the_bound_itself_has_not(loss: losses.Loss) -> None:
    y_pred = np.array([[1e-7, 9e-8], [1 - 1e-7, 1.0]])
    y_true = np.array([0, 1]) if isinstance(loss, losses.SparseCategoricalCrossentropy) else np.ones((2, 2))
    _, gradient = loss.value_and_gradient(y_true, y_pred)
    np.testing.assert_array_equal(gradient != 0, [[True, False], [True, False]])


def test_confident_logits_keep_their_relative_precision() -> None:
    loss = losses.BinaryCrossentropy(from_logits=True)
    value, gradient = loss.value_and_gradient(np.ones((1, 1)), np.array([[40.0]]))
    assert value == pytest.approx(np.exp(-40.0))
    value, gradient = loss.value_and_gradient(np.zeros((1, 1)), np.array([[-40.0]], "float32"))
    assert gradient[0, 0] == pytest.approx(np.exp(-40.0))


def test_nan_and_infinity_propagate_without_a_warning() -> None:
    for loss in LOSSES:
        for poison in (np.nan, np.inf):
            y_true, y_pred = make_batch(loss, (4, 3), "float32")
            y_pred[3, 0] = poison
            value, _ = loss.value_and_gradient(y_true, y_pred)
            assert poison == np.inf or np.isnan(value)


def test_mean_is_accumulated_in_float64() -> None:
    y_pred = np.full((2**20, 1), 1e-4, "float32")
    y_pred[0] = 4096
    value = losses.MeanAbsoluteError("sum")(np.zeros_like(y_pred), y_pred)
    assert value == np.float32(y_pred.astype(np.float64).sum())


def test_inputs_are_left_as_they_are() -> None:
    for loss in LOSSES:
        y_true, y_pred = make_batch(loss, (4, 3))
        copies = y_true.copy(), y_pred.copy()
        y_true.flags.writeable = y_pred.flags.writeable = False
        loss.value_and_gradient(y_true, y_pred, sample_weight=np.ones(4), mask=np.ones(4, bool))
        np.testing.assert_array_equal(y_true, copies[0])
        np.testing.assert_array_equal(y_pred, copies[1])


@every_loss
def test_tape_walks_back_through_the_loss_more_than_once(loss: losses.Loss) -> None:
    y_true, y_pred = make_batch(loss, (4, 3), "float32")
    with tape.GradientTape(persistent=True) as open_tape:
        value = loss(y_true, y_pred)
    expected_value, expected = loss.value_and_gradient(y_true, y_pred)
    for _ in range(2):
        np.testing.assert_array_equal(open_tape.gradient(value, y_pred), expected)
    assert value == expected_value


def test_tape_finds_an_array_that_was_squeezed_on_the_way() -> None:
    y_pred = np.ones((2, 3, 1))
    with tape.GradientTape(persistent=True) as open_tape:
        value = losses.MeanSquaredError(reduction=None)(np.zeros((2, 3)), y_pred)
    np.testing.assert_allclose(open_tape.gradient(value, y_pred), np.full((2, 3, 1), 2 / 3))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mse", losses.MeanSquaredError),
        ("MSE", losses.MeanSquaredError),
        ("mean_squared_error", losses.MeanSquaredError),
        ("MeanAbsoluteError", losses.MeanAbsoluteError),
        ("mae", losses.MeanAbsoluteError),
        ("binary_crossentropy", losses.BinaryCrossentropy),
        ("BCE", losses.BinaryCrossentropy),
        ("categorical_crossentropy", losses.CategoricalCrossentropy),
        ("sparse_categorical_crossentropy", losses.SparseCategoricalCrossentropy),
        ("MAPE", losses.MeanAbsolutePercentageError),
        ("msle", losses.MeanSquaredLogarithmicError),
        ("huber", losses.Huber),
        ("huber_loss", losses.Huber),
        ("log_cosh", losses.LogCosh),
        ("logcosh", losses.LogCosh),
        ("cosine_similarity", losses.CosineSimilarity),
        ("hinge", losses.Hinge),
        ("squared_hinge", losses.SquaredHinge),
        ("categorical_hinge", losses.CategoricalHinge),
        ("KLD", losses.KLDivergence),
        ("kl_divergence", losses.KLDivergence),
        ("kullback_leibler_divergence", losses.KLDivergence),
        ("poisson", losses.Poisson),
        ("binary_focal_crossentropy", losses.BinaryFocalCrossentropy),
        ("categorical_focal_crossentropy", losses.CategoricalFocalCrossentropy),
    ],
)
def test_names_of_keras_are_known(name: str, kind: type[losses.Loss]) -> None:
    assert type(losses.get(name)) is kind
    assert type(losses.get(kind)) is kind


@every_loss
def test_config_builds_an_equal_loss(loss: losses.Loss) -> None:
    again = losses.get(losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert losses.get(again) is again


def test_none_is_no_loss() -> None:
    assert losses.get(None) is None
    assert losses.serialize(None) is None


def quartic(y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    """Compute a loss that the package does not have, with its gradient."""
    error = y_pred - y_true
    return (error**4).mean(axis=-1), 4 * error**3 / error.shape[-1]


def test_a_function_that_returns_losses_and_gradient_is_a_loss() -> None:
    loss, rng = losses.get(quartic), np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)) * 3
    weights = rng.random(4)
    _, gradient = loss.value_and_gradient(y_true, y_pred, sample_weight=weights)
    np.testing.assert_allclose(gradient, differentiate(loss, y_true, y_pred, sample_weight=weights), atol=1e-8)
    assert loss.name == "quartic"
    with pytest.raises(ValueError, match="plain function"):
        loss.get_config()


def test_a_loss_per_element_is_weighted_per_sample() -> None:
    loss = losses.get(lambda y_true, y_pred: (abs(y_pred - y_true), np.sign(y_pred - y_true).astype(int)))
    value, gradient = loss.value_and_gradient(np.zeros((2, 2)), np.array([[1, 2], [3, 4]]), sample_weight=[2, 0])
    assert value == 6 / 4
    np.testing.assert_array_equal(gradient, np.array([[0.5, 0.5], [0, 0]], "float32"))


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda y_true, y_pred: abs(y_pred - y_true), TypeError, "pair .* Received: ndarray"),
        (lambda y_true, y_pred: (y_pred[:, 0], y_pred[:, 0]), ValueError, r"gradient \(4,\)"),
        (lambda y_true, y_pred: (y_pred[0], y_pred), ValueError, r"losses \(3,\)"),
    ],
)
def test_a_function_that_returns_something_else_is_refused(function: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        losses.get(function)(np.zeros((4, 3)), np.zeros((4, 3)))


@pytest.mark.parametrize("loss", LOSSES[:4] + LOSSES[6:8], ids=describe)
@pytest.mark.parametrize(("true_shape", "pred_shape"), [((3, 2), (3, 4)), ((3,), (3, 2)), ((1, 4), (3, 4)), ((), (3,))])
def test_shapes_that_do_not_match_are_named(loss: losses.Loss, true_shape: Any, pred_shape: Any) -> None:
    with pytest.raises(ValueError, match="`y_true` and `y_pred`") as caught:
        loss(np.zeros(true_shape), np.zeros(pred_shape))
    assert f"y_true of shape {true_shape} and y_pred of shape {pred_shape}" in str(caught.value)


@pytest.mark.parametrize("true_shape", [(3, 4), (2,), (4,), (3, 1, 2)])
def test_class_numbers_of_a_wrong_shape_are_named(true_shape: Any) -> None:
    with pytest.raises(ValueError, match="one class number per row") as caught:
        losses.SparseCategoricalCrossentropy()(np.zeros(true_shape, int), np.ones((3, 4)))
    assert f"y_true of shape {true_shape} and y_pred of shape (3, 4)" in str(caught.value)


@pytest.mark.parametrize("wrong", [-1, 4, 0.5, np.nan, np.inf, 2**40])
def test_a_class_that_does_not_exist_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"class numbers in \[0, 4\). Received: "):
        losses.SparseCategoricalCrossentropy()(np.array([0, wrong, 1]), np.ones((3, 4)))


@pytest.mark.parametrize("argument", ["sample_weight", "mask"])
@pytest.mark.parametrize("shape", [(2,), (3, 4), (3, 2), (3, 1, 1)])
def test_weights_that_do_not_fit_are_refused(argument: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must fit"):
        losses.MeanSquaredError()(np.zeros((3, 4)), np.zeros((3, 4)), **{argument: np.ones(shape)})


def test_weights_of_one_dimensional_predictions_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"reshape them to \(n, 1\)"):
        losses.MeanSquaredError()(np.zeros(3), np.zeros(3), sample_weight=np.ones(3))


@pytest.mark.parametrize("argument", ["y_true", "y_pred", "sample_weight", "mask"])
@pytest.mark.parametrize("wrong", [np.array(["a", "b"]), np.array([1j, 2]), np.array([None, 1])])
def test_what_are_no_numbers_is_refused(argument: str, wrong: Array) -> None:
    arguments = {"y_true": np.zeros((2, 1)), "y_pred": np.zeros((2, 1)), argument: wrong}
    with pytest.raises(TypeError, match=f"`{argument}` must hold real numbers"):
        losses.MeanSquaredError()(**arguments)


def test_a_single_number_is_no_prediction() -> None:
    with pytest.raises(ValueError, match="at least one dimension"):
        losses.MeanSquaredError()(1.0, 2.0)


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        (losses.MeanSquaredError, {"reduction": "median"}, ValueError),
        (losses.MeanSquaredError, {"reduction": 0}, ValueError),
        (losses.BinaryCrossentropy, {"from_logits": 1}, TypeError),
        (losses.BinaryCrossentropy, {"from_logits": "yes"}, TypeError),
        (losses.BinaryCrossentropy, {"label_smoothing": 1.5}, ValueError),
        (losses.BinaryCrossentropy, {"label_smoothing": -0.1}, ValueError),
        (losses.CategoricalCrossentropy, {"label_smoothing": True}, TypeError),
        (losses.CategoricalCrossentropy, {"label_smoothing": float("nan")}, ValueError),
        (losses.CategoricalCrossentropy, {"axis": 1.0}, TypeError),
        (losses.CosineSimilarity, {"axis": True}, TypeError),
        (losses.Huber, {"delta": 0}, ValueError),
        (losses.Huber, {"delta": "1"}, TypeError),
        (losses.BinaryFocalCrossentropy, {"alpha": 1.5}, ValueError),
        (losses.BinaryFocalCrossentropy, {"gamma": -1}, ValueError),
        (losses.BinaryFocalCrossentropy, {"apply_class_balancing": 1}, TypeError),
        (losses.CategoricalFocalCrossentropy, {"alpha": "a"}, TypeError),
        (losses.MeanSquaredError, {"dtype": "int32"}, ValueError),
        (losses.MeanSquaredError, {"dtype": "float31"}, ValueError),
        (losses.SparseCategoricalCrossentropy, {"ignore_class": True}, TypeError),
        (losses.SparseCategoricalCrossentropy, {"ignore_class": 1.0}, TypeError),
    ],
)
def test_a_wrong_option_is_refused_by_name(kind: Any, arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"`{next(iter(arguments))}`.* Received: "):
        kind(**arguments)


@pytest.mark.parametrize(
    ("identifier", "error"),
    [
        ("mean_sqared_error", ValueError),
        ({"class_name": "MeanSquaredError", "config": {"speed": 1}}, ValueError),
        ({"config": {}}, ValueError),
        (3, TypeError),
        (int, TypeError),
    ],
)
def test_an_unknown_identifier_is_refused(identifier: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        losses.get(identifier)


def test_a_subclass_without_per_sample_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="Loss must implement `per_sample"):
        losses.Loss()(np.zeros((1, 1)), np.zeros((1, 1)))
