"""The backends that the suite of operations runs over, and how its numpy arrays get there."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from fastembed_layer import RowGradient
from fastembed_layer.backends.contract import Backend, GroupedGradient, Step
from fastembed_layer.backends.dispatch import backend_for
from fastembed_layer.tables.parameter import Parameter

Array = np.ndarray[Any, Any]
Copy = Callable[[Any], Any]

NAMES = ("cpu", "cuda-on-cpu", "cuda")


class Device:
    """A backend whose operations take and return numpy arrays, and write those that they are to write.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    backend : Backend
        Its operations.
    put, get : callable, optional
        Copy an array to the device and back; without them the device works in the memory of numpy.
    """

    def __init__(self, name: str, backend: Backend, put: Copy | None = None, get: Copy | None = None):
        self.name = name
        self.backend = backend
        self._copies = None if put is None or get is None else (put, get)

    def __repr__(self) -> str:
        return self.name

    def __getattr__(self, operation: str) -> Any:
        function = getattr(self.backend, operation)
        if self._copies is None:
            return function
        return lambda *arguments, **named: Visit(*self._copies).run(function, arguments, named)


class Visit:
    """One call on a device: arrays are copied there, and what has become of them is copied back."""

    def __init__(self, put: Copy, get: Copy):
        self.put, self.get = put, get
        self.pairs: dict[int, tuple[Any, Any]] = {}  # by the address of the host's object: it, and its copy

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call an operation."""
        moved = self.move(arguments), self.move(named)
        try:
            result = function(*moved[0], **moved[1])
        finally:
            for here, there in self.pairs.values():
                if isinstance(here, np.ndarray) and here.flags.writeable:
                    here[...] = self.get(there)
        return self.fetch(result)

    def move(self, thing: Any) -> Any:
        """The same thing, with its arrays on the device."""
        if isinstance(thing, GroupedGradient | Step):
            return type(thing)(*map(self.move, thing))
        if isinstance(thing, list | tuple):
            return type(thing)(map(self.move, thing))
        if isinstance(thing, dict):
            return {key: self.move(value) for key, value in thing.items()}
        if isinstance(thing, np.ndarray):
            return self._remember(thing, lambda: self.put(thing))
        if isinstance(thing, Parameter | RowGradient) or type(thing).__name__ in ("IdleRows", "RowRates"):
            return self._remember(thing, lambda: self._move_parts(thing))
        return thing

    def fetch(self, thing: Any) -> Any:
        """The same thing on the host; what came from there is itself again."""
        for here, there in self.pairs.values():
            if thing is there:
                return here
        if isinstance(thing, GroupedGradient):
            return GroupedGradient(self.fetch(thing.gradient), self.fetch(thing.keys))
        if isinstance(thing, tuple):
            return tuple(map(self.fetch, thing))
        return self.get(thing) if hasattr(thing, "dtype") else thing

    def _move_parts(self, thing: Any) -> Any:
        twin = copy.copy(thing)
        vars(twin).update({name: self.move(value) for name, value in vars(thing).items()})
        return twin

    def _remember(self, thing: Any, make: Callable[[], Any]) -> Any:
        if id(thing) not in self.pairs:
            self.pairs[id(thing)] = (thing, make())
        return self.pairs[id(thing)][1]


def refusal_of(name: str) -> str | None:
    """Why a backend cannot run here; None where it can."""
    if name == "cuda-on-cpu":
        return import_module("emulated_cuda").explain_absence()
    if name == "cuda":
        refusal: str | None = import_module("fastembed_layer.backends.cuda").BACKEND.refusal()
        return refusal
    return None if name == "cpu" else f"is none of {', '.join(NAMES)}"


def names_to_run(asked: str | None) -> dict[str, str | None]:
    """The backends of a run by name, and why one is skipped.

    Those that were asked for by name have to run; those of the compiler have to run in CI.
    """
    named = asked.split(",") if asked else []
    refusals = {name: refusal_of(name) for name in named or NAMES}
    forced = named or (["cuda-on-cpu"] if os.environ.get("CI") else [])
    failed = [f"{name!r} {refusals[name]}" for name in forced if refusals[name] is not None]
    if failed:
        raise ValueError(f"Backends that have to run cannot: {'; '.join(failed)}")
    return refusals


@cache
def open_device(name: str) -> Device:
    """Make the backend of one name ready."""
    if name == "cpu":
        return Device(name, backend_for("cpu:0"))
    if name == "cuda-on-cpu":
        return Device(name, import_module("emulated_cuda").BACKEND)
    backend = import_module("fastembed_layer.backends.cuda").BACKEND
    return Device(name, backend, backend.from_cpu, backend.to_cpu)
