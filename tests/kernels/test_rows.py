"""Kernels for rows of one width have the bits of those for any width."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from fastembed_layer import Embedding, RowGradient
from fastembed_layer.backends import cpu, launch
from fastembed_layer.backends.sorting import sort_ids
from fastembed_layer.kernels.bags import MEAN, SUM, gather_bags
from fastembed_layer.kernels.gather import gather_rows
from fastembed_layer.kernels.rules import RULES
from fastembed_layer.optimizers import SGD, Adam, Nadam

Array = np.ndarray[Any, Any]

ROWS, COUNT = 40, 300
USED = (1, 2, 8, 10, 16, 32, 50, 64, 96, 100, 128, 200, 256, 300, 512, 768, 1024)  # as people choose them
SHORT_LIST = (10, 64, 100)


def pytest_generate_tests(metafunc: Any) -> None:
    if "width" in metafunc.fixturenames:
        every = sorted({*range(1, 131), *USED})
        metafunc.parametrize("width", every if metafunc.config.getoption("--long") else SHORT_LIST)


def draw(width: int, dtype: str, unaligned: bool = False) -> tuple[Array, Array, np.random.Generator]:
    """A table, perhaps at an address that is no multiple of a cache line, and ids of which many are alike."""
    random = np.random.default_rng(width)
    memory = np.empty(ROWS * width + 3, dtype)
    table = memory[3:].reshape(ROWS, width) if unaligned else memory[:-3].reshape(ROWS, width)
    table[:] = random.standard_normal(table.shape)
    return table, random.integers(0, ROWS, COUNT) // random.integers(1, 6), random


def same_bits(left: Array, right: Array) -> bool:
    """Tell whether two arrays agree to the bit, NaN included."""
    return left.tobytes() == right.tobytes()


@pytest.mark.parametrize(("dtype", "id_type"), [("float32", "int64"), ("float64", "int32")])
def test_lookups_and_bags_have_the_same_bits(width: int, dtype: str, id_type: str) -> None:
    table, ids, random = draw(width, dtype, unaligned=dtype == "float32")
    ids = ids.astype(id_type)
    table.flags.writeable = False
    rows = [np.full((COUNT, width), 7, dtype) for _ in range(2)]
    offsets = np.array([0, 0, 1, 70, 70, 210, COUNT])  # empty bags, one of a single row, and longer than a stretch
    scales = random.standard_normal(COUNT).astype(dtype)
    scales[::5] = 0
    for out, version in zip(rows, (gather_rows.at(0), gather_rows.at(width)), strict=True):
        assert version(table, ids, out, 0, COUNT) == -1
    assert same_bits(*rows)
    for weights, divide_by in ((None, SUM), (scales, MEAN)):
        bags = [np.full((len(offsets) - 1, width), 7, dtype) for _ in range(2)]
        divisors = [np.empty(len(offsets) - 1, dtype) for _ in range(2)]
        for number, version in enumerate((gather_bags.at(0), gather_bags.at(width))):
            assert version(table, ids, offsets, weights, divide_by, bags[number], divisors[number], 0, 6) == -1
        assert same_bits(*bags)
        assert same_bits(*divisors)


@pytest.mark.parametrize("position", [0, 150, COUNT - 1])
@pytest.mark.parametrize("bad", [-1, ROWS])
def test_bad_ids_are_found_where_they_are(position: int, bad: int) -> None:
    table, ids, _ = draw(64, "float32")
    ids[position] = bad
    out, offsets = np.zeros((COUNT, 64), "float32"), np.array([0, 100, 200, COUNT])
    assert gather_rows.at(64)(table, ids, out, 0, COUNT) == position
    assert not out[position:].any()
    assert gather_bags.at(64)(table, ids, offsets, None, SUM, out[:3], np.empty(3, "float32"), 0, 3) == position


RULE_CASES = {  # the table and its slots, and the numbers
    "sgd": (1, (0.1,)),
    "adagrad": (2, (0.1, 1e-7)),
    "rowwise_adagrad": (-2, (0.1, 1e-7)),
    "adam": (3, (0.1, 0.1, 0.01, 1e-7)),
}


@pytest.mark.parametrize("rule", RULE_CASES)
def test_updates_have_the_same_bits(width: int, rule: str) -> None:
    table, ids, random = draw(width, "float32")
    matrices, numbers = RULE_CASES[rule]
    slot_width = width if matrices > 0 else 1  # one number for each row
    state = [
        table,
        *(np.abs(random.standard_normal((ROWS, slot_width))).astype("float32") for _ in range(abs(matrices) - 1)),
    ]
    keys, values = sort_ids(ids, ROWS), random.standard_normal((COUNT, width)).astype("float32")
    scales = random.standard_normal(COUNT).astype("float32")
    scalars = tuple(np.float32(number) for number in numbers)
    ended = []
    for version in (RULES[rule].update_rows.at(0), RULES[rule].update_rows.at(width)):
        own = tuple(array.copy() for array in state)
        for weights in (None, scales):
            work = np.empty(width, "float32"), np.empty(width, "float32")
            version(own, None, keys, values, None, weights, None, None, scalars, np.float32(0.9), *work, 0, COUNT)
        ended.append(own)
    assert all(same_bits(one, other) for one, other in zip(*ended, strict=True))


@pytest.mark.parametrize("make", [SGD, partial(SGD, momentum=0.9), Adam, partial(Adam, weight_decay=0.1), Nadam])
def test_trainings_with_idle_rows_have_the_same_bits(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookups and steps through the backend, which chooses the version: some rows are idle for some steps."""
    found, widths = [], set()
    monkeypatch.setattr(cpu, "known_width", lambda table: (width := launch.known_width(table), widths.add(width))[0])
    for least, expected in ((1 << 62, 0), (0, 64)):
        monkeypatch.setattr(launch, "LARGE_TABLE", least)
        widths.clear()
        table, _, random = draw(64, "float32")
        layer, optimizer = Embedding(ROWS, 64, weights=[table]), make(0.1)
        rows = []
        for _ in range(6):
            ids = random.integers(0, ROWS, 25)
            rows.append(layer(ids).copy())
            gradient = RowGradient(ids, random.standard_normal((25, 64)).astype("float32"), table.shape)
            optimizer.apply_gradients([(gradient, layer.embeddings)])
        found.append([*rows, *layer.get_weights()])
        assert widths == {expected}
    assert all(same_bits(one, other) for one, other in zip(*found, strict=True))


def test_another_sum_would_be_noticed() -> None:
    one = np.array([1.0, np.nan], "float32")
    assert same_bits(one, one.copy())
    assert not same_bits(one, np.nextafter(one, np.float32(2)))
