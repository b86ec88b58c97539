"""Regularizers, judged by float64 formulas written from Keras's definitions and by finite differences."""

from __future__ import annotations

import itertools
import json
import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from fastembed_layer import regularizers
from fastembed_layer.regularizers import L1, L1L2, L2, FunctionRegularizer, OrthogonalRegularizer, Regularizer

Array = np.ndarray[Any, Any]

ALL = [
    L1(0.3),
    L2(0.2),
    L1L2(0.3, 0.2),
    L1L2(),
    OrthogonalRegularizer(0.5),
    OrthogonalRegularizer(0.5, mode="columns"),
]
NOT_FACTORS: list[tuple[Any, type[Exception]]] = [
    (True, TypeError),
    ("0.1", TypeError),
    ([0.1], TypeError),
    (1j, TypeError),
    (-0.1, ValueError),
    (math.nan, ValueError),
    (math.inf, ValueError),
]

matrices = st_numpy.arrays(
    st.sampled_from(["float32", "float64"]),
    st_numpy.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
    elements=st.floats(-10, 10, width=32),
)


def reference_sums(weights: Array, l1: float, l2: float) -> float:
    """``l1 * sum(abs(w)) + l2 * sum(w**2)`` in Python's floats."""
    numbers = [float(number) for number in weights.ravel()]
    return l1 * math.fsum(map(abs, numbers)) + l2 * math.fsum(number * number for number in numbers)


def reference_orthogonal(weights: Array, factor: float) -> float:
    """`factor` times the mean of the absolute cosines of all pairs of rows; norms are at least 1e-7."""
    rows = [[float(number) for number in row] for row in weights]
    units = [[number / max(math.hypot(*row), 1e-7) for number in row] for row in rows]
    pairs = [
        abs(math.fsum(a * b for a, b in zip(one, two, strict=True))) for one, two in itertools.combinations(units, 2)
    ]
    return factor * math.fsum(pairs) / max(len(pairs), 1)


def difference_quotients(function: Callable[[Array], float], weights: Array, step: float = 1e-6) -> Array:
    """The derivative of `function` by central differences."""
    gradient = np.zeros_like(weights)
    for index in np.ndindex(weights.shape):
        moved = np.zeros_like(weights)
        moved[index] = step
        gradient[index] = (function(weights + moved) - function(weights - moved)) / (2 * step)
    return gradient


@given(matrices)
def test_l1_and_l2_are_the_sums_that_keras_defines(weights: Array) -> None:
    assert L1(0.3)(weights) == pytest.approx(reference_sums(weights, 0.3, 0), rel=1e-12)
    assert L2(0.2)(weights) == pytest.approx(reference_sums(weights, 0, 0.2), rel=1e-12)
    assert L1L2(0.3, 0.2)(weights) == pytest.approx(reference_sums(weights, 0.3, 0.2), rel=1e-12)


