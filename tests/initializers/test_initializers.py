"""Initializers: Keras's formulas and identifiers, and numbers that depend on seed, row and column alone."""

from __future__ import annotations

import inspect
import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fastembed_layer import initializers, set_threads
from fastembed_layer.initializers import Initializer

Array = np.ndarray[Any, Any]

DRAWN = [
    initializers.RandomUniform(-1.0, 2.0, seed=3),
    initializers.RandomNormal(1.0, 2.0, seed=3),
    initializers.TruncatedNormal(1.0, 2.0, seed=3),
    initializers.VarianceScaling(2.0, "fan_avg", "untruncated_normal", seed=3),
    initializers.GlorotUniform(seed=3),
    initializers.HeNormal(seed=3),
]
FIXED = [
    initializers.Zeros(),
    initializers.Ones(),
    initializers.Constant(0.25),
    initializers.Constant([1.0, 2.0, 3.0]),
    initializers.Identity(2.0),
]
ROW_LOCAL = DRAWN + FIXED
EVERY = [*ROW_LOCAL, initializers.Orthogonal(seed=3)]

# class, scale, mode and distribution of Keras's documentation
SCALINGS = [
    (initializers.GlorotUniform, 1.0, "fan_avg", "uniform"),
    (initializers.GlorotNormal, 1.0, "fan_avg", "truncated_normal"),
    (initializers.HeUniform, 2.0, "fan_in", "uniform"),
    (initializers.HeNormal, 2.0, "fan_in", "truncated_normal"),
    (initializers.LecunUniform, 1.0, "fan_in", "uniform"),
    (initializers.LecunNormal, 1.0, "fan_in", "truncated_normal"),
]
TRUNCATED_DEVIATION = float(stats.truncnorm(-2, 2).std())


@pytest.fixture
def _own_default_seeds() -> Any:
    """Go back to seeds from the operating system after a test."""
    yield
    initializers.set_seed(None)


