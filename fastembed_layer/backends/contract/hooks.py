"""How an operation is passed on by a class that computes nothing itself."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

Array = np.ndarray[Any, Any]


class Hooks:
    """What operations do that a class does not define: each is passed on by one of these, according to its kind.

    A backend defines every operation. A class that takes arrays elsewhere, or ids to other numbers, defines the hooks
    instead, and the few operations for which that is not enough.
    """

    def _look_up(self, operation: str, table: Any, **given: Any) -> Array:
        """Read a table. The ids of `given`, or those of its gradient, say where the result is wanted."""
        lack(self, operation)

    def _arrange(self, operation: str, *given: Any) -> Any:
        """Work on arrays alone; the first says where, and the others are small."""
        lack(self, operation)

    def _write(self, operation: str, *given: Any) -> Any:
        """Write, or prepare to, where the table or the first array is; all that is given is there already."""
        lack(self, operation)


def lack(operations: Hooks, operation: str) -> NoReturn:
    """Raise for an operation that a class neither defines nor passes on."""
    raise NotImplementedError(f"{type(operations).__name__} has no operation `{operation}`.")
