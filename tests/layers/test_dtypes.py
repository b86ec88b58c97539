"""The two dtypes of a layer, from every spelling that Keras has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer.layers.dtypes import DTypes, resolve_dtypes


class Policy:
    """What a Keras dtype policy looks like from outside."""

    name = "mixed_float16"


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (None, ("float32", "float32")),
        ("float64", ("float64", "float64")),
        (np.float32, ("float32", "float32")),
        (np.dtype("float64"), ("float64", "float64")),
        (float, ("float64", "float64")),
        ("mixed_float16", ("float32", "float16")),
        (Policy(), ("float32", "float16")),
        ({"class_name": "DTypePolicy", "config": {"name": "float64"}}, ("float64", "float64")),
        ({"class_name": "Policy", "config": {"name": "mixed_float16"}}, ("float32", "float16")),
    ],
    ids=str,
)
def test_every_spelling_is_understood(dtype: Any, expected: tuple[str, str]) -> None:
    assert resolve_dtypes(dtype) == expected


def test_the_compute_dtype_may_be_given_by_itself() -> None:
    assert resolve_dtypes("float32", "float64") == ("float32", "float64")


@pytest.mark.parametrize("name", ["float16", "bfloat16", "int8", "int32", "bool", "mixed_bfloat16", "complex64"])
def test_a_dtype_that_no_kernel_trains_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"`dtype` must be one of float32, float64; .*Received: '{name}'"):
        resolve_dtypes(name)


@pytest.mark.parametrize("name", ["int32", "bfloat16"])
def test_an_output_of_another_dtype_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"`compute_dtype` must be one of float16, float32, float64\. Received: "):
        resolve_dtypes("float32", name)


@pytest.mark.parametrize("dtype", [3, 2.5, [1], object()])
def test_what_is_no_dtype_is_refused(dtype: Any) -> None:
    with pytest.raises(TypeError, match=r"`dtype` must be a dtype or a dtype policy\. Received: "):
        resolve_dtypes(dtype)


@pytest.mark.parametrize(
    "dtypes", [DTypes("float32", "float32"), DTypes("float64", "float64"), DTypes("float32", "float16")]
)
def test_a_config_is_read_back(dtypes: DTypes) -> None:
    assert resolve_dtypes(dtypes.to_config()) == dtypes
