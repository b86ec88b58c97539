"""The contract, held against every backend by machine: same operations, same arguments, documented once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from fastembed_layer.backends.contract import Backend, IdsOutOfRangeError, Operations
from fastembed_layer.backends.dispatch import BACKENDS

COMPOSED = {"update_rows", "update_dense"}  # of others, in the contract itself
BACKEND_CLASSES = {name: type(import_module(module).BACKEND) for name, module in BACKENDS.items()}


def own_operations(backend: type) -> dict[str, Callable[..., Any]]:
    """The public functions that a class itself defines."""
    return {
        name: thing for name, thing in vars(backend).items() if inspect.isfunction(thing) and not name.startswith("_")
    }


def promised_operations(contract: type) -> dict[str, Callable[..., Any]]:
    """The public functions of a contract and of the parts that it is made of."""
    return {name: thing for part in reversed(contract.__mro__) for name, thing in own_operations(part).items()}


def describe_arguments(function: Callable[..., Any]) -> list[tuple[str, Any, Any, Any]]:
    """Names, kinds, defaults and annotations of a function's arguments, in order, and its result."""
    signature = inspect.signature(function)
    arguments = [(one.name, one.kind, one.default, one.annotation) for one in signature.parameters.values()]
    return [*arguments, ("result", None, None, signature.return_annotation)]


def find_breaches(contract: type, backend: type) -> list[str]:
    """What a backend does otherwise than its contract says."""
    promised = promised_operations(contract)
    own_parts = [part for part in reversed(backend.__mro__) if part not in contract.__mro__]
    kept = {name: thing for part in own_parts for name, thing in own_operations(part).items()}
    breaches = [f"{name} is not in the contract" for name in kept if name not in promised]
    for name, operation in promised.items():
        if name not in kept and name in COMPOSED:
            continue
        if name not in kept:
            breaches.append(f"{name} is missing")
        elif describe_arguments(kept[name]) != describe_arguments(operation):
            breaches.append(f"{name} has other arguments")
        elif kept[name].__doc__ is not None:
            breaches.append(f"{name} is documented twice")
    return breaches


def find_undocumented(contract: type) -> list[str]:
    """Operations whose docstring is missing or does not name every argument."""
    found = []
    for name, operation in promised_operations(contract).items():
        arguments = [argument for argument in inspect.signature(operation).parameters if argument != "self"]
        text = operation.__doc__ or ""
        if not text or ("Parameters" in text and not all(argument in text for argument in arguments)):
            found.append(name)
    return found


@pytest.mark.parametrize("backend", BACKEND_CLASSES.values(), ids=BACKEND_CLASSES)
def test_a_backend_keeps_the_contract(backend: type) -> None:
    assert issubclass(backend, Backend)
    assert not inspect.isabstract(backend)
    assert find_breaches(Backend, backend) == []


def test_an_operation_that_a_class_lacks_is_named() -> None:
    with pytest.raises(NotImplementedError, match="Operations has no operation `gather_rows`"):
        Operations().gather_rows(None, None)  # type: ignore[arg-type]


def test_every_operation_is_documented_with_all_its_arguments() -> None:
    assert find_undocumented(Backend) == []


def test_the_error_of_a_bad_id_is_an_index_error_that_knows_the_place() -> None:
    error = IdsOutOfRangeError(3, 7, 5)
    assert isinstance(error, IndexError)
    assert (str(error), error.position) == ("indices[3] = 7 is not in [0, 5)", 3)


class PlantedContract:
    """A contract with one operation."""

    def scale_rows(self, table: Any, factor: float = 1.0) -> None:
        """Scale rows.

        Parameters
        ----------
        table, factor
            What and by how much.
        """


class Faithful:
    def scale_rows(self, table: Any, factor: float = 1.0) -> None: ...


class Missing:
    pass


class OtherOrder:
    def scale_rows(self, factor: float, table: Any = 1.0) -> None: ...


class OtherName:
    def scale_rows(self, table: Any, scale: float = 1.0) -> None: ...


class OtherDefault:
    def scale_rows(self, table: Any, factor: float = 2.0) -> None: ...


class OtherResult:
    def scale_rows(self, table: Any, factor: float = 1.0) -> Any: ...


class Repeating:
    def scale_rows(self, table: Any, factor: float = 1.0) -> None:
        """Scale rows."""


class Inventive(Faithful):
    scale_rows = Faithful.scale_rows

    def scale_columns(self) -> None: ...


def test_a_faithful_backend_is_not_reported() -> None:
    assert find_breaches(PlantedContract, Faithful) == []


@pytest.mark.parametrize("backend", [Missing, OtherOrder, OtherName, OtherDefault, OtherResult, Repeating, Inventive])
def test_a_planted_breach_is_found(backend: type) -> None:
    assert len(find_breaches(PlantedContract, backend)) == 1


def test_a_planted_gap_in_the_documentation_is_found() -> None:
    class Silent:
        def scale_rows(self, table: Any) -> None: ...

    class Forgetful:
        def scale_rows(self, table: Any, ids: Any) -> None:
            """Scale rows.

            Parameters
            ----------
            table
                What.
            """

    assert find_undocumented(Silent) == find_undocumented(Forgetful) == ["scale_rows"]
