"""`Embedding`: every statement of the documentations of its two parents, tf.keras 2 and Keras 3."""

from __future__ import annotations

import inspect
import math
import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from pullbacks import assert_pullback_agrees
from reference import assert_close, assert_same_bits
from strategies import any_ids

from fastembed_layer import (
    Dense,
    Embedding,
    Flatten,
    GradientTape,
    Input,
    Layer,
    Model,
    Module,
    Ragged,
    RowGradient,
    Sequential,
    constraints,
    initializers,
    optimizers,
    regularizers,
    set_threads,
)
from fastembed_layer.inputs.out_of_range import OutOfRangePolicy

Array = np.ndarray[Any, Any]

INT64 = np.iinfo(np.int64)


def make_layer(rows: int = 5, columns: int = 3, **options: Any) -> Embedding:
    layer = Embedding(rows, columns, **options)
    layer.build()
    return layer


def gradient_of(layer: Embedding, *calls: Any) -> Any:
    """The table's gradient of the sum over the outputs of some calls."""
    with GradientTape() as tape:
        outputs = [layer(ids) for ids in calls]
    return tape.gradient(outputs, layer.embeddings)


# Lookup


def test_ids_are_turned_into_the_rows_of_the_table() -> None:
    table = np.zeros((21, 2), np.float32)
    table[4], table[20] = [0.25, 0.1], [0.6, -0.2]
    output = Embedding(21, 2, weights=[table])([[4], [20]])
    np.testing.assert_array_equal(output, np.array([[[0.25, 0.1]], [[0.6, -0.2]]], np.float32))


@given(ids=any_ids(7))
def test_any_ids_give_the_rows_of_the_reference_in_their_own_shape(ids: Array) -> None:
    layer = make_layer(7, 4)
    output = layer(ids)
    assert output.shape == (*ids.shape, 4)
    assert_close(output.reshape(-1, 4), reference.gather_rows(layer.get_weights()[0], ids.reshape(-1)), 0.0)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3), (2, 3, 4), (2, 1, 3, 1)])
def test_the_output_has_the_shape_of_the_ids_and_one_more_axis(shape: tuple[int, ...]) -> None:
    assert Embedding(9, 5)(np.ones(shape, int)).shape == (*shape, 5)


def test_a_single_python_integer_is_an_id() -> None:
    layer = make_layer()
    np.testing.assert_array_equal(layer(4), layer.get_weights()[0][4])


def test_the_first_call_builds_the_layer() -> None:
    layer = Embedding(5, 3)
    assert not layer.built
    layer([1])
    assert layer.built


@given(ids=any_ids(7))
def test_lookups_write_nothing(ids: Array) -> None:
    layer = make_layer(7, 4)
    before = layer.get_weights()[0]
    layer(ids)
    with GradientTape():
        layer(ids)
    assert_same_bits(layer.embeddings.array, before)


def test_what_a_caller_keeps_is_not_overwritten_by_later_lookups() -> None:
    layer = make_layer(100, 64)
    ids = np.arange(1000) % 100
    kept = layer(ids)
    expected = kept.copy()
    for _ in range(5):
        layer(ids[::-1])
    assert_same_bits(kept, expected)


# Ids of any integer type, and of float types where they are exact


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_every_integer_type_is_accepted(dtype: str) -> None:
    layer = make_layer()
    np.testing.assert_array_equal(layer(np.array([0, 4], dtype)), layer.get_weights()[0][[0, 4]])


def test_int64_ids_are_taken_at_their_full_width() -> None:
    with pytest.raises(IndexError, match=rf"indices\[1\] = {2**32 + 1} is not in \[0, 5\)"):
        make_layer()(np.array([1, 2**32 + 1]))


def test_uint64_ids_beyond_int64_are_out_of_range() -> None:
    with pytest.raises(IndexError, match=r"is not in \[0, 5\)"):
        make_layer()(np.array([2**64 - 1], np.uint64))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_ids_that_are_whole_and_exact_are_accepted(dtype: str) -> None:
    layer = make_layer()
    np.testing.assert_array_equal(layer(np.array([0.0, 4.0], dtype)), layer.get_weights()[0][[0, 4]])


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("float16", 2.0**11), ("float32", 2.0**24), ("float64", 2.0**53)]
    + [(dtype, value) for dtype in ("float16", "float32", "float64") for value in (1.5, np.nan, np.inf, -np.inf)],
)
def test_float_ids_that_are_not_exact_are_refused_with_the_first_of_them(dtype: str, value: float) -> None:
    ids = np.array([[1, 2, 3], [4, value, 0.25]], dtype)
    with pytest.raises(TypeError, match=rf"must be integers; {dtype} ids .*Received: indices\[1,1\] = "):
        make_layer()(ids)


def test_float32_ids_above_two_to_the_24_do_not_share_rows() -> None:
    """As float32 both are 16777216; tensorflow 47187."""
    layer = Embedding(2**24 + 2, 1, initializers.Zeros())
    ids = np.array([2**24, 2**24 + 1])
    with pytest.raises(TypeError, match="Pass an integer array"):
        layer(ids.astype(np.float32))
    layer.embeddings.array[ids, 0] = [1.0, 2.0]
    np.testing.assert_array_equal(layer(ids)[:, 0], [1.0, 2.0])


