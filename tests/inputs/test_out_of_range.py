"""Ids that are no rows: an error with all that helps, or what the layer was told to do, counted and said once."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_same_bits

from fastembed_layer import Embedding, EmbeddingBag, GradientTape
from fastembed_layer.inputs.out_of_range import POLICIES, OutOfRangePolicy
from fastembed_layer.optimizers import Adagrad

Array = np.ndarray[Any, Any]

INPUT_DIM = 5
SOME_BAD = np.array([[0, 4, -1], [5, 2, 7]])
VALUE = np.arange(10.0, dtype="float32").reshape(INPUT_DIM, 2) + 1

quiet = pytest.mark.filterwarnings("ignore:indices")


def make_layer(policy: Any, layer_class: type[Embedding] = Embedding, **keywords: Any) -> Any:
    """A layer of five rows called ``words``."""
    return layer_class(INPUT_DIM, 2, embeddings_initializer=VALUE, out_of_range=policy, name="words", **keywords)


# ---- The error


def test_an_error_names_the_first_bad_id_its_place_the_layer_and_how_many_there_are() -> None:
    ids = np.zeros((2, 320), "int64")
    ids[1, 2:16] = 127
    layer = Embedding(127, 2, name="words")
    with pytest.raises(IndexError) as caught:
        layer(ids)
    assert str(caught.value) == (
        "indices[1,2] = 127 is not in [0, 127) (layer 'words', 14 of 640 ids are out of range). "
        "Did you mean input_dim=128?"
    )


def test_the_larger_table_is_proposed_only_where_it_would_hold_all_ids() -> None:
    layer = make_layer("raise")
    with pytest.raises(IndexError, match=r"1 of 2 ids are out of range\)\. Did you mean input_dim=6\?$"):
        layer(np.array([5, 0]))
    with pytest.raises(IndexError, match=r"2 of 2 ids are out of range\)\.$"):
        layer(np.array([5, 6]))
    with pytest.raises(IndexError, match=r"1 of 1 ids are out of range\)\.$"):
        layer(np.array([-1]))


@pytest.mark.parametrize("ids", [5, -1, np.int64(2**62), np.uint64(2**64 - 1), np.int64(-(2**63)), np.int8(-1)])
def test_a_single_bad_id_has_no_place(ids: Any) -> None:
    with pytest.raises(IndexError, match=r"^indices = -?\d+ is not in \[0, 5\) \(layer 'words', 1 of 1 ids"):
        make_layer("raise")(ids)


def test_a_refused_batch_of_bags_is_named_by_its_place_too() -> None:
    with pytest.raises(IndexError, match=r"^indices\[1,0\] = 5 is not in \[0, 5\) \(layer 'words', 2 of 6 ids"):
        make_layer("raise", EmbeddingBag)(np.array([[0, 1, 2], [5, 9, 3]]))


def test_a_refused_lookup_changes_and_counts_nothing() -> None:
    layer = make_layer("raise")
    with pytest.raises(IndexError), GradientTape():
        layer(SOME_BAD)
    assert layer.out_of_range_count == 0
    assert_same_bits(layer.embeddings.numpy(), VALUE)


# ---- The policies

REPLACED: dict[Any, list[list[int | None]]] = {  # the row of each id of SOME_BAD, None for zeros
    "zero": [[0, 4, None], [None, 2, None]],
    "clip": [[0, 4, 0], [4, 2, 4]],
    "wrap": [[0, 4, 4], [0, 2, 2]],
    3: [[0, 4, 3], [3, 2, 3]],
    0: [[0, 4, 0], [0, 2, 0]],
}


def expected_rows(policy: Any) -> Array:
    """What a lookup of SOME_BAD returns."""
    return np.array([[np.zeros(2) if row is None else VALUE[row] for row in rows] for rows in REPLACED[policy]])


@quiet
@pytest.mark.parametrize("policy", REPLACED)
def test_a_lookup_gives_what_the_policy_says(policy: Any) -> None:
    layer = make_layer(policy)
    assert np.array_equal(layer(SOME_BAD), expected_rows(policy))
    assert layer.out_of_range == policy
    assert layer.out_of_range_count == 3


@quiet
@pytest.mark.parametrize("policy", REPLACED)
def test_bags_get_what_the_policy_says(policy: Any) -> None:
    bags = make_layer(policy, EmbeddingBag, combiner="sum")(SOME_BAD)
    assert np.allclose(bags, expected_rows(policy).sum(axis=1))


@quiet
@pytest.mark.parametrize("policy", REPLACED)
@pytest.mark.parametrize("layer_class", [Embedding, EmbeddingBag])
def test_the_gradient_goes_to_the_rows_that_were_used_and_zeros_train_nothing(
    policy: Any, layer_class: type[Embedding]
) -> None:
    layer = make_layer(policy, layer_class, **({"combiner": "sum"} if layer_class is EmbeddingBag else {}))
    with GradientTape() as tape:
        rows = layer(SOME_BAD)
    [gradient] = tape.gradient(rows, layer.trainable_weights)
    counts = np.zeros(INPUT_DIM)
    np.add.at(counts, [row for rows in REPLACED[policy] for row in rows if row is not None], 1)
    assert gradient.to_dense().tolist() == np.repeat(counts[:, None], 2, axis=1).tolist()


@quiet
@pytest.mark.parametrize("policy", REPLACED)
def test_a_training_step_leaves_the_other_rows_alone(policy: Any) -> None:
    layer, optimizer = make_layer(policy), Adagrad(0.1)
    with GradientTape() as tape:
        rows = layer(SOME_BAD)
    optimizer.apply_gradients(zip(tape.gradient(rows, layer.trainable_weights), layer.trainable_weights, strict=True))
    used = {row for rows in REPLACED[policy] for row in rows if row is not None}
    moved = (layer.embeddings.numpy() != VALUE).any(axis=1)
    assert set(np.flatnonzero(moved)) == used


@quiet
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_every_policy_returns_rows_of_the_table_for_any_ids(ids: list[int]) -> None:
    for policy in REPLACED:
        judge = OutOfRangePolicy(policy, INPUT_DIM)
        given_ids = np.array(ids)
        bad = (given_ids < 0) | (given_ids >= INPUT_DIM)
        replaced, zeroed = judge.handle(given_ids, given_ids.shape, "words")
        assert ((replaced >= 0) & (replaced < INPUT_DIM)).all()
        assert (replaced[~bad] == given_ids[~bad]).all()
        assert judge.count == bad.sum()
        assert (zeroed is None) == (policy != "zero")
        assert zeroed is None or (zeroed == bad).all()


@quiet
@pytest.mark.parametrize("policy", ["zero", "clip", "wrap", 2**32])
def test_a_table_of_more_rows_than_int32_counts_takes_int32_ids(policy: Any) -> None:
    input_dim = 2**33
    replaced, _ = OutOfRangePolicy(policy, input_dim).handle(np.array([-1, 5], "int32"), (2,), "words")
    assert replaced.tolist() == [{"zero": 0, "clip": 0, "wrap": input_dim - 1, 2**32: 2**32}[policy], 5]


# ---- The warning and the count


def test_the_first_batch_warns_and_later_ones_only_count() -> None:
    layer = make_layer("clip")
    with pytest.warns(UserWarning, match=r"indices\[0,2\] = -1 .*handled by out_of_range='clip'; .*not repeated"):
        layer(SOME_BAD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(SOME_BAD)
    assert layer.out_of_range_count == 6


def test_good_batches_neither_warn_nor_count() -> None:
    layer = make_layer("zero")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(np.array([[0, 4]]))
        layer(np.zeros((0, 3), int))
    assert layer.out_of_range_count == 0


@quiet
def test_threads_count_every_id() -> None:
    judge = OutOfRangePolicy("clip", INPUT_DIM)
    ids = np.array([-1, 0, 9])
    workers = [
        threading.Thread(target=lambda: [judge.handle(ids, (3,), "words") for _ in range(200)]) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert judge.count == 4 * 200 * 2


@quiet
def test_a_policy_is_copied_and_pickled_with_its_count() -> None:
    judge = OutOfRangePolicy("clip", INPUT_DIM)
    judge.handle(np.array([-1]), (1,), "words")
    for twin in (pickle.loads(pickle.dumps(judge)), copy.deepcopy(judge)):
        twin.handle(np.array([-1]), (1,), "words")
        assert (twin.policy, twin.count, judge.count) == ("clip", 2, 1)


# ---- The argument


@pytest.mark.parametrize("policy", [*POLICIES, 0, 4, np.int32(2)])
def test_names_and_rows_are_policies(policy: Any) -> None:
    assert OutOfRangePolicy(policy, INPUT_DIM).policy == policy


@pytest.mark.parametrize("policy", [True, False, np.bool_(True), 1.0, None, b"clip", ["clip"], ()], ids=repr)
def test_a_policy_of_another_kind_is_a_type_error(policy: Any) -> None:
    with pytest.raises(TypeError, match=r"`out_of_range` must be one of raise, zero, clip, wrap or .* Received: "):
        OutOfRangePolicy(policy, INPUT_DIM)


@pytest.mark.parametrize("policy", ["Raise", "", "ignore", "0"])
def test_an_unknown_name_is_a_value_error(policy: str) -> None:
    with pytest.raises(ValueError, match=rf"`out_of_range` must be one of .* Received: '{policy}'\."):
        OutOfRangePolicy(policy, INPUT_DIM)


@pytest.mark.parametrize("policy", [-1, 5, 2**70])
def test_a_number_that_is_no_row_is_a_value_error(policy: int) -> None:
    with pytest.raises(
        ValueError, match=rf"`out_of_range` must be a row of the table, in \[0, 5\)\. Received: {policy}"
    ):
        OutOfRangePolicy(policy, INPUT_DIM)
