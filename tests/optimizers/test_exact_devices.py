"""Exact mode and rates of rows on every backend, against the dense optimizer in float64."""

from __future__ import annotations

import numpy as np
import pytest
from devices import Device
from reference import assert_same_bits
from test_exact import CASES, COLUMNS, NAMES, ROWS, WAYS, draw_steps, look_up, schedule, start_table, to_dense
from test_trained_rows import FACTORS, FAMILIES, LAZY_FAMILIES, apply, dense_class, step_dense

from fastembed_layer import RowGradient, optimizers
from fastembed_layer.backends import dispatch
from fastembed_layer.tables import idle_rows
from fastembed_layer.tables.row_rates import RowRates

each_way = pytest.mark.parametrize(("name", "dense", "options"), WAYS, ids=[f"{way[0]}-{way[2]}" for way in WAYS])


@pytest.fixture(autouse=True)
def every_table_on_the_device(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its placement says, a table is served by the backend under test."""
    monkeypatch.setattr(dispatch, "backend_for", lambda placement: device)


def train(table, optimizer, judge, steps, rate=schedule):
    """Step table and judge side by side, and compare them on the way."""
    for step, (ids, values) in enumerate(steps):
        apply(optimizer, table, ids, values)
        judge.step(to_dense(ids, values), rate(step), step + 1)
        if step % 17 == 0:
            np.testing.assert_allclose(look_up(table), judge.w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "dense", "options"), CASES, ids=NAMES)
def test_exact_mode_follows_the_dense_optimizer(device, name, dense, options):
    table = start_table("float64")
    judge = dense(table.numpy(), **options)
    train(table, getattr(optimizers, name)(schedule, **options), judge, draw_steps(1, 60, "float64"))
    before = table.array.copy()
    seen = look_up(table).copy()
    assert_same_bits(table.array, before)
    assert_same_bits(table.value, seen)
    np.testing.assert_allclose(seen, judge.w, rtol=1e-9, atol=1e-9)


@each_way
def test_exact_mode_goes_on_where_the_clock_starts_afresh(device, monkeypatch, name, dense, options):
    monkeypatch.setattr(idle_rows, "LONGEST", 16)
    table = start_table("float64")
    judge = dense(table.numpy(), **options)
    train(table, getattr(optimizers, name)(schedule, **options), judge, draw_steps(5, 50, "float64"))
    assert table.idle.clock.base > 0
    np.testing.assert_allclose(table.value, judge.w, rtol=1e-9, atol=1e-9)


@each_way
def test_combined_idle_rows_are_those_that_a_lookup_sees(device, name, dense, options):
    table, optimizer = start_table("float64"), getattr(optimizers, name)(0.01, **options)
    for ids, values in draw_steps(12, 10, "float64"):
        apply(optimizer, table, ids, values)
    ids, offsets = np.array([3, 3, 0, 11, 5]), np.array([0, 2, 2, 5])
    seen, argmax = look_up(table)[ids], np.empty((3, COLUMNS), np.int32)
    behind = table.array.copy()
    bags = device.gather_bags(table, ids, offsets, None)
    np.testing.assert_allclose(bags, [seen[0] + seen[1], 0 * seen[0], seen[2] + seen[3] + seen[4]], rtol=1e-12)
    largest = device.gather_max(table, ids, offsets, None, "max", argmax)
    np.testing.assert_array_equal(largest, [seen[0], 0 * seen[0], seen[2:].max(axis=0)])
    np.testing.assert_array_equal(argmax[2], seen[2:].argmax(axis=0))
    vectors = np.random.default_rng(0).normal(size=(5, COLUMNS))
    products = device.dot_rows(table, RowGradient(ids, vectors, table.shape))
    np.testing.assert_allclose(products, (seen * vectors).sum(axis=1), rtol=1e-12, atol=1e-14)
    assert_same_bits(table.array, behind)


@pytest.mark.parametrize(("name", "options"), FAMILIES, ids=str)
def test_rows_with_rates_of_their_own_follow_the_dense_optimizer(device, name, options):
    table = start_table("float64")
    table.row_rates = RowRates(FACTORS > 0, FACTORS)
    judge = dense_class(name, options)(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(schedule, **options)
    for step, (ids, values) in enumerate(draw_steps(1, 40, "float64")):
        apply(optimizer, table, ids, values)
        step_dense(judge, to_dense(ids, values), schedule(step), step + 1, FACTORS)
        if step % 7 == 0:
            np.testing.assert_allclose(look_up(table), judge.w, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(table.value, judge.w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "options"), LAZY_FAMILIES, ids=str)
def test_lazy_rows_take_their_share_of_step_and_decay(device, name, options):
    """Every batch holds every row, so the lazy optimizer is the dense one."""
    table, random = start_table("float64"), np.random.default_rng(2)
    table.row_rates = RowRates(FACTORS > 0, FACTORS)
    judge = dense_class(name, options)(table.numpy(), **options)
    optimizer = getattr(optimizers, name)(0.1, update="lazy", **options)
    for step in range(6):
        ids = np.append(random.permutation(ROWS), [1, 3, 3])
        values = random.normal(size=(len(ids), COLUMNS))
        apply(optimizer, table, ids, values)
        step_dense(judge, to_dense(ids, values), 0.1, step + 1, FACTORS)
    np.testing.assert_allclose(table.value, judge.w, rtol=1e-9, atol=1e-9)


def test_bad_ids_are_refused_while_rows_are_idle(device):
    table, optimizer = start_table("float64"), optimizers.Adam(0.1)
    for ids, values in draw_steps(3, 5, "float64"):
        apply(optimizer, table, ids, values)
    before, bad = table.array.copy(), np.array([0, ROWS, -1])
    gradient = RowGradient(bad, np.ones((3, COLUMNS)), table.shape)
    refused = [
        lambda: device.gather_rows(table, bad),
        lambda: device.gather_bags(table, bad, np.array([0, 3]), None),
        lambda: device.gather_max(table, bad, np.array([0, 3]), None),
        lambda: device.dot_rows(table, gradient),
        lambda: apply(optimizer, table, bad, gradient.values),
    ]
    for operation in refused:
        with pytest.raises(IndexError, match=rf"\[1\] = {ROWS} is not in \[0, {ROWS}\)"):
            operation()
    assert_same_bits(table.array, before)
