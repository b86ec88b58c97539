"""The whole state of an optimizer as named arrays, so that training resumed from them goes on with the same bits.

Idle rows are brought up to date and their sums start afresh when the state is taken, here and where it is read back;
what is left of them to keep is which rows have been in a batch. Entries of the n-th weight are called ``"n.slot.NAME"``
and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import copy_blocks, to_cpu
from fastembed_layer.optimizers.step.owner import Owner, find_motion, find_reasons
from fastembed_layer.optimizers.step.reading import (
    MOST_STEPS,
    check_flags,
    check_numbers,
    read_count,
    read_flag,
    read_rate,
)
from fastembed_layer.tables.idle_rows import Clock
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

COUNTERS = ("weights", "iterations", "skipped_steps", "accumulated_calls", "averaged_steps")


def save_state(optimizer: Owner, store: MutableMapping[str, Any]) -> None:
    """Write the state into a store, array by array; idle rows of all its tables are brought up to date."""
    optimizer.build(optimizer.accumulation.parameters)  # before the first step they have no slots yet
    optimizer.idle_book.rest()
    for name, number in _counters_of(optimizer).items():
        store[name] = np.array(number)
    if not callable(optimizer.learning_rate):
        store["learning_rate"] = np.array(optimizer.learning_rate)
    for number, parameter in enumerate(optimizer.slots):
        for name, array in _state_of(optimizer, parameter).items():
            store[f"{number}.{name}"] = np.array(to_cpu(array))


def load_state(optimizer: Owner, store: Mapping[str, Any]) -> None:
    """Read a state back; nothing is written unless all of it fits.

    Raises
    ------
    ValueError
        If entries are missing, too many or of other shapes.
    """
    states = _checked_states(optimizer, store)
    counters = _read_counters(optimizer, store)
    rate = read_rate(store["learning_rate"], "learning_rate") if "learning_rate" in store else None
    gradients = {one: optimizer.accumulation.read_state(one, state) for one, state in states.items()}
    optimizer.idle_book.rest()
    for parameter, state in states.items():
        for name, slot in optimizer.slots[parameter].items():
            _overwrite(slot, state[f"slot.{name}"])
    _load_idle_rows(optimizer, states)
    optimizer.averages.load_state(states, counters["averaged_steps"], partial(find_reasons, optimizer))
    optimizer.accumulation.load_state(gradients, counters["accumulated_calls"])
    optimizer.iterations, optimizer.skipped_steps = counters["iterations"], counters["skipped_steps"]
    if rate is not None and not callable(optimizer.learning_rate):
        optimizer.learning_rate = rate


def _read_counters(optimizer: Owner, store: Mapping[str, Any]) -> dict[str, int]:
    """Return the counters; calls that have been accumulated are fewer than those that make a step."""
    steps = optimizer.accumulation.steps
    most = {"accumulated_calls": 0 if steps is None else steps - 1}
    return {name: read_count(store[name], name, most.get(name, MOST_STEPS)) for name in COUNTERS}


def _counters_of(optimizer: Owner) -> dict[str, int]:
    calls, steps = optimizer.accumulation.calls, optimizer.averages.steps
    numbers = (len(optimizer.slots), optimizer.iterations, optimizer.skipped_steps, calls, steps)
    return dict(zip(COUNTERS, numbers, strict=True))


def _state_of(optimizer: Owner, parameter: Parameter) -> dict[str, Array]:
    """The arrays that an optimizer keeps of one weight; the arrays themselves, not copies."""
    slots = {f"slot.{name}": slot for name, slot in optimizer.slots[parameter].items()}
    idle = optimizer.idle_book.state_of(parameter) if isinstance(parameter, Table) else {}
    return slots | idle | optimizer.averages.state_of(parameter) | optimizer.accumulation.state_of(parameter)


def _load_idle_rows(optimizer: Owner, states: Mapping[Parameter, Mapping[str, Array]]) -> None:
    motion = find_motion(optimizer)
    if motion is None:
        return
    clock = Clock(motion.weights, motion.running)
    for table, state in states.items():
        if isinstance(table, Table) and "touched" in state:
            entry = optimizer.idle_book.make_entry(table, motion, optimizer.slots[table], clock)
            entry.load_state(state["touched"], bool(state["shrinks"]))


def _checked_states(optimizer: Owner, store: Mapping[str, Any]) -> dict[Parameter, dict[str, Array]]:
    """Return the entries of each weight by name, after everything about them has been checked."""
    missing = [name for name in COUNTERS if name not in store]
    groups = _group_by_weight(name for name in store if name not in (*COUNTERS, "learning_rate"))
    known = {str(number): parameter for number, parameter in enumerate(optimizer.slots)}
    strangers = sorted(set(groups) - set(known))
    if missing or strangers or read_count(store["weights"], "weights") != len(known):
        received = f"none of {missing}" if missing else f"{store['weights']} weights, and entries of {sorted(groups)}"
        raise ValueError(
            f"`store` must hold the state of the {len(known)} weights that `build` was told of or that have been "
            f"trained. Received: {received}."
        )
    states = {}
    for number, parameter in known.items():
        states[parameter] = {name: np.asarray(store[f"{number}.{name}"]) for name in groups.get(number, ())}
        _check_state(optimizer, parameter, states[parameter])
    return states


def _group_by_weight(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        number, _, rest = name.partition(".")
        groups.setdefault(number, []).append(rest)
    return groups


def _check_state(optimizer: Owner, parameter: Parameter, state: Mapping[str, Array]) -> None:
    expected = {f"slot.{name}": slot.shape for name, slot in optimizer.slots[parameter].items()}
    received = {name: array.shape for name, array in state.items() if name.startswith("slot.")}
    expected |= {name: shape for name, shape in _other_shapes(parameter).items() if name in state}
    received |= {name: state[name].shape for name in expected if name in state}
    if received != expected:
        raise ValueError(
            f"`store` must hold for the weight {parameter.name!r} under {type(optimizer).__name__} arrays of the "
            f"shapes {expected}. Received: {received}."
        )
    _check_values(optimizer, state)


def _check_values(optimizer: Owner, state: Mapping[str, Array]) -> None:
    for name, array in state.items():
        if name.startswith("slot."):
            check_numbers(array, name, name.removeprefix("slot.") in optimizer.non_negative_slots)
        elif name == "average":
            check_numbers(array, name)
        elif name == "average_steps":
            read_count(array, name)
        elif name == "touched":
            check_flags(array, name)
        elif name == "shrinks":
            read_flag(array, name)


def _other_shapes(parameter: Parameter) -> dict[str, tuple[int, ...]]:
    return {"touched": parameter.shape[:1], "average": parameter.shape}


def _overwrite(slot: Array, value: Array) -> None:
    if slot.ndim:
        copy_blocks(slot, value.astype(slot.dtype, copy=False))
    else:
        slot[...] = value