@pytest.mark.parametrize("initializer", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_result_has_the_shape_and_dtype_asked_for(initializer: Initializer, dtype: str) -> None:
    values = initializer((6, 3), dtype)
    assert (values.shape, values.dtype) == ((6, 3), dtype)
    assert initializer((6, 3)).dtype == initializer((6, 3), None).dtype == np.float32


@pytest.mark.parametrize("initializer", EVERY, ids=repr)
def test_a_second_call_returns_the_same_values(initializer: Initializer) -> None:
    first, second = initializer((6, 3)), initializer((6, 3))
    assert first is not second
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("initializer", EVERY, ids=repr)
def test_fill_writes_what_a_call_returns(initializer: Initializer) -> None:
    out = np.full((6, 3), np.nan)
    initializer.fill(out)
    np.testing.assert_array_equal(out, initializer((6, 3), "float64"))


@pytest.mark.parametrize("initializer", EVERY, ids=repr)
@given(first_row=st.integers(0, 6), rows=st.integers(0, 6))
@settings(deadline=None)  # the first example compiles
def test_a_stretch_of_rows_is_filled_as_in_the_whole(initializer: Initializer, first_row: int, rows: int) -> None:
    whole = initializer((7, 3), "float64")
    out = np.full((min(rows, 7 - first_row), 3), np.nan)
    initializer.fill(out, first_row, shape=(7, 3))
    np.testing.assert_array_equal(out, whole[first_row : first_row + len(out)])


@pytest.mark.parametrize("initializer", ROW_LOCAL[:3] + FIXED, ids=repr)
def test_growing_an_array_keeps_its_first_rows(initializer: Initializer) -> None:
    small, large = initializer((10, 3)), np.zeros((15, 3), "float32")
    large[:10] = small
    initializer.fill(large[10:], first_row=10)
    np.testing.assert_array_equal(large, initializer((15, 3)))


@pytest.mark.parametrize("initializer", [*DRAWN, initializers.Orthogonal(seed=3)], ids=repr)
def test_the_number_of_threads_does_not_change_a_bit(initializer: Initializer) -> None:
    results = []
    for threads in (1, 2, 5):
        previous = set_threads(threads)
        try:
            results.append(initializer((9001, 33)).tobytes())
        finally:
            set_threads(previous)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("initializer", DRAWN, ids=repr)
def test_every_seed_gives_other_values(initializer: Initializer) -> None:
    config = initializer.get_config()
    seeds = [0, 1, 2**31, 2**40 + 1, 2**64 - 1, -1]
    values = [type(initializer).from_config({**config, "seed": seed})((4, 4)).tobytes() for seed in seeds]
    assert len(set(values)) == len(seeds) - 1  # -1 and 2**64 - 1 are one key


@pytest.mark.parametrize("initializer", DRAWN, ids=repr)
@pytest.mark.parametrize("shape", [(), (5,), (0,), (0, 4), (4, 0), (2, 3, 4), (2, 0, 4), (2, 3, 4, 5), 7])
def test_arrays_of_any_rank_are_drawn(initializer: Initializer, shape: Any) -> None:
    values = initializer(shape)
    assert values.shape == ((shape,) if isinstance(shape, int) else shape)
    assert np.isfinite(values).all()
    if values.size > 1:
        assert len(np.unique(values)) == values.size


def test_leading_dimensions_are_rows() -> None:
    initializer = initializers.RandomUniform(seed=1)
    np.testing.assert_array_equal(initializer((2, 3, 4)).reshape(6, 4), initializer((6, 4)))
    np.testing.assert_array_equal(initializer((4,)), initializer((1, 4))[0])
    out = np.zeros((2, 3, 4), "float32")
    initializer.fill(out, first_row=5)
    np.testing.assert_array_equal(out, initializer((7, 3, 4))[5:])


@pytest.mark.parametrize("initializer", ROW_LOCAL, ids=repr)
def test_filling_a_table_needs_no_second_one(initializer: Initializer) -> None:
    initializer.fill(np.zeros((2, 3), "float32"))  # compiles
    table = np.zeros((1 << 17, 3), "float32")
    tracemalloc.start()
    try:
        initializer.fill(table)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < table.nbytes / 10


def test_a_strided_view_is_filled() -> None:
    initializer = initializers.RandomUniform(seed=1)
    slab = np.zeros((5, 8), "float32")
    initializer.fill(slab[:, :3])
    np.testing.assert_array_equal(slab[:, :3], initializer((5, 3)))
    assert not slab[:, 3:].any()


@pytest.mark.parametrize("initializer", DRAWN, ids=repr)
def test_float32_values_are_the_float64_values_to_its_precision(initializer: Initializer) -> None:
    np.testing.assert_allclose(initializer((50, 5)), initializer((50, 5), "float64"), rtol=1e-5, atol=1e-6)


def check_distribution(values: Array, expected: Any) -> None:
    """Kolmogorov-Smirnov, mean, deviation and range of float32 values."""
    assert stats.kstest(values.ravel(), expected.cdf).pvalue > 1e-3
    assert values.mean(dtype=float) == pytest.approx(expected.mean(), abs=5 * expected.std() / values.size**0.5)
    assert values.std(dtype=float) == pytest.approx(expected.std(), rel=0.01)
    low, high = expected.support()
    assert np.float32(low) <= values.min()
    assert values.max() <= np.float32(high)


def test_random_uniform_is_uniform_between_its_bounds() -> None:
    values = initializers.RandomUniform(seed=1)((5000, 20))
    check_distribution(values, stats.uniform(-0.05, 0.1))
    assert values.max() < np.float32(0.05)


def test_random_normal_has_its_mean_and_deviation() -> None:
    check_distribution(initializers.RandomNormal(seed=1)((5000, 20)), stats.norm(0, 0.05))
    check_distribution(initializers.RandomNormal(3.0, 0.5, seed=1)((5000, 20)), stats.norm(3, 0.5))


def test_truncated_normal_stays_within_two_deviations() -> None:
    values = initializers.TruncatedNormal(1.0, 0.5, seed=1)((5000, 20))
    check_distribution(values, stats.truncnorm(-2, 2, 1.0, 0.5))


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["uniform", "truncated_normal", "untruncated_normal", "normal"])
@pytest.mark.parametrize("shape", [(2000, 40), (10, 20, 30, 40), (50_000,)])
def test_variance_scaling_has_the_variance_of_its_formula(mode: str, distribution: str, shape: Any) -> None:
    fan_in, fan_out = {2: (2000, 40), 4: (6000, 8000), 1: (50_000, 50_000)}[len(shape)]
    count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    deviation = math.sqrt(0.5 / count)
    limit = math.sqrt(3) * deviation
    expected = {
        "uniform": stats.uniform(-limit, 2 * limit),
        "truncated_normal": stats.truncnorm(-2, 2, 0, deviation / TRUNCATED_DEVIATION),
        "untruncated_normal": stats.norm(0, deviation),
    }["truncated_normal" if distribution == "normal" else distribution]
    check_distribution(initializers.VarianceScaling(0.5, mode, distribution, seed=1)(shape), expected)