@given(matrices)
def test_the_orthogonal_penalty_is_the_mean_absolute_cosine_of_all_pairs(weights: Array) -> None:
    rows, columns = OrthogonalRegularizer(0.5), OrthogonalRegularizer(0.5, mode="columns")
    assert rows(weights) == pytest.approx(reference_orthogonal(weights, 0.5), rel=1e-9, abs=1e-12)
    assert columns(weights) == pytest.approx(reference_orthogonal(weights.T, 0.5), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("regularizer", ALL, ids=repr)
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (1, 4), (2, 1)])
def test_the_gradient_is_the_derivative_of_the_penalty(regularizer: Regularizer, shape: tuple[int, ...]) -> None:
    weights = np.random.default_rng(1).normal(size=shape)
    expected = difference_quotients(regularizer, weights)
    np.testing.assert_allclose(regularizer.gradient(weights), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("regularizer", ALL, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_has_the_shape_and_dtype_of_the_weights(regularizer: Regularizer, dtype: str) -> None:
    weights = np.ones((4, 3), dtype)
    gradient = regularizer.gradient(weights)
    assert (gradient.shape, gradient.dtype) == (weights.shape, weights.dtype)
    assert type(regularizer(weights)) is float
    assert (weights == 1).all()


@pytest.mark.parametrize("regularizer", [L1(0.3), L2(0.2), L1L2(0.3, 0.2)], ids=repr)
def test_a_row_local_gradient_depends_on_its_row_alone(regularizer: Regularizer) -> None:
    weights = np.random.default_rng(2).normal(size=(6, 4)).astype("float32")
    assert regularizer.is_row_local
    np.testing.assert_array_equal(regularizer.gradient(weights)[[4, 1]], regularizer.gradient(weights[[4, 1]]))


def test_the_orthogonal_regularizer_is_not_row_local() -> None:
    assert not OrthogonalRegularizer().is_row_local


def test_the_gradient_of_l1_at_zero_is_zero() -> None:
    np.testing.assert_array_equal(L1(0.5).gradient(np.array([-2.0, 0.0, 3.0])), [-0.5, 0.0, 0.5])


def test_orthogonal_gradient_of_a_row_of_zeros_is_finite() -> None:
    gradient = OrthogonalRegularizer(1.0).gradient(np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]]))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_a_large_orthogonal_penalty_is_the_same_in_blocks(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(3).normal(size=(23, 19))
    regularizer = OrthogonalRegularizer(0.5, mode)
    value, gradient = regularizer(weights), regularizer.gradient(weights)
    monkeypatch.setattr(regularizers, "BLOCK", 50)
    assert regularizer(weights) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(regularizer.gradient(weights), gradient, rtol=1e-9)


def test_sums_are_exact_where_float32_would_stop_counting() -> None:
    assert L1(1.0)(np.array([1e8, 1.0] * 8, "float32")) == 8e8 + 8
    assert L2(1.0)(np.array([1e4, 1.0] * 8, "float32")) == 8e8 + 8


def test_a_penalty_does_not_copy_the_table() -> None:
    weights = np.ones((1 << 18, 8), "float32")
    tracemalloc.start()
    try:
        L1L2(0.1, 0.1)(weights)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < weights.nbytes / 4


def test_weights_may_have_any_rank_and_need_not_be_contiguous() -> None:
    weights = np.arange(24.0).reshape(2, 3, 4)
    for view in (weights, weights.T, weights[:, ::2], weights[0, 0], weights[1, 1, 1]):
        assert L1L2(0.3, 0.2)(view) == pytest.approx(reference_sums(np.asarray(view), 0.3, 0.2))


@pytest.mark.parametrize("regularizer", [L1(), OrthogonalRegularizer()], ids=repr)
@pytest.mark.parametrize("weights", [np.ones((2, 2), int), np.ones((2, 2), bool), [["a"]]], ids=repr)
def test_weights_that_are_not_floats_are_refused(regularizer: Regularizer, weights: Any) -> None:
    with pytest.raises(TypeError, match="`weights` of a regularizer must be floats"):
        regularizer(weights)
    with pytest.raises(TypeError, match="`weights` of a regularizer must be floats"):
        regularizer.gradient(weights)


def test_the_orthogonal_regularizer_refuses_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match=r"must be a matrix. Received: shape \(2, 2, 2\)"):
        OrthogonalRegularizer()(np.ones((2, 2, 2)))


@pytest.mark.parametrize(("factor", "error"), NOT_FACTORS)
@pytest.mark.parametrize(("cls", "name"), [(L1, "l1"), (L2, "l2"), (L1L2, "l2"), (OrthogonalRegularizer, "factor")])
def test_a_factor_must_be_a_number_that_is_not_negative(
    cls: type[Regularizer], name: str, factor: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"`{name}` must be a .*Received: "):
        cls(**{name: factor})


def test_none_stands_for_the_default_factor() -> None:
    assert L1(None).get_config() == {"l1": 0.01}  # type: ignore[arg-type]
    assert L2(None).get_config() == {"l2": 0.01}  # type: ignore[arg-type]
    assert L1L2(None, None).get_config() == {"l1": 0.0, "l2": 0.0}  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="`factor`"):
        OrthogonalRegularizer(None)  # type: ignore[arg-type]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`mode` must be one of 'rows', 'columns'\. Received: 'diagonal'"):
        OrthogonalRegularizer(mode="diagonal")


