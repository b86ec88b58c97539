"""Outputs of a model, of which there may be several: what is given by output is brought into their order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.named import nearest_names


@dataclass(frozen=True)
class Layout:
    """The form of a model's outputs.

    Attributes
    ----------
    keys : list of str, or int
        The keys of a dict of outputs, in alphabetical order as in Keras, or the number of outputs of a list.
    names : list of str or None
        What the outputs are called in logs; None where they have no names.
    is_single : bool
        Whether there is a single output that is in no list and no dict.
    """

    keys: list[str] | int
    names: list[str] | None
    is_single: bool

    def __len__(self) -> int:
        return self.keys if isinstance(self.keys, int) else len(self.keys)

    def name_of(self, number: int) -> str | None:
        """Return what one of several outputs is called in logs."""
        return None if self.is_single or self.names is None else self.names[number]

    def flatten(self, outputs: Any) -> list[Any]:
        """Return outputs of this form as a list."""
        if self.is_single:
            return [outputs]
        return list(outputs) if isinstance(self.keys, int) else [outputs[key] for key in self.keys]

    def spread(self, given: Any, argument: str, partial: bool = False) -> list[Any] | None:
        """Return what was given for each output, in a list or a dict, as a list; None where it is neither.

        Parameters
        ----------
        given : list, tuple or dict
            One entry for each output; keys of a dict are names of outputs.
        argument : str
            Named in errors.
        partial : bool
            Whether outputs may be missing in a dict.

        Raises
        ------
        ValueError
            If an output is missing, or there are others.
        """
        if isinstance(given, Mapping):
            return self._by_name(given, argument, partial)
        if not isinstance(given, list | tuple):
            return None
        if len(given) != len(self):
            raise ValueError(
                f"`{argument}` must have one entry for each of the {len(self)} outputs{self._named()}. "
                f"Received: {len(given)}."
            )
        return list(given)

    def share(self, given: Any, argument: str, partial: bool = False) -> list[Any]:
        """Return what was given for each output as a list; what is neither a list nor a dict is for all of them."""
        found = self.spread(given, argument, partial)
        return [given] * len(self) if found is None else found

    def _by_name(self, given: Mapping[str, Any], argument: str, partial: bool) -> list[Any]:
        if self.is_single and len(given) == 1:
            return list(given.values())
        if self.names is None:
            raise ValueError(f"`{argument}` must be a list: the outputs of the model have no names. Received: a dict.")
        unknown = [name for name in given if name not in self.names]
        if unknown:
            hint = nearest_names(str(unknown[0]), self.names)
            raise ValueError(f"`{argument}` must be for the outputs {self.names}. Received: {unknown}. {hint}")
        missing = [name for name in self.names if name not in given]
        if missing and not partial:
            raise ValueError(f"`{argument}` must be for the outputs {self.names}. Received: none for {missing}.")
        return [given.get(name) for name in self.names]

    def _named(self) -> str:
        return "" if self.names is None or self.is_single else f" {self.names}"


def layout_of(outputs: Any, names: Sequence[str] | None) -> Layout:
    """Return the form of some outputs; `names` are those of the layers that they come from, where that is known."""
    if isinstance(outputs, Mapping):
        keys = list(outputs) if isinstance(outputs, OrderedDict) else sorted(outputs)
        return Layout(keys, keys, False)
    if isinstance(outputs, list | tuple):
        known = names is not None and len(names) == len(outputs)
        return Layout(len(outputs), list(names or []) if known else None, False)
    return Layout(1, list(names) if names is not None else None, True)


def join_outputs(parts: list[Any]) -> Any:
    """Return the outputs of consecutive batches as one, in the form of each: one, a list, a tuple or a dict."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, dict):
        return {name: join_outputs([part[name] for part in parts]) for name in first}
    if isinstance(first, list | tuple):
        return type(first)([join_outputs(list(column)) for column in zip(*parts, strict=True)])
    return Ragged.concatenate(parts) if isinstance(first, Ragged) else np.concatenate(parts)