@pytest.mark.parametrize(
    "ids", [[True, False], ["1", "2"], [None, 1], [1 + 0j], [2**70], np.array(["2020-01-01"], "datetime64[D]")], ids=str
)
def test_ids_of_other_kinds_are_refused(ids: Any) -> None:
    with pytest.raises(TypeError, match=r"ids of the layer 'ids_of_kinds' must be integers.*dtype"):
        Embedding(5, 3, name="ids_of_kinds")(ids)


# Ragged ids


def test_lists_of_different_lengths_give_a_ragged_output() -> None:
    layer = make_layer()
    output = layer([[1, 2, 3], [], [4]])
    assert isinstance(output, Ragged)
    assert output.offsets.tolist() == [0, 3, 3, 4]
    np.testing.assert_array_equal(output.values, layer.get_weights()[0][[1, 2, 3, 4]])


def test_values_and_offsets_give_a_ragged_output() -> None:
    output = make_layer()(Ragged(np.array([1, 2, 3]), np.array([0, 0, 3])))
    assert output.lengths.tolist() == [0, 3]
    assert output.shape == (2, None, 3)


def test_ragged_ids_train_their_rows() -> None:
    layer = make_layer(dtype="float64")
    assert_pullback_agrees(lambda: layer([[1, 2, 1], [], [4]]), [layer.embeddings])


def test_ragged_ids_out_of_range_are_refused() -> None:
    with pytest.raises(IndexError, match=r"= 5 is not in \[0, 5\)"):
        make_layer()([[1, 2], [5]])


# Gradients


@given(ids=any_ids(4, max_size=8))
def test_the_pullback_agrees_with_differences_for_any_ids(ids: Array) -> None:
    layer = make_layer(4, 2, dtype="float64")
    assert_pullback_agrees(lambda: layer(ids), [layer.embeddings])


def test_the_gradient_names_the_rows_of_the_batch_and_has_no_table_shape() -> None:
    gradient = gradient_of(make_layer(10**6, 4), np.array([[3, 999_999], [3, 0]]))
    assert isinstance(gradient, RowGradient)
    assert gradient.ids.tolist() == [3, 999_999, 3, 0]
    assert gradient.values.shape == (4, 4)


def test_repeated_id_receives_the_sum_of_its_gradients() -> None:
    gradient = gradient_of(make_layer(5, 2), np.array([1, 1, 1, 3]))
    np.testing.assert_array_equal(gradient.to_dense()[:, 0], [0, 3, 0, 1, 0])


def test_a_layer_used_twice_in_a_step_adds_its_gradients_before_one_update() -> None:
    layer = make_layer(5, 2, embeddings_initializer="zeros")
    with GradientTape() as tape:
        outputs = [layer(np.array([1, 2])), layer(np.array([2, 3]))]
    optimizer = optimizers.Adagrad(1.0, initial_accumulator_value=0.1, epsilon=0.0)
    optimizer.apply_gradients([(tape.gradient(outputs, layer.embeddings), layer.embeddings)])
    squares = np.array([0.0, 1.0, 4.0, 1.0, 0.0])
    expected = -np.sqrt(squares) / np.sqrt(0.1 + squares)
    np.testing.assert_allclose(layer.embeddings.value[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "ids", [np.zeros((0,), int), np.zeros((0, 4), int), np.full((3, 4), 2), np.arange(12).reshape(3, 4)], ids=str
)
def test_empty_equal_and_distinct_ids_train_like_the_dense_formula(ids: Array) -> None:
    layer = make_layer(12, 2, embeddings_initializer="zeros")
    optimizers.SGD(1.0).apply_gradients([(gradient_of(layer, ids), layer.embeddings)])
    counts = np.bincount(ids.reshape(-1), minlength=12).astype(np.float32)
    np.testing.assert_array_equal(layer.embeddings.value[:, 0], -counts)


def test_ids_that_are_all_padding_outside_the_table_give_an_empty_gradient() -> None:
    layer = make_layer(out_of_range="zero")
    with pytest.warns(UserWarning, match="out_of_range='zero'"):
        gradient = gradient_of(layer, np.full((2, 3), -1))
    assert isinstance(gradient, RowGradient)
    assert len(gradient) == 0


@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_does_not_change_a_bit(threads: int) -> None:
    ids = np.random.default_rng(0).zipf(1.2, 20_000) % 3000

    def train(count: int) -> list[Array]:
        set_threads(count)
        layer = Embedding(3000, 32, initializers.RandomUniform(seed=1))
        optimizer = optimizers.Adam(0.1)
        outputs = []
        for _ in range(3):
            with GradientTape() as tape:
                outputs.append(layer(ids))
            optimizer.apply_gradients([(tape.gradient(outputs[-1], layer.embeddings), layer.embeddings)])
        return [*outputs, *layer.get_weights()]

    for one, many in zip(train(1), train(threads), strict=True):
        assert_same_bits(many, one)


@pytest.mark.parametrize("name", ["sgd", "adagrad", "rmsprop", "adam"])
def test_rows_outside_the_batch_keep_their_bits_in_lazy_mode(name: str) -> None:
    layer = make_layer(50, 4)
    optimizer = type(optimizers.get(name))(0.1, update="lazy")
    before = layer.get_weights()[0]
    for ids in ([1, 2, 2], [2, 49], [1]):
        optimizer.apply_gradients([(gradient_of(layer, np.array(ids)), layer.embeddings)])
    untouched = np.setdiff1d(np.arange(50), [1, 2, 49])
    assert_same_bits(layer.embeddings.array[untouched], before[untouched])


# The constructor


def test_the_arguments_stand_in_the_order_of_tf_keras() -> None:
    documented = ["input_dim", "output_dim", "embeddings_initializer", "embeddings_regularizer"]
    documented += ["activity_regularizer", "embeddings_constraint", "mask_zero", "input_length"]
    parameters = inspect.signature(Embedding).parameters
    assert list(parameters)[: len(documented)] == documented
    defaults = [parameters[name].default for name in documented[2:]]
    assert defaults == ["uniform", None, None, None, False, None]


def test_it_is_a_layer_and_a_module() -> None:
    assert issubclass(Embedding, Layer)
    assert issubclass(Embedding, Module)


@pytest.mark.parametrize("argument", ["input_dim", "output_dim"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1, ValueError), (INT64.min, ValueError)]
    + [(value, TypeError) for value in (True, False, 1.0, 2.5, math.nan, "5", b"5", None, [5], (5,), 5j, np.bool_(1))],
)
def test_a_dimension_that_is_no_positive_integer_is_refused(argument: str, value: Any, error: type[Exception]) -> None:
    arguments = {"input_dim": 5, "output_dim": 3} | {argument: value}
    with pytest.raises(error, match=rf"`{argument}` must be a positive integer\. Received: {argument}=.*of type "):
        Embedding(**arguments)


