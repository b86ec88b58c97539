"""What a backend offers beside operations: whether it can be used, memory on its devices, and copies to and from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Memory(ABC):
    """Devices of one kind and their memory; `number` is that of a device, the ``0`` of ``"gpu:0"``.

    Arrays of a backend have, like numpy's, ``shape``, ``dtype``, ``ndim``, ``size``, ``nbytes``, ``reshape``, ``fill``,
    ``copy``, slices as views, indexing by arrays of the same device, and arithmetic; numpy's own functions work on them
    (`__array_function__`, `__array_ufunc__`) and give arrays of the same device.
    """

    @abstractmethod
    def refusal(self) -> str | None:
        """Return why no device can be used, and what to do about it, as sentences for an error; None if one can.

        It must be cheap when the libraries of the device are not installed: they are looked for, not imported.
        """

    @abstractmethod
    def count_devices(self) -> int:
        """Return the number of devices that can be used; 0 where `refusal` gives a reason."""

    @abstractmethod
    def device_of(self, array: Any) -> int:
        """Return the number of the device on which an array of this backend lives."""

    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        """Return an uninitialised C-contiguous array, aligned to 64 bytes or more.

        Raises
        ------
        MemoryError
            If the device does not have it; every allocation of a backend raises this and nothing else for that.
        """

    @abstractmethod
    def zeros(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        """Return zeros, as `empty`; memory that nobody writes need not be taken from the system."""

    @abstractmethod
    def from_cpu(self, array: Array, number: int = 0) -> Array:
        """Return a C-contiguous copy of a numpy array on a device; later writes to `array` do not reach it."""

    @abstractmethod
    def to_cpu(self, array: Array, out: Array | None = None) -> Array:
        """Return a copy of an array of this backend as a C-contiguous numpy array, complete on return.

        Parameters
        ----------
        array : ndarray
            Of any device of this backend.
        out : numpy.ndarray of the same shape and dtype, C-contiguous, optional
            Where to write it, and what is returned; from `empty_pinned` the copy is the fastest.
        """

    @abstractmethod
    def empty_pinned(self, shape: tuple[int, ...], dtype: Any, number: int = 0) -> Array:
        """Return an uninitialised numpy array in memory that a device copies from and to at full speed.

        On a GPU that is page-locked memory, which the system cannot move. Where copies need no such thing it is memory
        like any other.

        Raises
        ------
        MemoryError
            If the system gives none: how much may be locked is often limited.
        """

    @abstractmethod
    def adopt(self, array: Any) -> Array:
        """Return an array of another library that lives on such a device as one of this backend, on the same memory."""

    @abstractmethod
    def copy_into(self, out: Array, source: Array) -> None:
        """Write a numpy array, or an array of any device of this backend, into an array of this backend.

        Both have the same shape and dtype, `out` may be a slice of rows of a larger array, and `source` may be written
        again on return.
        """

    @abstractmethod
    def available_memory(self, number: int = 0) -> int | None:
        """Return the bytes that can still be allocated on a device, free blocks of the pool included.

        None where the system does not say.
        """

    @abstractmethod
    def release_blocks(self) -> int:
        """Give the free blocks of the pool back to the system, so that they can be allocated in other sizes.

        Returns
        -------
        released : int
            Their bytes.
        """

    @abstractmethod
    def synchronize(self, number: int = 0) -> None:
        """Wait until everything that a device has been asked for is done."""
