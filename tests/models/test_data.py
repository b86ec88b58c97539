"""Batches from every form in which training data come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from fastembed_layer import Ragged
from fastembed_layer.models.data import (
    Batch,
    Stream,
    open_source,
    split_validation,
)
from fastembed_layer.models.outputs import join_outputs
from fastembed_layer.models.rows import as_rows, count_samples


@given(count=st.integers(0, 40), size=st.integers(1, 50))
def test_batches_cut_all_samples_in_order(count: int, size: int) -> None:
    source = open_source(np.arange(count), np.arange(count) * 2, batch_size=size)
    batches = list(source.batches())
    assert len(batches) == source.steps == -(-count // size)
    assert [number for batch in batches for number in batch.inputs.tolist()] == list(range(count))
    assert all((batch.targets == 2 * batch.inputs).all() for batch in batches)


def test_a_dict_holds_the_same_samples_of_every_input() -> None:
    inputs = {"bags": [[1], [2, 3], [], [4]], "ids": [5, 6, 7, 8]}
    source = open_source(inputs, np.arange(4), batch_size=3)
    first, last = source.batches()
    assert first.inputs["bags"].to_list() == [[1], [2, 3], []]
    assert (last.inputs["bags"].to_list(), last.inputs["ids"].tolist()) == ([[4]], [8])
    assert (count_samples(inputs), source.steps) == (4, 2)
    with pytest.raises(ValueError, match=r"must have one length\. Received: \[4, 4, 3\]"):
        open_source(inputs, np.arange(3))


@given(count=st.integers(1, 40), size=st.integers(1, 50), seed=st.integers(0, 99))
def test_shuffled_batches_hold_every_sample_once_with_its_target(count: int, size: int, seed: int) -> None:
    source = open_source(np.arange(count), np.arange(count) * 2, batch_size=size, shuffle=np.random.default_rng(seed))
    for _ in range(2):
        batches = list(source.batches())
        assert sorted(number for batch in batches for number in batch.inputs.tolist()) == list(range(count))
        assert all((batch.targets == 2 * batch.inputs).all() for batch in batches)


def test_batches_have_32_samples_by_default() -> None:
    assert [len(batch.inputs) for batch in open_source(np.zeros(40)).batches()] == [32, 8]


@given(rows=st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=9), size=st.integers(1, 10))
def test_ragged_batches_hold_the_sequences_in_order(rows: list[list[int]], size: int) -> None:
    source = open_source(Ragged.from_lists(rows), batch_size=size)
    assert [row for batch in source.batches() for row in batch.inputs.to_list()] == rows


def test_several_inputs_are_cut_together() -> None:
    batches = list(open_source([np.arange(5), np.arange(5) * 2], batch_size=2).batches())
    assert all((batch.inputs[1] == 2 * batch.inputs[0]).all() for batch in batches)
    assert [len(batch.inputs[0]) for batch in batches] == [2, 2, 1]


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ([[1, 2], [3, 4]], np.ndarray),
        ([1, 2, 3], np.ndarray),
        ([[1, 2], [3]], Ragged),
        ([[], [3]], Ragged),
        ([np.ones(2), np.ones(2)], list),
        ((np.ones(2), Ragged.from_lists([[1], [2]])), list),
        (np.ones(2), np.ndarray),
        (Ragged.from_lists([[1], [2]]), Ragged),
    ],
    ids=str,
)
def test_inputs_are_told_apart_by_what_they_hold(inputs: Any, kind: type) -> None:
    assert type(as_rows(inputs)) is kind


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool"])
def test_a_sparse_matrix_is_cut_into_ids_and_weights(dtype: str) -> None:
    matrix = scipy.sparse.csr_matrix(np.array([[0, 1, 3], [0, 0, 0], [2, 0, 0], [0, 0, 1]]).astype(dtype))
    batches = [batch.inputs for batch in open_source(matrix, batch_size=2).batches()]
    assert [ids.to_list() for ids, _ in batches] == [[[1, 2], []], [[0], [2]]]
    assert [weights.to_list() for _, weights in batches] == [
        [matrix.data[:2].tolist(), []],
        [matrix.data[2:3].tolist(), matrix.data[3:].tolist()],
    ]
    assert all(weights.dtype.kind == "f" for _, weights in batches)
    assert count_samples(matrix) == 4


def test_an_iterable_yields_inputs_alone_or_with_targets_and_weights() -> None:
    parts = [np.ones(2), (np.ones(2), np.zeros(2)), (np.ones(2), np.zeros(2), np.ones(2))]
    source = open_source(iter(parts))
    assert [sum(part is not None for part in batch) for batch in source.batches()] == [1, 2, 3]
    assert source.steps is None


def test_the_last_samples_are_split_off() -> None:
    parts = Batch(np.arange(10), np.arange(10) * 2, np.arange(10) * 3)
    kept, held_out = split_validation(parts, 0.25)
    assert kept.inputs.tolist() == list(range(7))
    assert held_out.targets.tolist() == [14, 16, 18]
    assert held_out.sample_weight.tolist() == [21, 24, 27]


def test_ragged_inputs_are_split_too() -> None:
    kept, held_out = split_validation(Batch([[1], [2, 3], [4, 5, 6], []]), 0.5)
    assert (kept.inputs.to_list(), held_out.inputs.to_list()) == ([[1], [2, 3]], [[4, 5, 6], []])


def test_samples_are_counted_by_targets_or_inputs() -> None:
    assert count_samples(None, np.zeros((3, 2))) == 3
    assert count_samples([[1, 2], [3], []]) == 3
    assert count_samples([np.zeros(4), np.zeros((4, 2))]) == 4


def test_outputs_are_joined_one_by_one() -> None:
    parts = [[np.zeros(2), np.ones((2, 3))], [np.zeros(1), np.ones((1, 3))]]
    joined = join_outputs(parts)
    assert [output.shape for output in joined] == [(3,), (3, 3)]


def test_a_stream_without_a_limit_starts_over_with_each_epoch() -> None:
    stream = Stream(open_source(np.arange(3), batch_size=1), None)
    for _ in range(2):
        assert [batch.inputs.item() for batch in stream.epoch()] == [0, 1, 2]


def numbers_of(stream: Stream) -> list[int]:
    return [batch.inputs.item() for batch in stream.epoch()]


def test_a_stream_with_a_limit_goes_on_and_starts_over_at_the_end() -> None:
    stream = Stream(open_source(np.arange(4), batch_size=1), 2)
    assert [numbers_of(stream) for _ in range(3)] == [[0, 1], [2, 3], [0, 1]]


def test_an_epoch_ends_with_the_data_as_in_keras() -> None:
    stream = Stream(open_source(np.arange(3), batch_size=1), 2)
    assert numbers_of(stream) == [0, 1]
    with pytest.warns(UserWarning, match=r"ran out of data in an epoch, after 1 of 2 batches"):
        assert numbers_of(stream) == [2]
    assert numbers_of(stream) == [0, 1]


def test_a_stream_over_nothing_ends() -> None:
    assert list(Stream(open_source(iter([])), 2).epoch()) == []


class Dataset:
    """Batches by number, as ``keras.utils.PyDataset`` has them."""

    ends = 0

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> Any:
        return np.full(2, number), np.full(2, number)

    def on_epoch_end(self) -> None:
        self.ends += 1


def test_a_dataset_has_its_batches_by_number_and_is_told_of_the_end_of_a_pass() -> None:
    dataset = Dataset()
    source = open_source(dataset)
    assert [batch.inputs[0] for batch in source.batches()] == [0, 1, 2, 3]
    assert (source.steps, dataset.ends) == (4, 1)


def test_the_batches_of_a_dataset_are_shuffled_anew_for_each_pass() -> None:
    source = open_source(Dataset(), shuffle=np.random.default_rng(0))
    passes = [[int(batch.inputs[0]) for batch in source.batches()] for _ in range(4)]
    assert [sorted(numbers) for numbers in passes] == [[0, 1, 2, 3]] * 4
    assert len(set(map(tuple, passes))) > 1
    assert all((batch.inputs == batch.targets).all() for batch in source.batches())


def test_a_loader_of_torch_yields_lists_of_inputs_and_targets() -> None:
    class DataLoader:
        def __iter__(self) -> Any:
            return iter([[np.zeros(2), np.ones(2)], [np.zeros(1), np.ones(1)]])

    DataLoader.__module__ = "torch.utils.data.dataloader"
    assert [batch.targets.tolist() for batch in open_source(DataLoader()).batches()] == [[1.0, 1.0], [1.0]]


def test_lists_of_another_iterable_are_inputs() -> None:
    [batch] = open_source(iter([[np.zeros(2), np.ones(2)]])).batches()
    assert batch.targets is None
    assert len(batch.inputs) == 2


def test_a_dataset_of_keras_has_its_batches_by_number() -> None:
    keras = pytest.importorskip("keras")

    class Batches(Dataset, keras.utils.PyDataset):  # type: ignore[misc, name-defined]
        pass

    assert len(list(open_source(Batches()).batches())) == 4