@pytest.mark.parametrize(("cls", "scale", "mode", "distribution"), SCALINGS)
def test_the_named_scalings_are_variance_scalings(cls: Any, scale: float, mode: str, distribution: str) -> None:
    expected = initializers.VarianceScaling(scale, mode, distribution, seed=9)
    np.testing.assert_array_equal(cls(seed=9)((30, 20)), expected((30, 20)))
    assert cls(seed=9).get_config() == {"seed": 9, "input_axes": None, "output_axes": None}


@pytest.mark.parametrize(
    ("shape", "axes", "fans"),
    [
        ((), (None, None), (1, 1)),
        ((7,), (None, None), (7, 7)),
        ((7, 5), (None, None), (7, 5)),
        ((2, 3, 4, 5), (None, None), (24, 30)),
        ((2, 3, 4), ([0], [1, -1]), (2, 12)),
        ((2, 3, 4), ([0], None), (6, 8)),  # one of the two alone is ignored
    ],
)
def test_fans_are_counted_as_in_keras(shape: Any, axes: Any, fans: tuple[int, int]) -> None:
    assert initializers.random.find_fans(shape, *axes) == fans


def test_axes_that_the_shape_does_not_have_are_refused() -> None:
    initializer = initializers.GlorotUniform(input_axes=[0], output_axes=[2])
    with pytest.raises(ValueError, match=r"`output_axes` must name axes of the shape \(3, 4\)"):
        initializer((3, 4))


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (6, 6), (2, 3, 4), (4, 1)])
@pytest.mark.parametrize("gain", [1.0, 2.5, -1.0])
def test_orthogonal_has_orthogonal_rows_or_columns(shape: Any, gain: float) -> None:
    matrix = initializers.Orthogonal(gain, seed=4)(shape, "float64").reshape(-1, shape[-1])
    products = matrix @ matrix.T if len(matrix) < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(products, gain**2 * np.eye(len(products)), atol=1e-12)


def test_a_negative_gain_turns_an_orthogonal_matrix_round() -> None:
    matrix, other = (initializers.Orthogonal(gain, seed=4)((6, 3)) for gain in (1.0, -1.0))
    np.testing.assert_array_equal(matrix, -other)


def test_orthogonal_needs_two_dimensions() -> None:
    with pytest.raises(ValueError, match=r"at least two dimensions. Received: \(5,\)"):
        initializers.Orthogonal()((5,))