def test_the_message_about_a_dimension_has_the_words_of_keras() -> None:
    with pytest.raises(
        ValueError, match=r"^`input_dim` must be a positive integer\. Received: input_dim=0 \(of type int\)\.$"
    ):
        Embedding(0, 3)


def test_numpy_integers_are_dimensions() -> None:
    layer = Embedding(np.int32(5), np.uint8(3))
    assert (layer.input_dim, layer.output_dim) == (5, 3)


@pytest.mark.parametrize("rows", [10**13, 2**62, 2**70])
def test_memory_that_cannot_be_had_is_refused_with_the_estimate(rows: int) -> None:
    layer = Embedding(rows, 1000, name="too_large")
    with pytest.raises(MemoryError, match=rf"table of the layer 'too_large' needs [\d.]+ TiB \({rows} rows x 1000 col"):
        layer.build()
    with pytest.raises(MemoryError):
        layer(np.array([1]))


@pytest.mark.parametrize("value", [1, 0, "yes", None, 0.0, []])
def test_a_mask_zero_that_is_no_bool_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"`mask_zero` must be a bool\. Received: mask_zero="):
        Embedding(5, 3, mask_zero=value)


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1, ValueError), (True, TypeError), (2.0, TypeError), ("7", TypeError)]
    + [([3, "4"], TypeError), ((3, 0), ValueError), ({3: 4}, TypeError)],
)
def test_a_wrong_input_length_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`input_length` must be a positive integer\. Received: input_length="):
        Embedding(5, 3, input_length=value)


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("embeddings_initializer", "initializer"),
        ("embeddings_regularizer", "regularizer"),
        ("activity_regularizer", "regularizer"),
        ("embeddings_constraint", "constraint"),
    ],
)
@pytest.mark.parametrize("value", [True, 5, 0.1, int], ids=str)
def test_an_identifier_of_a_wrong_kind_is_refused(argument: str, kind: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"(?i){kind}.*Received: "):
        Embedding(5, 3, **{argument: value})


@pytest.mark.parametrize(
    ("argument", "value", "near"),
    [
        ("embeddings_initializer", "unifrom", "uniform"),
        ("embeddings_regularizer", "l3", "l[12]"),
        ("activity_regularizer", "L", "l[12]|L[12]"),
        ("embeddings_constraint", "max_nrom", "max_norm"),
    ],
)
def test_an_unknown_name_comes_with_the_nearest_one(argument: str, value: str, near: str) -> None:
    with pytest.raises(ValueError, match=rf"Unknown .*'{value}'\. .*({near})"):
        Embedding(5, 3, **{argument: value})


def test_an_initializer_of_none_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`embeddings_initializer` must be an initializer.*Received: None"):
        Embedding(5, 3, embeddings_initializer=None)


@pytest.mark.parametrize(
    ("value", "error"),
    [("ignore", ValueError), (5, ValueError), (-1, ValueError), (True, TypeError), (1.0, TypeError), (None, TypeError)],
)
def test_a_wrong_policy_for_ids_out_of_range_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`out_of_range` must be .*Received: "):
        Embedding(5, 3, out_of_range=value)


@pytest.mark.parametrize("value", ["rows", "", None, True, 1])
def test_a_wrong_regularizer_scope_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"`regularizer_scope` must be one of 'table', 'batch'\. Received: "):
        Embedding(5, 3, regularizer_scope=value)


@pytest.mark.parametrize(
    ("value", "error"), [("gpu:0", ValueError), ("tpu", ValueError), ("cpu:1", ValueError), (0, TypeError)]
)
def test_a_wrong_device_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`device` must be .*Received: "):
        Embedding(5, 3, device=value)


@pytest.mark.parametrize("value", [1, True, b"name", ["name"]])
def test_a_name_that_is_no_string_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"`name` must be a string\. Received: "):
        Embedding(5, 3, name=value)


@pytest.mark.parametrize("value", [1, "yes", None])
def test_a_trainable_that_is_no_bool_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"`trainable` must be a bool\. Received: "):
        Embedding(5, 3, trainable=value)


