"""Arrays of other libraries for tests; each library is a name, and a test of one that is not installed is skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Array = np.ndarray[Any, Any]


class Exported:
    """An array of a library that offers DLPack and nothing else."""

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: f"exported.{self.array.dtype}")

    def __init__(self, array: Array):
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __len__(self) -> int:
        return len(self.array)


def open_torch() -> Callable[[Any], Any]:
    """PyTorch's maker of tensors."""
    return pytest.importorskip("torch", reason="needs PyTorch").tensor  # type: ignore[no-any-return]


def open_tensorflow() -> Callable[[Any], Any]:
    """TensorFlow's maker of tensors."""
    return pytest.importorskip("tensorflow", reason="needs TensorFlow").constant  # type: ignore[no-any-return]


def open_jax() -> Callable[[Any], Any]:
    """JAX's maker of arrays, with the types of numpy."""
    jax = pytest.importorskip("jax", reason="needs JAX")
    jax.config.update("jax_enable_x64", True)
    return jax.numpy.asarray  # type: ignore[no-any-return]


LIBRARIES: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "dlpack": lambda: lambda array: Exported(np.array(array)),
    "torch": open_torch,
    "tensorflow": open_tensorflow,
    "jax": open_jax,
}


def address_of(library: str, array: Any) -> int:
    """Where a library keeps the numbers of an array."""
    if library == "torch":
        return int(array.data_ptr())
    if library == "jax":
        return int(array.unsafe_buffer_pointer())
    return int((array.array if library == "dlpack" else np.asarray(array)).ctypes.data)
