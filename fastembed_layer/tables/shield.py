"""`Shield`: what has begun to write is not interrupted by a signal; handlers run when it has ended."""

from __future__ import annotations

import signal
import threading
from _signal import getsignal  # type: ignore[import-not-found]  # those of `signal` make enums, at ten times the cost
from _signal import signal as set_handler
from collections.abc import Callable
from types import FrameType
from typing import Any, ClassVar

MAIN_THREAD = threading.main_thread().ident
NUMBERS = tuple(sorted(int(number) for number in signal.valid_signals()))

Handler = Callable[[int, FrameType | None], Any]


class Shield:
    """Defers the Python handlers of signals, Ctrl-C among them, to the end of a ``with`` block.

    Handlers run in the main thread alone, so nothing is done in others. A signal whose handler is not a function of
    Python does what it always does. Where blocks are nested, the outermost one counts.
    """

    _is_up = False

    def __init__(self) -> None:
        self._replaced: dict[int, Handler] = {}
        self._arrived: list[int] = []
        self._is_outermost = False

    def __enter__(self) -> None:
        if threading.get_ident() != MAIN_THREAD or Shield._is_up:
            return
        self._is_outermost = True
        try:
            for number, handler in _find_handlers().items():
                self._replaced[number] = handler
                set_handler(number, self._defer)
            Shield._is_up = True
        except BaseException:  # a handler that ran before it was replaced
            self._restore()
            raise

    def __exit__(self, *exception: object) -> None:
        if not self._is_outermost:
            return
        Shield._is_up = False
        self._restore()
        self._deliver()

    def _deliver(self) -> None:
        """Let the handlers run, all of them; the first error is raised."""
        try:
            while self._arrived:
                signal.raise_signal(self._arrived.pop(0))
        finally:
            if self._arrived:
                self._deliver()

    def _defer(self, number: int, frame: FrameType | None) -> None:
        self._arrived.append(number)

    def _restore(self) -> None:
        """Put every handler back, even if one that is back already raises meanwhile."""
        raised = None
        while self._replaced:
            try:
                number, handler = next(iter(self._replaced.items()))
                set_handler(number, handler)
                del self._replaced[number]
            except BaseException as error:  # noqa: PERF203
                raised = error
        if raised is not None:
            raise raised


class _Known:
    """What was found at the last look: the handlers of all signals, and those of them that are functions of Python."""

    handlers: ClassVar[list[Any]] = []
    functions: ClassVar[dict[int, Handler]] = {}


def _find_handlers() -> dict[int, Handler]:
    """The handlers that are functions of Python, by signal."""
    handlers = list(map(getsignal, NUMBERS))
    if handlers != _Known.handlers:  # they hardly ever change, and comparing them is much cheaper than asking of each
        functions = {number: handler for number, handler in zip(NUMBERS, handlers, strict=True) if callable(handler)}
        _Known.handlers, _Known.functions = handlers, functions
    return _Known.functions
