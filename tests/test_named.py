"""Identifiers of any kind become objects, and objects become configs."""

from __future__ import annotations

from typing import Any

import pytest

from fastembed_layer import constraints, initializers, regularizers
from fastembed_layer.named import NamedObjects, StrictArguments, nearest_names, serialize, snake_case
from fastembed_layer.optimizers import schedules


class Shape:
    def __init__(self, size: float = 1.0):
        self.size = size

    def get_config(self) -> dict[str, Any]:
        return {"size": self.size}


class RoundShape(Shape):
    pass


class FromFunction(Shape):
    def __init__(self, function: Any):
        super().__init__(function())


@pytest.fixture
def shapes() -> NamedObjects[Shape]:
    family: NamedObjects[Shape] = NamedObjects("shape", Shape, wrap=FromFunction)
    family.add(RoundShape, "circle")
    return family


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("Embedding", "embedding"),
        ("EmbeddingBag", "embedding_bag"),
        ("GlobalAveragePooling1D", "global_average_pooling1d"),
        ("L1L2", "l1l2"),
        ("MeanSquaredError", "mean_squared_error"),
    ],
)
def test_class_names_are_spelled_as_keras_spells_them(name: str, spelling: str) -> None:
    assert snake_case(name) == spelling


@pytest.mark.parametrize("name", ["RoundShape", "roundshape", "round_shape", "circle", "ROUND_SHAPE", "Circle"])
def test_a_class_is_found_under_each_of_its_names(shapes: NamedObjects[Shape], name: str) -> None:
    assert type(shapes.get(name)) is RoundShape


def test_none_stays_none(shapes: NamedObjects[Shape]) -> None:
    assert shapes.get(None) is None


def test_an_instance_stays_itself(shapes: NamedObjects[Shape]) -> None:
    shape = RoundShape(3.0)
    assert shapes.get(shape) is shape


def test_a_class_is_built_with_its_defaults(shapes: NamedObjects[Shape]) -> None:
    shape = shapes.get(RoundShape)
    assert shape is not None
    assert shape.size == 1.0


def test_a_config_is_built_with_its_arguments(shapes: NamedObjects[Shape]) -> None:
    shape = shapes.get({"class_name": "RoundShape", "config": {"size": 4.0}})
    assert shape is not None
    assert shape.size == 4.0


def test_a_config_of_keras_3_is_read_with_its_further_keys(shapes: NamedObjects[Shape]) -> None:
    config = {"module": "keras.shapes", "class_name": "RoundShape", "config": {"size": 4.0}, "registered_name": None}
    assert type(shapes.get(config)) is RoundShape


def test_a_function_is_wrapped(shapes: NamedObjects[Shape]) -> None:
    shape = shapes.get(lambda: 7.0)
    assert type(shape) is FromFunction
    assert shape.size == 7.0


def test_a_function_is_refused_where_a_family_takes_none() -> None:
    family: NamedObjects[Shape] = NamedObjects("shape", Shape)
    with pytest.raises(TypeError, match="Could not interpret the shape identifier"):
        family.get(lambda: 7.0)


def test_an_unknown_name_comes_with_the_nearest_known_one(shapes: NamedObjects[Shape]) -> None:
    with pytest.raises(ValueError, match=r"Unknown shape: 'rond_shape'\. Did you mean .*'round_shape'"):
        shapes.get("rond_shape")


def test_a_name_near_to_nothing_comes_with_all_known_ones() -> None:
    assert nearest_names("xyz", ["beta", "alpha"]) == "Known names: alpha, beta."


def test_a_config_without_a_class_name_is_refused(shapes: NamedObjects[Shape]) -> None:
    with pytest.raises(ValueError, match="A shape config needs the key 'class_name'"):
        shapes.get({"config": {}})


def test_a_config_with_an_unknown_key_names_it(shapes: NamedObjects[Shape]) -> None:
    with pytest.raises(ValueError, match=r"RoundShape cannot be built from .*'colour'"):
        shapes.get({"class_name": "RoundShape", "config": {"colour": 1}})


@pytest.mark.parametrize("identifier", [1, 1.5, True, b"circle", int, [RoundShape]])
def test_other_kinds_are_refused_with_what_was_received(shapes: NamedObjects[Shape], identifier: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a name, a config.*Received: "):
        shapes.get(identifier)


def test_an_object_is_written_as_its_keras_config(shapes: NamedObjects[Shape]) -> None:
    config = serialize(RoundShape(2.0))
    assert config == {"class_name": "RoundShape", "config": {"size": 2.0}}
    assert shapes.get(config).size == 2.0  # type: ignore[union-attr]


def test_none_is_written_as_none() -> None:
    assert serialize(None) is None


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        (initializers.RandomUniform, "minvalue", "minval"),
        (initializers.GlorotUniform, "sead", "seed"),
        (initializers.Constant, "vale", "value"),
        (regularizers.L2, "l_2", "l2"),
        (regularizers.OrthogonalRegularizer, "facter", "factor"),
        (constraints.MaxNorm, "max_vale", "max_value"),
        (constraints.UnitNorm, "axes", "axis"),
        (schedules.ExponentialDecay, "decay_step", "decay_steps"),
        (schedules.PiecewiseConstantDecay, "boundary", "boundaries"),
    ],
)
def test_an_unknown_argument_of_a_family_comes_with_the_nearest_known_one(kind: Any, name: str, near: str) -> None:
    with pytest.raises(TypeError, match=rf"^{kind.__name__} got .* argument '{name}'\. Did you mean '{near}'"):
        kind(**{name: 1})


@pytest.mark.parametrize("kind", [initializers.Zeros, initializers.Ones, constraints.NonNeg])
def test_a_class_without_arguments_says_so(kind: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{kind.__name__} got .* 'value'\. It takes no arguments\."):
        kind(value=1)


def test_a_subclass_that_hands_keywords_on_is_named_with_all_arguments() -> None:
    class Base(StrictArguments):
        def __init__(self, size: int = 1):
            self.size = size

    class Derived(Base):
        def __init__(self, colour: str = "red", **keywords: Any):
            super().__init__(**keywords)
            self.colour = colour

    assert Derived(size=2).size == 2
    with pytest.raises(TypeError, match=r"^Derived got .* 'color'\. Did you mean 'colour'"):
        Derived(color="blue")
    with pytest.raises(TypeError, match="multiple values"):
        Base(1, size=2)  # type: ignore[misc]