def test_zeros_ones_and_constants_are_what_they_say() -> None:
    np.testing.assert_array_equal(initializers.Zeros()((2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.Ones()((2, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(initializers.Constant(2.5)((2, 3)), np.full((2, 3), 2.5))
    np.testing.assert_array_equal(initializers.Constant([1, 2, 3])((2, 3)), [[1, 2, 3]] * 2)
    np.testing.assert_array_equal(initializers.Constant([[1], [2]])((2, 3)), [[1] * 3, [2] * 3])


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (0, 3), (3, 0)])
def test_identity_has_its_gain_on_the_diagonal(shape: tuple[int, int]) -> None:
    np.testing.assert_array_equal(initializers.Identity(3.0)(shape), 3.0 * np.eye(*shape))
    with pytest.raises(ValueError, match="must have two dimensions"):
        initializers.Identity()((3,))


def test_a_constant_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"broadcast to \(2, 4\). Received: shape \(3,\)"):
        initializers.Constant([1, 2, 3])((2, 4))


def test_an_array_fills_weights_of_its_own_shape_only() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    initializer = initializers.get(matrix)
    assert isinstance(initializer, initializers.FromArray)
    np.testing.assert_array_equal(initializer((2, 3)), matrix)
    with pytest.raises(ValueError, match=r"array of shape \(2, 3\) cannot fill .*Received: shape \(3, 3\)"):
        initializer((3, 3))
    again = initializers.get(initializers.serialize(initializer))
    assert isinstance(again, initializers.FromArray)
    assert again.array is matrix
    assert repr(again) == "FromArray(<array of shape (2, 3), float64>)"


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([True]), np.array([1j]), np.array([None])], ids=repr)
def test_an_array_of_anything_but_numbers_is_refused(array: Array) -> None:
    with pytest.raises(TypeError, match=r"must hold numbers. Received: dtype"):
        initializers.get(array)
    with pytest.raises(TypeError, match=r"must hold numbers. Received: dtype"):
        initializers.Constant(array)


def test_no_seed_means_a_new_one_that_the_config_holds() -> None:
    one, other = initializers.RandomUniform(), initializers.RandomUniform()
    assert one.seed != other.seed
    assert not np.array_equal(one((3, 3)), other((3, 3)))
    again = initializers.get(initializers.serialize(one))
    assert again is not None
    np.testing.assert_array_equal(again((3, 3)), one((3, 3)))


@pytest.mark.usefixtures("_own_default_seeds")
def test_set_seed_makes_default_seeds_reproducible() -> None:
    def draw_three() -> list[int]:
        return [initializers.GlorotUniform().seed, initializers.RandomNormal().seed, initializers.draw_seed()]

    initializers.set_seed(5)
    first = draw_three()
    initializers.set_seed(5)
    assert draw_three() == first
    assert len(set(first)) == 3
    assert all(0 <= seed < 2**31 for seed in first)
    initializers.set_seed(6)
    assert draw_three() != first
    initializers.set_seed(None)
    assert draw_three() != draw_three()


@pytest.mark.parametrize("seed", [True, 1.0, "1", [1], np.bool_(True)], ids=repr)
def test_a_seed_must_be_an_integer(seed: Any) -> None:
    with pytest.raises(TypeError, match=r"`seed` must be an integer or None. Received: "):
        initializers.RandomUniform(seed=seed)
    with pytest.raises(TypeError, match=r"`seed` must be an integer or None. Received: "):
        initializers.set_seed(seed)


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_a_seed_must_fit_into_64_bits(seed: int) -> None:
    with pytest.raises(ValueError, match="`seed` must fit into 64 bits"):
        initializers.RandomUniform(seed=seed)


NOT_NUMBERS: list[tuple[Any, type[Exception]]] = [
    (True, TypeError),
    ("1", TypeError),
    (None, TypeError),
    (math.nan, ValueError),
    (math.inf, ValueError),
]


