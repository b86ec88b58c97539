"""The names that users import, and that each of them can be had."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import fastembed_layer

CLASSES_AND_FUNCTIONS = {
    *("Embedding", "EmbeddingBag", "EmbeddingGroup", "RowGradient", "PenalisedGradient"),
    *("Sequential", "Model", "Input", "Layer", "Module"),
    *("Flatten", "Dense", "GlobalAveragePooling1D", "Dot", "Concatenate", "Dropout"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Activation", "ReLU", "Softmax"),
    *("Reshape", "Permute", "RepeatVector", "GlobalMaxPooling1D", "BatchNormalization", "LayerNormalization"),
    *("Masking", "InputLayer"),
    *("GradientTape", "device", "memory_estimate", "set_threads"),
}
FAMILIES = {"optimizers", "initializers", "regularizers", "constraints", "losses", "metrics"}
MODULES = {"layers", "callbacks", *FAMILIES}


@pytest.mark.parametrize("name", sorted(CLASSES_AND_FUNCTIONS | MODULES))
def test_a_promised_name_is_public(name: str) -> None:
    assert name in fastembed_layer.__all__
    assert hasattr(fastembed_layer, name)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_promised_module_is_a_module(name: str) -> None:
    assert isinstance(getattr(fastembed_layer, name), ModuleType)


def test_every_name_in_all_exists_once() -> None:
    assert len(set(fastembed_layer.__all__)) == len(fastembed_layer.__all__)
    assert [name for name in fastembed_layer.__all__ if not hasattr(fastembed_layer, name)] == []


@pytest.mark.parametrize("name", sorted(MODULES - {"losses", "metrics"}))
def test_every_name_in_all_of_a_module_exists(name: str) -> None:
    module = getattr(fastembed_layer, name)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


def test_a_layer_is_the_same_object_under_both_of_its_names() -> None:
    functions = {"add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"}
    for name in set(fastembed_layer.layers.__all__) - functions:
        assert getattr(fastembed_layer.layers, name) is getattr(fastembed_layer, name)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_family_is_asked_through_get(name: str) -> None:
    assert list(inspect.signature(getattr(fastembed_layer, name).get).parameters) == ["identifier"]


@pytest.mark.parametrize("name", sorted(CLASSES_AND_FUNCTIONS))
def test_a_public_name_has_a_docstring_with_its_parameters(name: str) -> None:
    thing = getattr(fastembed_layer, name)
    assert thing.__doc__ is not None
    without_parameters = {"GradientTape", "set_threads"}
    assert "Parameters\n" in inspect.cleandoc(thing.__doc__) or name in without_parameters


def test_the_version_is_a_string_of_numbers() -> None:
    assert all(part.isdigit() for part in fastembed_layer.__version__.split(".")[:2])


def test_the_page_of_all_names_lists_every_name() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "names.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   (\w+)$", page, re.MULTILINE))
    modules = [fastembed_layer, *(getattr(fastembed_layer, name) for name in MODULES)]
    public = {name for module in modules for name in module.__all__ if name != "__version__"}
    modules_of_package = {name for name in public if isinstance(getattr(fastembed_layer, name, None), ModuleType)}
    assert public - modules_of_package - listed == set()
