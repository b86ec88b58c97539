"""Arrays of PyTorch, TensorFlow, JAX and of whatever has DLPack, in the place of numpy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from other_libraries import LIBRARIES, address_of

from fastembed_layer import (
    Dense,
    Embedding,
    EmbeddingBag,
    EmbeddingGroup,
    Flatten,
    Sequential,
    constraints,
    initializers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from fastembed_layer.backends.arrays import as_array
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.models.rows import as_rows
from fastembed_layer.tables.row_gradient import RowGradient

Array = np.ndarray[Any, Any]
Maker = Callable[[Any], Any]

RNG = np.random.default_rng(3)
TABLE = RNG.normal(size=(20, 4)).astype("float32")
IDS = RNG.integers(20, size=(6, 3))
TARGETS = RNG.random((6, 1)).astype("float32")


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    """The name of a library."""
    return str(request.param)


@pytest.fixture
def make(library: str) -> Maker:
    """Makes an array of the library."""
    return LIBRARIES[library]()


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_memory_is_shared(library: str, make: Maker, dtype: str) -> None:
    array = make(np.arange(6).astype(dtype))
    read = as_array(array)
    assert type(read) is np.ndarray
    assert read.dtype == dtype
    assert read.ctypes.data == address_of(library, array)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "float32"])
def test_ids_give_the_rows_that_numpys_give(make: Maker, dtype: str) -> None:
    layer = Embedding(20, 4, weights=[TABLE])
    rows = layer(make(IDS.astype(dtype)))
    assert type(rows) is np.ndarray
    np.testing.assert_array_equal(rows, TABLE[IDS])


def test_an_id_that_is_no_row_is_named(make: Maker) -> None:
    with pytest.raises(IndexError, match=r"indices\[1\] = 20 "):
        Embedding(20, 4)(make(np.array([3, 20])))


def test_bags_take_ids_and_weights(make: Maker) -> None:
    layer, weights = EmbeddingBag(20, 4, weights=[TABLE]), RNG.random(IDS.shape).astype("float32")
    np.testing.assert_array_equal(layer(make(IDS)), layer(IDS))
    np.testing.assert_array_equal(layer([make(IDS), make(weights)]), layer([IDS, weights]))
    np.testing.assert_array_equal(layer([IDS, make(weights)]), layer([IDS, weights]))


def test_bags_take_a_list_of_arrays_of_different_lengths(make: Maker) -> None:
    layer, bags = EmbeddingBag(20, 4, weights=[TABLE]), [np.array([1, 2, 3]), np.array([4])]
    np.testing.assert_array_equal(layer([make(bag) for bag in bags]), layer(bags))


def test_ragged_takes_values_offsets_and_lengths(library: str, make: Maker) -> None:
    values = make(np.arange(5))
    ragged = Ragged(values, make(np.array([0, 3, 5])))
    assert ragged.values.ctypes.data == address_of(library, values)
    assert ragged.to_list() == [[0, 1, 2], [3, 4]]
    assert Ragged.from_lengths(values, make(np.array([3, 2]))).to_list() == ragged.to_list()


def test_groups_take_an_array_for_each_feature(make: Maker) -> None:
    group = EmbeddingGroup({"a": 20, "b": 20}, 4)
    columns = {"a": IDS[:, 0], "b": IDS[:, 1]}
    np.testing.assert_array_equal(group({name: make(ids) for name, ids in columns.items()}), group(columns))
    np.testing.assert_array_equal(group(make(IDS[:, :2])), group(IDS[:, :2]))


def test_a_row_gradient_shares_ids_and_values(library: str, make: Maker) -> None:
    ids, values = make(np.array([2, 0, 2])), make(np.ones((3, 4), "float32"))
    gradient = RowGradient(ids, values, (20, 4))
    assert gradient.ids.ctypes.data == address_of(library, ids)
    assert gradient.values.ctypes.data == address_of(library, values)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_gradients_train_as_numpys_do(make: Maker, kind: str) -> None:
    tables, ids, values = [], IDS.reshape(-1), RNG.normal(size=(18, 4)).astype("float32")
    for read in (lambda array: array, make):
        layer, dense = Embedding(20, 4, weights=[TABLE]), Dense(1, kernel_initializer="ones")
        dense(np.ones((1, 4), "float32"))
        optimizer = getattr(optimizers, kind)(0.1)
        for _ in range(3):
            gradient = RowGradient(read(ids), read(values), (20, 4))
            kernel_gradient = read(values[:4, :1].copy())
            optimizer.apply_gradients([(gradient, layer.embeddings), (kernel_gradient, dense.weights[0])])
        tables.append((*layer.get_weights(), *dense.get_weights()))
    for ours, theirs in zip(*tables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_are_taken_at_the_start_and_later(make: Maker) -> None:
    np.testing.assert_array_equal(Embedding(20, 4, weights=[make(TABLE)]).embeddings.numpy(), TABLE)
    np.testing.assert_array_equal(Embedding(20, 4, weights=make(TABLE)).embeddings.numpy(), TABLE)
    layer = Embedding(20, 4)
    layer.set_weights([make(TABLE)])
    np.testing.assert_array_equal(layer.get_weights()[0], TABLE)
    layer.embeddings.assign(make(TABLE + 1))
    np.testing.assert_array_equal(layer.get_weights()[0], TABLE + 1)
    rates = np.linspace(0, 1, 20, dtype="float32")
    np.testing.assert_array_equal(Embedding(20, 4, row_rates=make(rates)).row_rates, rates)


def test_initializers_penalties_and_constraints_take_them(make: Maker) -> None:
    np.testing.assert_array_equal(initializers.FromArray(make(TABLE))((20, 4)), TABLE)
    np.testing.assert_array_equal(constraints.NonNeg()(make(TABLE)), np.maximum(TABLE, 0))
    assert regularizers.L2(0.1)(make(TABLE)) == regularizers.L2(0.1)(TABLE)


def test_a_table_is_indexed_by_them(make: Maker) -> None:
    np.testing.assert_array_equal(Embedding(20, 4, weights=[TABLE]).embeddings[make(IDS)], TABLE[IDS])


@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryCrossentropy", "Huber"])
def test_losses_and_metrics_take_them(make: Maker, name: str) -> None:
    loss, predictions, weights = getattr(losses, name)(), RNG.random((6, 1)).astype("float32"), RNG.random(6)
    assert loss(make(TARGETS), make(predictions), make(weights)) == loss(TARGETS, predictions, weights)
    _, gradient = loss.value_and_gradient(make(TARGETS), make(predictions))
    assert type(gradient) is np.ndarray
    for kind in (metrics.MeanAbsoluteError, metrics.AUC, metrics.BinaryAccuracy, metrics.R2Score, metrics.Mean):
        given = (np.round(TARGETS), predictions)[: 1 if kind is metrics.Mean else 2]
        assert kind()(*map(make, given)) == kind()(*given)


def make_model() -> Sequential:
    """An untrained model that is the same at every call."""
    table = Embedding(20, 4, weights=[TABLE], input_length=3)
    model = Sequential([table, Flatten(), Dense(1, kernel_initializer=initializers.Constant(0.1))])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def test_models_fit_evaluate_and_predict_them(make: Maker) -> None:
    ours, theirs = make_model(), make_model()
    weights = RNG.random(6)
    history = ours.fit(IDS, TARGETS, sample_weight=weights, batch_size=2, epochs=2, shuffle=False, verbose=0).history
    given = (make(IDS), make(TARGETS))
    found = theirs.fit(*given, sample_weight=make(weights), batch_size=2, epochs=2, shuffle=False, verbose=0).history
    assert found == history
    assert theirs.evaluate(*given, verbose=0) == ours.evaluate(IDS, TARGETS, verbose=0)
    np.testing.assert_array_equal(theirs.predict(make(IDS), verbose=0), ours.predict(IDS, verbose=0))
    assert theirs.train_on_batch(*given) == ours.train_on_batch(IDS, TARGETS)


def test_models_fit_batches_of_them(make: Maker) -> None:
    ours, theirs = make_model(), make_model()
    history = ours.fit(iter([(IDS, TARGETS)]), verbose=0).history
    assert theirs.fit(iter([(make(IDS), make(TARGETS))]), verbose=0).history == history


def test_a_dict_of_them_is_taken_by_name(make: Maker) -> None:
    rows = as_rows({"a": make(IDS), "b": [1, 2]})
    np.testing.assert_array_equal(rows["a"], IDS)


def test_ragged_tensors_of_tensorflow_are_bags() -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="needs TensorFlow")
    ragged, layer = tensorflow.ragged.constant([[1, 2, 3], [4]]), EmbeddingBag(5, 2)
    np.testing.assert_array_equal(layer(ragged), layer([[1, 2, 3], [4]]))
    with pytest.raises(TypeError, match="one ragged axis"):
        layer(tensorflow.ragged.constant([[[1], [2, 3]], [[4]]]))


def test_indexed_slices_of_tensorflow_train_rows() -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="needs TensorFlow")
    slices, layer = tensorflow.IndexedSlices(np.ones((2, 4), "float32"), np.array([3, 3])), Embedding(20, 4)
    before = layer.embeddings.numpy()
    optimizers.SGD(1.0).apply_gradients([(slices, layer.embeddings)])
    np.testing.assert_allclose(before[3] - layer.embeddings.numpy()[3], 2, rtol=1e-6)


@pytest.mark.parametrize("name", ["jax", "tensorflow"])
def test_bfloat16_keeps_its_numbers(name: str) -> None:
    array = LIBRARIES[name]()(np.array([1.5, -0.25], "float32"))
    narrow = array.astype("bfloat16") if name == "jax" else pytest.importorskip(name).cast(array, "bfloat16")
    assert as_array(narrow).tolist() == [1.5, -0.25]
    assert losses.MeanSquaredError()(narrow, narrow) == 0
