"""Which rows train and at which rate: the forms in which callers say so, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from fastembed_layer import Embedding, EmbeddingBag
from fastembed_layer.tables.row_rates import RowRates

Array = np.ndarray[Any, Any]

ROWS = 6
MASK = np.array([False, True, True, False, False, True])


def rates_of(**options: Any) -> RowRates | None:
    """How the rows of a table of six rows train."""
    return Embedding(ROWS, 2, **options).embeddings.row_rates


def training_rows(**options: Any) -> list[int]:
    """The rows that train, where some do not."""
    rates = rates_of(**options)
    assert rates is not None
    assert rates.trainable is not None
    return [int(row_id) for row_id in np.flatnonzero(rates.trainable)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (slice(2, None), [2, 3, 4, 5]),
        (slice(-2, None), [4, 5]),
        (slice(None, None, 2), [0, 2, 4]),
        (slice(np.int64(1), 3), [1, 2]),
        (MASK, [1, 2, 5]),
        (MASK.tolist(), [1, 2, 5]),
        (np.array([5, 1, 5], "uint8"), [1, 5]),
        ([3], [3]),
        ((0, 4), [0, 4]),
        (range(1, 4), [1, 2, 3]),
        ([], []),
        ({"start": 4, "stop": None, "step": None}, [4, 5]),
    ],
    ids=str,
)
def test_rows_are_named_by_a_slice_a_mask_or_ids(rows: Any, expected: list[int]) -> None:
    assert training_rows(trainable_rows=rows) == expected


def test_a_table_whose_rows_train_alike_has_no_rates() -> None:
    alike: tuple[dict[str, Any], ...] = (
        {},
        {"trainable_rows": slice(None)},
        {"trainable_rows": range(ROWS)},
        {"row_rates": np.ones(ROWS)},
        {"padding_id": -1},
    )
    for options in alike:
        assert rates_of(**options) is None


def test_all_that_stops_a_row_is_joined() -> None:
    options = {"trainable_rows": slice(1, None), "row_rates": [1, 2, 0, 1, 1, 0.5], "padding_id": 3}
    assert training_rows(**options) == [1, 4, 5]
    rates = rates_of(**options)
    assert rates is not None
    assert rates.factors is not None
    assert rates.factors.dtype == np.float32
    assert rates.factors.tolist() == [1, 2, 0, 1, 1, 0.5]


def test_factors_that_are_1_wherever_rows_train_are_none() -> None:
    rates = rates_of(row_rates=[0, 1, 1, 0, 1, 1])
    assert rates is not None
    assert rates.factors is None


def test_what_a_float32_rounds_to_zero_is_frozen() -> None:
    assert training_rows(row_rates=[1, 1, 1e-60, 1, 1, 1]) == [0, 1, 3, 4, 5]
    rates = rates_of(row_rates=[1, 1, 1e-60, 1, 1, 1], dtype="float64")
    assert rates is not None
    assert rates.trainable is None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"trainable_rows": 3},
            TypeError,
            r"`trainable_rows` must be a slice, a bool for each row, or the ids of rows",
        ),
        ({"trainable_rows": "all"}, TypeError, r"Received: 'all' \(of type str\)"),
        ({"trainable_rows": [0.5]}, TypeError, "Received: list of shape \\(1,\\) and dtype float64"),
        ({"trainable_rows": [[1, 2]]}, TypeError, r"Received: list of shape \(1, 2\) and dtype int64"),
        ({"trainable_rows": [[1], [2, 3]]}, TypeError, "must be a slice"),
        ({"trainable_rows": {1, 2}}, TypeError, "must be a slice"),
        ({"trainable_rows": slice(0.5, 2)}, TypeError, "must be a slice of integers"),
        ({"trainable_rows": slice(0, 7)}, ValueError, "must stay within the 6 rows of the table"),
        ({"trainable_rows": slice(0, 3, 0)}, ValueError, "step is not 0"),
        ({"trainable_rows": [True] * 5}, ValueError, "one bool for each of the 6 rows. Received: 5 bools"),
        ({"trainable_rows": [1, 6]}, ValueError, r"in \[0, 6\). Received: trainable_rows\[1\] = 6"),
        ({"trainable_rows": [-1]}, ValueError, r"trainable_rows\[0\] = -1"),
        ({"row_rates": 0.5}, ValueError, r"one factor per row, shape \(6,\). Received: \(\)"),
        ({"row_rates": np.ones(5)}, ValueError, r"shape \(6,\). Received: \(5,\)"),
        ({"row_rates": [True] * 6}, TypeError, "an array of numbers"),
        ({"row_rates": "fast"}, TypeError, "an array of numbers"),
        ({"row_rates": [1, 1, -0.5, 1, 1, 1]}, ValueError, r"not negative; .* row_rates\[2\] = -0.5"),
        ({"row_rates": [1, np.nan, 1, 1, 1, 1]}, ValueError, r"row_rates\[1\] = nan"),
        ({"row_rates": [1, 1, 1, 1, 1, 1e60]}, ValueError, r"row_rates\[5\] = 1e\+60"),
        ({"padding_id": 6}, ValueError, r"in \[0, 6\), or a negative number such as -1"),
        ({"padding_id": 1.0}, TypeError, r"must be an integer. Received: 1.0 \(of type float\)"),
        ({"padding_id": True}, TypeError, "must be an integer"),
    ],
    ids=str,
)
def test_what_names_no_rows_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Embedding(ROWS, 2, **options)


def test_the_property_gives_what_was_set_and_a_wrong_value_leaves_it() -> None:
    layer = Embedding(ROWS, 2, trainable_rows=slice(2, 4))
    assert layer.trainable_rows == slice(2, 4)
    table = layer.embeddings
    before = table.row_rates
    with pytest.raises(ValueError, match="must hold rows of the table"):
        layer.trainable_rows = [9]
    assert layer.trainable_rows == slice(2, 4)
    assert table.row_rates is before
    layer.trainable_rows = [0]
    assert layer.trainable_rows.tolist() == [0]
    assert np.flatnonzero(table.row_rates.trainable).tolist() == [0]
    layer.trainable_rows = None
    assert table.row_rates is None


def test_what_is_set_before_the_table_is_made_holds_for_it() -> None:
    layer = Embedding(ROWS, 2)
    layer.trainable_rows = MASK
    assert np.flatnonzero(layer.embeddings.row_rates.trainable).tolist() == [1, 2, 5]


def test_a_later_write_into_the_arrays_of_the_caller_changes_nothing() -> None:
    mask, rates = MASK.copy(), np.full(ROWS, 0.5, "float32")
    layer = Embedding(ROWS, 2, trainable_rows=mask, row_rates=rates)
    mask[:], rates[:] = True, 7
    assert np.flatnonzero(layer.embeddings.row_rates.trainable).tolist() == [1, 2, 5]
    assert (layer.embeddings.row_rates.factors == 0.5).all()


@pytest.mark.parametrize("layer_class", [Embedding, EmbeddingBag])
@pytest.mark.parametrize("rows", [slice(1, None, 2), MASK, [4, 2], None], ids=str)
def test_a_config_passes_through_json(layer_class: type[Embedding], rows: Any) -> None:
    layer = layer_class(ROWS, 2, trainable_rows=rows, row_rates=np.linspace(0, 1, ROWS), padding_id=-1)
    twin = layer_class.from_config(json.loads(json.dumps(layer.get_config())))
    assert twin.get_config() == layer.get_config()
    assert twin.padding_id == -1
    expected, rates = layer.embeddings.row_rates, twin.embeddings.row_rates
    assert rates.trainable.tolist() == expected.trainable.tolist()
    assert rates.factors.tobytes() == expected.factors.tobytes()
