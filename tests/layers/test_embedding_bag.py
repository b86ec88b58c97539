"""`EmbeddingBag`: the rows of each bag combined, judged by `Embedding` and a loop in float64."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import reference
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from pullbacks import assert_pullback_agrees, differentiate, pull_back
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
from fastembed_layer.backends.cpu import CpuBackend

Array = np.ndarray[Any, Any]

COMBINERS = ("sum", "mean", "sqrtn", "max", "min")
SUMS = COMBINERS[:3]
bags_of_ids = st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=6)


@st.composite
def weighted_bags(draw: st.DrawFn) -> tuple[list[list[int]], list[list[float]]]:
    """Bags and a weight for each id: of either sign, but with sums that are not near zero."""
    bags = draw(st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=1, max_size=4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return bags, [(random.uniform(1, 2, len(bag)) - 2.5 * (np.arange(len(bag)) == 1)).tolist() for bag in bags]


def combine(table: Array, bags: Any, combiner: str, padding: int | None = None, weights: Any = None) -> Array:
    """The combined rows of each bag, by the reference."""
    weights = [[1.0] * len(bag) for bag in bags] if weights is None else weights
    pairs = [list(zip(bag, numbers, strict=True)) for bag, numbers in zip(bags, weights, strict=True)]
    kept = [[pair for pair in bag if pair[0] != padding] for bag in pairs]
    offsets = np.cumsum([0, *map(len, kept)])
    ids, scales = np.array([pair for bag in kept for pair in bag], float).reshape(-1, 2).T
    if combiner in SUMS:
        return reference.gather_bags(table, ids.astype(int), offsets, scales, combiner)
    return reference.gather_max(table, ids.astype(int), offsets, scales, combiner)[0]


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


# ---- The largest and the smallest


def test_the_gradient_of_a_largest_value_goes_to_the_row_it_comes_from() -> None:
    layer = EmbeddingBag(4, 3, "max", weights=[np.array([[1.0, 5, 2], [3, 5, 0], [0, 1, 2], [9, 9, 9]])])
    with GradientTape() as tape:
        output = layer([[0, 1, 2, 1], [], [2]])
    assert output.tolist() == [[3, 5, 2], [0, 0, 0], [0, 1, 2]]
    gradient = tape.gradient(output, layer.embeddings)
    assert gradient.to_dense().tolist() == [[0, 1, 1], [1, 0, 0], [1, 1, 1], [0, 0, 0]]  # the first of equal rows
    assert gradient.ids.tolist() == [0, 1, 2], "the second 1 and the first 2 have won nothing"
    assert gradient.values.shape == (3, 3), "one vector per bag"


@pytest.mark.parametrize("optimizer", [optimizers.SGD(0.1, momentum=0.9), optimizers.Adagrad(0.1, update="lazy")])
def test_a_largest_value_trains_like_its_dense_gradient(optimizer: Any) -> None:
    table = np.random.default_rng(0).normal(size=(7, 3))
    layers = [EmbeddingBag(7, 3, "max", dtype="float64", weights=[table]) for _ in range(2)]
    steps = [optimizer, type(optimizer).from_config(optimizer.get_config())]
    for ids in np.random.default_rng(1).integers(0, 7, (4, 5, 6)):
        for layer, step, dense in zip(layers, steps, (False, True), strict=True):
            with GradientTape() as tape:
                output = layer(ids)
            gradient = tape.gradient(output, layer.embeddings)
            step.apply_gradients([(gradient.sum_duplicates() if dense else gradient, layer.embeddings)])
    assert_close(layers[0].get_weights()[0], layers[1].get_weights()[0], 1e-12)
    assert not np.allclose(layers[0].get_weights()[0], table)


def test_no_argmax_is_kept_while_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, kept = make_bag(combiner="min"), []
    monkeypatch.setattr(CpuBackend, "gather_max", lambda *arguments: kept.append(arguments[-1]) or np.zeros((1, 3)))
    layer([[1, 2]])
    assert kept == [None]


# ---- Per-sample weights


@pytest.mark.parametrize("combiner", COMBINERS)
@pytest.mark.parametrize("mask_zero", [False, True])
@given(weighted=weighted_bags())
def test_weights_count_as_the_formula_says(combiner: str, mask_zero: bool, weighted: Any) -> None:
    layer = make_bag(combiner=combiner, mask_zero=mask_zero)
    expected = combine(layer.get_weights()[0], weighted[0], combiner, 0 if mask_zero else None, weighted[1])
    assert_close(layer(*weighted), expected, 1e-5)


@pytest.mark.parametrize("combiner", COMBINERS)
@pytest.mark.parametrize("mask_zero", [False, True])
@settings(max_examples=15)
@given(weighted=weighted_bags())
def test_the_gradient_of_the_weights_agrees_with_differences(combiner: str, mask_zero: bool, weighted: Any) -> None:
    layer = make_bag(combiner=combiner, mask_zero=mask_zero, dtype="float64")
    ids, weights = Ragged.from_lists(weighted[0]), Ragged.from_lists(weighted[1]).values.astype(float)
    assert_pullback_agrees(lambda: layer(ids, weights), [layer.embeddings, weights], 1e-6)


@pytest.mark.parametrize("combiner", COMBINERS)
def test_the_gradient_of_weights_has_their_shape(combiner: str) -> None:
    layer = make_bag(combiner=combiner, dtype="float64", mask_zero=True)
    ids, weights = np.arange(24).reshape(2, 3, 4) % 7, np.random.default_rng(0).uniform(1, 2, (2, 3, 4))
    assert_pullback_agrees(lambda: layer(ids, weights), [weights], 1e-6)


def test_a_wrong_gradient_of_the_weights_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, weights = make_bag(combiner="mean", dtype="float64"), np.array([[1.0, 2.0]])
    monkeypatch.setattr("fastembed_layer.layers.combiners._through_divisors", lambda products, combined: products)
    [found] = pull_back(lambda: layer([[1, 2]], weights), [weights])
    expected = differentiate(lambda: layer([[1, 2]], weights), weights)
    assert not np.allclose(found, expected)


@pytest.mark.parametrize("combiner", SUMS)
def test_a_bag_without_weight_is_zero_and_trains_nothing(combiner: str) -> None:
    layer, weights = make_bag(combiner=combiner), np.zeros((2, 2), "float32")
    with GradientTape() as tape:
        output = layer(np.array([[1, 2], [3, 4]]), weights)
    gradient, d_weights = tape.gradient(output, [layer.embeddings, weights])
    assert not output.any()
    assert not gradient.to_dense().any()
    assert np.isfinite(d_weights).all()


def test_the_ids_of_a_weighted_bag_share_one_gradient_vector() -> None:
    layer = make_bag(combiner="mean")
    with GradientTape() as tape:
        output = layer([[1, 2, 1], [3]], [[1.0, 2.0, 1.0], [5.0]])
    gradient = tape.gradient(output, layer.embeddings)
    assert gradient.values.shape == (2, 3)
    np.testing.assert_allclose(gradient.to_dense()[:, 0], [0, 0.5, 0.5, 1, 0, 0, 0])


def test_all_forms_of_weighted_bags_are_one() -> None:
    layer = make_bag(combiner="sqrtn")
    ids, weights = np.array([[1, 2], [3, 3]]), np.array([[0.5, 1.0], [2.0, -1.0]], "float32")
    matrix = scipy.sparse.csr_matrix((weights.reshape(-1), ids.reshape(-1), [0, 2, 4]), shape=(2, 7))
    ragged = Ragged(ids.reshape(-1), [0, 2, 4])
    expected = layer(ids, weights)
    for form in (
        layer([ids, weights]),
        layer((ids, weights)),
        layer(ids, weights=weights.tolist()),
        layer(ids.tolist(), weights.tolist()),
        layer(ids.tolist(), weights),
        layer(ragged, weights),
        layer(ragged, weights.reshape(-1)),
        layer([ragged, Ragged(weights.reshape(-1), [0, 2, 4])]),
        layer(ids, Ragged(weights.reshape(-1), [0, 2, 4])),
        layer(matrix),
        layer(scipy.sparse.csr_array(matrix)),
    ):
        assert_same_bits(form, expected)


def test_weights_of_any_number_type_and_layout_are_taken() -> None:
    layer, ids = make_bag(combiner="sum"), np.array([[1, 2], [3, 3]])
    expected = layer(ids, np.array([[1.0, 0.0], [2.0, 3.0]], "float32"))
    for dtype in ("int8", "uint64", "float16", "float64", ">f4"):
        weights = np.array([[1, 0], [2, 3]], dtype)
        for array in (weights, weights.T.copy().T, np.repeat(weights, 2, axis=1)[:, ::2]):
            array.flags.writeable = False
            assert_same_bits(layer(ids, array), expected)


def test_read_only_and_strided_bags_are_taken() -> None:
    layer = make_bag()
    values, offsets = np.array([1, 9, 2, 9, 3, 9])[::2], np.array([0, 0, 2, 3], "int32")
    values.flags.writeable = offsets.flags.writeable = False
    np.testing.assert_array_equal(layer(Ragged(values, offsets)), layer([[], [1, 2], [3]]))


def test_writing_into_the_batch_afterwards_changes_no_gradient() -> None:
    layer, ids, weights = make_bag(combiner="sum"), np.array([[1, 2]]), np.array([[2.0, 3.0]], "float32")
    with GradientTape() as tape:
        output = layer(ids, weights)
    ids[:], weights[:] = 6, 0
    assert tape.gradient(output, layer.embeddings).to_dense()[:, 0].tolist() == [0, 2, 3, 0, 0, 0, 0]


def test_the_gradient_of_a_sparse_matrix_is_that_of_its_data() -> None:
    layer = make_bag(combiner="mean", dtype="float64")
    matrix = scipy.sparse.csr_matrix(np.array([[0, 2.0, 0, 1.0, 0, 0, 0], [0] * 7, [1.0] * 7]))
    assert_pullback_agrees(lambda: layer(matrix), [layer.embeddings, matrix.data], 1e-6)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300])
def test_weights_that_are_not_finite_are_refused_with_their_place(number: float) -> None:
    layer = make_bag()
    before = layer.get_weights()
    message = rf"`weights` must be finite numbers of float32\. Received: weights\[1,0\] = {number}, one of 1 that"
    for ids in ([[1, 2], [3]], Ragged([1, 2, 3], [0, 2, 3])):
        with pytest.raises(ValueError, match=message.replace("+", r"\+")):
            layer(ids, [[1.0, 1.0], [number]])
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        layer([[1, 2], [3, 4]], np.array([[1.0, 1.0], [number, 2.0]]))
    assert_same_bits(layer.embeddings.array, before[0])


@pytest.mark.parametrize(
    ("ids", "weights", "message"),
    [
        (np.ones((2, 3), int), np.ones((2, 2)), r"in the shape of the ids, \(2, 3\)\. Received: shape \(2, 2\)"),
        (np.ones((2, 3), int), np.ones(6), r"in the shape of the ids, \(2, 3\)\. Received: shape \(6,\)"),
        ([[1, 2], [3]], [[1.0], [3.0]], r"Received: bag 0 has 2 ids and 1 weights"),
        ([[1, 2], [3]], [[1.0, 2.0], []], r"Received: bag 1 has 1 ids and 0 weights"),
        ([[1, 2], [3]], [1.0, 2.0], r"3 in 2 bags, as a flat array or a Ragged\. Received: shape \(2,\)"),
        ([[1, 2], [3]], np.ones((2, 2)), r"3 in 2 bags, as a flat array or a Ragged\. Received: shape \(2, 2\)"),
        (np.ones((2, 3), int), 1.0, r"in the shape of the ids, \(2, 3\)\. Received: shape \(\)"),
    ],
    ids=str,
)
def test_weights_that_do_not_fit_the_ids_are_refused(ids: Any, weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"`weights` must hold one number per id, .*{message}"):
        make_bag()(ids, weights)


@pytest.mark.parametrize("weights", [["a", "b"], [None, 1], [1j, 2]], ids=str)
def test_weights_that_are_no_numbers_are_refused(weights: list[Any]) -> None:
    with pytest.raises(TypeError, match=r"`weights` must be numbers\. Received: dtype "):
        make_bag()([[1, 2]], [weights])


def test_a_sparse_matrix_of_another_kind_or_with_weights_is_refused() -> None:
    matrix = scipy.sparse.csr_matrix(np.eye(3))
    with pytest.raises(TypeError, match=r"must have the format csr: pass `matrix\.tocsr\(\)`\. Received: csc"):
        make_bag()(matrix.tocsc())
    with pytest.raises(ValueError, match="`weights` must be None when the ids are a sparse matrix"):
        make_bag()(matrix, np.ones(3))
    with pytest.raises(IndexError, match=r"indices\[2\] = 8 is not in \[0, 7\)"):
        make_bag()(scipy.sparse.csr_matrix(([1.0] * 3, ([0, 1, 1], [1, 2, 8])), shape=(2, 9)))


# ---- Weights in models


def test_a_functional_model_takes_ids_and_weights() -> None:
    ids, weights = Input((None,), dtype="int64"), Input((None,))
    layer = make_bag(combiner="mean")
    combined = layer(ids, weights)
    assert combined.shape == (None, 3)
    model = Model([ids, weights], combined)
    batch = np.array([[1, 2], [3, 4]]), np.array([[1, 2], [0, 5]])
    np.testing.assert_array_equal(model.predict(list(batch)), layer(*batch))
    np.testing.assert_array_equal(Model([ids, weights], layer([ids, weights])).predict(list(batch)), layer(*batch))


def test_the_layer_that_weighs_the_ids_is_trained() -> None:
    ids, features = Input((2,), dtype="int64"), Input((4,))
    weigh = Dense(2, dtype="float64")
    bag = EmbeddingBag(7, 3, "mean", dtype="float64")
    model = Model([ids, features], bag(ids, weigh(features)))
    inputs = [np.array([[1, 2], [3, 4]]), np.random.default_rng(0).uniform(1, 2, (2, 4))]
    weigh.set_weights([np.random.default_rng(1).uniform(1, 2, (4, 2)), np.ones(2)])
    assert_pullback_agrees(lambda: model(inputs), model.trainable_weights, 1e-6)


def test_ids_of_a_weighted_bag_come_from_an_input() -> None:
    ids = Input((4,), dtype="int64")
    with pytest.raises(ValueError, match="can only be used as the first layer"):
        EmbeddingBag(7, 3)(Embedding(7, 3)(ids), ids)
    with pytest.raises(TypeError, match="must be called on ids, or on ids and weights, in a functional model all"):
        EmbeddingBag(7, 3)([ids, ids, ids])
    with pytest.raises(TypeError, match="must be called on ids, or on ids and weights, in a functional model all"):
        EmbeddingBag(7, 3)(ids, np.ones((2, 4)))


@pytest.mark.parametrize("combiner", ["mean", "max"])
def test_a_model_is_fitted_on_a_sparse_matrix(combiner: str) -> None:
    matrix = scipy.sparse.random(50, 7, 0.4, format="csr", rng=np.random.default_rng(0))
    targets = np.asarray(matrix.sum(axis=1)).reshape(-1)
    models = [Sequential([make_bag(combiner=combiner), Dense(1)]) for _ in range(2)]
    rows = [matrix.indices[begin:end].tolist() for begin, end in pairwise(matrix.indptr)]
    data = Ragged(matrix.data, matrix.indptr)
    for model, inputs in zip(models, (matrix, [Ragged.from_lists(rows), data]), strict=True):
        model(matrix)
        model.set_weights([np.full(weight.shape, 0.1, "float32") * (1 + weight.shape[0]) for weight in model.weights])
        model.compile(optimizers.Adagrad(0.1), "mse")
        model.fit(inputs, targets, epochs=2, batch_size=16, shuffle=False, verbose=0)
    np.testing.assert_array_equal(models[0].predict(matrix), models[1].predict(matrix))


# ---- Calls


def test_the_mean_is_the_default() -> None:
    assert EmbeddingBag(7, 3).combiner == "mean"


@pytest.mark.parametrize("value", ["median", "", None, True, 1])
def test_an_unknown_combiner_is_refused(value: Any) -> None:
    with pytest.raises(
        ValueError, match=r"`combiner` must be one of 'sum', 'mean', 'sqrtn', 'max', 'min'\. Received: "
    ):
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
    with GradientTape(persistent=True) as tape:
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
    assert_same_bits(layer.embeddings.array, before)


@pytest.mark.parametrize("combiner", ["mean", "max"])
def test_an_id_out_of_range_in_a_weighted_bag_is_refused(combiner: str) -> None:
    layer = make_bag(combiner=combiner)
    before = layer.get_weights()[0]
    with pytest.raises(IndexError, match=r"indices\[3\] = 7 is not in \[0, 7\)"):
        layer([[1, 2], [3, 7]], [[1.0, 1.0], [1.0, 1.0]])
    assert_same_bits(layer.embeddings.array, before)


@pytest.mark.parametrize("combiner", ["mean", "max"])
def test_a_read_only_table_is_read_and_not_trained(combiner: str) -> None:
    layer = make_bag(combiner=combiner)
    expected = layer([[1, 2]])
    layer.embeddings.array.flags.writeable = False
    with GradientTape() as tape:
        output = layer([[1, 2]])
    assert_same_bits(output, expected)
    with pytest.raises(ValueError, match=r"'embeddings' must be writable to be trained\. Received: a read-only array"):
        optimizers.SGD(0.1).apply_gradients([(tape.gradient(output, layer.embeddings), layer.embeddings)])


def test_weights_of_ids_that_a_policy_turns_into_zeros_do_not_count() -> None:
    layer, weights = make_bag(combiner="mean", out_of_range="zero", dtype="float64"), np.array([[1.0, 5.0, 3.0]])
    with pytest.warns(UserWarning, match="out_of_range='zero'"), GradientTape() as tape:
        output = layer(np.array([[1, -1, 2]]), weights)
    assert_close(output, combine(layer.get_weights()[0], [[1, 2]], "mean", None, [[1.0, 3.0]]), 1e-12)
    assert tape.gradient(output, weights)[0, 1] == 0


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


@pytest.mark.parametrize("threads", [2, 3, 8])
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


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn", "max", "min"])
def test_offsets_that_end_before_the_ids_do_are_one_error_for_all_combiners(combiner: str) -> None:
    layer = EmbeddingBag(10, 2, combiner)
    with pytest.raises(ValueError, match=r"must end at the number of values, 5\. Received: 3\. If they are beginnings"):
        layer(Ragged([1, 2, 3, 4, 5], [0, 2, 3]))
    assert layer(Ragged([1, 2, 3, 4, 5], [0, 2, 3], include_last_offset=False)).shape == (3, 2)
