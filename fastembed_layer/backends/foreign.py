"""Arrays of other libraries, such as tensors of PyTorch; none of these libraries is imported to read them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NARROW = ("bfloat16", "float8", "float4")  # types that numpy does not have; float32 holds each of their numbers


def is_foreign(kind: type) -> bool:
    """Tell whether things of a type are arrays, and not numpy's."""
    if issubclass(kind, np.ndarray | np.generic):
        return False
    exports = hasattr(kind, "__dlpack__") or hasattr(kind, "__cuda_array_interface__")
    return exports and hasattr(kind, "shape")  # columns of Arrow have none


def is_torch(kind: type) -> bool:
    """Tell whether a type is `torch.Tensor` or derived from it."""
    if not hasattr(kind, "__torch_function__"):
        return False
    return any(base.__name__ == "Tensor" and base.__module__ == "torch" for base in kind.__mro__)


def unwrap(array: Any, is_weight: bool) -> Any:
    """Return a tensor of PyTorch as one of numpy's arrays, on the same memory; anything else, and a GPU's, as it is.

    Parameters
    ----------
    array : Any
        What a caller passed for an array.
    is_weight : bool
        Whether its numbers become a weight. Then it does not matter that it requires a gradient.

    Raises
    ------
    ValueError
        If it requires a gradient, which no call of this package gives it, or is on a device that cannot be read.
    TypeError
        If it is sparse.
    """
    if not is_torch(type(array)):
        return array
    _check_tensor(array, is_weight)
    plain = array.detach()
    if plain.device.type != "cpu":
        return plain
    return (plain.float() if _is_narrow(str(plain.dtype).removeprefix("torch.")) else plain).numpy(force=True)


def as_numpy(array: Any) -> Array:
    """Return an array in main memory as numpy's, without a copy; numbers of types that numpy does not have as float32.

    >>> as_numpy([1, 2])
    array([1, 2])
    """
    if not hasattr(array, "__array__") and is_foreign(type(array)):
        return np.from_dlpack(array)
    return widen(np.asarray(array))


def widen(array: Array) -> Array:
    """Return an array of bfloat16 and its like, which numpy knows as bytes only, as float32; others as they are."""
    return array.astype(np.float32) if array.dtype.kind == "V" and _is_narrow(array.dtype.name) else array


def _is_narrow(name: str) -> bool:
    return name.startswith(NARROW)


def _check_tensor(tensor: Any, is_weight: bool) -> None:
    received = f"Received: a tensor of shape {tuple(tensor.shape)} and {tensor.dtype}"
    if tensor.requires_grad and not is_weight:
        raise ValueError(
            "A tensor that is passed for an array must not require a gradient: none flows back into PyTorch from here. "
            f"{received} that does. Pass `tensor.detach()`, or use the layers of fastembed_layer.torch."
        )
    if str(tensor.layout) != "torch.strided":
        raise TypeError(
            f"A tensor that is passed for an array must be dense. {received}, layout {tensor.layout}. "
            "Pass `tensor.to_dense()`."
        )
    if tensor.device.type not in ("cpu", "cuda"):
        raise ValueError(
            f"A tensor that is passed for an array must be on the CPU or a GPU of NVIDIA. {received} on "
            f"{str(tensor.device)!r}. Pass `tensor.cpu()`."
        )
