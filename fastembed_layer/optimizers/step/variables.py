"""The state of an optimizer as a list of variables, in the order of Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import copy_blocks, to_cpu
from fastembed_layer.optimizers.step.owner import Owner, find_motion
from fastembed_layer.optimizers.step.reading import check_numbers, read_count, read_rate
from fastembed_layer.tables.idle_rows import Clock
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table
from fastembed_layer.tables.variable import Variable

Array = np.ndarray[Any, Any]

HoldAll = Callable[[Callable[[], None]], None]

BLOCK = 1 << 16  # rows compared at a time, so that no temporary has the size of a table


class StateVariable(Variable):
    """One array or number of an optimizer's state, read when it is asked for.

    Parameters
    ----------
    name : str
        Such as ``"iteration"`` or ``"embeddings_momentum"``.
    shape, dtype
        Of the array.
    read : callable
        Returns the value, with all rows up to date.
    write : callable, optional
        Takes a new value; without it the variable cannot be assigned to.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: Any,
        read: Callable[[], Any],
        write: Callable[[Array], None] | None = None,
    ):
        self.name = name
        self._shape, self._dtype, self._read, self._write = shape, np.dtype(dtype), read, write

    @property
    def value(self) -> Array:
        """The value, with all rows up to date; not to be written to."""
        return np.asarray(self._read(), self.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype."""
        return self._dtype

    def _overwrite(self, value: Array) -> None:
        if self._write is None:
            raise ValueError(f"The variable {self.name!r} of an optimizer can only be read. Received: a new value.")
        self._write(value)

    def __repr__(self) -> str:
        return f"<Variable {self.name} shape={self.shape} dtype={self.dtype}>"


def list_variables(optimizer: Owner, hold_all: HoldAll) -> list[StateVariable]:
    """Return the counter, the rate if it is a number, averages, accumulated gradients, and the slots by weight.

    Parameters
    ----------
    optimizer : Owner
        The optimizer.
    hold_all : callable
        Calls a function between two steps.
    """
    found = [StateVariable("iteration", (), np.int64, lambda: optimizer.iterations, _write_iterations(optimizer))]
    if not callable(optimizer.learning_rate):
        found.append(
            StateVariable("learning_rate", (), np.float32, lambda: optimizer.learning_rate, _write_rate(optimizer))
        )
    parameters = list(optimizer.own_slots)
    if optimizer.averages.use_ema:
        found += [_describe(one, "average", _reading_average(optimizer, one)) for one in parameters]
    if optimizer.accumulation.steps is not None:
        summed = dict.fromkeys([*parameters, *optimizer.accumulation.parameters])
        found += [_describe(one, "gradient_accumulator", _reading_gradient(optimizer, one)) for one in summed]
    for parameter in parameters:
        found += _list_slots(optimizer, parameter, hold_all)
    return found


def overwrite_all(variables: Sequence[StateVariable], values: Sequence[Any]) -> None:
    """Assign to all variables that can be assigned to, once all values have been found to fit.

    Raises
    ------
    ValueError, TypeError
        If there are not as many values, or one has another shape or holds no numbers.
    """
    arrays = [np.asarray(value) for value in values]
    shapes, expected = [array.shape for array in arrays], [one.shape for one in variables]
    if shapes != expected:
        raise ValueError(
            f"`weights` must hold one array for each of the {len(variables)} variables, of the shapes {expected}. "
            f"Received: {shapes}."
        )
    for variable, array in zip(variables, arrays, strict=True):
        check_numbers(array, variable.name)
    for variable, array in zip(variables, arrays, strict=True):
        if variable._write is not None:
            variable.assign(array)


def _describe(parameter: Parameter, kind: str, read: Callable[[], Any]) -> StateVariable:
    return StateVariable(f"{parameter.name}_{kind}", parameter.shape, parameter.dtype, read)


def _write_iterations(optimizer: Owner) -> Callable[[Array], None]:
    def write(value: Array) -> None:
        optimizer.iterations = read_count(value, "iteration")

    return write


def _write_rate(optimizer: Owner) -> Callable[[Array], None]:
    def write(value: Array) -> None:
        optimizer.learning_rate = read_rate(value, "learning_rate")

    return write


def _reading_average(optimizer: Owner, parameter: Parameter) -> Callable[[], Any]:
    """Read the average; before the first step it is nothing but zeros, as in Keras."""

    def read() -> Any:
        state = optimizer.averages.state_of(parameter)
        known = state and state["average_steps"] > 0
        return to_cpu(state["average"]) if known else np.zeros(parameter.shape, parameter.dtype)

    return read


def _reading_gradient(optimizer: Owner, parameter: Parameter) -> Callable[[], Any]:
    def read() -> Any:
        _, sums = optimizer.accumulation.state
        gradient = sums.get(parameter)
        if gradient is None:
            return np.zeros(parameter.shape, parameter.dtype)
        return to_cpu(gradient.to_dense() if hasattr(gradient, "to_dense") else gradient)

    return read


def _list_slots(optimizer: Owner, parameter: Parameter, hold_all: HoldAll) -> Iterator[StateVariable]:
    def make(name: str, slot: Array) -> StateVariable:
        def read() -> Any:
            if isinstance(parameter, Table):
                parameter.finish()
            return to_cpu(optimizer.slots[parameter][name])

        def write(value: Array) -> None:
            check_numbers(value, name, name in optimizer.non_negative_slots)
            hold_all(lambda: _overwrite_slot(optimizer, parameter, name, value))

        return StateVariable(f"{parameter.name}_{name}", slot.shape, slot.dtype, read, write)

    return (make(name, slot) for name, slot in optimizer.own_slots[parameter].items())


def _overwrite_slot(optimizer: Owner, parameter: Parameter, name: str, value: Array) -> None:
    """Write a slot; rows of a table whose slots are not at their first values have been in a batch from then on."""
    optimizer.idle_book.rest()
    slots = optimizer.slots[parameter]
    if slots[name].ndim:
        copy_blocks(slots[name], value)
    else:
        slots[name][...] = value
    motion = find_motion(optimizer)
    if motion is not None and isinstance(parameter, Table):
        known = optimizer.idle_book.state_of(parameter)
        touched = known.get("touched", np.zeros(len(parameter), bool)) | _find_used(slots, optimizer.slot_values())
        entry = optimizer.idle_book.make_entry(parameter, motion, slots, Clock(motion.weights, motion.running))
        entry.load_state(touched, bool(known.get("shrinks", False)))


def _find_used(slots: dict[str, Array], first_values: dict[str, float]) -> Array:
    """Return which rows have a slot that is not at its first value."""
    used = np.zeros(len(next(iter(slots.values()))), bool)
    for name, slot in slots.items():
        for begin in range(0, len(slot), BLOCK):
            rows = slice(begin, begin + BLOCK)
            used[rows] |= (to_cpu(slot[rows]) != np.asarray(first_values[name], slot.dtype)).any(axis=1)
    return used
