"""A shield defers the handlers of signals, all of them, and only while it is up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fastembed_layer.tables import shield
from fastembed_layer.tables.shield import Shield


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Signals that two handlers of this test have been called for."""
    numbers: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: numbers.append(n)) for number in (signal.SIGUSR1, signal.SIGALRM)
    }
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_handlers_run_when_the_block_has_ended(heard: list[int]) -> None:
    with Shield():
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGALRM)
        assert heard == []
    assert heard == [signal.SIGUSR1, signal.SIGALRM]


def test_the_outermost_of_nested_blocks_counts(heard: list[int]) -> None:
    with Shield():
        with Shield():
            signal.raise_signal(signal.SIGUSR1)
        assert heard == []
    assert heard == [signal.SIGUSR1]


def test_handlers_are_back_after_an_error(heard: list[int]) -> None:
    with pytest.raises(ZeroDivisionError), Shield():
        raise ZeroDivisionError
    signal.raise_signal(signal.SIGUSR1)
    assert heard == [signal.SIGUSR1]


def test_ctrl_c_is_raised_behind_the_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), Shield():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        steps.append("whole")
    assert steps == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_while_handlers_are_replaced_leaves_all_of_them_as_they_were(monkeypatch: Any) -> None:
    real, calls = shield.set_handler, []

    def replace(number: int, handler: Any) -> Any:
        calls.append(number)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real(number, handler)

    monkeypatch.setattr(shield, "set_handler", replace)
    with pytest.raises(KeyboardInterrupt), Shield():
        raise AssertionError("the block must not begin")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not Shield._is_up


def test_other_threads_change_no_handler() -> None:
    found = []

    def work() -> None:
        with Shield():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_of_several_signals_all_handlers_run_though_the_first_raises(heard: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), Shield():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGUSR1)
    assert heard == [signal.SIGUSR1]