@pytest.mark.parametrize(("value", "error"), NOT_NUMBERS)
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (initializers.RandomUniform, "minval"),
        (initializers.RandomUniform, "maxval"),
        (initializers.RandomNormal, "mean"),
        (initializers.RandomNormal, "stddev"),
        (initializers.TruncatedNormal, "stddev"),
        (initializers.VarianceScaling, "scale"),
        (initializers.Orthogonal, "gain"),
        (initializers.Identity, "gain"),
        (initializers.Constant, "value"),
    ],
)
def test_arguments_must_be_finite_numbers(cls: Any, name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"`{name}` must be a .*Received: "):
        cls(**{name: value})


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (initializers.RandomUniform, {"minval": 1.0, "maxval": 0.5}, "`maxval` must be"),
        (initializers.RandomUniform, {"minval": -1.7e308, "maxval": 1.7e308}, "`maxval - minval` must be"),
        (initializers.RandomNormal, {"stddev": -0.1}, "`stddev` must be"),
        (initializers.TruncatedNormal, {"stddev": -0.1}, "`stddev` must be"),
        (initializers.VarianceScaling, {"scale": -1.0}, "`scale` must be"),
        (initializers.VarianceScaling, {"scale": 0.0}, "`scale` must be positive"),
        (
            initializers.VarianceScaling,
            {"mode": "fan"},
            "`mode` must be one of 'fan_in', 'fan_out', 'fan_avg'",
        ),
        (initializers.VarianceScaling, {"distribution": "cauchy"}, "`distribution` must be one of"),
        (initializers.VarianceScaling, {"distribution": None}, "`distribution` must be one of"),
    ],
)
def test_values_that_make_no_distribution_are_refused(cls: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


def test_equal_bounds_and_no_deviation_give_one_number() -> None:
    assert np.unique(initializers.RandomUniform(0.3, 0.3)((4, 4), "float64")).tolist() == [0.3]
    assert np.unique(initializers.TruncatedNormal(0.3, 0)((4, 4), "float64")).tolist() == [0.3]


def test_numbers_that_the_dtype_cannot_hold_are_refused() -> None:
    initializer = initializers.RandomUniform(0, 1e300)
    assert np.isfinite(initializer((2, 2), "float64")).all()
    with pytest.raises(ValueError, match="draws numbers that float32 cannot hold"):
        initializer((2, 2), "float32")


@pytest.mark.parametrize("dtype", ["int32", "float16", "complex64", "bfloat16", bool, 3])
def test_a_dtype_other_than_float32_or_float64_is_refused(dtype: Any) -> None:
    with pytest.raises(TypeError, match=r"`dtype` must be float32 or float64. Received: "):
        initializers.Zeros()((2, 2), dtype)


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((2, -1), ValueError),
        (-1, ValueError),
        ((2, None), TypeError),
        ((2, True), TypeError),
        (True, TypeError),
        ((2, 1.0), TypeError),
        ("23", TypeError),
        (None, TypeError),
    ],
)
def test_a_shape_must_be_made_of_sizes(shape: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`shape` must .*Received: "):
        initializers.Zeros()(shape)


def read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("out", "first_row", "error", "message"),
    [
        (
            np.zeros((2, 2), int),
            0,
            TypeError,
            "`out` must be an array of float32 or float64. Received: dtype int64",
        ),
        ([[0.0]], 0, TypeError, "`out` must be an array .*Received: list"),
        (read_only(np.zeros((2, 2))), 0, ValueError, "`out` must be writable"),
        (np.zeros((2, 2, 4))[..., ::2], 0, ValueError, "from three dimensions on, C-contiguous"),
        (np.zeros((2, 2)), -1, ValueError, "`first_row` must not be negative"),
        (np.zeros(2), 1, ValueError, "0 for an array without rows"),
        (np.zeros((2, 2)), 1.0, TypeError, "`first_row` must be an integer"),
        (np.zeros((2, 2)), True, TypeError, "`first_row` must be an integer"),
    ],
)
def test_an_array_that_cannot_be_filled_is_refused(
    out: Any, first_row: Any, error: type[Exception], message: str
) -> None:
    for initializer in (initializers.Zeros(), initializers.RandomUniform()):
        with pytest.raises(error, match=message):
            initializer.fill(out, first_row)


CLASSES = {
    "zero": initializers.Zeros,
    "zeros": initializers.Zeros,
    "one": initializers.Ones,
    "ones": initializers.Ones,
    "constant": initializers.Constant,
    "identity": initializers.Identity,
    "IdentityInitializer": initializers.Identity,
    "uniform": initializers.RandomUniform,
    "random_uniform": initializers.RandomUniform,
    "normal": initializers.RandomNormal,
    "random_normal": initializers.RandomNormal,
    "truncated_normal": initializers.TruncatedNormal,
    "variance_scaling": initializers.VarianceScaling,
    "glorot_uniform": initializers.GlorotUniform,
    "glorot_normal": initializers.GlorotNormal,
    "he_uniform": initializers.HeUniform,
    "he_normal": initializers.HeNormal,
    "lecun_uniform": initializers.LecunUniform,
    "lecun_normal": initializers.LecunNormal,
    "orthogonal": initializers.Orthogonal,
    "OrthogonalInitializer": initializers.Orthogonal,
}
OTHER_MEMBERS = {initializers.FromArray, initializers.FunctionInitializer, Initializer}


