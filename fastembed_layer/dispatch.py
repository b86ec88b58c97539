"""The choice of a backend: from the placement of a parameter, at every call, and from nothing else."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastembed_layer.backends.contract import Backend

BACKENDS = {"cpu": "fastembed_layer.backends.cpu"}


class Placed(Protocol):
    """Anything that knows where it lives."""

    @property
    def placement(self) -> str:
        """Device string such as ``"cpu:0"``."""


def backend_for(placement: str) -> Backend:
    """Return the backend of a placement such as ``"cpu:0"``; its module is loaded at the first call.

    Raises
    ------
    ValueError
        If no backend serves the placement.
    """
    kind = placement.partition(":")[0]
    if kind not in BACKENDS:
        raise ValueError(f"`placement` must be on one of {sorted(BACKENDS)}. Received: {placement!r}.")
    return _load_backend(BACKENDS[kind])


@cache
def _load_backend(module: str) -> Backend:
    backend: Backend = import_module(module).BACKEND
    return backend


def backend_of(parameter: Placed) -> Backend:
    """Return the backend that works where `parameter` lives."""
    return backend_for(parameter.placement)
