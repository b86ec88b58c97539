"""`Module`: names, submodules and weights found in attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dense, Embedding, Model, Module, Sequential
from fastembed_layer.tables.parameter import Parameter


class Holder(Module):
    """A module with whatever it is given as attributes."""

    def __init__(self, **attributes: Any):
        super().__init__()
        vars(self).update(attributes)


def make_parameter(*shape: int, trainable: bool = True) -> Parameter:
    return Parameter(np.zeros(shape), trainable=trainable)


class NamedNowhereElse(Module):
    pass


def test_names_are_the_class_name_in_snake_case_made_unique() -> None:
    names = [NamedNowhereElse().name for _ in range(3)]
    assert names == ["named_nowhere_else", "named_nowhere_else_1", "named_nowhere_else_2"]


def test_a_given_name_is_kept() -> None:
    assert Module("words").name == "words"


@pytest.mark.parametrize("name", [1, True, b"x", ["x"]])
def test_a_name_that_is_no_string_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match=r"`name` must be a string\. Received: "):
        Module(name)


def test_submodules_are_found_in_attributes_lists_and_dicts_each_once() -> None:
    leaf, other, third = Module(), Module(), Module()
    inner = Holder(leaf=leaf)
    outer = Holder(first=inner, several=[leaf, (other,)], named={"third": third}, number=3)
    assert outer.submodules == (inner, leaf, other, third)


def test_modules_that_hold_each_other_are_found_once() -> None:
    left, right = Holder(), Holder()
    left.other, right.other = right, left  # type: ignore[attr-defined]
    assert left.submodules == (right,)


def test_weights_are_found_in_order_each_once() -> None:
    shared, own, deep = make_parameter(2), make_parameter(3), make_parameter(4)
    module = Holder(shared=shared, several=[own, shared], inner=Holder(deep=deep, again=shared))
    assert [weight.shape for weight in module.weights] == [(2,), (3,), (4,)]


def test_variables_are_the_weights() -> None:
    module = Holder(one=make_parameter(2), two=make_parameter(3, trainable=False))
    assert module.variables == module.weights
    assert module.trainable_variables == module.trainable_weights
    assert module.non_trainable_variables == module.non_trainable_weights


def test_parameters_are_counted() -> None:
    assert Holder(one=make_parameter(2, 3), two=make_parameter(5)).count_params() == 11


def test_a_weight_may_be_frozen_by_itself() -> None:
    trained, frozen = make_parameter(2), make_parameter(3, trainable=False)
    module = Holder(trained=trained, frozen=frozen)
    assert module.trainable_weights == [trained]
    assert module.non_trainable_weights == [frozen]


def test_freezing_reaches_every_submodule_and_reorders_nothing() -> None:
    module = Holder(inner=Holder(one=make_parameter(2)), two=make_parameter(3))
    before = module.weights
    module.trainable = False
    assert module.trainable_weights == []
    assert module.weights == before
    module.trainable = True
    assert module.trainable_weights == before


def test_a_frozen_submodule_leaves_the_others_trained() -> None:
    module = Holder(one=Holder(weight=make_parameter(2)), two=Holder(weight=make_parameter(3)))
    module.submodules[0].trainable = False
    assert [weight.shape for weight in module.trainable_weights] == [(3,)]


def test_nothing_of_a_frozen_module_is_trained_even_if_a_submodule_would_be() -> None:
    inner = Holder(weight=make_parameter(2))
    outer = Holder(inner=inner)
    outer.trainable = False
    inner.trainable = True
    assert inner.trainable_weights != []
    assert outer.trainable_weights == []


def test_a_frozen_embedding_is_left_as_it_is_by_fit() -> None:
    model = Sequential([Embedding(5, 2, input_length=1, trainable=False), Dense(1)])
    before = model.get_weights()
    model.compile("sgd", "mse")
    model.fit(np.array([[1], [2]]), np.ones((2, 1, 1)), verbose=0)
    after = model.get_weights()
    assert before[0].tobytes() == after[0].tobytes()
    assert before[1].tobytes() != after[1].tobytes()


def test_a_model_constructed_frozen_trains_nothing() -> None:
    class Frozen(Model):
        def __init__(self) -> None:
            super().__init__(trainable=False)
            self.dense = Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    model = Frozen()
    model(np.ones((2, 3)))
    assert model.trainable_weights == []


def test_own_variables_do_not_include_those_of_submodules() -> None:
    module = Holder(own=make_parameter(2), inner=Holder(other=make_parameter(3)))
    store: dict[str, Any] = {}
    module.save_own_variables(store)
    assert {key: value.shape for key, value in store.items()} == {"0": (2,)}


def test_own_variables_are_read_back() -> None:
    module, store = Dense(2), {"0": np.ones((3, 2)), "1": np.full(2, 5.0)}
    module.build((None, 3))
    module.load_own_variables(store)
    np.testing.assert_array_equal(module.get_weights()[1], [5.0, 5.0])


def test_own_variables_that_do_not_fit_are_refused_and_nothing_is_written() -> None:
    module = Dense(2)
    module.build((None, 3))
    with pytest.raises(ValueError, match=r"`store` must hold weights of the shapes \[\(3, 2\), \(2,\)\]"):
        module.load_own_variables({"0": np.ones((3, 2)), "1": np.ones(3)})
    assert not (module.get_weights()[0] == 1).all()
