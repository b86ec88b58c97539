"""Constraints, judged by float64 formulas written from Keras's definitions."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from fastembed_layer import constraints
from fastembed_layer.constraints import Constraint, FunctionConstraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm

Array = np.ndarray[Any, Any]

AXES: list[Any] = [0, 1, -1, [0], [1], [0, 1], (0, 1)]
NOT_NUMBERS: list[tuple[Any, type[Exception]]] = [
    (True, TypeError),
    ("1", TypeError),
    (None, TypeError),
    ([1.0], TypeError),
    (-0.5, ValueError),
    (math.nan, ValueError),
    (math.inf, ValueError),
]

matrices = st_numpy.arrays(
    st.sampled_from(["float32", "float64"]),
    st_numpy.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
    elements=st.floats(-10, 10, width=32),
)


def reference_norms(weights: Array, axis: Any) -> Array:
    """Norms along `axis`, one vector at a time, repeated for every element of its vector."""
    axes = {number % weights.ndim for number in np.atleast_1d(axis)}
    norms = np.zeros(weights.shape)
    for index in np.ndindex(weights.shape):
        vector = weights[tuple(slice(None) if number in axes else each for number, each in enumerate(index))]
        norms[index] = math.hypot(*(float(number) for number in np.ravel(vector)))
    return norms


def check(constraint: Constraint, weights: Array, expected: Array) -> None:
    """Compare with a float64 result; shape and dtype stay, the argument is not written."""
    before = weights.copy()
    projected = constraint(weights)
    assert (projected.shape, projected.dtype) == (weights.shape, weights.dtype)
    tolerance = 1e-12 if weights.dtype == np.float64 else 2e-6
    np.testing.assert_allclose(projected, expected, rtol=tolerance, atol=1e-30)
    np.testing.assert_array_equal(weights, before)
    assert not np.shares_memory(projected, weights)


@given(matrices)
def test_non_neg_sets_negative_weights_to_zero(weights: Array) -> None:
    check(NonNeg(), weights, np.where(weights > 0, weights, 0).astype(float))


@given(matrices, st.sampled_from(AXES), st.floats(0, 20))
def test_max_norm_limits_norms_from_above(weights: Array, axis: Any, largest: float) -> None:
    norms = reference_norms(weights, axis)
    expected = weights.astype(float) * (np.clip(norms, 0, largest) / (1e-7 + norms))
    check(MaxNorm(largest, axis), weights, expected)


@given(matrices, st.sampled_from(AXES))
def test_unit_norm_divides_by_the_norm(weights: Array, axis: Any) -> None:
    check(UnitNorm(axis), weights, weights.astype(float) / (1e-7 + reference_norms(weights, axis)))


@given(matrices, st.sampled_from(AXES), st.floats(0, 5), st.floats(5, 20), st.floats(0, 1))
def test_min_max_norm_draws_norms_into_the_interval(
    weights: Array, axis: Any, smallest: float, largest: float, rate: float
) -> None:
    norms = reference_norms(weights, axis)
    wanted = rate * np.clip(norms, smallest, largest) + (1 - rate) * norms
    expected = weights.astype(float) * (wanted / (1e-7 + norms))
    check(MinMaxNorm(smallest, largest, rate, axis), weights, expected)


def test_the_axes_of_a_norm_may_be_any_of_a_larger_array() -> None:
    weights = np.random.default_rng(1).normal(size=(2, 3, 4, 5))
    for axis in (0, 2, -1, [0, 1, 2], [-1, 0]):
        check(UnitNorm(axis), weights, weights / (1e-7 + reference_norms(weights, axis)))


def test_a_view_that_is_not_contiguous_is_projected_like_its_copy() -> None:
    weights = np.random.default_rng(1).normal(size=(6, 8))[::2, ::-2]
    np.testing.assert_array_equal(MaxNorm(0.5, axis=1)(weights), MaxNorm(0.5, axis=1)(weights.copy()))


def test_norms_of_large_float32_weights_do_not_overflow() -> None:
    projected = UnitNorm(axis=1)(np.array([[3e30, 4e30]], "float32"))
    np.testing.assert_allclose(projected, [[0.6, 0.8]], rtol=1e-6)


def test_nan_stays_nan() -> None:
    assert np.isnan(MaxNorm(1, axis=1)(np.array([[np.nan, 1.0], [0.1, 0.2]]))).tolist() == [
        [True, True],
        [False] * 2,
    ]
    assert np.isnan(NonNeg()(np.array([np.nan, -1.0]))).tolist() == [True, False]


@pytest.mark.parametrize("cls", [MaxNorm, UnitNorm, MinMaxNorm])
@pytest.mark.parametrize(
    ("axis", "is_row_local"),
    [(0, False), (1, True), (-1, True), ([1], True), ((-1,), True), ([0, 1], False), (-2, False), (2, False)],
)
def test_a_norm_is_row_local_when_it_runs_along_the_rows(cls: Any, axis: Any, is_row_local: bool) -> None:
    assert cls(axis=axis).is_row_local is is_row_local


@pytest.mark.parametrize(
    "constraint",
    [NonNeg(), MaxNorm(0.5, axis=1), UnitNorm(axis=-1), MinMaxNorm(0.2, 0.4, 0.5, axis=[1])],
    ids=repr,
)
def test_a_row_local_projection_of_some_rows_is_that_of_the_table(constraint: Constraint) -> None:
    weights = np.random.default_rng(2).normal(size=(9, 5)).astype("float32")
    assert constraint.is_row_local
    np.testing.assert_array_equal(constraint(weights)[[7, 2]], constraint(weights[[7, 2]]))


@pytest.mark.parametrize(("value", "error"), NOT_NUMBERS)
@pytest.mark.parametrize(
    ("cls", "name"),
    [(MaxNorm, "max_value"), (MinMaxNorm, "min_value"), (MinMaxNorm, "max_value"), (MinMaxNorm, "rate")],
)
def test_norms_and_rates_must_be_numbers_that_are_not_negative(
    cls: Any, name: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"`{name}` must be a .*Received: "):
        cls(**{name: value})


def test_bounds_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`min_value` must not exceed `max_value`\. Received: min_value=2"):
        MinMaxNorm(2, 1)
    with pytest.raises(ValueError, match="`rate` must be"):
        MinMaxNorm(rate=1.5)


@pytest.mark.parametrize("axis", [True, "0", None, 0.0, [0, True], [[0]], {0}])
@pytest.mark.parametrize("cls", [MaxNorm, UnitNorm, MinMaxNorm])
def test_an_axis_must_be_an_integer_or_a_list_of_integers(cls: Any, axis: Any) -> None:
    with pytest.raises(TypeError, match=r"`axis` must be an integer or a list of integers. Received: "):
        cls(axis=axis)


def test_an_axis_that_the_weights_do_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="`axis` must name at least one axis"):
        UnitNorm([])
    for axis in (2, -3, [0, 2]):
        with pytest.raises(ValueError, match=r"`axis` must name axes of the weights, shape \(3, 4\)"):
            UnitNorm(axis)(np.ones((3, 4)))


@pytest.mark.parametrize("constraint", [NonNeg(), MaxNorm()], ids=repr)
@pytest.mark.parametrize("weights", [np.ones((2, 2), int), np.ones((2, 2), bool), [["a"]]], ids=repr)
def test_weights_that_are_not_floats_are_refused(constraint: Constraint, weights: Any) -> None:
    with pytest.raises(TypeError, match="`weights` of a constraint must be floats"):
        constraint(weights)


MAX_NORM = {"max_value": 2.0, "axis": 0}
MIN_MAX_NORM = {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}


@pytest.mark.parametrize(
    ("identifier", "cls", "config"),
    [
        ("max_norm", MaxNorm, MAX_NORM),
        ("MaxNorm", MaxNorm, MAX_NORM),
        ("maxnorm", MaxNorm, MAX_NORM),
        (constraints.max_norm, MaxNorm, MAX_NORM),
        ("non_neg", NonNeg, {}),
        ("nonneg", NonNeg, {}),
        ("NonNeg", NonNeg, {}),
        ("unit_norm", UnitNorm, {"axis": 0}),
        ("UnitNorm", UnitNorm, {"axis": 0}),
        ("min_max_norm", MinMaxNorm, MIN_MAX_NORM),
        ("MinMaxNorm", MinMaxNorm, MIN_MAX_NORM),
        (UnitNorm([0, 1]), UnitNorm, {"axis": [0, 1]}),
        (
            {"class_name": "MaxNorm", "config": {"max_value": 3, "axis": 1}},
            MaxNorm,
            {"max_value": 3.0, "axis": 1},
        ),
        (
            {"module": "keras.constraints", "class_name": "NonNeg", "config": {}, "registered_name": None},
            NonNeg,
            {},
        ),
    ],
)
def test_every_kind_of_identifier_is_understood(identifier: Any, cls: type, config: dict[str, Any]) -> None:
    found = constraints.get(identifier)
    assert found is not None
    assert type(found) is cls
    assert found.get_config() == config


@pytest.mark.parametrize(
    "constraint", [MaxNorm(3, [0, 1]), NonNeg(), UnitNorm(1), MinMaxNorm(0.5, 2, 0.5, -1)], ids=repr
)
def test_a_config_survives_json(constraint: Constraint) -> None:
    again = constraints.deserialize(json.loads(json.dumps(constraints.serialize(constraint))))
    assert type(again) is type(constraint)
    assert again.get_config() == constraint.get_config()


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        ("max_nrm", ValueError, "Unknown constraint: 'max_nrm'. Did you mean .*'max_norm'"),
        ({"class_name": "MaxNorm", "config": {"m": 2}}, ValueError, "MaxNorm cannot be built from"),
        (2.0, TypeError, "Could not interpret the constraint identifier"),
        (True, TypeError, "Could not interpret the constraint identifier"),
    ],
)
def test_what_names_no_constraint_is_refused(identifier: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        constraints.get(identifier)


def test_none_is_no_constraint() -> None:
    assert constraints.get(None) is None


def clip_to_one(weights: Array) -> Any:
    return np.clip(weights, -1, 1).astype(float).tolist()


class HalveRows:
    """A callable that declares that it may be given single rows."""

    is_row_local = True

    def __call__(self, weights: Array) -> Array:
        return weights / 2


def test_a_plain_function_is_a_constraint_of_the_whole_table() -> None:
    constraint = constraints.get(clip_to_one)
    assert isinstance(constraint, FunctionConstraint)
    assert not constraint.is_row_local
    projected = constraint(np.array([[3.0, -0.5]], "float32"))
    assert projected.dtype == np.float32
    np.testing.assert_array_equal(projected, [[1.0, -0.5]])
    assert repr(constraint) == "clip_to_one()"
    with pytest.raises(ValueError, match="clip_to_one is a plain function and has no config"):
        constraints.serialize(constraint)


def test_a_callable_object_may_be_row_local() -> None:
    constraint = constraints.get(HalveRows())
    assert constraint is not None
    assert constraint.is_row_local


def test_a_function_that_returns_its_argument_gives_a_new_array() -> None:
    weights = np.ones((2, 2))
    for constraint in (FunctionConstraint(lambda array: array), Constraint()):
        assert not np.shares_memory(constraint(weights), weights)


def test_a_function_must_keep_the_shape() -> None:
    with pytest.raises(ValueError, match=r"sum must return the shape \(2, 2\). Received: \(\)"):
        FunctionConstraint(np.sum)(np.ones((2, 2)))


def test_a_subclass_in_the_manner_of_keras_works() -> None:
    class Rounded(Constraint):
        def __call__(self, w: Any) -> Array:
            return np.asarray(w).round()

    constraint = constraints.get(Rounded)
    assert constraint is not None
    assert not constraint.is_row_local
    np.testing.assert_array_equal(constraint(np.array([0.6, 1.2])), [1.0, 1.0])


def test_the_shortcuts_of_keras_exist() -> None:
    assert constraints.non_neg is NonNeg
    assert constraints.unit_norm(axis=1).get_config() == {"axis": 1}
    assert set(constraints.__all__) <= set(dir(constraints))