@pytest.mark.parametrize(
    ("identifier", "cls", "config"),
    [
        ("l1", L1, {"l1": 0.01}),
        ("L1", L1, {"l1": 0.01}),
        ("l2", L2, {"l2": 0.01}),
        ("L2", L2, {"l2": 0.01}),
        ("l1_l2", L1L2, {"l1": 0.01, "l2": 0.01}),  # as tf.keras; Keras 3 refuses this name
        (regularizers.l1_l2, L1L2, {"l1": 0.01, "l2": 0.01}),
        ("l1l2", L1L2, {"l1": 0.0, "l2": 0.0}),
        ("L1L2", L1L2, {"l1": 0.0, "l2": 0.0}),
        ("orthogonal_regularizer", OrthogonalRegularizer, {"factor": 0.01, "mode": "rows"}),
        (regularizers.l2, L2, {"l2": 0.01}),
        (L1, L1, {"l1": 0.01}),
        (L2(0.5), L2, {"l2": 0.5}),
        ({"class_name": "L2", "config": {"l2": 0.009999999776482582}}, L2, {"l2": 0.009999999776482582}),
        ({"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.2}}, L1L2, {"l1": 0.1, "l2": 0.2}),
        (
            {
                "module": "keras.regularizers",
                "class_name": "L1",
                "config": {"l1": 0.1},
                "registered_name": None,
            },
            L1,
            {"l1": 0.1},
        ),
    ],
)
def test_every_kind_of_identifier_is_understood(identifier: Any, cls: type, config: dict[str, Any]) -> None:
    found = regularizers.get(identifier)
    assert found is not None
    assert type(found) is cls
    assert found.get_config() == config


def test_none_is_no_regularizer() -> None:
    assert regularizers.get(None) is None
    assert regularizers.serialize(None) is None


@pytest.mark.parametrize("regularizer", ALL, ids=repr)
def test_a_config_survives_json(regularizer: Regularizer) -> None:
    config = json.loads(json.dumps(regularizers.serialize(regularizer)))
    again = regularizers.deserialize(config)
    assert type(again) is type(regularizer)
    assert again.get_config() == regularizer.get_config()


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        ("l3", ValueError, "Unknown regularizer: 'l3'"),
        ("orthogonal", ValueError, "Did you mean .*'orthogonal_regularizer'"),
        ({"class_name": "L2", "config": {"l3": 1}}, ValueError, "L2 cannot be built from"),
        ({"class_name": "L2", "config": {"l2": True}}, ValueError, "L2 cannot be built from"),
        ({"config": {}}, ValueError, "needs the key 'class_name'"),
        (3, TypeError, "Could not interpret the regularizer identifier"),
        (True, TypeError, "Could not interpret the regularizer identifier"),
        (dict, TypeError, "Could not interpret the regularizer identifier"),
    ],
)
def test_what_names_no_regularizer_is_refused(identifier: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        regularizers.get(identifier)


def sum_of_cubes(weights: Array) -> Any:
    return np.sum(weights**3)


class Cubes:
    """What the error message asks for: an object with a `gradient` method."""

    is_row_local = True

    def __call__(self, weights: Array) -> Any:
        return np.sum(weights**3)

    def gradient(self, weights: Array) -> Array:
        return 3 * weights**2


class WrongShape(Cubes):
    def gradient(self, weights: Array) -> Array:
        return weights[:, 0]


def test_a_plain_function_gives_its_value_but_no_gradient() -> None:
    regularizer = regularizers.get(sum_of_cubes)
    assert isinstance(regularizer, FunctionRegularizer)
    assert regularizer(np.array([1.0, 2.0])) == 9.0
    assert not regularizer.is_row_local
    with pytest.raises(TypeError, match=r"sum_of_cubes has no gradient.*an object with a `gradient\(weights\)` method"):
        regularizer.gradient(np.ones(2))
    with pytest.raises(ValueError, match="sum_of_cubes is a plain function and has no config"):
        regularizers.serialize(regularizer)


def test_a_callable_object_with_a_gradient_method_can_be_trained() -> None:
    regularizer = regularizers.get(Cubes())
    assert regularizer is not None
    assert regularizer.is_row_local
    gradient = regularizer.gradient(np.array([1.0, 2.0], "float32"))
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, [3.0, 12.0])
    with pytest.raises(ValueError, match=r"WrongShape must have the shape \(2, 2\). Received: \(2,\)"):
        FunctionRegularizer(WrongShape()).gradient(np.ones((2, 2)))


def test_a_function_must_return_one_number() -> None:
    with pytest.raises(ValueError, match=r"absolute must return one number. Received: shape \(2,\)"):
        FunctionRegularizer(np.abs)(np.ones(2))
    assert FunctionRegularizer(lambda weights: np.array([2.5]))(np.ones(2)) == 2.5


def test_a_subclass_in_the_manner_of_keras_works_and_says_that_it_has_no_gradient() -> None:
    class Largest(Regularizer):
        def __call__(self, weights: Any) -> float:
            return float(np.max(weights))

    regularizer = regularizers.get(Largest)
    assert regularizer is not None
    assert regularizer(np.array([1.0, 4.0])) == 4.0
    assert Regularizer()(np.ones(2)) == 0.0
    with pytest.raises(TypeError, match="Largest has no gradient"):
        regularizer.gradient(np.ones(2))


def test_the_shortcuts_of_keras_exist() -> None:
    assert regularizers.l1(0.1).get_config() == {"l1": 0.1}
    assert regularizers.l1_l2(l2=0.5).get_config() == {"l1": 0.01, "l2": 0.5}
    assert regularizers.orthogonal_regularizer is OrthogonalRegularizer
    assert set(regularizers.__all__) <= set(dir(regularizers))


def test_a_regularizer_shows_its_arguments() -> None:
    assert [repr(regularizer) for regularizer in (L1(), L1L2(0.5), FunctionRegularizer(sum_of_cubes))] == [
        "L1(l1=0.01)",
        "L1L2(l1=0.5, l2=0.0)",
        "sum_of_cubes()",
    ]
