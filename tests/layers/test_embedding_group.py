"""`EmbeddingGroup`: the same bits as an `Embedding` or `EmbeddingBag` for each feature, in one call."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pullbacks import assert_pullback_agrees
from reference import assert_same_bits

from fastembed_layer import (
    Concatenate,
    Dense,
    Embedding,
    EmbeddingBag,
    EmbeddingGroup,
    Flatten,
    GradientTape,
    Input,
    Model,
    Ragged,
    RowGradient,
    Sequential,
    initializers,
    optimizers,
    set_threads,
)
from fastembed_layer.layers.layer import Layer

Array = np.ndarray[Any, Any]

NAMED = {"city": 10, "weekday": 3, "page": 7}
DIMS = list(NAMED.values())
ROWS = np.array([[9, 0, 6], [0, 2, 0], [9, 2, 3], [4, 1, 6]])
OPTIMIZERS: dict[str, Callable[[], optimizers.Optimizer]] = {
    "sgd": lambda: optimizers.SGD(0.1),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "adam": lambda: optimizers.Adam(0.1),
    "lazy adam": lambda: optimizers.Adam(0.1, update="lazy"),
}


def first_values(count: int) -> list[initializers.Initializer]:
    return [initializers.RandomUniform(-1, 1, seed=100 + number) for number in range(count)]


def make_apart(group: EmbeddingGroup) -> list[Embedding]:
    """A layer for each feature with the first values of the group."""
    options: dict[str, Any] = {"dtype": group.dtype}
    if group.combiner is not None:
        options["combiner"] = group.combiner
    layer_class = Embedding if group.combiner is None else EmbeddingBag
    return [
        layer_class(input_dim, output_dim, embeddings_initializer=initializer, **options)
        for input_dim, output_dim, initializer in zip(
            group.input_dims, group.output_dims, group.embeddings_initializer, strict=True
        )
    ]


def train_once(layer: Any, ids: Any, d_output: Array) -> tuple[Array, list[Any]]:
    """The output, and the gradients of one step with the weights they belong to."""
    output, pullback = layer.forward(layer.prepare(ids))
    return output, [(gradient, table) for table, gradient in pullback(d_output).parameters]


def assert_trains_like_apart(group: EmbeddingGroup, batches: list[Any], optimizer: str) -> None:
    """Compare outputs and tables of some steps; a batch holds the ids of each feature, and then those of the group."""
    apart = make_apart(group)
    for layer in (group, *apart):
        layer.build()
    together, one_by_one = OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()
    random = np.random.default_rng(0)
    for by_feature, ids in batches:
        d_parts = [
            random.normal(size=(len(part), layer.output_dim)).astype(group.dtype)
            for part, layer in zip(by_feature, apart, strict=True)
        ]
        join = np.concatenate if group.concatenate else np.stack
        output, gradients = train_once(group, ids, join(d_parts, axis=1))
        together.apply_gradients(gradients)
        steps = [train_once(*step) for step in zip(apart, by_feature, d_parts, strict=True)]
        one_by_one.apply_gradients([pair for _, pairs in steps for pair in pairs])
        assert_same_bits(output, join([rows for rows, _ in steps], axis=1))
    for table, layer in zip(group.get_weights(), apart, strict=True):
        assert_same_bits(table, layer.get_weights()[0])


sizes = st.lists(st.tuples(st.integers(1, 12), st.sampled_from([3, 16])), min_size=1, max_size=5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@settings(max_examples=12)
@given(
    sizes=sizes,
    one_width=st.booleans(),
    id_type=st.sampled_from(["uint8", "int32", "int64"]),
    form=st.sampled_from(["array", "list", "dict"]),
    batch_sizes=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_group_has_the_bits_of_separate_layers(
    optimizer: str,
    sizes: list[tuple[int, int]],
    one_width: bool,
    id_type: str,
    form: str,
    batch_sizes: list[int],
    seed: int,
) -> None:
    input_dims = [input_dim for input_dim, _ in sizes]
    names = [f"feature {number}" for number in range(len(sizes))]
    group = EmbeddingGroup(
        dict(zip(names, input_dims, strict=True)),
        3 if one_width else [width for _, width in sizes],
        embeddings_initializer=first_values(len(sizes)),
    )
    random = np.random.default_rng(seed)
    batches: list[Any] = []
    for size in batch_sizes:
        columns = [random.integers(0, input_dim, size).astype(id_type) for input_dim in input_dims]
        forms = {"array": np.stack(columns, axis=1), "list": columns, "dict": dict(zip(names, columns, strict=True))}
        batches.append((columns, forms[form]))
    assert_trains_like_apart(group, batches, optimizer)


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
@settings(max_examples=12)
@given(
    sizes=sizes,
    form=st.sampled_from(["ragged", "values and offsets", "lists", "fixed length"]),
    optimizer=st.sampled_from(["adagrad", "adam"]),
    batch_sizes=st.lists(st.integers(1, 6), min_size=2, max_size=2),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_group_of_bags_has_the_bits_of_separate_layers(
    combiner: str, sizes: list[tuple[int, int]], form: str, optimizer: str, batch_sizes: list[int], seed: int
) -> None:
    input_dims = {f"feature {number}": input_dim for number, (input_dim, _) in enumerate(sizes)}
    group = EmbeddingGroup(
        input_dims,
        [width for _, width in sizes],
        embeddings_initializer=first_values(len(sizes)),
        combiner=combiner,
        concatenate=True,
    )
    random = np.random.default_rng(seed)
    batches: list[Any] = []
    for size in batch_sizes:
        bags = [draw_bags(random, input_dim, size, form == "fixed length") for input_dim in input_dims.values()]
        batches.append((bags, dict(zip(input_dims, [write_bags(each, form) for each in bags], strict=True))))
    assert_trains_like_apart(group, batches, optimizer)


def draw_bags(random: np.random.Generator, input_dim: int, size: int, equal: bool) -> Ragged:
    """Bags of up to four ids, of which some are empty, or of two each."""
    lengths = np.full(size, 2) if equal else random.integers(0, 5, size)
    return Ragged(random.integers(0, input_dim, lengths.sum()), np.cumsum([0, *lengths]))


def write_bags(bags: Ragged, form: str) -> Any:
    """The bags as a caller may write them."""
    if form == "values and offsets":
        return bags.values, bags.offsets
    if form == "fixed length":
        return bags.values.reshape(-1, 2)
    return bags.to_list() if form == "lists" else bags


def test_a_difference_of_one_bit_would_be_noticed() -> None:
    group = EmbeddingGroup(DIMS, 3, embeddings_initializer=first_values(3))
    group.build()
    group.embeddings_of(2).array[6, 1] = np.nextafter(group.embeddings_of(2).array[6, 1], np.float32(2))
    with pytest.raises(AssertionError, match="bytes differ"):
        assert_trains_like_apart(group, [(list(ROWS.T), ROWS)], "sgd")


def test_an_array_may_hold_the_bags_of_all_features() -> None:
    group = EmbeddingGroup(DIMS, 3, combiner="mean")
    ids = np.random.default_rng(0).integers(0, DIMS, (4, 5, 3)).swapaxes(1, 2)
    assert_same_bits(group(ids), group([np.ascontiguousarray(ids[:, feature]) for feature in range(3)]))
    assert_same_bits(group(ids[:, :, 0]), group(ids[:, :, :1]))
    assert group(ids[:0]).shape == (0, 3, 3)


@pytest.mark.parametrize("options", [{"combiner": None}, {"combiner": "mean"}])
@pytest.mark.parametrize("output_dim", [2, [2, 3, 2]])
def test_pullbacks_agree_with_differences(options: dict[str, Any], output_dim: Any) -> None:
    group = EmbeddingGroup(DIMS, output_dim, dtype="float64", **options)
    ids = ROWS if group.combiner is None else [Ragged.from_lists([[1, 1], [], [2]]) for _ in DIMS]
    assert_pullback_agrees(lambda: group(ids), group.tables)


# ---- First values and weights


def test_tables_of_one_width_are_one_weight() -> None:
    assert [table.shape for table in EmbeddingGroup(DIMS, 4).tables] == [(20, 4)]
    group = EmbeddingGroup(DIMS, [4, 2, 4])
    assert [(table.name, table.shape) for table in group.tables] == [
        ("embeddings_4", (17, 4)),
        ("embeddings_2", (3, 2)),
    ]
    assert group.weights == group.trainable_weights == group.tables
    assert group.count_params() == 74


def test_first_values_of_a_table_do_not_depend_on_the_others() -> None:
    uniform = initializers.RandomUniform(seed=5)
    tables = EmbeddingGroup([6, 3, 7], 4, uniform)
    others = EmbeddingGroup([60, 30, 7, 5], [2, 4, 4, 4], uniform)
    assert_same_bits(tables.embeddings_of(2).value, others.embeddings_of(2).value)
    assert_same_bits(tables.embeddings_of(0).value, Embedding(6, 4, uniform).embeddings.value)
    assert not np.isin(tables.embeddings_of(0).value, tables.embeddings_of(1).value).any()


def test_initializers_that_look_at_the_shape_see_that_of_the_feature() -> None:
    group = EmbeddingGroup([4, 9], 3, ["identity", initializers.GlorotUniform(seed=1)])
    assert_same_bits(group.embeddings_of(0).value, np.eye(4, 3, dtype="float32"))
    assert_same_bits(group.embeddings_of(1).value, initializers.GlorotUniform(seed=1)((9, 3)))


def test_weights_are_handled_by_feature() -> None:
    tables = [np.full((input_dim, 2), number, "float32") for number, input_dim in enumerate(DIMS)]
    for group in (EmbeddingGroup(NAMED, 2, weights=tables), EmbeddingGroup(NAMED, 2)):
        group.set_weights(tables)
        assert group(ROWS)[0].tolist() == [[0, 0], [1, 1], [2, 2]]
        for kept, table in zip(group.get_weights(), tables, strict=True):
            assert_same_bits(kept, table)
    with pytest.raises(ValueError, match=r"shapes \[\(10, 2\), \(3, 2\), \(7, 2\)\]"):
        group.set_weights(tables[:2])


def test_the_table_of_a_feature_is_a_view_that_is_up_to_date() -> None:
    group = EmbeddingGroup(NAMED, 2, "ones")
    optimizer, rows = optimizers.Adam(0.1), group.embeddings_of("weekday")
    for sample in (0, 1, 1):
        _, gradients = train_once(group, ROWS[[sample]], np.ones((1, 3, 2), "float32"))
        optimizer.apply_gradients(gradients)
    assert rows.value[0, 0] < rows.array[0, 0] + 1e-3
    assert_same_bits(rows.numpy(), group.get_weights()[1])
    assert np.shares_memory(rows.value, group.tables[0].array)
    rows.assign(np.zeros((3, 2)))
    assert not group(ROWS)[:, 1].any()


def test_an_unknown_feature_is_refused() -> None:
    with pytest.raises(KeyError, match=r"must be one of \['city', 'weekday', 'page'\]\. Received: 'town'"):
        EmbeddingGroup(NAMED, 2).embeddings_of("town")
    with pytest.raises(KeyError, match=r"must be one of \[0, 1, 2\]\. Received: 3"):
        EmbeddingGroup(DIMS, 2).embeddings_of(3)


# ---- Arguments, shapes, configs


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"output_dim": 4}, (None, 3, 4)),
        ({"output_dim": 4, "concatenate": True}, (None, 12)),
        ({"output_dim": [4, 4, 4]}, (None, 3, 4)),
        ({"output_dim": [4, 2, 3]}, (None, 9)),
        ({"output_dim": 4, "combiner": "sum"}, (None, 3, 4)),
    ],
)
def test_the_output_has_the_promised_shape(arguments: dict[str, Any], shape: tuple[int | None, ...]) -> None:
    group = EmbeddingGroup(DIMS, **arguments)
    assert group(ROWS).shape == (4, *shape[1:])
    assert group.compute_output_shape((None, 3)) == group.compute_output_shape([(None,)] * 3) == shape
    assert group.output_shape == shape


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16"])
def test_the_output_has_the_type_asked_for(dtype: str) -> None:
    group = EmbeddingGroup(DIMS, 2, dtype=dtype)
    assert group(ROWS).dtype == group.compute_dtype == dtype.removeprefix("mixed_")
    _, [(gradient, table)] = train_once(group, ROWS, np.ones((4, 3, 2), group.compute_dtype))
    assert gradient.dtype == table.dtype == group.dtype


@pytest.mark.parametrize("input_dims", [DIMS, NAMED])
@pytest.mark.parametrize(
    "arguments",
    [
        {"output_dim": 4, "combiner": "sqrtn", "concatenate": True},
        {"output_dim": [4, 2, 4], "embeddings_initializer": ["zeros", "uniform", "ones"], "trainable": False},
    ],
)
def test_a_config_makes_an_equal_layer(input_dims: Any, arguments: dict[str, Any]) -> None:
    group = EmbeddingGroup(input_dims, **arguments)
    config = json.loads(json.dumps(group.get_config()))
    again = EmbeddingGroup.from_config(config)
    assert again.get_config() == group.get_config()
    for twin in (again, pickle.loads(pickle.dumps(group))):
        assert_same_bits(twin(ROWS), group(ROWS))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((5, 2), TypeError, "`input_dims` must be a list of sizes, or a dict of names and sizes; for one table use"),
        (([], 2), ValueError, r"must hold at least one size\. Received: input_dims=\[\]"),
        (({1: 5}, 2), TypeError, r"keys of `input_dims` must be strings\. Received: \[1\]"),
        (({"city": 0}, 2), ValueError, r"`input_dims\['city'\]` must be a positive integer"),
        (([5, 2.0], 2), TypeError, r"`input_dims\[1\]` must be a positive integer"),
        (([5, 6], 0), ValueError, "`output_dim` must be a positive integer"),
        (([5, 6], [2, True]), TypeError, r"`output_dim\[1\]` must be a positive integer"),
        (([5, 6], [2]), ValueError, r"`output_dim` must have one entry for each of 2 features\. Received: 1"),
        (([5, 6], 2, ["ones"]), ValueError, "`embeddings_initializer` must have one entry for each of 2 features"),
        (([5, 6], 2, [None, "ones"]), TypeError, r"`embeddings_initializer\[0\]` must be an initializer"),
        (
            ([5, 6], 2, "ones", "most"),
            ValueError,
            "`combiner` must be one of None, 'sum', 'mean', 'sqrtn', 'max', 'min'",
        ),
        (([5, 6], [2, 3], "ones", None, False), ValueError, "they cannot be stacked"),
        (([5, 6], 2, "ones", None, "yes"), TypeError, "`concatenate` must be a bool"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        EmbeddingGroup(*arguments)


def test_other_arguments_of_a_single_table_are_not_understood() -> None:
    with pytest.raises(TypeError, match="mask_zero"):
        EmbeddingGroup([5, 6], 2, mask_zero=True)


def test_shapes_for_another_number_of_features_are_refused() -> None:
    for shape in ((None, 4), [(None,)] * 2):
        with pytest.raises(ValueError, match="needs ids of 3 features"):
            EmbeddingGroup(DIMS, 2).compute_output_shape(shape)


def test_it_can_only_be_the_first_layer() -> None:
    ids = Input((3,), dtype="int64")
    with pytest.raises(ValueError, match="can only be used as the first layer"):
        EmbeddingGroup(DIMS, 2)(Flatten()(ids))
    with pytest.raises(ValueError, match="can only be used as the first layer"):
        Sequential([Embedding(7, 3), EmbeddingGroup(DIMS, 2)])


# ---- Ids that are not in their vocabulary


@pytest.mark.parametrize("bad_id", [3, -1, np.iinfo(np.int64).min])
@pytest.mark.parametrize("output_dim", [2, [2, 3, 2]])
def test_an_id_of_another_vocabulary_is_refused_with_its_place(bad_id: int, output_dim: Any) -> None:
    group, ids = EmbeddingGroup(NAMED, output_dim, name="group"), ROWS.copy()
    ids[2, 1] = ids[3, 2] = bad_id
    before = [table.numpy() for table in group.tables]
    hint = r" Did you mean input_dims\['weekday'\]=4\?" if bad_id == 3 else ""
    count = 1 if bad_id == 3 else 2
    text = rf"\(feature 'weekday' of the layer 'group', {count} of 12 ids are out of range\)\.{hint}$"
    for form in (ids, list(ids.T), dict(zip(NAMED, ids.T, strict=True))):
        with pytest.raises(IndexError, match=rf"^indices\[2,1\] = {bad_id} is not in \[0, 3\) {text}"):
            group(form)
    for table, then in zip(group.tables, before, strict=True):
        assert_same_bits(table.array, then)


def test_an_id_in_a_bag_is_refused_with_its_place_in_the_bag() -> None:
    group = EmbeddingGroup(DIMS, 2, combiner="sum", name="group")
    bags = [Ragged.from_lists(rows) for rows in ([[1], [2]], [[], [0, 1, 7]], [[6, 6], []])]
    text = r"indices\[1,1,2\] = 7 is not in \[0, 3\) \(feature 1 of the layer 'group', 1 of 7 ids are out of range\)\."
    with pytest.raises(IndexError, match=f"^{text}$"):
        group(bags)


@pytest.mark.parametrize(
    ("offsets", "text"),
    [
        ([0, 2, 1, 3], r"must not decrease\. Received: offsets\[1\] = 2, offsets\[2\] = 1"),
        ([0, 1, 9, 3], r"must not decrease\. Received: offsets\[2\] = 9, offsets\[3\] = 3"),
        ([0, 1, 1, 4], r"must end at the number of values, 3\. Received: 4"),
        ([1, 1, 2, 3], r"must be one-dimensional and start at 0"),
        ([-1, 1, 2, 3], r"must be one-dimensional and start at 0"),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["dict", "list"])
def test_offsets_of_a_feature_that_do_not_fit_its_ids_are_refused(offsets: list[int], text: str, form: str) -> None:
    group = EmbeddingGroup({"a": 4, "b": 5}, 2, combiner="sum")
    before = [table.numpy() for table in group.tables]
    parts = [[(np.array([1, 2, 3]), offsets), (np.array([1, 2]), [0, 1, 1, 2])][turn] for turn in (0, 1)]
    for pair in (parts, parts[::-1]):
        with pytest.raises(ValueError, match=f"`offsets` {text}"):
            group(dict(zip("ab", pair, strict=True)) if form == "dict" else pair)
    for table, then in zip(group.tables, before, strict=True):
        assert_same_bits(table.array, then)


@pytest.mark.parametrize("combiner", [None, "mean", "max"])
def test_read_only_and_strided_ids_are_taken(combiner: str | None) -> None:
    group = EmbeddingGroup(DIMS, 2, combiner=combiner, embeddings_initializer=first_values(3))
    expected, every_other = group(ROWS), np.repeat(ROWS, 2, axis=0)[::2]
    for ids in (ROWS.copy(), ROWS.T.copy().T, every_other, ROWS.astype(">i4")):
        ids.flags.writeable = False
        assert_same_bits(group(ids), expected)
        assert_same_bits(group(list(ids.T)), expected)
    if combiner is not None:
        offsets = np.repeat(np.arange(5, dtype="int32"), 2)[::2]
        offsets.flags.writeable = False
        assert_same_bits(group([(column, offsets) for column in every_other.T]), expected)


@pytest.mark.parametrize("combiner", [None, "mean", "max"])
def test_a_read_only_table_is_read_and_none_is_trained(combiner: str | None) -> None:
    group = EmbeddingGroup(DIMS, [2, 3, 2], combiner=combiner, embeddings_initializer=first_values(3))
    expected, tables = group(ROWS), group.tables
    before = [table.numpy() for table in tables]
    tables[1].array.flags.writeable = False
    with GradientTape() as tape:
        output = group(ROWS)
    assert_same_bits(output, expected)
    with pytest.raises(ValueError, match=r"must be writable to be trained\. Received: a read-only array"):
        optimizers.Adagrad(0.1).apply_gradients(zip(tape.gradient(output, tables), tables, strict=True))
    for table, then in zip(tables, before, strict=True):
        assert_same_bits(table.array, then)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_bad_id_in_a_gradient_leaves_all_tables_as_they_were(index: int) -> None:
    group = EmbeddingGroup(DIMS, [2, 3, 4], embeddings_initializer=first_values(3))
    group.build()
    _, gradients = train_once(group, ROWS, np.ones((4, 9), "float32"))
    gradient, table = gradients[index]
    bad = RowGradient(np.append(gradient.ids[1:], table.input_dim), gradient.values, gradient.shape)
    gradients[index] = (bad, table)
    before = group.get_weights()
    with pytest.raises(IndexError):
        optimizers.Adam(0.1).apply_gradients(gradients)
    for array, then in zip(group.get_weights(), before, strict=True):
        assert_same_bits(array, then)


# ---- Models and training


def train_model(make: Callable[[Any], tuple[Any, Any]], x: Any, update: str) -> Model:
    """A functional model behind the vectors that `make` returns with their inputs."""
    inputs, vectors = make(None)
    model = Model(inputs, Dense(1, kernel_initializer="ones")(vectors))
    model.compile(optimizers.Adam(0.1, update=update), "mse")
    model.fit(x, np.arange(4.0)[:, None], batch_size=2, epochs=3, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("update", ["exact", "lazy"])
def test_a_model_trains_like_one_of_separate_layers(update: str) -> None:
    values = first_values(3)

    def make_group(_: Any) -> tuple[Any, Any]:
        ids = Input((3,), dtype="int64")
        return ids, EmbeddingGroup(DIMS, [4, 2, 4], values)(ids)

    def make_group_of_inputs(_: Any) -> tuple[Any, Any]:
        inputs = [Input((1,), dtype="int64") for _ in DIMS]
        return inputs, EmbeddingGroup(DIMS, [4, 2, 4], values)(inputs)

    def make_layers(_: Any) -> tuple[Any, Any]:
        inputs = [Input((), dtype="int64") for _ in DIMS]
        layers = [Embedding(*size, value) for *size, value in zip(DIMS, [4, 2, 4], values, strict=True)]
        return inputs, Concatenate()([layer(ids) for layer, ids in zip(layers, inputs, strict=True)])

    columns = [np.ascontiguousarray(column) for column in ROWS.T]
    apart = train_model(make_layers, columns, update)
    expected = [table for layer in apart.layers if isinstance(layer, Embedding) for table in layer.get_weights()]
    for model in (
        train_model(make_group, ROWS, update),
        train_model(make_group_of_inputs, [column[:, None] for column in columns], update),
    ):
        for table, wanted in zip(model.layers[0].get_weights(), expected, strict=True):
            assert_same_bits(table, wanted)


@pytest.mark.parametrize(
    "x",
    [
        ROWS,
        list(ROWS.T),
        dict(zip(NAMED, ROWS.T, strict=True)),
        {"city": [[1], [2, 3], [], [4]], "weekday": ROWS[:, 1], "page": Ragged.from_lists([[1, 2], [3], [], []])},
    ],
    ids=["array", "list", "dict", "bags"],
)
def test_fit_takes_every_form_of_ids(x: Any) -> None:
    model = Sequential([EmbeddingGroup(NAMED, 4, combiner="sum"), Flatten(), Dense(1)])
    assert model.output_shape == (None, 1)
    model.compile("sgd", "mse")
    history = model.fit(x, np.arange(4.0), batch_size=2, epochs=2, verbose=0, validation_split=0.25)
    assert len(history.history["val_loss"]) == 2
    assert model.predict(x, batch_size=3).shape == (4, 1)


def test_a_sequential_model_is_made_again_from_its_config() -> None:
    model = Sequential([EmbeddingGroup(NAMED, 4), Flatten(), Dense(1)])
    assert Sequential.from_config(model.get_config()).output_shape == (None, 1)


def test_a_frozen_group_is_not_trained() -> None:
    group = EmbeddingGroup(DIMS, 4, trainable=False)
    group.build()
    assert group.trainable_weights == []
    assert group.non_trainable_weights == group.tables


def test_the_gradient_is_one_row_gradient_for_each_width() -> None:
    group, ids = EmbeddingGroup(DIMS, [4, 2, 4]), ROWS.copy()
    with GradientTape() as tape:
        output = group(ids)
        ids[:] = 0  # the caller's array is the caller's
    wide, narrow = tape.gradient(output, group.tables)
    assert isinstance(wide, RowGradient)
    assert wide.ids.tolist() == [9, 16, 0, 10, 9, 13, 4, 16]
    assert narrow.ids.tolist() == [0, 2, 2, 1]


def test_a_penalty_on_the_output_is_a_loss() -> None:
    group = EmbeddingGroup(DIMS, 2, "ones", activity_regularizer="l2")
    group(ROWS)
    assert [float(loss) for loss in group.losses] == [pytest.approx(0.01 * 6)]


@pytest.mark.parametrize("combiner", [None, "mean"])
def test_the_number_of_threads_does_not_change_a_bit(combiner: str | None) -> None:
    random = np.random.default_rng(0)
    dims, shape = [50, 3, 4000], (9000, 3) if combiner is None else (9000, 3, 2)
    ids = random.integers(0, np.reshape(dims, (3, *[1] * (len(shape) - 2))), shape)
    d_output = random.normal(size=(9000, 48)).astype("float32")

    def train(threads: int) -> list[Array]:
        set_threads(threads)
        group = EmbeddingGroup(dims, [16, 3, 29], combiner=combiner, embeddings_initializer=first_values(3))
        group.build()
        output, gradients = train_once(group, ids, d_output)
        optimizers.Adam(0.1).apply_gradients(gradients)
        return [output, *group.get_weights()]

    alone = train(1)
    for threads in (2, 3, 8):
        for one, many in zip(alone, train(threads), strict=True):
            assert_same_bits(many, one)


def test_the_group_is_a_layer_of_the_package() -> None:
    assert issubclass(EmbeddingGroup, Layer)
    assert EmbeddingGroup(DIMS, 2).placement == "cpu:0"
