"""Where arrays live, and how they get elsewhere: nothing above has to ask what kind of device that is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastembed_layer.backends.foreign import as_numpy, unwrap, widen

if TYPE_CHECKING:
    from fastembed_layer.backends.contract import Backend

Array = np.ndarray[Any, Any]
Result = TypeVar("Result")

CPU = "cpu:0"
BACKENDS = {"cpu": "fastembed_layer.backends.cpu", "gpu": "fastembed_layer.backends.cuda"}
DEVICE_KIND = "gpu"  # the kind of placement whose arrays carry `__cuda_array_interface__`
BLOCK_BYTES = 1 << 26  # copied at a time
NUMPY_OR_NOTHING = frozenset({np.ndarray, type(None)})


def backend_for(placement: str) -> Backend:
    """Return the backend of a placement such as ``"cpu:0"``; its module is loaded at the first call.

    Its operations take arrays of its own devices.

    Raises
    ------
    ValueError
        If no backend serves the placement.
    """
    kind = placement.partition(":")[0]
    if kind not in BACKENDS:
        raise ValueError(f"`placement` must be on one of {sorted(BACKENDS)}. Received: {placement!r}.")
    return _load_backend(BACKENDS[kind])


def device_number(placement: str) -> int:
    """Return the number of a placement's device.

    >>> device_number("gpu:1")
    1
    """
    return int(placement.partition(":")[2] or 0)


def is_on_cpu(array: Any) -> bool:
    """Tell whether an array is in the machine's own memory; what is not an array at all is, too."""
    return type(array) is np.ndarray or not hasattr(array, "__cuda_array_interface__")


def placement_of(array: Any) -> str:
    """Return where an array lives.

    >>> placement_of(np.zeros(3))
    'cpu:0'
    """
    return CPU if is_on_cpu(array) else f"{DEVICE_KIND}:{backend_for(DEVICE_KIND).device_of(array)}"


def move_array(array: Array, placement: str) -> Array:
    """Return an array at a placement: itself if it lives there, else a C-contiguous copy."""
    here = placement_of(array)
    if here == placement:
        return array
    if placement == CPU:
        return backend_for(here).to_cpu(array)
    if here == CPU:
        return backend_for(placement).from_cpu(array, device_number(placement))
    out = backend_for(placement).empty(array.shape, array.dtype, device_number(placement))
    backend_for(placement).copy_into(out, array)
    return out


def move_like(array: Array, other: Array) -> Array:
    """Return an array where another one lives."""
    return array if is_on_cpu(array) and is_on_cpu(other) else move_array(array, placement_of(other))


def to_cpu(array: Array) -> Array:
    """Return an array on the host: itself if it is there, else a copy."""
    return array if is_on_cpu(array) else move_array(array, CPU)


def as_array(array: Any, is_weight: bool = False) -> Array:
    """Return an array where it lives, on its own memory; what is none becomes one of numpy's.

    Parameters
    ----------
    array : array_like
        Of any library: what it keeps in main memory becomes an array of numpy's, and on a GPU one of cupy's.
    is_weight : bool
        Whether its numbers become a weight. A tensor of PyTorch that requires a gradient is taken only then.

    Raises
    ------
    ValueError, TypeError
        If it is a tensor of PyTorch that requires a gradient, is sparse, or is on another kind of device.
    """
    if type(array) is np.ndarray:
        return widen(array)
    array = unwrap(array, is_weight)
    if is_on_cpu(array):
        return as_numpy(array)
    return array if hasattr(array, "flags") else backend_for(DEVICE_KIND).adopt(array)


def as_contiguous(array: Any) -> Array:
    """Return an array, or what numpy can make one of, in C order where it lives."""
    array = as_array(array)
    if is_on_cpu(array):
        return np.ascontiguousarray(array)
    contiguous: Array = array if array.flags.c_contiguous else array.copy()
    return contiguous


def check_one_device(**arrays: Any) -> None:
    """Raise unless all arrays, None left out, live on one device.

    Raises
    ------
    ValueError
        With their devices, and how to move them.
    """
    if set(map(type, arrays.values())) <= NUMPY_OR_NOTHING:
        return
    devices = {name: placement_of(array) for name, array in arrays.items() if array is not None}
    if len(set(devices.values())) > 1:
        listed = ", ".join(f"`{name}` on {device}" for name, device in devices.items())
        raise ValueError(
            f"All arrays of one call must live on one device. Received: {listed}. Copy those of a GPU to the host "
            "with `array.get()` or the others to the GPU; `table.to(device)` moves a table."
        )


def allocate(shape: tuple[int, ...], dtype: Any, placement: str, fill: float | None = None) -> Array:
    """Return memory at a placement, uninitialised or filled; zeros need not be taken from the system yet.

    An allocation that fails is tried again after the backend's pool has released its free blocks.

    Raises
    ------
    MemoryError
        If the device does not have it.
    """
    backend, number = backend_for(placement), device_number(placement)
    if fill is None:
        return retry_with_free_blocks(placement, lambda: backend.empty(shape, dtype, number))
    if fill == 0:
        return retry_with_free_blocks(placement, lambda: backend.zeros(shape, dtype, number))
    array = retry_with_free_blocks(placement, lambda: backend.empty(shape, dtype, number))
    array.fill(fill)
    return array


def copy_blocks(out: Array, source: Array) -> None:
    """Copy rows to another device, block by block, so that no temporary has the size of a table."""
    backend, rows = backend_for(placement_of(out)), max(1, BLOCK_BYTES * len(out) // max(1, out.nbytes))
    for begin in range(0, len(out), rows):
        block = source[begin : begin + rows]
        backend.copy_into(out[begin : begin + rows], to_cpu(block) if is_on_cpu(out) else block)


def retry_with_free_blocks(placement: str, allocating: Callable[[], Result]) -> Result:
    """Call something that allocates, and if it fails for lack of memory, once more with the pool's blocks released."""
    try:
        return allocating()
    except MemoryError:
        backend_for(placement).release_blocks()
        return allocating()


@cache
def _load_backend(module: str) -> Backend:
    backend: Backend = import_module(module).BACKEND
    return backend
