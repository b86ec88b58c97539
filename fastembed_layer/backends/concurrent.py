"""Lookups beside a step of another thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Lookup = TypeVar("Lookup", bound=Callable[..., Any])


def see_no_step_half_done(lookup: Lookup) -> Lookup:
    """Let a lookup beside a step see each row as it was before the step, or as it is after it.

    Where rows decay or idle rows move, a row that is being written is neither, and means something only together with
    its slots, its last step and the clock. So a lookup during which these were written is made once more when the
    writing has ended.
    """

    @wraps(lookup)
    def look_up(self: Any, table: Any, *arguments: Any, **options: Any) -> Any:
        guard = table.guard
        version = guard.version
        if guard.is_plain or version % 2 == 0:
            try:
                result = lookup(self, table, *arguments, **options)
            except Exception:
                if guard.version == version:
                    raise
            else:
                if guard.is_plain or guard.version == version:
                    return result
        with guard.writing:
            return lookup(self, table, *arguments, **options)

    return look_up  # type: ignore[return-value]
