"""The id of padding: zeros out, nothing trained, and nothing counted in a bag."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import assert_close, assert_same_bits

from fastembed_layer import Embedding, EmbeddingBag, GradientTape, Ragged, optimizers

Array = np.ndarray[Any, Any]

ROWS, COLUMNS = 5, 3
VALUE = np.random.default_rng(1).normal(size=(ROWS, COLUMNS)).astype("float32")

paddings = st.sampled_from([-1, -7, 0, 2])
bags_of_ids = st.lists(st.lists(st.integers(0, ROWS - 1) | st.just("padding"), max_size=5), min_size=1, max_size=4)


def make_layer(layer_class: type[Embedding] = Embedding, **options: Any) -> Any:
    """A layer of five rows, of which none is zero."""
    return layer_class(ROWS, COLUMNS, embeddings_initializer=VALUE, name="words", **options)


def fill_in(bags: list[list[Any]], padding: int) -> list[list[int]]:
    """Write the id of padding where it belongs."""
    return [[padding if row_id == "padding" else row_id for row_id in bag] for bag in bags]


def gradient_of(layer: Embedding, ids: Any) -> Array:
    """The dense gradient of the sum of the output."""
    with GradientTape() as tape:
        output = layer(ids)
    [gradient] = tape.gradient(output, [layer.embeddings])
    return gradient.to_dense()


@given(bags=bags_of_ids, padding=paddings)
def test_padding_gives_zeros_and_other_ids_their_rows(bags: list[list[Any]], padding: int) -> None:
    lists = fill_in(bags, padding)
    ids = np.array([row_id for bag in lists for row_id in bag], "int32")
    layer = make_layer(padding_id=padding)
    expected = np.where((ids == padding)[:, None], 0, VALUE[np.where(ids == padding, 0, ids)])
    assert_same_bits(layer(ids), expected.astype("float32"))
    ragged = layer(Ragged.from_lists(lists)) if ids.size else None
    if ragged is not None:
        assert_same_bits(ragged.values, layer(ids))
    counts = np.bincount(ids[ids != padding], minlength=ROWS)
    assert_same_bits(gradient_of(layer, ids), np.repeat(counts[:, None], COLUMNS, axis=1).astype("float32"))


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
@settings(max_examples=15)
@given(bags=bags_of_ids, padding=paddings, masked=st.booleans())
def test_padding_neither_adds_to_a_bag_nor_counts_in_it(
    combiner: str, bags: list[list[Any]], padding: int, masked: bool
) -> None:
    lists = fill_in(bags, padding)
    left_out = {padding, 0} if masked else {padding}
    layer = make_layer(EmbeddingBag, combiner=combiner, padding_id=padding, mask_zero=masked)
    output, gradient = layer(lists), gradient_of(layer, lists)
    expected, expected_gradient = np.zeros((len(lists), COLUMNS)), np.zeros((ROWS, COLUMNS))
    for index, bag in enumerate(lists):
        kept = [row_id for row_id in bag if row_id not in left_out]
        divisor = {"sum": 1, "mean": len(kept), "sqrtn": np.sqrt(len(kept))}[combiner]
        for row_id in kept:
            expected[index] += VALUE[row_id] / divisor
            expected_gradient[row_id] += 1 / divisor
    assert_close(output, expected, 1e-6)
    assert_close(gradient, expected_gradient, 1e-6)


@pytest.mark.parametrize("padding", [-1, 2])
def test_a_row_of_padding_keeps_its_bits_in_training(padding: int) -> None:
    layer = make_layer(padding_id=padding, embeddings_regularizer="l2")
    optimizer = optimizers.AdamW(0.1)
    ids = np.array([[0, 2, padding], [2, 1, 3]])

    def train() -> None:
        for _ in range(3):
            with GradientTape() as tape:
                targets = [layer(ids), *layer.losses]
            gradients = tape.gradient(targets, [layer.embeddings])
            optimizer.apply_gradients(zip(gradients, [layer.embeddings], strict=True))

    with pytest.warns(UserWarning, match="is a term over the whole table"):
        train()
    unchanged = (layer.embeddings.value == VALUE).all(axis=1)
    assert np.flatnonzero(unchanged).tolist() == ([2] if padding == 2 else [])
    assert not layer(np.array([padding])).any()


def test_padding_makes_no_mask_and_is_not_counted_as_out_of_range() -> None:
    layer = make_layer(padding_id=-1, out_of_range="zero")
    ids = np.array([[1, -1], [-1, 4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output = layer(ids)
    assert layer.out_of_range_count == 0
    assert layer.compute_mask(ids) is None
    assert not output[0, 1].any()
    assert make_layer(padding_id=0, mask_zero=True).compute_mask(ids).all()


@pytest.mark.parametrize("layer_class", [Embedding, EmbeddingBag])
def test_other_bad_ids_are_refused_beside_padding(layer_class: type[Embedding]) -> None:
    layer = make_layer(layer_class, padding_id=-1)
    with pytest.raises(IndexError) as caught:
        layer(np.array([[1, -1], [-2, 5]]))
    assert str(caught.value) == (
        "indices[1,0] = -2 is not in [0, 5) (layer 'words', 2 of 4 ids are out of range). Did you mean input_dim=6?"
    )


@pytest.mark.filterwarnings("ignore:indices")
@pytest.mark.parametrize(
    ("policy", "padding", "rows"),
    [("zero", -1, [None, 1, None]), ("clip", -1, [None, 1, 4]), ("clip", 4, [0, 1, None]), (3, 3, [None, 1, None])],
    ids=str,
)
def test_padding_goes_with_a_policy_for_bad_ids(policy: Any, padding: int, rows: list[int | None]) -> None:
    ids = np.array([-1, 1, 9])
    expected = np.array([np.zeros(COLUMNS) if row_id is None else VALUE[row_id] for row_id in rows], "float32")
    layer = make_layer(padding_id=padding, out_of_range=policy)
    assert_same_bits(layer(ids), expected)
    trained = np.flatnonzero(gradient_of(layer, ids).any(axis=1)).tolist()
    assert trained == sorted({row_id for row_id in rows if row_id is not None})
    bag = make_layer(EmbeddingBag, combiner="sum", padding_id=padding, out_of_range=policy)
    assert_close(bag(ids[None]), expected.sum(axis=0)[None], 1e-6)


def test_padding_is_not_penalised_with_the_batch_as_scope() -> None:
    for layer_class in (Embedding, EmbeddingBag):
        layer = make_layer(layer_class, padding_id=0, embeddings_regularizer="l2", regularizer_scope="batch")
        with GradientTape():
            layer(np.array([[0, 1]]))
            [penalty] = layer.losses
        assert float(penalty) == pytest.approx(0.01 * (VALUE[1] ** 2).sum(), rel=1e-5)


def test_padding_over_a_spoilt_row_is_zero_all_the_same() -> None:
    value = VALUE.copy()
    value[[0, 2]] = np.nan
    for padding in (-1, 2):
        layer = Embedding(ROWS, COLUMNS, embeddings_initializer=value, padding_id=padding)
        bag = EmbeddingBag(ROWS, COLUMNS, embeddings_initializer=value, padding_id=padding)
        assert not layer(np.array([padding])).any()
        assert_same_bits(bag([[padding, 1]])[0], value[1])
