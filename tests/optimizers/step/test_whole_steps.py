"""A step happens as a whole or not at all: under signals, errors and threads."""

from __future__ import annotations

import copy
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
from every_optimizer import EVERY
from reference import assert_same_bits

from fastembed_layer import Embedding, RowGradient, optimizers, set_threads
from fastembed_layer.optimizers.step import averages, order

ROWS, COLUMNS, IDS = 30_000, 16, 60_000
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    **{name: partial(cls, 0.01 if name == "Lion" else 0.1) for name, cls in EVERY.items()},
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
    "lazy Adam": lambda: optimizers.Adam(0.1, update="lazy"),
    "RMSprop with momentum": lambda: optimizers.RMSprop(0.1, momentum=0.5),
    "accumulating": lambda: optimizers.Adam(0.1, gradient_accumulation_steps=2),
}


class Training:
    """Two tables under one optimizer, a few steps into their training."""

    def __init__(self, make: Callable[[], Any], seed: int = 0):
        random = np.random.default_rng(seed)
        start = random.standard_normal((ROWS, COLUMNS)).astype("float32")
        self.layers = [Embedding(ROWS, COLUMNS, weights=[start]) for _ in range(2)]
        self.optimizer = make()
        self.gradients = [self._draw(random) for _ in range(2)]
        for number in (0, 1, 0):
            self.step(number)

    def _draw(self, random: np.random.Generator) -> RowGradient:
        values = random.standard_normal((IDS, COLUMNS)).astype("float32")
        return RowGradient(random.integers(0, ROWS, IDS), values, (ROWS, COLUMNS))

    def step(self, number: int) -> None:
        pairs = zip((self.gradients[number], self.gradients[1 - number]), self.layers, strict=True)
        self.optimizer.apply_gradients([(gradient, layer.embeddings) for gradient, layer in pairs])

    def state(self) -> list[Any]:
        """Everything that a step changes, of a copy, since reading the state makes idle rows move."""
        layers, optimizer = copy.deepcopy((self.layers, self.optimizer))
        store: dict[str, Any] = {}
        optimizer.save_own_variables(store)
        return [*(layer.get_weights()[0] for layer in layers), *store.values()]


def same(left: list[Any], right: list[Any]) -> bool:
    """Tell whether two states agree to the bit."""
    return len(left) == len(right) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(left, right, strict=True)
    )


@contextmanager
def alarm(delay: float) -> Iterator[None]:
    """Interrupt what runs after some seconds, as Ctrl-C would."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, delay)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupt_steps(name: str, moments: int) -> int:
    """Interrupt steps at random moments; returns how many were, after it has compared each with its neighbours."""
    random, training, hits = np.random.default_rng(len(name)), Training(OPTIMIZERS[name]), 0
    for moment in range(moments):
        before, done = training.state(), training.optimizer.iterations
        twin = copy.deepcopy(training)
        twin.step(moment % 2)
        try:
            with alarm(float(random.uniform(1e-4, 0.03))):
                training.step(moment % 2)
        except KeyboardInterrupt:
            hits += 1
        found = training.state()
        assert same(found, twin.state()) or (same(found, before) and training.optimizer.iterations == done)
    return hits


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Ctrl-C inside a finalizer is lost
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_interrupted_step_is_whole_or_has_not_happened(name: str, request: pytest.FixtureRequest) -> None:
    interrupt_steps(name, 400 if request.config.getoption("--long") else 5)


def test_a_step_without_a_shield_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_in_the_middle(_: Any, work: Callable[[], Any]) -> Any:
        raise KeyboardInterrupt

    training = Training(OPTIMIZERS["Adam"])
    before = training.state()
    real = order._prepare_update

    def half(*arguments: Any) -> Callable[[], None]:
        real(*arguments)()
        return lambda: None

    monkeypatch.setattr(order, "_prepare_update", half)
    monkeypatch.setattr(order, "write", stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        training.step(0)
    assert not same(training.state(), before)


ALLOCATORS = (
    "fastembed_layer.backends.cpu.borrow_array",
    "fastembed_layer.backends.sorting.borrow_array",
    "fastembed_layer.backends.hot_rows.borrow_array",
    "fastembed_layer.backends.scratch.np.empty",
    "fastembed_layer.tables.idle_rows.np.concatenate",
    "fastembed_layer.tables.idle_rows.allocate",
    "fastembed_layer.optimizers.step.slots.allocate",
)


class Failing:
    """Allocations that fail at the n-th call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int):
        self.calls, self.at, self._lock = 0, at, threading.Lock()
        for path in ALLOCATORS:
            monkeypatch.setattr(path, self._wrap(_resolve(path)))

    def _wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def allocate(*arguments: Any, **options: Any) -> Any:
            with self._lock:  # ranges of one call allocate on several threads
                self.calls += 1
                fails = self.calls == self.at
            if fails:
                raise MemoryError
            return real(*arguments, **options)

        return allocate