@pytest.mark.parametrize(("value", "error"), [("float8", ValueError), ("int32", ValueError), (3.5, TypeError)])
def test_a_wrong_dtype_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`dtype` must be .*Received: "):
        Embedding(5, 3, dtype=value)


def test_an_unknown_keyword_is_refused_in_the_words_of_tf_keras() -> None:
    with pytest.raises(TypeError) as caught:
        Embedding(5, 3, colour="red")
    assert str(caught.value).startswith("Unrecognized keyword arguments passed to Embedding: {'colour':")


@pytest.mark.parametrize(
    "keywords",
    [
        {"name": "words"},
        {"dtype": "float64"},
        {"trainable": False},
        {"dynamic": False},
        {"input_shape": (7,)},
        {"batch_input_shape": (4, 7)},
        {"batch_size": 4},
        {"weights": [np.ones((5, 3))]},
        {"autocast": True},
        {"activity_regularizer": "l2"},
    ],
    ids=str,
)
def test_the_keywords_of_the_base_layer_are_accepted(keywords: dict[str, Any]) -> None:
    assert Embedding(5, 3, **keywords)(np.ones((4, 7), int)).shape == (4, 7, 3)


# Placement


def test_the_table_is_on_the_device_of_the_scope_around_the_construction() -> None:
    from fastembed_layer import device

    with device("cpu:0"):
        layer = Embedding(5, 3)
    layer.build()
    assert layer.placement == "cpu:0"
    assert layer.embeddings.placement == "cpu:0"


@pytest.mark.parametrize("name", ["cpu", "/cpu:0", "CPU:0", "/device:CPU:0"])
def test_the_spellings_of_tensorflow_name_the_same_device(name: str) -> None:
    assert Embedding(5, 3, device=name).placement == "cpu:0"


# Shapes of the input


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (None, None)),
        ({"input_length": 10}, (None, 10)),
        ({"input_length": [3, None]}, (None, 3, None)),
        ({"input_shape": (7,)}, (None, 7)),
        ({"input_shape": (7,), "batch_size": 4}, (4, 7)),
        ({"batch_input_shape": (2, 6)}, (2, 6)),
        ({"batch_input_shape": (2, 6), "input_shape": (7,)}, (2, 6)),
    ],
    ids=str,
)
def test_the_declared_input_shape_is_that_of_tf_keras(options: dict[str, Any], shape: Any) -> None:
    assert Embedding(5, 3, **options).input_shape == shape


@pytest.mark.parametrize(
    ("input_length", "received", "expected"),
    [
        (None, (None, 10), (None, 10, 3)),
        (None, (4, 2, 6), (4, 2, 6, 3)),
        (None, (None,), (None, 3)),
        (10, (None, None), (None, 10, 3)),
        (10, (4, 10), (4, 10, 3)),
        ([10], (None, 10), (None, 10, 3)),
        ((5, 6), (None, None, 6), (None, 5, 6, 3)),
        ([None, 6], (None, 5, None), (None, 5, 6, 3)),
    ],
)
def test_the_output_shape_is_filled_in_from_input_length(input_length: Any, received: Any, expected: Any) -> None:
    assert Embedding(5, 3, input_length=input_length).compute_output_shape(received) == expected


@pytest.mark.parametrize(
    ("input_length", "received"), [(10, (None, 11)), (10, (None, 10, 10)), ([5, 6], (None, 5)), ([5, 6], (None, 5, 7))]
)
def test_an_input_length_that_contradicts_the_shape_is_refused(input_length: Any, received: Any) -> None:
    with pytest.raises(ValueError, match=r'^"input_length" is .*, but received input has shape \('):
        Embedding(5, 3, input_length=input_length).compute_output_shape(received)


def test_input_length_is_accepted_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Embedding(5, 3, input_length=10)


def test_flatten_and_dense_need_the_input_length() -> None:
    model = Sequential([Embedding(50, 8, input_length=10), Flatten(), Dense(1)])
    assert model.output_shape == (None, 1)
    with pytest.raises(ValueError, match=r"last dimension .* should be defined\. Found None.*pass input_length= to"):
        Sequential([Embedding(50, 8), Flatten(), Dense(1)])


# First layer only


def test_it_can_only_be_the_first_layer_of_a_sequential_model() -> None:
    model = Sequential([Embedding(5, 3)])
    with pytest.raises(ValueError, match=r"'second' can only be used as the first layer in a model"):
        model.add(Embedding(5, 3, name="second"))
    assert len(model.layers) == 1


def test_it_can_only_be_the_first_layer_of_a_functional_model() -> None:
    rows = Embedding(5, 3)(Input((4,), dtype="int64"))
    with pytest.raises(ValueError, match=r"'second' can only be used as the first layer in a model"):
        Embedding(5, 3, name="second")(rows)


def test_two_towers_each_begin_with_an_embedding() -> None:
    left, right = Input((1,), dtype="int64"), Input((1,), dtype="int64")
    model = Model([left, right], [Embedding(5, 3)(left), Embedding(6, 3)(right)])
    assert [output.shape for output in model.predict([np.zeros((2, 1), int)] * 2)] == [(2, 1, 3)] * 2


# Masks


def test_without_mask_zero_there_is_no_mask() -> None:
    layer = Embedding(5, 3)
    assert layer.compute_mask(np.array([[1, 0]])) is None
    assert not layer.supports_masking


