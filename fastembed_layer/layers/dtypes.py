"""Two dtypes of a layer: that of its weights and that of its output, from any of Keras's spellings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.kernels.dtypes import TABLE_NAMES

COMPUTE_DTYPES = ("float16", *TABLE_NAMES)


class DTypes(NamedTuple):
    """Dtype names of the weights and of the output."""

    variable: str
    compute: str

    def to_config(self) -> Any:
        """Return what Keras writes under ``dtype`` in a config."""
        if self == ("float32", "float16"):
            return {"class_name": "Policy", "config": {"name": "mixed_float16"}}
        return self.variable


def resolve_dtypes(dtype: Any, compute_dtype: Any = None) -> DTypes:
    """Interpret `dtype`: None, a name, a numpy dtype, a Keras policy, its name or its config.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If the dtype is none that the CPU kernels train.
    """
    name = _dtype_name(dtype)
    if name == "mixed_float16":
        variable, compute = "float32", "float16"
    else:
        variable = compute = name
    if compute_dtype is not None:
        compute = _dtype_name(compute_dtype)
    _check("dtype", variable, TABLE_NAMES, "; for half-precision output pass dtype='mixed_float16'")
    _check("compute_dtype", compute, COMPUTE_DTYPES, "")
    return DTypes(variable, compute)


def _dtype_name(dtype: Any) -> str:
    if dtype is None:
        return "float32"
    if isinstance(dtype, Mapping):
        return _dtype_name(dtype.get("config", {}).get("name"))
    if isinstance(dtype, str):
        return dtype
    name = getattr(dtype, "name", None)
    if isinstance(name, str):
        return name
    try:
        return np.dtype(dtype).name
    except TypeError as error:
        raise TypeError(f"`dtype` must be a dtype or a dtype policy. Received: {dtype!r}.") from error


def _check(argument: str, name: str, allowed: tuple[str, ...], remedy: str) -> None:
    if name not in allowed:
        raise ValueError(f"`{argument}` must be one of {', '.join(allowed)}{remedy}. Received: {name!r}.")
