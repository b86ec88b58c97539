"""`EmbeddingBag`: the rows of each bag combined, judged by `Embedding` and a loop in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pullbacks import assert_pullback_agrees
from reference import assert_close, assert_same_bits

from fastembed_layer import (
    Dense,
    Embedding,
    EmbeddingBag,
    GradientTape,
    Input,
    Model,
    Ragged,
    RowGradient,
    Sequential,
    optimizers,
    set_threads,
)

Array = np.ndarray[Any, Any]

COMBINERS = ("sum", "mean", "sqrtn")
bags_of_ids = st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=6)


def combine(table: Array, bags: Any, combiner: str, padding: int | None = None) -> Array:
    """The combined rows of each bag, one after the other, in float64."""
    combined = np.zeros((len(bags), table.shape[1]))
    for place, bag in enumerate(bags):
        kept = [row_id for row_id in bag if row_id != padding]
        divisor = {"sum": 1, "mean": len(kept), "sqrtn": np.sqrt(len(kept))}[combiner]
        for row_id in kept:
            combined[place] += table[row_id] / divisor
    return combined


def make_bag(**options: Any) -> EmbeddingBag:
    layer = EmbeddingBag(7, 3, **options)
    layer.build()
    return layer


@pytest.mark.parametrize("combiner", COMBINERS)
@pytest.mark.parametrize("mask_zero", [False, True])
@given(bags=bags_of_ids)
def test_bags_are_combined_as_the_formula_says(combiner: str, mask_zero: bool, bags: list[list[int]]) -> None:
    layer = make_bag(combiner=combiner, mask_zero=mask_zero)
    expected = combine(layer.get_weights()[0], bags, combiner, 0 if mask_zero else None)
    assert_close(layer(bags), expected, 1e-6)


@pytest.mark.parametrize("combiner", COMBINERS)
@pytest.mark.parametrize("mask_zero", [False, True])
@given(bags=st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=1, max_size=3))
def test_the_pullback_agrees_with_differences(combiner: str, mask_zero: bool, bags: list[list[int]]) -> None:
    layer = make_bag(combiner=combiner, mask_zero=mask_zero, dtype="float64")
    assert_pullback_agrees(lambda: layer(bags), [layer.embeddings])


def test_the_mean_is_the_default() -> None:
    assert EmbeddingBag(7, 3).combiner == "mean"


@pytest.mark.parametrize("value", ["max", "", None, True, 1])
def test_an_unknown_combiner_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"`combiner` must be one of 'sum', 'mean', 'sqrtn'\. Received: "):
        EmbeddingBag(7, 3, combiner=value)


def test_an_array_of_any_rank_is_combined_along_its_last_axis() -> None:
    layer = make_bag()
    ids = np.arange(24).reshape(2, 3, 4) % 7
    np.testing.assert_allclose(layer(ids), layer.get_weights()[0][ids].mean(axis=-2), rtol=1e-6)
    assert layer(ids[0, 0]).shape == (3,)


def test_lists_of_one_length_are_bags_too() -> None:
    layer = make_bag()
    np.testing.assert_array_equal(layer([[1, 2], [3, 4]]), layer(np.array([[1, 2], [3, 4]])))
    np.testing.assert_array_equal(layer([[[1, 2], [3, 4]]]), layer(np.array([[[1, 2], [3, 4]]])))


def test_values_and_offsets_are_bags() -> None:
    layer = make_bag()
    bags = Ragged(np.array([1, 2, 3]), np.array([0, 0, 2, 3]))
    np.testing.assert_array_equal(layer(bags), layer([[], [1, 2], [3]]))


def test_an_empty_bag_gives_zeros_and_trains_nothing() -> None:
    layer = make_bag(embeddings_initializer="ones")
    with GradientTape() as tape:
        output = layer([[], []])
    np.testing.assert_array_equal(output, np.zeros((2, 3)))
    assert len(tape.gradient(output, layer.embeddings)) == 0


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_an_empty_batch_is_no_error(shape: tuple[int, int]) -> None:
    assert make_bag()(np.zeros(shape, int)).shape == (shape[0], 3)


def test_a_bag_of_padding_alone_has_an_empty_gradient() -> None:
    layer = make_bag(mask_zero=True)
    with GradientTape() as tape:
        output = layer(np.zeros((2, 4), int))
    np.testing.assert_array_equal(output, np.zeros((2, 3)))
    assert len(tape.gradient(output, layer.embeddings)) == 0


def test_the_ids_of_a_bag_share_one_gradient_vector() -> None:
    layer = make_bag(combiner="sum")
    with GradientTape() as tape:
        output = layer([[1, 2, 1], [3]])
    gradient = tape.gradient(output, layer.embeddings)
    assert isinstance(gradient, RowGradient)
    assert gradient.values.shape == (2, 3)
    np.testing.assert_array_equal(gradient.to_dense()[:, 0], [0, 2, 1, 1, 0, 0, 0])


def test_a_layer_used_twice_adds_its_gradients() -> None:
    layer = make_bag(dtype="float64")
    with GradientTape() as tape:
        outputs = [layer([[1, 2], [2]]), layer([[2], [6, 6]])]
    summed = tape.gradient(outputs, layer.embeddings).to_dense()
    apart = [tape.gradient(output, layer.embeddings).to_dense() for output in outputs]
    np.testing.assert_allclose(summed, apart[0] + apart[1])


def test_a_single_id_is_no_bag() -> None:
    with pytest.raises(ValueError, match=r"must have the shape \(\.\.\., length\)\. Received: a single id"):
        make_bag()(3)


def test_bags_of_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must hold single ids\. Received: shape \(2, None, 2\)"):
        make_bag()(Ragged(np.ones((3, 2), int), np.array([0, 1, 3])))


@pytest.mark.parametrize("bad_id", [7, -1, np.iinfo(np.int64).min])
@pytest.mark.parametrize("form", ["list", "array"])
def test_an_id_out_of_range_is_refused_and_changes_nothing(bad_id: int, form: str) -> None:
    layer = make_bag()
    before = layer.get_weights()[0]
    bags: Any = [[1, 2], [bad_id, 3]]
    with pytest.raises(IndexError, match=rf"= {bad_id} is not in \[0, 7\) \(layer '.*', 1 of 4 ids are out of range"):
        layer(np.array(bags) if form == "array" else bags)
    assert_same_bits(layer.embeddings.storage, before)


def test_ids_that_a_policy_turns_into_zeros_do_not_count() -> None:
    layer = make_bag(combiner="mean", out_of_range="zero")
    with pytest.warns(UserWarning, match="out_of_range='zero'"):
        output = layer([[1, -1, 2]])
    np.testing.assert_allclose(output, layer.get_weights()[0][[1, 2]].mean(axis=0)[None], rtol=1e-6)
    assert layer.out_of_range_count == 1


def test_a_regularizer_of_the_batch_reaches_the_rows_of_the_bags() -> None:
    layer = make_bag(embeddings_regularizer="l2", regularizer_scope="batch", dtype="float64", mask_zero=True)
    with GradientTape() as tape:
        layer([[1, 3, 3, 0], []])
        [penalty] = layer.losses
    assert penalty == pytest.approx(0.01 * (layer.get_weights()[0][[1, 3]] ** 2).sum())
    assert tape.gradient(penalty, layer.embeddings).ids.tolist() == [1, 3]


def test_the_output_carries_no_mask() -> None:
    model = Sequential([EmbeddingBag(7, 3, mask_zero=True), Dense(2)])
    assert model.output_shape == (None, 2)
    assert model.layers[0].compute_mask(np.array([[0, 1]])) is None


@pytest.mark.parametrize(
    ("options", "received", "expected"),
    [({}, (None, 9), (None, 3)), ({}, (2, 4, 9), (2, 4, 3)), ({"input_length": 9}, (None, None), (None, 3))],
)
def test_the_output_shape_has_no_length(options: dict[str, Any], received: Any, expected: Any) -> None:
    assert EmbeddingBag(7, 3, **options).compute_output_shape(received) == expected


def test_it_can_only_be_the_first_layer() -> None:
    with pytest.raises(ValueError, match="can only be used as the first layer"):
        Sequential([Embedding(7, 3), EmbeddingBag(7, 3)])
    with pytest.raises(ValueError, match="can only be used as the first layer"):
        EmbeddingBag(7, 3)(Embedding(7, 3)(Input((4,), dtype="int64")))


def test_a_config_makes_an_equal_layer() -> None:
    layer = EmbeddingBag(7, 3, combiner="sqrtn", mask_zero=True)
    assert EmbeddingBag.from_config(layer.get_config()).get_config() == layer.get_config()


def test_it_trains_like_embedding_and_mean() -> None:
    ids = np.random.default_rng(0).integers(0, 7, (20, 5))
    targets = np.random.default_rng(1).normal(size=(20, 3))
    table = np.random.default_rng(2).normal(size=(7, 3))
    bag = Sequential([EmbeddingBag(7, 3, dtype="float64", weights=[table])])
    bag.compile(optimizers.SGD(0.5), "mse")
    bag.fit(ids, targets, epochs=3, shuffle=False, verbose=0)
    expected = table.copy()
    for _ in range(3):
        d_means = 2 * (expected[ids].mean(axis=1) - targets) / targets.size
        np.add.at(expected, ids, -0.5 * np.repeat(d_means[:, None] / 5, 5, axis=1))
    assert_close(bag.get_weights()[0], expected, 1e-12)


@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_does_not_change_a_bit(threads: int) -> None:
    rng = np.random.default_rng(0)
    bags = Ragged(rng.zipf(1.2, 30_000) % 3000, np.sort(np.append(rng.integers(0, 30_000, 999), [0, 30_000])))
    table = rng.normal(size=(3000, 32)).astype(np.float32)

    def train(count: int) -> list[Array]:
        set_threads(count)
        layer = EmbeddingBag(3000, 32, weights=[table])
        with GradientTape() as tape:
            output = layer(bags)
        optimizers.Adagrad(0.1).apply_gradients([(tape.gradient(output, layer.embeddings), layer.embeddings)])
        return [output, *layer.get_weights()]

    for one, many in zip(train(1), train(threads), strict=True):
        assert_same_bits(many, one)


def test_a_functional_model_takes_bags() -> None:
    ids = Input((None,), dtype="int64")
    model = Model(ids, Dense(1)(EmbeddingBag(7, 3)(ids)))
    assert model.predict([[1], [2, 3], []]).shape == (3, 1)


def test_a_padding_row_that_is_not_a_number_does_not_reach_the_bags():
    table = np.ones((3, 2), "float32")
    table[0] = np.nan
    bag = EmbeddingBag(3, 2, combiner="sum", mask_zero=True, weights=[table])
    np.testing.assert_array_equal(bag(np.array([[1, 0, 2]])), [[2.0, 2.0]])