def test_with_mask_zero_id_zero_is_padding() -> None:
    layer = Embedding(5, 3, mask_zero=True)
    np.testing.assert_array_equal(layer.compute_mask(np.array([[1, 0, 2]])), [[True, False, True]])
    assert layer.supports_masking


def test_an_incoming_mask_is_ignored() -> None:
    layer, incoming = Embedding(5, 3, mask_zero=True), np.array([[False, False]])
    np.testing.assert_array_equal(layer.compute_mask(np.array([[1, 0]]), incoming), [[True, False]])
    assert Embedding(5, 3).compute_mask(np.array([[1, 0]]), incoming) is None


def test_a_padding_row_is_looked_up_and_trained_as_any_other_row() -> None:
    layer = make_layer(mask_zero=True, embeddings_initializer="ones")
    np.testing.assert_array_equal(layer([[0]]), np.ones((1, 1, 3)))
    assert gradient_of(layer, np.array([0, 0])).ids.tolist() == [0, 0]


# Initializers, regularizers, constraints


@pytest.mark.parametrize(
    "identifier",
    [
        "ones",
        "Ones",
        initializers.Ones,
        initializers.Ones(),
        {"class_name": "Ones", "config": {}},
        {"module": "keras.initializers", "class_name": "Ones", "config": {}, "registered_name": None},
        lambda shape, dtype: np.ones(shape, dtype),
        np.ones((5, 3)),
    ],
    ids=["name", "class name", "class", "instance", "config", "keras 3 config", "function", "array"],
)
def test_an_initializer_is_accepted_in_every_form(identifier: Any) -> None:
    np.testing.assert_array_equal(make_layer(embeddings_initializer=identifier).get_weights()[0], np.ones((5, 3)))


def test_the_default_initializer_is_uniform_up_to_five_hundredths() -> None:
    table = make_layer(1000, 100).get_weights()[0]
    assert np.abs(table).max() <= np.float32(0.05)
    assert np.abs(table).max() > 0.0499
    assert abs(table.mean()) < 1e-3


def test_an_array_of_another_shape_is_no_initializer_for_the_table() -> None:
    with pytest.raises(ValueError, match=r"\(5, 4\)"):
        make_layer(embeddings_initializer=np.ones((5, 4)))


class HalfSquares(regularizers.Regularizer):
    """0.01 times the sum of squares, with its gradient."""

    def __call__(self, weights: Any) -> float:
        return 0.01 * float((weights**2).sum())

    def gradient(self, weights: Any) -> Array:
        return np.asarray(0.02 * weights)


REGULARIZERS = {
    "name": "l2",
    "class name": "L2",
    "class": regularizers.L2,
    "instance": regularizers.L2(0.01),
    "config": {"class_name": "L2", "config": {"l2": 0.01}},
    "own class": HalfSquares(),
}


@pytest.mark.parametrize("identifier", REGULARIZERS.values(), ids=REGULARIZERS.keys())
def test_a_regularizer_of_the_table_is_a_term_over_all_rows(identifier: Any) -> None:
    layer, own = make_layer(embeddings_regularizer=identifier, dtype="float64"), REGULARIZERS["own class"]
    table = layer.get_weights()[0]
    assert layer.losses[0] == pytest.approx(0.01 * (table**2).sum())
    with GradientTape() as tape:
        layer(np.array([1]))
        with pytest.warns(UserWarning, match="regularizer_scope='batch'") if identifier is own else nullcontext():
            penalties = layer.losses
    np.testing.assert_allclose(tape.gradient(penalties, layer.embeddings), 0.02 * table)


def test_the_cost_of_a_regularizer_over_the_table_is_told_once() -> None:
    layer = make_layer(embeddings_regularizer="l1")
    with GradientTape():
        with pytest.warns(UserWarning, match=r"whole table, so every training step reads and writes 180 B or more"):
            layer.losses  # noqa: B018
        layer.losses  # noqa: B018


def test_a_regularizer_of_the_batch_is_a_term_over_its_distinct_rows() -> None:
    layer = make_layer(embeddings_regularizer="l2", regularizer_scope="batch", dtype="float64")
    table = layer.get_weights()[0]
    with GradientTape() as tape:
        layer(np.array([1, 3, 3]))
        [penalty] = layer.losses
    assert penalty == pytest.approx(0.01 * (table[[1, 3]] ** 2).sum())
    gradient = tape.gradient(penalty, layer.embeddings)
    assert isinstance(gradient, RowGradient)
    assert gradient.ids.tolist() == [1, 3]
    np.testing.assert_allclose(gradient.values, 0.02 * table[[1, 3]])


def test_rows_that_stand_in_for_ids_out_of_range_are_not_penalised() -> None:
    layer = make_layer(embeddings_regularizer="l2", regularizer_scope="batch", out_of_range="zero")
    with GradientTape() as tape:
        with pytest.warns(UserWarning, match="out_of_range='zero'"):
            layer(np.array([-1, 3]))
        [penalty] = layer.losses
    assert tape.gradient(penalty, layer.embeddings).ids.tolist() == [3]


def test_a_regularizer_of_the_activity_is_divided_by_the_batch_size() -> None:
    layer = make_layer(activity_regularizer="l2", dtype="float64")
    ids = np.array([[1, 2], [1, 3], [4, 4]])
    output = layer(ids)
    assert layer.losses[0] == pytest.approx(0.01 * (output**2).sum() / 3)
    assert_pullback_agrees(lambda: penalty_after_call(layer, ids), [layer.embeddings])


