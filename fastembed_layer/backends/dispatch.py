"""The choice of a backend: from the placement of a parameter, at every call, and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fastembed_layer.backends.arrays import BACKENDS, CPU, backend_for, is_on_cpu
from fastembed_layer.backends.transfer import Transfer

if TYPE_CHECKING:
    from fastembed_layer.backends.contract import Operations

__all__ = ["BACKENDS", "Placed", "backend_for", "backend_of"]


class Placed(Protocol):
    """Anything that knows where it lives."""

    @property
    def placement(self) -> str:
        """Device string such as ``"cpu:0"``."""


def backend_of(parameter: Placed, ids: Any = None) -> Operations:
    """Return the operations that work where `parameter` lives; the arrays of a call may live elsewhere.

    Parameters
    ----------
    parameter : Placed
        A table or another weight.
    ids : array, optional
        The ids of the call, where these may be on a device.
    """
    cache = getattr(parameter, "cache", None)
    if cache is not None:
        return cache.operations
    placement = parameter.placement
    if placement == CPU and is_on_cpu(ids):
        return backend_for(placement)
    return Transfer(placement)
