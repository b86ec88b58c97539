"""Random numbers that depend on (seed, row, column) and on nothing else, for the initializers.

The generator is Philox4x32-10 [1]_: a function from a counter and a key to four 32-bit words, with no state.
The counter is (column // 4, 2 * attempt + part, lower half of row, upper half of row), the key is the seed.
Part 0 holds the upper words of four neighbouring columns, part 1 their lower words, which only float64 needs:
the float32 numbers of a seed are its float64 numbers, cut short.

.. [1] Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11, 2011.
.. [2] Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Appl. Statist. 37, 1988.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastembed_layer.kernels.jit import allocating_kernel, inlined

UNIFORM, NORMAL, TRUNCATED_NORMAL = 0, 1, 2
DISTRIBUTIONS = {"uniform": UNIFORM, "normal": NORMAL, "truncated_normal": TRUNCATED_NORMAL}

ROUNDS = 10
LANES = 4  # words of one block, and so columns of one block
TRUNCATION = 2.0  # standard deviations

WORD = np.uint64(32)
WORD_MASK = np.uint64(0xFFFFFFFF)
HALF_WORD = np.uint64(0x80000000)
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)

LOG_TWO, ROOT_HALF = math.log(2.0), math.sqrt(0.5)
ODD_INVERSES = tuple(1.0 / odd for odd in range(23, 1, -2))

# Coefficients of [2]_, highest power first: |p - 1/2| <= 0.425, then sqrt(-log p) <= 5, then beyond.
CENTER_TOP = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
CENTER_BOTTOM = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
TAIL_TOP = (
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
TAIL_BOTTOM = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
FAR_TOP = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
FAR_BOTTOM = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)


@inlined
def philox4x32(counter_0: Any, counter_1: Any, counter_2: Any, counter_3: Any, key_0: Any, key_1: Any) -> Any:
    """Four random 32-bit words; every argument and result is a 32-bit word in a uint64."""
    for _ in range(ROUNDS):
        product_0 = MULTIPLIER_0 * counter_0
        product_1 = MULTIPLIER_1 * counter_2
        counter_0 = (product_1 >> WORD) ^ counter_1 ^ key_0
        counter_2 = (product_0 >> WORD) ^ counter_3 ^ key_1
        counter_1, counter_3 = product_1 & WORD_MASK, product_0 & WORD_MASK
        key_0, key_1 = (key_0 + WEYL_0) & WORD_MASK, (key_1 + WEYL_1) & WORD_MASK
    return counter_0, counter_1, counter_2, counter_3


@inlined
def draw_words(seed: Any, row: Any, block: Any, turn: Any) -> Any:
    """The words of four neighbouring columns of a row; `turn` is twice the attempt, plus the part."""
    return philox4x32(block, turn, row & WORD_MASK, row >> WORD, seed & WORD_MASK, seed >> WORD)


@inlined
def draw_bits(bits: Any, seed: Any, row: Any, is_wide: Any) -> None:
    """Write 64 bits for every column of a row; unless `is_wide`, the lower half of them is a constant."""
    for block in range(len(bits) // LANES):
        upper = draw_words(seed, row, np.uint64(block), np.uint64(0))
        lower = (HALF_WORD, HALF_WORD, HALF_WORD, HALF_WORD)
        if is_wide:
            lower = draw_words(seed, row, np.uint64(block), np.uint64(1))
        bits[LANES * block] = upper[0] << WORD | lower[0]
        bits[LANES * block + 1] = upper[1] << WORD | lower[1]
        bits[LANES * block + 2] = upper[2] << WORD | lower[2]
        bits[LANES * block + 3] = upper[3] << WORD | lower[3]


@inlined
def draw_bits_again(seed: Any, row: Any, column: Any, attempt: Any, is_wide: Any) -> Any:
    """The 64 bits of one column at a later attempt."""
    block, lane = np.uint64(column // LANES), column % LANES
    upper = draw_words(seed, row, block, np.uint64(2 * attempt))[lane]
    lower = draw_words(seed, row, block, np.uint64(2 * attempt + 1))[lane] if is_wide else HALF_WORD
    return upper << WORD | lower


@inlined
def unit_from_bits(bits: Any, is_wide: Any) -> Any:
    """A number in [0, 1), with as many bits as the table's type holds: rounding cannot bring it up to 1."""
    if is_wide:
        return np.float64(bits >> np.uint64(11)) * 2.0**-53
    return np.float64(bits >> np.uint64(40)) * 2.0**-24


