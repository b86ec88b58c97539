"""The random kernel, judged by the published answers of Philox and by a version in Python's own integers."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from fastembed_layer.kernels.jit import kernel
from fastembed_layer.kernels.random import (
    DISTRIBUTIONS,
    NORMAL,
    TRUNCATED_NORMAL,
    UNIFORM,
    fill_random_rows,
    natural_log,
    philox4x32,
    unit_from_bits,
    upper_quantile,
)
from fastembed_layer.kernels.threads import run_parallel, set_threads

Array = np.ndarray[Any, Any]

PARAMETERS = {UNIFORM: (-2.0, 3.0), NORMAL: (1.0, 2.0), TRUNCATED_NORMAL: (1.0, 2.0)}
DTYPES = ("float32", "float64")
MAX_WORD = 0xFFFFFFFF

KNOWN_ANSWERS = [  # tests/kat_vectors of Random123, "philox4x32 10": counter, key, words
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def reference_philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10, written from figure 2 and table 1 of Salmon et al. with Python's own integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        left, right = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (right >> 32) ^ c1 ^ k0, right & MAX_WORD, (left >> 32) ^ c3 ^ k1, left & MAX_WORD
        k0, k1 = (k0 + 0x9E3779B9) & MAX_WORD, (k1 + 0xBB67AE85) & MAX_WORD
    return [c0, c1, c2, c3]


def reference_word(seed: int, row: int, column: int, turn: int) -> int:
    """The 32-bit word of one element."""
    counter = [column // 4, turn, row & MAX_WORD, row >> 32]
    return reference_philox(counter, [seed & MAX_WORD, seed >> 32])[column % 4]


def reference_bits(seed: int, row: int, column: int, attempt: int, dtype: str) -> int:
    """The 64 bits of one element; float32 leaves the lower half at its middle."""
    lower = reference_word(seed, row, column, 2 * attempt + 1) if dtype == "float64" else 1 << 31
    return reference_word(seed, row, column, 2 * attempt) << 32 | lower


def reference_normal(bits: int) -> float:
    """The quantile of the normal distribution that 64 bits name, from the nearer end of the distribution."""
    tail = (min(bits, (1 << 64) - 1 - bits) + 0.5) / 2**64
    return float(np.copysign(special.ndtri(tail), bits - (1 << 63) + 0.5))


def reference_number(seed: int, row: int, column: int, distribution: int, dtype: str) -> float:
    """One element, drawn by itself."""
    first, second = PARAMETERS[distribution]
    bits = reference_bits(seed, row, column, 0, dtype)
    if distribution == UNIFORM:
        digits = 53 if dtype == "float64" else 24
        return first + (second - first) * (bits >> (64 - digits)) / 2**digits
    normal, attempt = reference_normal(bits), 0
    while distribution == TRUNCATED_NORMAL and abs(normal) > 2:
        attempt += 1
        normal = reference_normal(reference_bits(seed, row, column, attempt, dtype))
    return first + second * normal


def draw(shape: tuple[int, int], distribution: int, dtype: str, seed: int = 5, first_row: int = 0) -> Array:
    """Fill a whole matrix in one call."""
    out = np.full(shape, np.nan, dtype)
    fill_random_rows(out, np.uint64(seed), distribution, *PARAMETERS[distribution], first_row, 0, shape[0])
    return out


def as_words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@kernel
def call_philox(words: Any, out: Any) -> None:
    out[:] = philox4x32(words[0], words[1], words[2], words[3], words[4], words[5])


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_philox_gives_the_published_known_answers(counter: str, key: str, words: str) -> None:
    out = np.zeros(4, np.uint64)
    call_philox(np.array(as_words(counter) + as_words(key), np.uint64), out)
    assert out.tolist() == as_words(words)
    assert reference_philox(as_words(counter), as_words(key)) == as_words(words)


@given(st.lists(st.integers(0, MAX_WORD), min_size=6, max_size=6))
@settings(deadline=None)  # the first example compiles
def test_philox_agrees_with_python_integers(words: list[int]) -> None:
    compiled = np.zeros(4, np.uint64)
    call_philox(np.array(words, np.uint64), compiled)
    assert compiled.tolist() == reference_philox(words[:4], words[4:])
    assert [int(word) for word in philox4x32(*map(np.uint64, words))] == compiled.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
@given(
    seed=st.integers(0, 2**64 - 1),
    first_row=st.sampled_from([0, 3, 2**32 - 2, 2**40]),
    rows=st.integers(0, 4),
    columns=st.integers(0, 9),
)
@settings(max_examples=30, deadline=None)  # the first example compiles
def test_every_element_is_the_reference_of_its_place(
    distribution: int, dtype: str, seed: int, first_row: int, rows: int, columns: int
) -> None:
    out = draw((rows, columns), distribution, dtype, seed, first_row)
    expected = [
        [reference_number(seed, first_row + row, column, distribution, dtype) for column in range(columns)]
        for row in range(rows)
    ]
    tolerance = 4e-15 if dtype == "float64" else 3e-7
    np.testing.assert_allclose(out, np.reshape(expected, out.shape), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_ranges_and_threads_do_not_change_a_bit(distribution: int, dtype: str) -> None:
    whole = draw((103, 7), distribution, dtype)
    out = np.full_like(whole, np.nan)

    def fill(begin: int, end: int) -> None:
        fill_random_rows(out, np.uint64(5), distribution, *PARAMETERS[distribution], 0, begin, end)

    previous = set_threads(4)
    try:
        run_parallel(fill, len(out), 1)
    finally:
        set_threads(previous)
    assert out.tobytes() == whole.tobytes()


def test_only_the_rows_of_the_range_are_written() -> None:
    out = np.zeros((6, 3))
    fill_random_rows(out, np.uint64(5), UNIFORM, 1.0, 2.0, 0, 2, 4)
    assert np.flatnonzero(out.any(axis=1)).tolist() == [2, 3]


def test_a_strided_view_is_filled_like_a_contiguous_matrix() -> None:
    wide = np.zeros((20, 10))
    fill_random_rows(wide[:, 2:7], np.uint64(5), NORMAL, *PARAMETERS[NORMAL], 0, 0, 20)
    np.testing.assert_array_equal(wide[:, 2:7], draw((20, 5), NORMAL, "float64"))
    assert not wide[:, :2].any()
    assert not wide[:, 7:].any()


def test_more_columns_do_not_change_the_first_ones() -> None:
    np.testing.assert_array_equal(draw((8, 5), NORMAL, "float32"), draw((8, 30), NORMAL, "float32")[:, :5])


@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_float32_numbers_are_the_float64_numbers_up_to_float32_precision(distribution: int) -> None:
    narrow, wide = draw((500, 8), distribution, "float32"), draw((500, 8), distribution, "float64")
    np.testing.assert_allclose(narrow, wide, rtol=2e-6, atol=2e-6)


def test_float64_numbers_use_bits_that_float32_cannot_hold() -> None:
    out = draw((1000, 8), UNIFORM, "float64")
    assert np.mean(out == out.astype("float32")) < 0.01


@given(st.integers(10, 650).map(lambda tenths: 2.0 ** (-tenths / 10)))
def test_the_normal_quantile_agrees_with_scipy_and_the_standard_library(tail: float) -> None:
    assert upper_quantile(tail) == pytest.approx(-special.ndtri(tail), rel=1e-14, abs=1e-15)
    assert upper_quantile(tail) == pytest.approx(-NormalDist().inv_cdf(tail), rel=1e-14, abs=1e-15)


@given(st.floats(2.0**-66, 1.0))
def test_the_logarithm_is_that_of_the_standard_library_to_its_last_digits(x: float) -> None:
    assert natural_log(x) == pytest.approx(math.log(x), rel=5e-16, abs=1e-17)


DISTRIBUTION_FUNCTIONS = {
    UNIFORM: stats.uniform(-2.0, 5.0),
    NORMAL: stats.norm(1.0, 2.0),
    TRUNCATED_NORMAL: stats.truncnorm(-2.0, 2.0, 1.0, 2.0),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_numbers_have_the_distribution_they_are_drawn_from(distribution: int, dtype: str) -> None:
    expected = DISTRIBUTION_FUNCTIONS[distribution]
    out = draw((20_000, 10), distribution, dtype, seed=12)
    assert stats.kstest(out.ravel(), expected.cdf).pvalue > 1e-3
    assert out.mean(dtype=float) == pytest.approx(expected.mean(), abs=5 * expected.std() / out.size**0.5)
    assert out.std(dtype=float) == pytest.approx(expected.std(), rel=0.01)


def test_the_distribution_test_notices_a_wrong_distribution() -> None:
    out = draw((20_000, 10), TRUNCATED_NORMAL, "float32", seed=12)
    assert stats.kstest(out.ravel(), DISTRIBUTION_FUNCTIONS[NORMAL].cdf).pvalue < 1e-3


@pytest.mark.parametrize("dtype", DTYPES)
def test_neighbours_and_other_seeds_are_uncorrelated(dtype: str) -> None:
    out, other = draw((20_000, 8), NORMAL, dtype, seed=0), draw((20_000, 8), NORMAL, dtype, seed=1)
    pairs = [(out[:, column], out[:, column + 1]) for column in range(7)]
    pairs += [(out[:-1].ravel(), out[1:].ravel()), (out.ravel(), other.ravel())]
    for left, right in pairs:
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / len(left) ** 0.5


def test_the_float32_unit_interval_excludes_one_at_its_largest_bits() -> None:
    largest = np.uint64(2**64 - 1)
    assert np.float32(unit_from_bits(largest, False)) < 1
    assert unit_from_bits(largest, True) < 1
    assert unit_from_bits(np.uint64(0), True) == 0
