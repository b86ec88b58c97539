"""Inputs by name, columns and tables in their place, and features of shape (n,) where (n, 1) was declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stand_ins import Column, Table, libraries, make_table

from fastembed_layer import (
    Concatenate,
    Dense,
    Dot,
    Embedding,
    EmbeddingBag,
    EmbeddingGroup,
    Flatten,
    Input,
    Model,
    Sequential,
    layers,
)

USERS, ITEMS = np.arange(12) % 5, np.arange(12) % 7
RATINGS = (USERS == ITEMS).astype("float32")
DATA: dict[str, Any] = {"user": USERS, "item": ITEMS, "rating": RATINGS}


def make_model(form: str = "dict") -> Model:
    user, item = Input((1,), dtype="int64", name="user"), Input((1,), dtype="int64", name="item")
    rows = [Flatten()(Embedding(8, 3, embeddings_initializer="ones")(tensor)) for tensor in (user, item)]
    inputs = {"user": user, "item": item} if form == "dict" else [user, item]
    model = Model(inputs=inputs, outputs=Dense(1, kernel_initializer="ones")(Concatenate()(rows)))
    model.compile("sgd", "mse")
    return model


# Dicts


def test_inputs_are_found_by_name_in_any_order() -> None:
    table = np.arange(10.0)[:, None]
    user, item = Input((1,), dtype="int64"), Input((1,), dtype="int64")
    first, second = Embedding(10, 1, weights=[table])(user), Embedding(10, 1, weights=[10 * table])(item)
    model = Model({"user": user, "item": item}, Flatten()(layers.add([first, second])))
    assert model({"item": np.array([[2]]), "user": np.array([[1]])}).tolist() == [[21.0]]
    assert model.predict({"item": np.array([2, 3]), "user": np.array([1, 1])}).tolist() == [[21.0], [31.0]]


@pytest.mark.parametrize("form", ["dict", "list"])
def test_fit_evaluate_and_predict_take_a_dict(form: str) -> None:
    model, data = make_model(form), {"item": ITEMS, "user": USERS}
    history = model.fit(data, RATINGS, batch_size=5, epochs=3, validation_split=0.25, shuffle=False, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert np.isfinite(model.evaluate(data, RATINGS, verbose=0))
    assert model.predict(data, batch_size=5).shape == (12, 1)
    assert np.isfinite(model.train_on_batch(data, RATINGS))
    assert model.predict_on_batch(data).shape == (12, 1)


def test_batches_of_an_iterable_may_be_dicts() -> None:
    parts = [slice(0, 4), slice(4, None)]
    batches = [({"user": USERS[part], "item": ITEMS[part]}, RATINGS[part]) for part in parts]
    assert len(make_model().fit(iter(batches), verbose=0).history["loss"]) == 1


def test_a_model_knows_the_names_and_shapes_of_its_inputs() -> None:
    model = make_model()
    assert model.input_names == ["user", "item"]
    assert make_model("list").input_names == ["user", "item"]
    assert model.input_shape == {"user": (None, 1), "item": (None, 1)}


@pytest.mark.parametrize("form", ["dict", "list"])
@pytest.mark.parametrize("call", ["__call__", "predict", "fit"])
def test_missing_and_unknown_names_are_named(form: str, call: str) -> None:
    model = make_model(form)
    arguments = {"y": RATINGS, "verbose": 0} if call == "fit" else {}
    run = getattr(model, call)
    with pytest.raises(ValueError, match=r"has the inputs \['user', 'item'\]\. Received: none for \['item'\]\."):
        run({"user": USERS}, **arguments)
    with pytest.raises(ValueError, match=r"unknown names \['users'\]\. Did you mean 'user'\?"):
        run({"user": USERS, "item": ITEMS, "users": USERS}, **arguments)


def test_something_without_names_is_refused_by_a_model_of_names() -> None:
    with pytest.raises(TypeError, match=r"takes a dict with the inputs \['user', 'item'\]\. Received: ndarray"):
        make_model()(USERS)


def test_a_model_of_names_may_be_called_on_symbolic_tensors() -> None:
    inner = make_model()
    user, item = Input((1,), dtype="int64"), Input((1,), dtype="int64")
    outer = Model([user, item], inner({"item": item, "user": user}))
    np.testing.assert_array_equal(outer.predict([USERS, ITEMS]), inner.predict({"user": USERS, "item": ITEMS}))


def test_a_group_of_features_takes_named_symbolic_tensors() -> None:
    group = EmbeddingGroup({"user": 5, "item": 7}, 2)
    user, item = Input((1,), dtype="int64"), Input((1,), dtype="int64")
    model = Model({"item": item, "user": user}, group({"item": item, "user": user}))
    assert model.output_shape == (None, 2, 2)
    expected = group({"user": USERS, "item": ITEMS})
    np.testing.assert_array_equal(model.predict({"user": USERS, "item": ITEMS}), expected)


def test_a_subclass_may_take_a_dict() -> None:
    class Towers(Model):
        def __init__(self) -> None:
            super().__init__()
            self.users, self.items, self.dot = Embedding(8, 3), Embedding(8, 3), Dot(1)

        def call(self, inputs: Any) -> Any:
            return self.dot([self.users(inputs["user"]), self.items(inputs["item"])])

    model = Towers()
    model.compile("adam", "mse")
    model.fit({"user": Column(USERS), "item": ITEMS}, RATINGS, verbose=0)
    assert model.predict({"user": USERS, "item": ITEMS}).shape == (12, 1)


# Columns and tables


def test_columns_are_arrays_wherever_data_are_taken() -> None:
    model, x, y = make_model("list"), [Column(USERS), Column(ITEMS)], Column(RATINGS)
    weights = Column(np.ones(12))
    model.fit(x, y, sample_weight=weights, validation_data=(x, y, weights), verbose=0)
    model.fit(x, y, validation_split=0.5, verbose=0)
    assert np.isfinite(model.evaluate(x, y, sample_weight=weights, verbose=0))
    assert np.isfinite(model.test_on_batch(x, y))
    assert model.predict(x).shape == model.predict_on_batch(x).shape == (12, 1)
    with pytest.raises(ValueError, match=r"must have one length\. Received: \[12, 12, 8\]"):
        model.fit(x, Column(RATINGS[:8]), verbose=0)


def test_one_column_is_the_input() -> None:
    model = Sequential([EmbeddingBag(8, 2), Dense(1)])
    model.compile("sgd", "mse")
    words = np.empty(3, object)
    words[:] = [[1, 2], [3], []]
    model.fit(Column(words), Column(np.ones(3)), batch_size=2, verbose=0)
    assert model.predict(Column(words)).shape == (3, 1)


@pytest.mark.parametrize("form", ["dict", "list"])
def test_the_columns_of_a_table_are_the_inputs_and_others_are_left_alone(form: str) -> None:
    model, table = make_model(form), Table(DATA)
    model.fit(table, table["rating"], batch_size=5, validation_split=0.25, verbose=0)
    expected = model.predict({"user": USERS, "item": ITEMS})
    np.testing.assert_array_equal(model.predict(table), expected)
    np.testing.assert_array_equal(model(table), expected)
    np.testing.assert_array_equal(model.predict_on_batch(table), expected)


def test_a_column_that_the_table_lacks_is_named() -> None:
    with pytest.raises(ValueError, match=r"`x` must have the columns \['user', 'item'\]\. Received: no \['item'\]"):
        make_model().predict(Table({"user": USERS}))


def test_a_group_of_features_takes_the_columns_of_its_names() -> None:
    model = Sequential([EmbeddingGroup({"item": 7, "user": 5}, 2, concatenate=True), Dense(1)])
    model.compile("sgd", "mse")
    table = Table(DATA)
    model.fit(table, table["rating"], verbose=0)
    np.testing.assert_array_equal(model.predict(table), model.predict({"user": USERS, "item": ITEMS}))


def test_a_table_for_a_single_input_is_one_array() -> None:
    model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
    table = Table({"first": [3, 1, 2], "second": [0.5, 1.5, 2.5]})
    np.testing.assert_array_equal(model.predict(table), [[3.5], [2.5], [4.5]])


@pytest.mark.parametrize(("library", "maker"), libraries())
def test_tables_and_columns_of_the_libraries_are_trained_on(library: str, maker: str) -> None:
    table = make_table(library, maker, {name: column.tolist() for name, column in DATA.items()})
    model = make_model()
    model.fit(table, table["rating"], batch_size=5, epochs=2, verbose=0)
    by_columns = model.predict({"user": table["user"], "item": table["item"]})
    np.testing.assert_array_equal(model.predict(table), by_columns)
    listed = make_model("list")
    listed.fit([table["user"], table["item"]], table["rating"], verbose=0)


# (n,) in place of (n, 1)


def test_a_feature_of_one_number_needs_no_axis_of_its_own() -> None:
    ids = np.array([1, 2, 4])
    for first in (
        [Input((1,)), Embedding(8, 3)],
        [Embedding(8, 3, input_length=1)],
        [Embedding(8, 3, input_shape=(1,))],
    ):
        model = Sequential([*first, Flatten(), Dense(1)])
        np.testing.assert_array_equal(model.predict(ids), model.predict(ids[:, None]))
        np.testing.assert_array_equal(model(ids), model(ids[:, None]))
    nested = Sequential([Sequential([Embedding(8, 3, input_length=1)]), Flatten(), Dense(1)])
    assert nested.predict(ids).shape == (3, 1)


def test_an_axis_of_one_is_dropped_where_none_was_declared() -> None:
    ids = Input((), dtype="int64")
    model = Model(ids, Embedding(8, 3)(ids))
    assert model(np.array([[1], [2]])).shape == (2, 3)


def test_without_a_declared_shape_an_array_keeps_its_own() -> None:
    model = Sequential([Embedding(8, 3)])
    assert model(np.array([1, 2])).shape == (2, 3)
    assert model(np.array([[1], [2]])).shape == (2, 1, 3)
    assert Sequential([Embedding(8, 3, input_length=1)])(np.array([1, 2])).shape == (2, 1, 3)