def penalty_after_call(layer: Embedding, ids: Any) -> Array:
    layer(ids)
    return layer.losses[0]


def test_a_regularizer_of_the_activity_reaches_ragged_outputs() -> None:
    layer = make_layer(activity_regularizer="l2", dtype="float64")
    assert_pullback_agrees(lambda: penalty_after_call(layer, [[1, 2], [3], []]), [layer.embeddings])
    assert layer.losses[0] == pytest.approx(0.01 * (layer.get_weights()[0][1:4] ** 2).sum() / 3)


CONSTRAINTS = {
    "name": "non_neg",
    "class name": "NonNeg",
    "class": constraints.NonNeg,
    "instance": constraints.NonNeg(),
    "config": {"class_name": "NonNeg", "config": {}},
    "function": lambda weights: np.maximum(weights, 0),
}


@pytest.mark.filterwarnings("ignore:.* every row at every step")
@pytest.mark.parametrize("identifier", CONSTRAINTS.values(), ids=CONSTRAINTS.keys())
def test_a_constrained_table_trains_with_row_gradients(identifier: Any) -> None:
    layer = make_layer(embeddings_initializer="zeros", embeddings_constraint=identifier)
    optimizers.SGD(1.0).apply_gradients([(gradient_of(layer, np.array([1, 2])), layer.embeddings)])
    np.testing.assert_array_equal(layer.get_weights()[0], np.zeros((5, 3)))


# Ids out of range


def test_the_message_names_id_position_rows_layer_and_count() -> None:
    ids = np.arange(640).reshape(20, 32) % 120
    ids[1, 2], ids[5:6, :13] = 127, 200
    layer = Embedding(127, 2, name="embedding_of_words")
    with pytest.raises(IndexError) as caught:
        layer(ids)
    assert str(caught.value) == (
        "indices[1,2] = 127 is not in [0, 127) (layer 'embedding_of_words', 14 of 640 ids are out of range)."
    )


def test_a_largest_id_equal_to_input_dim_comes_with_the_likely_remedy() -> None:
    with pytest.raises(IndexError, match=r"Did you mean input_dim=6\?$"):
        make_layer()(np.array([[0, 5]]))


@pytest.mark.parametrize("bad_id", [5, 6, -1, INT64.min, INT64.max])
@pytest.mark.parametrize("position", [0, 1, -1])
def test_an_id_out_of_range_anywhere_is_refused_and_changes_nothing(bad_id: int, position: int) -> None:
    layer = make_layer()
    before = layer.get_weights()[0]
    ids = np.array([0, 1, 2, 3, 4])
    ids[position] = bad_id
    with pytest.raises(IndexError, match=rf"indices\[{position % 5}\] = {bad_id} is not in \[0, 5\)"):
        layer(ids)
    assert_same_bits(layer.embeddings.array, before)


@pytest.mark.parametrize("bad_id", [5, -1, INT64.min, INT64.max])
def test_an_id_out_of_range_on_the_way_back_changes_nothing(bad_id: int) -> None:
    layer = make_layer()
    before = layer.get_weights()[0]
    gradient = RowGradient(np.array([1, bad_id]), np.ones((2, 3), np.float32), (5, 3))
    with pytest.raises(IndexError, match=rf"{bad_id} is not in \[0, 5\)"):
        optimizers.Adam().apply_gradients([(gradient, layer.embeddings)])
    assert_same_bits(layer.embeddings.array, before)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
@pytest.mark.parametrize(
    ("policy", "rows"),
    [("clip", [0, 0, 4, 2]), ("wrap", [4, 3, 2, 2]), (3, [3, 3, 3, 2]), (0, [0, 0, 0, 2])],
)
def test_a_policy_chooses_another_row(policy: Any, rows: list[int], dtype: str) -> None:
    layer = make_layer(out_of_range=policy)
    ids = np.array([-1, -2, 7, 2], dtype)
    with pytest.warns(UserWarning, match=rf"handled by out_of_range={policy!r}"):
        output = layer(ids)
    np.testing.assert_array_equal(output, layer.get_weights()[0][rows])
    assert gradient_of(layer, ids).ids.tolist() == rows


def test_the_policy_zero_gives_zeros_that_train_nothing() -> None:
    layer = make_layer(out_of_range="zero", embeddings_initializer="ones")
    with pytest.warns(UserWarning, match="out_of_range='zero'"):
        output = layer(np.array([[-1, 2], [7, 0]]))
    np.testing.assert_array_equal(output[..., 0], [[0, 1], [0, 1]])
    assert gradient_of(layer, np.array([[-1, 2], [7, 0]])).ids.tolist() == [2, 0]


@pytest.mark.parametrize("policy", ["zero", "clip", "wrap", 0])
def test_hidden_ids_are_counted_and_warned_about_once(policy: Any) -> None:
    layer = make_layer(out_of_range=policy)
    with pytest.warns(UserWarning, match=r"`out_of_range_count` of the layer counts them") as caught:
        layer(np.array([-1, 2, 9]))
    assert len(caught) == 1
    assert layer.out_of_range_count == 2
    layer(np.array([-1]))  # a second warning would be an error
    assert layer.out_of_range_count == 3


def test_ids_in_range_are_not_counted() -> None:
    layer = make_layer(out_of_range="clip")
    layer(np.array([0, 4]))
    assert layer.out_of_range_count == 0