@pytest.mark.parametrize("name", CLASSES)
def test_names_classes_and_instances_are_understood(name: str) -> None:
    cls = CLASSES[name]
    instance = cls()
    for identifier in (name, cls.__name__, cls):
        assert type(initializers.get(identifier)) is cls
    assert initializers.get(instance) is instance
    if "Initializer" not in name and name not in ("zero", "one", "uniform", "normal"):
        assert getattr(initializers, name) is cls


def test_every_public_initializer_has_a_name() -> None:
    public = {
        member for _, member in inspect.getmembers(initializers, inspect.isclass) if issubclass(member, Initializer)
    }
    assert public - OTHER_MEMBERS == set(CLASSES.values())
    assert set(initializers.__all__) <= set(dir(initializers))


def test_the_defaults_are_those_of_keras() -> None:
    def config(name: str) -> dict[str, Any]:
        found = initializers.get(name)
        assert found is not None
        return {key: value for key, value in found.get_config().items() if key != "seed"}

    scaling = {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal"}
    assert config("uniform") == {"minval": -0.05, "maxval": 0.05}
    assert config("normal") == config("truncated_normal") == {"mean": 0.0, "stddev": 0.05}
    assert config("variance_scaling") == {**scaling, "input_axes": None, "output_axes": None}
    assert config("orthogonal") == config("identity") == {"gain": 1.0}
    assert config("constant") == {"value": 0.0}


SEED_GENERATOR = {
    "module": "keras.random",
    "class_name": "SeedGenerator",
    "config": {"seed": 3, "name": "seed_generator"},
    "registered_name": None,
}
FOREIGN_CONFIGS = [  # written by Keras 3.15, tf.keras 2 and TensorFlow 1
    (
        {
            "module": "keras.initializers",
            "class_name": "RandomUniform",
            "config": {"seed": 3, "minval": -0.1, "maxval": 0.1},
            "registered_name": None,
        },
        {"minval": -0.1, "maxval": 0.1, "seed": 3},
    ),
    (
        {"class_name": "RandomNormal", "config": {"seed": SEED_GENERATOR, "mean": 0.0, "stddev": 0.1}},
        {"mean": 0.0, "stddev": 0.1, "seed": 3},
    ),
    (
        {
            "class_name": "RandomUniform",
            "config": {"minval": -1.0, "maxval": 1.0, "seed": 1, "dtype": "float32"},
        },
        {"minval": -1.0, "maxval": 1.0, "seed": 1},
    ),
    (
        {"class_name": "GlorotUniform", "config": {"seed": 5}},
        {"seed": 5, "input_axes": None, "output_axes": None},
    ),
    ({"class_name": "Zeros", "config": {}}, {}),
    ({"class_name": "Zeros"}, {}),
    ({"class_name": "Constant", "config": {"value": 2}}, {"value": 2.0}),
    ({"class_name": "Identity", "config": {}}, {"gain": 1.0}),
]


@pytest.mark.parametrize(("foreign", "own"), FOREIGN_CONFIGS)
def test_configs_of_both_parents_are_understood(foreign: dict[str, Any], own: dict[str, Any]) -> None:
    found = initializers.get(json.loads(json.dumps(foreign)))
    assert type(found).__name__ == foreign["class_name"]
    assert found is not None
    assert found.get_config() == own


@pytest.mark.parametrize(
    "value",
    [[[1.0, 2.0]], {"class_name": "__numpy__", "config": {"value": [[1.0, 2.0]], "dtype": "float32"}}],
)
def test_a_constant_array_is_read_from_a_config(value: Any) -> None:
    found = initializers.get({"class_name": "Constant", "config": {"value": value}})
    assert found is not None
    np.testing.assert_array_equal(found((3, 2)), [[1.0, 2.0]] * 3)


@pytest.mark.parametrize("initializer", [one for one in EVERY if one is not FIXED[3]], ids=repr)
def test_a_config_survives_json(initializer: Initializer) -> None:
    again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(initializer))))
    assert type(again) is type(initializer)
    assert again.get_config() == initializer.get_config()
    assert repr(again) == repr(initializer)


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        ("unifrom", ValueError, "Unknown initializer: 'unifrom'. Did you mean 'uniform'"),
        ({"class_name": "Zeros", "config": {"value": 1}}, ValueError, "Zeros cannot be built from"),
        ({"class_name": "Constant", "config": {"values": 1}}, ValueError, "Constant cannot be built from"),
        ({"class_name": "RandomUniform", "config": {"minval": True}}, ValueError, "cannot be built from"),
        (0.5, TypeError, "Could not interpret the initializer identifier"),
        (True, TypeError, "Could not interpret the initializer identifier"),
        ([[1.0]], TypeError, "Could not interpret the initializer identifier"),
        (np.ndarray, TypeError, "Could not interpret the initializer identifier"),
    ],
)
def test_what_names_no_initializer_is_refused(identifier: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        initializers.get(identifier)


def test_none_is_no_initializer_and_a_numpy_string_is_a_name() -> None:
    assert initializers.get(None) is None
    assert isinstance(initializers.get(np.str_("ones")), initializers.Ones)


def thirds(shape: Any, dtype: Any = None) -> Array:
    return np.full(shape, 1 / 3, dtype)


def test_a_function_of_shape_and_dtype_is_an_initializer() -> None:
    initializer = initializers.get(thirds)
    assert isinstance(initializer, initializers.FunctionInitializer)
    np.testing.assert_array_equal(initializer((2, 3)), np.full((2, 3), 1 / 3, "float32"))
    out = np.zeros((2, 3))
    initializer.fill(out)
    np.testing.assert_array_equal(out, np.full((2, 3), 1 / 3))
    assert repr(initializer) == "FunctionInitializer(thirds)"
    with pytest.raises(ValueError, match="'thirds' is a plain function and has no config"):
        initializers.serialize(initializer)


def test_a_function_receives_a_tuple_and_the_name_of_a_dtype() -> None:
    received: list[Any] = []

    def remember(shape: Any, **options: Any) -> Array:
        received.append((shape, options))
        return np.zeros(shape)

    assert initializers.FunctionInitializer(remember)([2, 3], np.float64).dtype == np.float64
    assert received == [((2, 3), {"dtype": "float64"})]


def test_functions_of_numpy_are_initializers() -> None:
    for function, value in ((np.zeros, 0), (np.ones, 1)):
        initializer = initializers.get(function)
        assert initializer is not None
        assert np.unique(initializer((2, 3))).tolist() == [value]


def test_a_function_without_a_dtype_argument_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"must accept `\(shape, dtype=...\)`. Received: the signature \(shape\)"):
        initializers.get(lambda shape: np.zeros(shape))


