"""Room for what an optimizer keeps of tables on a GPU: added up before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from fastembed_layer.backends.arrays import CPU
from fastembed_layer.optimizers.step.gradients import Pairs
from fastembed_layer.optimizers.step.owner import Owner
from fastembed_layer.optimizers.step.slots import count_state_bytes
from fastembed_layer.placement.devices import DeviceChoice
from fastembed_layer.placement.memory import describe_lack, estimate_memory, refuse_or_warn
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.table import Table

Prepared = TypeVar("Prepared")


def make_room(parameters: Iterable[Parameter], optimizer: Owner) -> None:
    """Move tables to the CPU whose slots would not fit beside them; nothing is allocated on a device.

    The smallest tables stay first. Slots of tables that stay are not there yet when the next table is looked at, so
    they are counted with it.

    Raises
    ------
    MemoryError
        If the caller has chosen the device of a table whose slots do not fit.
    """
    promised: dict[str, int] = {}
    for table in sorted(_list_new_tables(parameters, optimizer), key=lambda table: table.nbytes):
        own = count_state_bytes(optimizer, (table.input_dim, table.output_dim), table.dtype)
        needed = promised.get(table.placement, 0) + own
        estimate = estimate_memory(table.array.shape, table.dtype, table.placement, needed, is_there=True)
        if estimate.fits:
            promised[table.placement] = needed
        else:
            _leave_device(table, optimizer, None)


def prepare_with_room(pairs: Pairs, optimizer: Owner, prepare: Callable[[], Prepared]) -> Prepared:
    """Run the part of a step that allocates and writes no weights; without memory for it, once more on the CPU.

    Raises
    ------
    MemoryError
        If there is none for it, and the caller has chosen the devices of all tables.
    """
    on_devices = [each for each, _ in pairs if isinstance(each, Table) and each.placement != CPU]
    if not on_devices:
        return prepare()
    make_room(on_devices, optimizer)
    try:
        return prepare()
    except MemoryError as error:
        left = [table for table in on_devices if table.placement != CPU]
        for table in [table for table in left if not table.device_is_chosen] or left:
            _leave_device(table, optimizer, error)
        return prepare()


def _list_new_tables(parameters: Iterable[Parameter], optimizer: Owner) -> list[Table]:
    """The tables on devices of which the optimizer keeps nothing yet, each once."""
    return [
        each
        for each in dict.fromkeys(parameters)
        if isinstance(each, Table) and each.placement != CPU and each not in optimizer.own_slots
    ]


def _leave_device(table: Table, optimizer: Owner, error: MemoryError | None) -> None:
    """Move a table to the CPU with a warning, or raise where its device was chosen."""
    own = count_state_bytes(optimizer, (table.input_dim, table.output_dim), table.dtype)
    estimate = estimate_memory(table.array.shape, table.dtype, table.placement, own, is_there=True)
    text = describe_lack(f"the weight {table.name!r}, with what {type(optimizer).__name__} keeps of it,", estimate)
    refuse_or_warn(text, DeviceChoice(table.placement, table.device_is_chosen), error)
    table.move(CPU)
