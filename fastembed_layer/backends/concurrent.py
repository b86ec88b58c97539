"""Lookups beside a step of another thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Lookup = TypeVar("Lookup", bound=Callable[..., Any])


def see_no_step_half_done(lookup: Lookup) -> Lookup:
    """Let a lookup beside a step see each row as it was before the step, or as it is after it.

    Where idle rows move, a row means something only together with its slots, its last step and the clock. So a lookup
    during which these were written is made once more when the writing has ended.
    """

    @wraps(lookup)
    def look_up(self: Any, table: Any, *arguments: Any, **options: Any) -> Any:
        if table.idle is None or not table.idle.moves:
            return lookup(self, table, *arguments, **options)
        version = table.guard.version
        if version % 2 == 0:
            result = lookup(self, table, *arguments, **options)
            if table.guard.version == version:
                return result
        with table.guard.writing:
            return lookup(self, table, *arguments, **options)

    return look_up  # type: ignore[return-value]