def _resolve(path: str) -> Any:
    from importlib import import_module

    module, _, name = path.replace(".np.", "|np.").partition("|")
    if name:
        return getattr(np, name.split(".")[1])
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("is_first", [False, True], ids=["later", "first"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "lazy Adam", "AdamW", "RMSprop"])
def test_of_a_step_without_memory_nothing_is_left(name: str, is_first: bool) -> None:
    at, hits, failing = 0, 0, None
    while failing is None or failing.calls >= at:
        at += 1
        training = Training(OPTIMIZERS[name])
        if is_first:
            training.optimizer = OPTIMIZERS[name]()
        weights = [layer.get_weights()[0] for layer in training.layers]
        before, twin = None if is_first else training.state(), copy.deepcopy(training)
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, at)
            try:
                training.step(1)  # succeeds where freeing the buffers of earlier steps makes room
            except MemoryError:
                hits += 1
                failed = True
            else:
                failed = False
        if failed and before is None:
            assert same([layer.get_weights()[0] for layer in training.layers], weights)
        elif failed:
            assert same(training.state(), before), f"allocation {at}"
        if failed:
            training.step(1)
        twin.step(1)
        assert same(training.state(), twin.state())
    assert hits > 3


class Refusing:
    """A constraint that fails on demand."""

    is_row_local = True

    def __init__(self) -> None:
        self.fails = False

    def __call__(self, weights: Any) -> Any:
        if self.fails:
            raise ZeroDivisionError
        return np.maximum(weights, 0)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "lazy Adam", "Adam"])
@pytest.mark.filterwarnings("ignore:The constraint of the weight")
def test_a_step_whose_constraint_fails_has_not_happened(name: str) -> None:
    training, constraint = Training(OPTIMIZERS[name]), Refusing()
    training.layers[1].embeddings.constraint = constraint
    training.step(1)
    before, twin = training.state(), copy.deepcopy(training)
    constraint.fails = True
    with pytest.raises(ZeroDivisionError):
        training.step(0)
    assert same(training.state(), before)
    constraint.fails = False
    training.step(0)
    twin.step(0)
    assert same(training.state(), twin.state())


