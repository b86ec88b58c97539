"""`Module`: a named thing that finds the modules and weights among its attributes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np

from fastembed_layer.named import snake_case
from fastembed_layer.tables.parameter import Parameter

_names_taken: Counter[str] = Counter()
_names_lock = threading.Lock()


def unique_name(stem: str) -> str:
    """Return `stem`, and at later calls ``stem_1``, ``stem_2`` and so on."""
    with _names_lock:
        count = _names_taken[stem]
        _names_taken[stem] += 1
    return stem if count == 0 else f"{stem}_{count}"


class Module:
    """Base of layers and models: a unique name, and the weights and submodules found in its attributes.

    Parameters
    ----------
    name : str, optional
        Without it, the class name in snake case, made unique in this process.

    Raises
    ------
    TypeError
        If `name` is not a string.
    """

    def __init__(self, name: str | None = None):
        if name is not None and not isinstance(name, str):
            raise TypeError(f"`name` must be a string. Received: {name!r} (of type {type(name).__name__}).")
        self.name = name or unique_name(snake_case(type(self).__name__))
        self._trainable = True

    @property
    def trainable(self) -> bool:
        """Whether the weights are trained; setting it reaches every submodule."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for module in (self, *self.submodules):
            module._trainable = bool(value)

    @property
    def submodules(self) -> tuple[Module, ...]:
        """All modules below this one, each once, in the order of the attributes."""
        found: dict[int, Module] = {}
        _collect_modules(vars(self), found)
        found.pop(id(self), None)
        return tuple(found.values())

    @property
    def weights(self) -> list[Parameter]:
        """All weights, each once, in the order in which they were made; freezing some does not reorder them."""
        return [parameter for parameter, _ in self._all_weights()]

    @property
    def trainable_weights(self) -> list[Parameter]:
        """The weights that an optimizer is to train."""
        return [parameter for parameter, trained in self._all_weights() if trained]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The weights that stay as they are."""
        return [parameter for parameter, trained in self._all_weights() if not trained]

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def count_params(self) -> int:
        """Return the number of elements of all weights."""
        return sum(parameter.size for parameter in self.weights)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write this module's own weights, not those of its submodules, into `store` under "0", "1" and so on."""
        for number, parameter in enumerate(_own_parameters(vars(self))):
            store[str(number)] = parameter.numpy()

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read back what `save_own_variables` wrote, here or in Keras.

        Raises
        ------
        ValueError
            If number or shapes of the weights differ; nothing is written then.
        """
        own = list(_own_parameters(vars(self)))
        values = [np.asarray(store[str(number)]) for number in range(len(store))]
        if [value.shape for value in values] != [parameter.shape for parameter in own]:
            raise ValueError(
                f"`store` must hold weights of the shapes {[parameter.shape for parameter in own]} for "
                f"{self.name!r}; a module that is not built has none. Received: {[value.shape for value in values]}."
            )
        if any(value.dtype.kind not in "biuf" for value in values):
            raise TypeError(f"`store` must hold numbers. Received: {[str(value.dtype) for value in values]}.")
        for parameter, value in zip(own, values, strict=True):
            parameter.assign(value)

    def _all_weights(self) -> list[tuple[Parameter, bool]]:
        found: dict[int, tuple[Parameter, bool]] = {}
        for module in (self, *self.submodules):
            for parameter in _own_parameters(vars(module)):
                trained = self._trainable and module._trainable and parameter.trainable
                found.setdefault(id(parameter), (parameter, trained))
        return list(found.values())


CONTAINERS = (dict, list, tuple)
PLAIN = frozenset({bool, int, float, str, type(None), np.ndarray})  # most attributes: nothing is found in them


def _contents(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _collect_modules(container: Any, found: dict[int, Module]) -> None:
    for value in _contents(container):
        if type(value) in PLAIN:
            continue
        if isinstance(value, Module):
            if id(value) not in found:
                found[id(value)] = value
                _collect_modules(vars(value), found)
        elif isinstance(value, CONTAINERS):
            _collect_modules(value, found)


def _own_parameters(container: Any) -> Iterator[Parameter]:
    for value in _contents(container):
        if type(value) in PLAIN:
            continue
        if isinstance(value, Parameter):
            yield value
        elif isinstance(value, CONTAINERS):
            yield from _own_parameters(value)
