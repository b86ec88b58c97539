"""The judge of pullbacks: central differences in float64 of a randomly weighted sum of the output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastembed_layer import GradientTape, Ragged, RowGradient
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tape import Cotangents, record

Array = np.ndarray[Any, Any]
Call = Callable[[], Any]

STEP = 1e-6


def weights_of(output: Any) -> tuple[Array, Array]:
    """The numbers of an output and a fixed random factor for each of them."""
    values = output.values if isinstance(output, Ragged) else np.asarray(output)
    return values, np.random.default_rng(0).uniform(0.5, 1.5, values.shape)


def measure(call: Call) -> float:
    """The weighted sum of what a call returns."""
    values, factors = weights_of(call())
    return float((values * factors).sum())


def pull_back(call: Call, sources: Sequence[Parameter | Array]) -> list[Array]:
    """Gradients of the weighted sum, from the tape; dense."""
    with GradientTape() as tape:
        output = call()
        values, factors = weights_of(output)
        total = np.array((values * factors).sum())
        record([output], total, lambda d_total: Cotangents([factors * d_total]))
    gradients = tape.gradient(total, list(sources))
    return [gradient.to_dense() if isinstance(gradient, RowGradient) else gradient for gradient in gradients]


def differentiate(call: Call, source: Parameter | Array) -> Array:
    """Gradient of the weighted sum by central differences; `source` is as before afterwards."""
    array = source.value if isinstance(source, Parameter) else source
    assert array.dtype == np.float64, "differences need float64"
    gradient = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + STEP
        above = measure(call)
        array[index] = kept - STEP
        gradient[index] = (above - measure(call)) / (2 * STEP)
        array[index] = kept
    return gradient


def assert_pullback_agrees(call: Call, sources: Sequence[Parameter | Array], tolerance: float = 1e-7) -> None:
    """Compare the tape with central differences for every source."""
    for source, gradient in zip(sources, pull_back(call, sources), strict=True):
        expected = differentiate(call, source)
        assert gradient is not None, "the tape found no gradient"
        assert gradient.shape == expected.shape, f"shapes differ: {gradient.shape}, {expected.shape}"
        np.testing.assert_allclose(gradient, expected, rtol=tolerance, atol=tolerance)
