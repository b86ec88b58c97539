"""Columns and tables of other libraries, by stand-ins that look like them and, where there are some, the real ones."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from stand_ins import Column, Table, libraries, make_table

from fastembed_layer import Ragged
from fastembed_layer.inputs.columns import is_column, is_table, read_column, read_columns, read_columns_deep


class Category:
    name = "category"


COLUMNS = {"user": [3, 1, 2], "price": [0.5, 1.5, 2.5]}


def test_tables_and_columns_are_told_from_arrays() -> None:
    table = Table(COLUMNS)
    assert (is_table(table), is_column(table)) == (True, False)
    assert (is_table(table["user"]), is_column(table["user"])) == (False, True)
    for other in (
        np.zeros(2),
        np.float64(1),
        [1, 2],
        {"a": 1},
        Ragged([1], [0, 1]),
        scipy.sparse.eye(2, format="csr"),
        3,
    ):
        assert not is_table(other)
        assert not is_column(other)


def test_a_column_becomes_an_array_and_one_of_sequences_ragged() -> None:
    assert read_column(Column([1, 2]), "x").tolist() == [1, 2]  # type: ignore[union-attr]
    entries = np.empty(3, object)
    entries[:] = [[1, 2], (3,), np.array([], int)]
    ragged = read_column(Column(entries), "x")
    assert isinstance(ragged, Ragged)
    assert ragged.to_list() == [[1, 2], [3], []]
    words = read_column(Column(np.array(["a", "b"], object)), "x")
    assert isinstance(words, np.ndarray)


def test_a_categorical_column_is_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"`x\['city'\]` is a categorical column\. Pass its codes, column\.cat\.codes"):
        read_column(Column(["a", "b"], Category()), "`x['city']`")


def test_columns_are_found_by_name_and_missing_ones_named() -> None:
    found = read_columns(Table(COLUMNS), ["price", "user"])
    assert {name: column.tolist() for name, column in found.items()} == {"price": [0.5, 1.5, 2.5], "user": [3, 1, 2]}
    with pytest.raises(ValueError, match=r"must have the columns \['user', 'item'\]\. Received: no \['item'\], but"):
        read_columns(Table(COLUMNS), ["user", "item"])


def test_columns_within_lists_and_dicts_are_read_and_all_else_is_left() -> None:
    rows = [[1, 2], [3]]
    found = read_columns_deep(
        {"a": Column([1]), "b": rows, "c": [Column([2]), np.array([3])], "d": (Column([4]), rows)}
    )
    assert found["a"].tolist() == [1]
    assert found["b"] is rows
    assert [part.tolist() for part in found["c"]] == [[2], [3]]
    assert isinstance(found["d"], tuple)
    assert found["d"][1] is rows


@pytest.mark.parametrize(("library", "maker"), libraries())
def test_tables_of_the_libraries_are_read(library: str, maker: str) -> None:
    table = make_table(library, maker, COLUMNS)
    assert (is_table(table), is_column(table["user"]), is_table(table["user"])) == (True, True, False)
    found = read_columns(table, ["user", "price"])
    assert found["user"].dtype.kind == "i"
    assert {name: column.tolist() for name, column in found.items()} == COLUMNS


@pytest.mark.parametrize(("library", "maker"), libraries())
def test_columns_of_lists_of_the_libraries_are_ragged(library: str, maker: str) -> None:
    table = make_table(library, maker, {"words": [[1, 2], [3], []]})
    assert read_columns(table, ["words"])["words"].to_list() == [[1, 2], [3], []]


def test_a_categorical_column_of_pandas_is_refused() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="is a categorical column"):
        read_columns(pandas.DataFrame({"a": pandas.Series(["x", "y"], dtype="category")}), ["a"])