@pytest.mark.parametrize("values", [np.zeros((3, 2)), 0.0, np.zeros((2, 3), bool), np.full((2, 3), "a")], ids=repr)
def test_a_function_must_return_numbers_of_the_shape(values: Any) -> None:
    initializer = initializers.FunctionInitializer(lambda shape, dtype: values)
    with pytest.raises(ValueError, match=r"must return numbers of the shape \(2, 3\). Received: shape"):
        initializer((2, 3))


class Ramp(Initializer):
    """Written as Keras asks for: `__call__` and `get_config`, nothing else."""

    def __init__(self, step: float = 1.0):
        self.step = step

    def __call__(self, shape: Any, dtype: Any = None) -> Array:
        return self.step * np.arange(math.prod(shape), dtype=dtype).reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {"step": self.step}


def test_a_subclass_in_the_manner_of_keras_works() -> None:
    initializer = initializers.get(Ramp)
    assert initializer is not None
    assert not initializer.is_row_local
    out = np.zeros((2, 3), "float32")
    initializer.fill(out, first_row=2)
    np.testing.assert_array_equal(out, np.arange(12.0).reshape(4, 3)[2:])
    assert Ramp.from_config(Ramp(2.0).get_config()).get_config() == {"step": 2.0}


def test_a_subclass_without_a_call_says_so() -> None:
    with pytest.raises(NotImplementedError, match="must define `__call__"):
        Initializer()((2, 2))