@pytest.mark.parametrize(("policy", "row"), [("clip", 0), ("wrap", 2**31 + 9), (2**31, 2**31)])
def test_policies_reach_rows_that_int32_cannot_count(policy: Any, row: int) -> None:
    with pytest.warns(UserWarning, match="is not in"):
        replaced = OutOfRangePolicy(policy, 2**31 + 10).handle(np.array([-1], np.int32), (1,), "large")
    assert replaced.ids.tolist() == [row]


def test_negative_ids_do_not_wrap_by_default() -> None:
    with pytest.raises(IndexError, match=r"indices\[0\] = -1 is not in \[0, 5\)"):
        make_layer()(np.array([-1]))


# Weights


def test_the_weight_is_called_embeddings() -> None:
    [weight] = make_layer().weights
    assert weight.name == "embeddings"
    assert weight.shape == (5, 3)


@pytest.mark.parametrize("as_list", [True, False])
def test_the_weights_argument_is_applied_right_after_the_build(as_list: bool) -> None:
    table = np.arange(15.0).reshape(5, 3)
    layer = Embedding(5, 3, weights=[table] if as_list else table)
    layer.build()
    np.testing.assert_array_equal(layer.get_weights()[0], table)


def test_the_weights_argument_is_applied_by_the_first_call_too() -> None:
    table = np.arange(15.0).reshape(5, 3)
    np.testing.assert_array_equal(Embedding(5, 3, weights=[table])([4]), table[[4]])


@pytest.mark.parametrize("weights", [[np.ones((5, 4))], np.ones((4, 3)), [np.ones((5, 3))] * 2, [np.ones(15)], []])
def test_a_weights_argument_that_does_not_fit_is_refused_at_every_call(weights: Any) -> None:
    layer = Embedding(5, 3, weights=weights)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"must be arrays of the shapes \[\(5, 3\)\]\. Received: "):
            layer([1])


def test_set_weights_before_the_build_works_and_wins_over_the_weights_argument() -> None:
    layer = Embedding(5, 3, weights=[np.ones((5, 3))])
    layer.set_weights([np.full((5, 3), 2.0)])
    np.testing.assert_array_equal(layer([1]), [[2.0, 2.0, 2.0]])


def test_there_are_no_weights_before_the_build() -> None:
    layer = Embedding(5, 3)
    assert layer.get_weights() == []
    layer.build()
    assert [weights.shape for weights in layer.get_weights()] == [(5, 3)]


@pytest.mark.parametrize(
    ("weights", "error"),
    [([np.ones((3, 5))], ValueError), ([np.ones((5, 3))] * 2, ValueError), ([], ValueError)]
    + [(np.ones((4, 3)), ValueError), ([np.full((5, 3), "x")], TypeError)],
    ids=["shape", "number", "none", "bare array", "strings"],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_written(weights: Any, error: type[Exception]) -> None:
    layer = make_layer()
    before = layer.get_weights()[0]
    with pytest.raises(error, match=r"`weights`.*Received: "):
        layer.set_weights(weights)
    assert_same_bits(layer.embeddings.array, before)


def test_what_get_weights_returned_does_not_change_with_the_table() -> None:
    layer = make_layer()
    [kept] = layer.get_weights()
    layer.set_weights([np.zeros((5, 3))])
    assert kept.any()


def test_its_own_variables_are_saved_under_the_key_0() -> None:
    layer, other, store = make_layer(), make_layer(), {}
    layer.save_own_variables(store)
    assert list(store) == ["0"]
    other.load_own_variables(store)
    assert_same_bits(other.get_weights()[0], layer.get_weights()[0])


@pytest.mark.parametrize("store", [{}, {"0": np.ones((4, 3))}, {"0": np.ones((5, 3)), "1": np.ones(1)}], ids=len)
def test_a_store_that_does_not_fit_is_refused(store: dict[str, Array]) -> None:
    layer = make_layer()
    with pytest.raises(ValueError, match=r"`store` must hold weights of the shapes \[\(5, 3\)\]"):
        layer.load_own_variables(store)


def test_building_twice_keeps_the_table() -> None:
    layer = make_layer()
    table = layer.embeddings
    layer.build((None, 7))
    layer([1])
    assert layer.embeddings is table


def test_a_frozen_layer_has_no_trainable_weights() -> None:
    layer = make_layer(trainable=False)
    assert layer.trainable_weights == []
    assert layer.non_trainable_weights == layer.weights


# Types


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float64, np.dtype("float32"), None])
def test_the_table_and_the_output_have_the_dtype(dtype: Any) -> None:
    layer = Embedding(5, 3, dtype=dtype)
    expected = np.dtype(dtype or "float32")
    assert layer([1]).dtype == expected
    assert layer.embeddings.dtype == expected


@pytest.mark.parametrize(
    "options", [{"dtype": "mixed_float16"}, {"dtype": "float32", "compute_dtype": "float16"}], ids=str
)
def test_the_output_may_have_another_dtype_than_the_table(options: dict[str, Any]) -> None:
    layer = Embedding(5, 3, **options)
    assert layer([1]).dtype == np.float16
    assert (layer.dtype, layer.compute_dtype) == ("float32", "float16")
    assert layer.embeddings.dtype == np.float32
    optimizers.SGD().apply_gradients([(gradient_of(layer, np.array([1])), layer.embeddings)])


# Configs