@inlined
def evaluate_ratio(top: Any, bottom: Any, x: Any) -> Any:
    """The quotient of two polynomials of the same degree."""
    numerator, denominator = top[0], bottom[0]
    for power in range(1, len(top)):
        numerator = numerator * x + top[power]
        denominator = denominator * x + bottom[power]
    return numerator / denominator


@inlined
def natural_log(x: Any) -> Any:
    """The logarithm of a positive number, from operations that give the same bits everywhere.

    With ``x = m 2^e`` and m near 1, ``log m = 2 (s + s^3 / 3 + s^5 / 5 + ...)`` for ``s = (m - 1) / (m + 1)``, which is
    below 0.172; the eleventh power of its square no longer counts. Each product has one sum that it can be fused with.
    """
    mantissa, exponent = math.frexp(x)
    if mantissa < ROOT_HALF:
        mantissa, exponent = mantissa + mantissa, exponent - 1
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square, twice = ratio * ratio, ratio + ratio
    tail = ODD_INVERSES[0]
    for term in range(1, len(ODD_INVERSES)):
        tail = tail * square + ODD_INVERSES[term]
    return exponent * LOG_TWO + (twice * (square * tail) + twice)


@inlined
def upper_quantile(tail: Any) -> Any:
    """The number that a standard normal variable exceeds with probability `tail` <= 1/2, see [2]_."""
    center = 0.5 - tail
    if center <= 0.425:
        return center * evaluate_ratio(CENTER_TOP, CENTER_BOTTOM, 0.180625 - center * center)
    root = np.sqrt(-natural_log(tail))
    if root <= 5.0:
        return evaluate_ratio(TAIL_TOP, TAIL_BOTTOM, root - 1.6)
    return evaluate_ratio(FAR_TOP, FAR_BOTTOM, root - 5.0)


@inlined
def normal_from_bits(bits: Any) -> Any:
    """A standard normal number; the complement of the bits gives its negative."""
    is_upper = bits >> np.uint64(63) != 0
    distance = ~bits if is_upper else bits
    quantile = upper_quantile((np.float64(distance) + 0.5) * 2.0**-64)
    return quantile if is_upper else -quantile


@inlined
def truncated_from_bits(bits: Any, seed: Any, row: Any, column: Any, is_wide: Any) -> Any:
    """A standard normal number of at most two deviations: beyond them it is drawn again, at a new attempt."""
    normal = normal_from_bits(bits)
    attempt = 0
    while abs(normal) > TRUNCATION:
        attempt += 1
        normal = normal_from_bits(draw_bits_again(seed, row, column, attempt, is_wide))
    return normal


@allocating_kernel
def fill_random_rows(
    out: Any,
    seed: Any,
    distribution: int,
    first: float,
    second: float,
    first_row: int,
    begin: int,
    end: int,
) -> None:
    """Fill the rows of one range; row r of `out` is row ``first_row + r`` of the table.

    `seed` is a uint64. `first` and `second` are the bounds of the uniform, else mean and deviation.
    """
    seed = np.uint64(seed)
    is_wide = out.itemsize == 8
    bits = np.empty(LANES * ((out.shape[1] + LANES - 1) // LANES), np.uint64)
    for index in range(begin, end):
        row = np.uint64(first_row + index)
        target = out[index]
        draw_bits(bits, seed, row, is_wide)
        if distribution == UNIFORM:
            for column in range(len(target)):
                target[column] = first + unit_from_bits(bits[column], is_wide) * (second - first)
        elif distribution == NORMAL:
            for column in range(len(target)):
                target[column] = first + second * normal_from_bits(bits[column])
        else:
            for column in range(len(target)):
                normal = truncated_from_bits(bits[column], seed, row, column, is_wide)
                target[column] = first + second * normal
