"""The CPU backend on its threads: the same bits for any number of them. What it computes is judged with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from reference import assert_same_bits
from strategies import KERNEL_TYPES
from training import make_trained, make_vocabularies, update_rows

from fastembed_layer import RowGradient, set_threads
from fastembed_layer.backends import launch, sorting
from fastembed_layer.backends.contract import IdsOutOfRangeError, Step
from fastembed_layer.backends.dispatch import backend_for
from fastembed_layer.kernels.threads import run_parallel
from fastembed_layer.optimizers import SGD
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

BACKEND = backend_for("cpu:0")
THREADS = (1, 2, 3, 8)


@contextmanager
def many_threads(count: int) -> Iterator[list[int]]:
    """Split even small work among `count` threads; yields how many ranges each launch has had."""
    launches: list[int] = []

    def run_noted(task: Callable[[int, int], Any], size: int, grain: int) -> list[Any]:
        results = run_parallel(task, size, 1)
        launches.append(len(results))
        return results

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "run_parallel", run_noted)
        patch.setattr(sorting, "KEYS_PER_THREAD", 16)
        patch.setattr(sorting, "SMALL_SORT", 32)
        previous = set_threads(count)
        yield launches
        set_threads(previous)


# ---- The same bits for any number of threads


def many_ids(input_dim: int, count: int) -> Array:
    """Ids of which a third are one and the same, so that a row's gradients spread over several ranges."""
    ids = np.random.default_rng(3).integers(0, input_dim, count)
    ids[::3] = input_dim // 2
    return ids


def outcomes_by_threads(run: Callable[[], Sequence[Array]]) -> list[Sequence[Array]]:
    """What `run` returns with each number of threads; checks that at least as many ranges are launched."""
    outcomes: list[Sequence[Array]] = []
    for count in THREADS:
        with many_threads(count) as launches:
            outcomes.append([array.copy() for array in run()])
        assert max(launches) >= count
    return outcomes


def assert_all_alike(outcomes: list[Sequence[Array]]) -> None:
    """Check that every outcome has the bits of the first."""
    for outcome in outcomes[1:]:
        for array, first in zip(outcome, outcomes[0], strict=True):
            assert_same_bits(array, first)


@pytest.mark.parametrize("input_dim", [7, 50_000])
def test_lookups_have_the_same_bits_for_any_number_of_threads(input_dim: int) -> None:
    table = Table(np.random.default_rng(0).standard_normal((input_dim, 17)).astype("float32"))
    ids = many_ids(input_dim, 2_000)
    offsets = np.sort(np.append(np.random.default_rng(1).integers(0, 2_000, 99), [0, 2_000]))
    assert_all_alike(outcomes_by_threads(lambda: [BACKEND.gather_rows(table, ids)]))
    assert_all_alike(outcomes_by_threads(lambda: [BACKEND.gather_bags(table, ids, offsets, None)]))
    argmax = np.empty((100, 17), np.int32)
    assert_all_alike(
        outcomes_by_threads(lambda: [BACKEND.gather_max(table, ids, offsets, None, "max", argmax), argmax])
    )
    vectors = np.random.default_rng(2).standard_normal((2_000, 17)).astype("float32")
    gradient = RowGradient(ids, vectors, (input_dim, 17))
    assert_all_alike(outcomes_by_threads(lambda: [BACKEND.dot_rows(table, gradient)]))


def test_offsets_are_the_same_for_any_number_of_threads() -> None:
    drawn = make_vocabularies(500, 3, "int64")
    ids, columns = drawn.ids, np.arange(3)
    shared = (drawn.row_offsets, drawn.input_dims)
    assert_all_alike(outcomes_by_threads(lambda: [BACKEND.offset_ids(ids, columns, *shared)]))
    assert_all_alike(outcomes_by_threads(lambda: BACKEND.offset_bags(drawn.values, drawn.offsets, *shared)))


