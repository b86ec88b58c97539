"""Device strings, device scopes, and the device of a layer for which none was chosen."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from fastembed_layer.backends.arrays import BACKENDS, CPU, DEVICE_KIND, backend_for

DEVICE_PATTERN = re.compile(r"^/?(?:device:)?(cpu|gpu|cuda)(?::(\d+))?$", re.IGNORECASE)
KINDS = {"cpu": "cpu", "gpu": DEVICE_KIND, "cuda": DEVICE_KIND}


class DeviceChoice(NamedTuple):
    """Where a table is to go.

    Attributes
    ----------
    device : str
        Plain spelling, such as ``"gpu:0"``.
    is_chosen : bool
        Whether the caller has chosen it: then a lack of memory is an error, and otherwise the table goes to the CPU.
    """

    device: str
    is_chosen: bool


class _Scopes(threading.local):
    """The device scopes that are open in this thread, outermost first."""

    def __init__(self) -> None:
        self.stack: list[str] = []


_scopes = _Scopes()


@contextmanager
def device(name: str) -> Iterator[str]:
    """Place the tables of layers that are constructed inside the ``with`` block.

    Parameters
    ----------
    name : str
        ``"cpu:0"``, ``"gpu:0"``, ``"gpu:1"`` and so on; without a number the first. ``"cuda:0"`` and TensorFlow's
        ``"/gpu:0"`` and ``"/device:GPU:0"`` are understood.

    Raises
    ------
    TypeError
        If `name` is not a string.
    ValueError
        If no such device can be used; the message says why, and what to install.

    Examples
    --------
    >>> from fastembed_layer import Embedding, device
    >>> with device("cpu:0"):
    ...     embedding_layer = Embedding(1000, 64)
    >>> embedding_layer.placement
    'cpu:0'
    """
    _scopes.stack.append(check_device(name))
    try:
        yield _scopes.stack[-1]
    finally:
        _scopes.stack.pop()


def current_device() -> str:
    """Return the device on which a layer constructed now would be placed, if it fits there."""
    return current_choice().device


def current_choice(name: str | None = None) -> DeviceChoice:
    """Return where a layer goes that is constructed now.

    Parameters
    ----------
    name : str, optional
        Its `device` argument. Without it the innermost open scope counts, and without a scope `default_device`.
    """
    if name is not None:
        return DeviceChoice(check_device(name), is_chosen=True)
    if _scopes.stack:
        return DeviceChoice(_scopes.stack[-1], is_chosen=True)
    return DeviceChoice(default_device(), is_chosen=False)


def default_device() -> str:
    """Return the first GPU if there is one that can be used, else ``"cpu:0"``."""
    return CPU if explain_lack_of_gpu() is not None else f"{DEVICE_KIND}:0"


def explain_lack_of_gpu() -> str | None:
    """Return why no GPU can be used, as sentences; None if one can."""
    if DEVICE_KIND not in BACKENDS:
        return "This version computes on the CPU only."
    return backend_for(DEVICE_KIND).refusal()


def check_device(name: Any) -> str:
    """Return the plain spelling of a device that can be used, such as ``"cpu:0"``.

    Raises
    ------
    TypeError
        If `name` is not a string.
    ValueError
        If it is no device string, or no such device can be used.
    """
    if not isinstance(name, str):
        raise TypeError(f"`device` must be a string such as 'cpu:0'. Received: {name!r} ({type(name).__name__}).")
    match = DEVICE_PATTERN.fullmatch(name)
    if match is None:
        raise ValueError(f"`device` must be a device string such as 'cpu:0' or 'gpu:0'. Received: {name!r}.")
    kind, number = KINDS[match[1].lower()], int(match[2] or 0)
    reason = explain_lack_of_gpu() if kind == DEVICE_KIND else None
    if reason is not None:
        raise ValueError(f"`device` must be a device that can be used. Received: {name!r}. {reason}")
    count = backend_for(kind).count_devices() if kind == DEVICE_KIND else 1
    if number >= count:
        raise ValueError(
            f"`device` must be one of {', '.join(f'{kind}:{each}' for each in range(count))}. Received: {name!r}."
        )
    return f"{kind}:{number}"


def format_bytes(count: float) -> str:
    """Write a number of bytes for a person.

    >>> format_bytes(1536), format_bytes(4_000_000 * 64 * 4)
    ('1.5 KiB', '976.6 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(count) < 1024 or unit == "TiB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")