def test_a_config_has_the_keys_of_tf_keras() -> None:
    keys = ["name", "trainable", "dtype", "input_dim", "output_dim", "embeddings_initializer"]
    keys += ["embeddings_regularizer", "activity_regularizer", "embeddings_constraint", "mask_zero", "input_length"]
    assert sorted(Embedding(5, 3).get_config()) == sorted(keys)
    assert sorted(Embedding(5, 3, input_length=10).get_config()) == sorted([*keys, "batch_input_shape"])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"input_length": 10},
        {"input_length": [3, None]},
        {"batch_input_shape": (4, 7)},
        {"mask_zero": True, "trainable": False, "dtype": "float64"},
        {"dtype": "mixed_float16"},
        {"compute_dtype": "float64"},
        {"embeddings_initializer": initializers.RandomNormal(0.0, 0.1, seed=3)},
        {"embeddings_regularizer": "l2", "activity_regularizer": "l1", "embeddings_constraint": "max_norm"},
        {"out_of_range": "wrap", "regularizer_scope": "batch"},
        {"out_of_range": 2},
    ],
    ids=str,
)
def test_a_config_makes_an_equal_layer(options: dict[str, Any]) -> None:
    layer = Embedding(5, 3, **options)
    twin = Embedding.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert twin.compute_dtype == layer.compute_dtype


KERAS_3_CONFIG = {
    "name": "embedding",
    "trainable": True,
    "dtype": {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    },
    "input_dim": 1000,
    "output_dim": 64,
    "embeddings_initializer": {
        "module": "keras.initializers",
        "class_name": "RandomUniform",
        "config": {"seed": None, "minval": -0.05, "maxval": 0.05},
        "registered_name": None,
    },
    "embeddings_regularizer": {
        "module": "keras.regularizers",
        "class_name": "L2",
        "config": {"l2": 0.01},
        "registered_name": None,
    },
    "activity_regularizer": None,
    "embeddings_constraint": {
        "module": "keras.constraints",
        "class_name": "MaxNorm",
        "config": {"max_value": 3, "axis": 1},
        "registered_name": None,
    },
    "mask_zero": True,
    "quantization_config": None,
}
KERAS_2_CONFIG = {
    "name": "embedding",
    "trainable": True,
    "batch_input_shape": (None, 10),
    "dtype": "float32",
    "input_dim": 1000,
    "output_dim": 64,
    "embeddings_initializer": {
        "class_name": "RandomUniform",
        "config": {"minval": -0.05, "maxval": 0.05, "seed": None},
    },
    "embeddings_regularizer": {"class_name": "L2", "config": {"l2": 0.009999999776482582}},
    "activity_regularizer": None,
    "embeddings_constraint": {"class_name": "MaxNorm", "config": {"max_value": 3, "axis": 1}},
    "mask_zero": True,
    "input_length": 10,
}


@pytest.mark.parametrize("config", [KERAS_2_CONFIG, KERAS_3_CONFIG], ids=["tf.keras 2", "keras 3"])
def test_a_config_of_either_parent_makes_the_layer(config: dict[str, Any]) -> None:
    layer = Embedding.from_config(config)
    assert (layer.name, layer.input_dim, layer.output_dim, layer.mask_zero) == ("embedding", 1000, 64, True)
    assert layer.dtype == "float32"
    assert isinstance(layer.embeddings_initializer, initializers.RandomUniform)
    assert layer.embeddings_regularizer.get_config() == {"l2": pytest.approx(0.01)}
    assert layer.embeddings_constraint.get_config() == {"max_value": 3, "axis": 1}
    assert layer.compute_output_shape((None, 10)) == (None, 10, 64)


def test_a_mixed_precision_policy_of_keras_3_is_read() -> None:
    policy = KERAS_3_CONFIG["dtype"] | {"config": {"name": "mixed_float16"}}  # type: ignore[operator]
    layer = Embedding.from_config(KERAS_3_CONFIG | {"dtype": policy})
    assert (layer.dtype, layer.compute_dtype) == ("float32", "float16")


def test_a_config_with_an_unknown_key_is_refused_naming_it() -> None:
    with pytest.raises(TypeError, match=r"Unrecognized keyword arguments .*'colour'"):
        Embedding.from_config(KERAS_3_CONFIG | {"colour": "red"})


@pytest.mark.parametrize("option", [{"quantization_config": {"bits": 8}}, {"lora_rank": 2}], ids=str)
def test_a_config_that_asks_for_what_the_layer_does_not_do_is_refused(option: dict[str, Any]) -> None:
    [name] = option
    with pytest.raises(ValueError, match=rf"`{name}` is not among the options of Embedding\. Received: {name}="):
        Embedding.from_config(KERAS_3_CONFIG | option)


@given(rows=st.integers(1, 50), columns=st.integers(1, 20), length=st.none() | st.integers(1, 9), masked=st.booleans())
def test_any_config_survives_the_round_trip(rows: int, columns: int, length: int | None, masked: bool) -> None:
    layer = Embedding(rows, columns, input_length=length, mask_zero=masked)
    assert Embedding.from_config(layer.get_config()).get_config() == layer.get_config()


def test_writing_into_the_ids_after_the_call_does_not_redirect_the_gradient():
    layer, ids = Embedding(10, 2), np.array([3, 7])
    with GradientTape() as tape:
        rows = layer(ids)
    ids[:] = 0
    np.testing.assert_array_equal(tape.gradient(rows, layer.embeddings).ids, [3, 7])