@pytest.mark.parametrize("input_dim", [1, 7, 50_000])
def test_sums_have_the_same_bits_for_any_number_of_threads(input_dim: int) -> None:
    ids = many_ids(input_dim, 150_000)  # sums are split into blocks of 16384 positions
    values = np.random.default_rng(0).standard_normal((len(ids), 3)).astype("float32")
    gradient = RowGradient(ids, values, (input_dim, 3))
    assert_all_alike(outcomes_by_threads(lambda: BACKEND.sum_duplicates(gradient)))


@pytest.mark.parametrize("rule", ["sgd", "adagrad", "adam"])
@pytest.mark.parametrize("input_dim", [1, 7, 5_000])
def test_updates_have_the_same_bits_for_any_number_of_threads(rule: str, input_dim: int) -> None:
    ids = many_ids(input_dim, 2_000)
    values = np.random.default_rng(0).standard_normal((len(ids), 16)).astype("float32")
    gradient = RowGradient(ids, values, (input_dim, 16))

    def train() -> list[Array]:
        trained = make_trained(rule, np.ones((input_dim, 16), "float32"))
        for _ in range(2):
            update_rows(BACKEND, trained, rule, gradient)
        return trained.copy_bits()

    assert_all_alike(outcomes_by_threads(train))


def test_dense_updates_and_random_rows_have_the_same_bits_for_any_number_of_threads() -> None:
    gradient = np.random.default_rng(0).standard_normal((100, 3)).astype("float32")

    def train() -> list[Array]:
        parameter, drawn = Parameter(np.ones((100, 3), "float32")), np.empty((100, 3), "float32")
        BACKEND.update_dense(parameter, gradient, Step("sgd", [], (0.1,)))
        BACKEND.fill_random(drawn, 1, "uniform", (0.0, 1.0))
        return [parameter.value, drawn]

    assert_all_alike(outcomes_by_threads(train))


@pytest.mark.parametrize("count", THREADS)
@pytest.mark.parametrize("dtype", KERNEL_TYPES)
def test_bad_ids_are_refused_with_the_first_place_for_any_number_of_threads(dtype: str, count: int) -> None:
    table, ids = Table(np.ones((5, 3), "float32")), (np.arange(100) % 5).astype(dtype)
    ids[[20, 45, 90]] = 5
    gradient = RowGradient(ids, np.ones((100, 3), "float32"), (5, 3))
    shared = np.array([0]), np.array([5])
    refused: list[Callable[[], Any]] = [
        lambda: BACKEND.gather_rows(table, ids),
        lambda: BACKEND.gather_bags(table, ids, np.arange(101), None),
        lambda: BACKEND.gather_max(table, ids, np.arange(101), None),
        lambda: BACKEND.dot_rows(table, gradient),
        lambda: BACKEND.group_gradient(gradient),
        lambda: BACKEND.sum_duplicates(gradient),
        lambda: BACKEND.offset_ids(ids[:, None], np.array([0]), *shared),
        lambda: BACKEND.offset_bags(ids, np.arange(101)[None], *shared),
    ]
    for operation in refused:
        with many_threads(count), pytest.raises(IdsOutOfRangeError, match=r"indices\[20\] = 5 is not in \[0, 5\)"):
            operation()


def test_a_refused_step_of_two_tables_changes_neither() -> None:
    tables = [Table(np.ones((4, 2), "float32")) for _ in range(2)]
    good, bad = (RowGradient(np.array([row]), np.ones((1, 2), "float32"), (4, 2)) for row in (3, 4))
    optimizer = SGD(0.1)
    with pytest.raises(IndexError):
        optimizer.apply_gradients([(good, tables[0]), (bad, tables[1])])
    assert optimizer.iterations == 0
    for table in tables:
        assert_same_bits(table.value, np.ones((4, 2), "float32"))


def test_outcomes_that_differ_in_one_bit_are_noticed() -> None:
    with pytest.raises(AssertionError, match="bytes differ"):
        assert_all_alike([[np.zeros(2)], [np.array([0.0, 5e-324])]])


def test_work_that_stays_on_one_thread_is_noticed() -> None:
    with pytest.raises(AssertionError):
        outcomes_by_threads(lambda: [BACKEND.gather_rows(Table(np.ones((1, 1))), np.zeros(1, "int64"))])
