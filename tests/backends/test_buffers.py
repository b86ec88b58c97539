"""Lent memory: used again once nobody looks at it, and never a moment earlier."""

from __future__ import annotations

import gc
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastembed_layer.backends import buffers
from fastembed_layer.backends.buffers import GRANULE, LARGEST_TOTAL, SMALLEST, borrow_array, drop_free_memory

Array = np.ndarray[Any, Any]

LARGE = SMALLEST  # bytes


@pytest.fixture(autouse=True)
def _no_free_memory() -> Iterator[None]:
    """Start and end with an empty pool."""
    gc.collect()
    drop_free_memory()
    yield
    gc.collect()
    drop_free_memory()


def address_of(array: Array) -> int:
    """Where an array's memory begins."""
    return int(array.__array_interface__["data"][0])


def borrow_bytes(nbytes: int = LARGE) -> Array:
    """Borrow bytes."""
    return borrow_array((nbytes,), np.uint8)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint64", "uint8"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (), (7,), (300, 17), (400, 300, 3)], ids=str)
def test_a_lent_array_has_the_shape_and_type_asked_for(shape: tuple[int, ...], dtype: str) -> None:
    array = borrow_array(shape, dtype)
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.flags.carray
    array[...] = 1
    assert array.sum() == array.size


def test_the_memory_of_a_forgotten_array_is_lent_again() -> None:
    first = address_of(borrow_bytes())
    assert address_of(borrow_bytes()) == first


def test_batches_that_are_a_little_smaller_than_the_first_use_its_block() -> None:
    sizes = [10_300, 10_000, 9_700, 10_050]
    assert len({address_of(borrow_array((size, 16), "float32")) for size in sizes}) == 1


def test_a_kept_array_keeps_its_memory() -> None:
    kept = borrow_bytes()
    assert address_of(borrow_bytes()) != address_of(kept)


VIEWS: dict[str, Callable[[Array], Any]] = {
    "itself": lambda array: array,
    "slice": lambda array: array[-3:],
    "slice of a slice": lambda array: array[2:][5:][::7],
    "other type": lambda array: array.view(np.float64),
    "other shape": lambda array: array.reshape(2, -1).T,
    "memoryview": lambda array: memoryview(array),  # type: ignore[arg-type]
    "frombuffer": lambda array: np.frombuffer(array, np.uint8),
    "asarray": np.asarray,
    "broadcast": lambda array: np.broadcast_to(array, (2, len(array))),
    "flat": lambda array: array.flat,
    "base": lambda array: array[3:].base,
    "bound method": lambda array: array.sum,
}


@pytest.mark.parametrize("view", VIEWS)
def test_whoever_holds_a_view_of_any_kind_keeps_the_memory(view: str) -> None:
    array = borrow_bytes()
    address, held = address_of(array), VIEWS[view](array)
    del array
    assert address_of(borrow_bytes()) != address
    del held
    assert address_of(borrow_bytes()) == address


def test_memory_in_a_cycle_comes_back_with_the_collector() -> None:
    holder: list[Any] = [borrow_bytes()]
    address = address_of(holder[0])
    holder.append(holder)
    del holder
    assert address_of(borrow_bytes()) != address
    gc.collect()
    assert address_of(borrow_bytes()) == address


def test_small_arrays_come_from_numpy_and_leave_nothing_behind() -> None:
    borrow_bytes(SMALLEST - 1)
    assert drop_free_memory() == 0


def test_dropping_free_memory_returns_its_bytes_and_spares_what_is_lent() -> None:
    kept = borrow_bytes(LARGE + GRANULE)
    kept[:] = 7
    borrow_bytes(LARGE + 1)
    assert drop_free_memory() == LARGE + GRANULE
    assert drop_free_memory() == 0
    assert (kept == 7).all()


def test_a_small_request_does_not_take_a_much_larger_block() -> None:
    borrow_bytes(10 * LARGE)
    borrow_bytes(LARGE)
    assert drop_free_memory() == 11 * LARGE


def test_no_more_than_a_fixed_total_is_kept_and_the_longest_unused_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert LARGEST_TOTAL == 1 << 29
    monkeypatch.setattr(buffers, "LARGEST_TOTAL", 3 * LARGE)
    held = [borrow_bytes() for _ in range(10)]
    last = address_of(held[-1])
    while held:
        del held[0]
    assert address_of(borrow_bytes()) == last
    assert drop_free_memory() == 3 * LARGE


def test_a_block_above_the_total_is_given_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "LARGEST_TOTAL", LARGE)
    borrow_bytes(4 * LARGE)
    assert drop_free_memory() == 0


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5), st.booleans()), max_size=40))
def test_what_is_kept_is_never_overwritten(moves: list[tuple[int, int, bool]]) -> None:
    """Each move lends an array, fills it with its own number, and keeps it or a view, or drops an earlier one."""
    kept: list[tuple[int, Array]] = []
    for number, (size, index, is_kept) in enumerate(moves):
        array = borrow_array((size * LARGE // 8,), np.int64)
        array[:] = number
        if is_kept:
            kept.append((number, array[index::7] if index % 2 else array))
        elif kept:
            del kept[index % len(kept)]
    for number, array in kept:
        assert (array == number).all()


def test_threads_that_lend_and_drop_at_once_never_share_memory() -> None:
    spoiled: list[int] = []

    def borrow_many(seed: int) -> None:
        random, held = np.random.default_rng(seed), []
        for number in range(300):
            array = borrow_array((LARGE // 8 * int(random.integers(1, 3)),), np.int64)
            array[:] = mark = seed * 1000 + number
            held.append((mark, array))
            if len(held) > 4:
                mark, array = held.pop(int(random.integers(0, 5)))
                spoiled.extend([mark] * bool((array != mark).any()))

    threads = [threading.Thread(target=borrow_many, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spoiled == []


def test_memory_that_comes_back_while_a_block_is_taken_is_not_lost() -> None:
    array = borrow_bytes()
    address = address_of(array)
    with buffers._free.lock:  # what a collection in the middle of `take` sees
        del array
    assert address_of(borrow_bytes()) == address


def test_lent_arrays_are_pickled_by_their_own_bytes() -> None:
    array = borrow_bytes()
    array[:] = 9
    copy = pickle.loads(pickle.dumps(array))
    assert copy.nbytes == LARGE
    assert (copy == 9).all()