@pytest.mark.parametrize("update", ["lazy", "exact"])
@pytest.mark.filterwarnings("ignore:`use_ema` for the weight")
def test_a_step_whose_average_fails_has_not_happened(update: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(lambda: optimizers.Adam(0.1, update=update, use_ema=True))
    before, twin = training.state(), copy.deepcopy(training)
    calls = []

    def fail(*_: Any) -> None:
        calls.append(real(*_))
        if len(calls) == 2:
            raise MemoryError

    real = averages.MovingAverage.follow
    with monkeypatch.context() as patch:
        patch.setattr(averages.MovingAverage, "follow", fail)
        with pytest.raises(MemoryError):
            training.step(0)
    assert same(training.state(), before)
    training.step(0)
    twin.step(0)
    assert same(training.state(), twin.state())


@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam", "AdamW", "Nadam"])
def test_lookups_beside_steps_see_rows_that_some_step_has_left(name: str, request: pytest.FixtureRequest) -> None:
    layer, optimizer = Embedding(4_000, 8, weights=[np.zeros((4_000, 8), "float32")]), OPTIMIZERS[name]()
    all_rows = RowGradient(np.arange(4_000), np.ones((4_000, 8), "float32"), (4_000, 8))
    half = RowGradient(np.arange(0, 4_000, 2), np.ones((2_000, 8), "float32"), (4_000, 8))
    optimizer.apply_gradients([(all_rows, layer.embeddings)])
    steps = 20_000 if request.config.getoption("--long") else 150
    wrong: list[Any] = []
    stop = threading.Event()

    def look() -> None:
        ids = np.arange(4_000)
        while not stop.is_set():
            rows = layer(ids)
            is_uniform = name == "SGD" or (rows == rows[:, :1]).all()
            if not np.isfinite(rows).all() or rows.max() > 0 or not is_uniform:
                wrong.append((rows.min(), rows.max()))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(steps // 2):
        optimizer.apply_gradients([(half, layer.embeddings)])
        optimizer.apply_gradients([(all_rows, layer.embeddings)])
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []


@pytest.mark.parametrize("name", ["Adam", "AdamW", "momentum"])
def test_many_readers_bring_idle_rows_up_to_date_once(name: str, request: pytest.FixtureRequest) -> None:
    for trial in range(400 if request.config.getoption("--long") else 6):
        training = Training(OPTIMIZERS[name], trial)
        right = copy.deepcopy(training.layers[0]).get_weights()[0]
        table, found = training.layers[0].embeddings, []
        begin = threading.Barrier(8)
        reads: list[Callable[[], Any]] = [table.numpy, training.layers[0].get_weights, partial(np.array, table)]

        def read(number: int) -> None:
            begin.wait()  # noqa: B023
            found.append(np.reshape(reads[number % 3](), right.shape))  # noqa: B023

        threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(same([value], [right]) for value in found)


def test_threads_that_step_one_optimizer_make_every_step() -> None:
    layer, optimizer = Embedding(100, 4, weights=[np.zeros((100, 4), "float32")]), optimizers.SGD(1.0)
    gradient = RowGradient(np.arange(100), np.full((100, 4), -1, "float32"), (100, 4))

    def work() -> None:
        for _ in range(50):
            optimizer.apply_gradients([(gradient, layer.embeddings)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert optimizer.iterations == 400
    assert (layer.get_weights()[0] == 400).all()


def test_two_optimizers_on_one_table_exclude_each_other() -> None:
    layer = Embedding(100, 4, weights=[np.zeros((100, 4), "float32")])
    gradient = RowGradient(np.arange(100), np.full((100, 4), -1, "float32"), (100, 4))
    pair = [optimizers.SGD(1.0), optimizers.SGD(1.0)]

    def work(optimizer: Any) -> None:
        for _ in range(50):
            optimizer.apply_gradients([(gradient, layer.embeddings)])

    threads = [threading.Thread(target=work, args=(pair[number % 2],)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (layer.get_weights()[0] == 300).all()


class Counted:
    """A table all of whose rows are alike: their numbers are those after some step of a serial run, or wrong."""

    def __init__(self, name: str, steps: int):
        self.optimizer, self.steps = OPTIMIZERS[name](), steps
        self.layer = Embedding(999, 4, weights=[np.ones((999, 4), "float32")])
        self.layer(np.array([0]))
        self.gradient = RowGradient(np.arange(999), np.ones((999, 4), "float32"), (999, 4))
        twin = copy.deepcopy(self)
        self.history = [twin.read()]
        for _ in range(steps):
            twin.step()
            self.history.append(twin.read())
        self.states = [float(row[0, 0]) for row in self.history]

    def step(self) -> None:
        self.optimizer.apply_gradients([(self.gradient, self.layer.embeddings)])

    def read(self) -> Any:
        return self.layer.get_weights()[0]

    def check_rows(self) -> None:
        """Each row of a lookup is one of the history."""
        rows = self.layer(np.arange(0, 999, 7))
        assert np.isin(rows[:, 0], self.states).all()

    def check_table(self) -> None:
        """A table that is read as a whole is that after one step."""
        found = self.read()
        assert float(found[0, 0]) in self.states
        assert (found == found[0, 0]).all()

    def check_saved(self) -> None:
        """What is saved of the optimizer goes with one number of steps: training on from it is the serial run."""
        store: dict[str, Any] = {}
        self.optimizer.save_own_variables(store)
        assert 0 <= int(store["iterations"]) <= self.steps
        for entry, array in store.items():
            if ".slot." in entry:
                assert (array == array[0, 0]).all()

    def check_row(self) -> None:
        """A row by its number, as numpy's indexing."""
        assert float(self.layer.embeddings[5][0]) in self.states


@pytest.mark.parametrize("name", ["SGD", "momentum", "Adagrad", "Adam", "lazy Adam", "AdamW", "RMSprop", "Nadam"])
def test_whatever_eight_threads_see_is_of_the_serial_history(name: str, request: pytest.FixtureRequest) -> None:
    counted = Counted(name, 4_000 if request.config.getoption("--long") else 60)
    errors: list[BaseException] = []
    stop = threading.Event()

    def repeat(check: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                check()
        except BaseException as error:
            errors.append(error)

    checks = [counted.check_rows, counted.check_table, counted.check_saved, counted.check_row]
    threads = [threading.Thread(target=repeat, args=(check,)) for check in (*checks, *checks[:3])]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    for thread in threads:
        thread.start()
    for _ in range(counted.steps):
        counted.step()
    stop.set()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert errors == []
    assert same([counted.read()], counted.history[-1:])


def test_a_row_that_is_no_step_of_the_history_would_be_found_out() -> None:
    counted = Counted("SGD", 3)
    counted.layer.embeddings.array[7, 0] = 0.123
    with pytest.raises(AssertionError):
        counted.check_rows()
    with pytest.raises(AssertionError):
        counted.check_table()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_forked_beside_steps_can_step_and_read() -> None:
    training = Training(OPTIMIZERS["Adam"])
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            training.step(0)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                try:
                    training.step(1)
                    os._exit(0 if np.isfinite(training.layers[0].get_weights()[0]).all() else 1)
                except BaseException:
                    os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


def test_a_step_of_several_threads_has_the_bits_of_one() -> None:
    states = []
    for count in (1, 3):
        previous = set_threads(count)
        states.append(Training(OPTIMIZERS["Adam"]).state())
        set_threads(previous)
    for one, other in zip(*states, strict=True):
        assert_same_bits(one, other)
