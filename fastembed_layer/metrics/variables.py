"""The variables of metrics, found in their attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastembed_layer.tables.variable import Variable

__all__ = ["Variable", "find_kinds"]


def find_kinds(thing: Any, *kinds: type) -> Iterator[Any]:
    """Yield the objects of some kinds in a value of an attribute: itself, or what lists and dicts in it hold."""
    if isinstance(thing, kinds):
        yield thing
    elif isinstance(thing, list | tuple):
        for one in thing:
            yield from find_kinds(one, *kinds)
    elif isinstance(thing, Mapping):
        for one in thing.values():
            yield from find_kinds(one, *kinds)
