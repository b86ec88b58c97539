"""Memory for tables: the estimate, made before anything is allocated, and what happens when it does not suffice.

A table on a GPU shares that memory with the slots of its optimizer and with the work space of a batch. So all of it is
added up first. What does not fit goes to the CPU, with a warning that holds the sum, or, where the caller has chosen
the device, is a MemoryError with the same text.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.arrays import CPU, allocate, backend_for, device_number
from fastembed_layer.placement.devices import DeviceChoice, format_bytes

Array = np.ndarray[Any, Any]

ON_CPU = DeviceChoice(CPU, is_chosen=True)
BATCH_IDS = 1 << 18  # ids of the batch for which the estimate leaves room
BYTES_PER_ID = 32  # the id, its position in the batch, and sorted keys twice
SMALLEST_MARGIN = 1 << 28  # bytes; what a GPU's own bookkeeping and blocks of odd sizes may take
MARGIN_SHARE = 0.05


class MemoryEstimate(NamedTuple):
    """What a table needs on a device, in bytes, and what is there.

    Attributes
    ----------
    device : str
        Where it is to live.
    table : int
        The table itself; 0 for one that lives there already.
    slots : int
        What an optimizer keeps of it.
    workspace : int
        Rows, gradients and sorted ids of a batch.
    margin : int
        Left free on a GPU; 0 on the CPU.
    available : int or None
        Bytes that can be allocated there; None where the system does not say.
    """

    device: str
    table: int
    slots: int
    workspace: int
    margin: int
    available: int | None

    @property
    def total(self) -> int:
        """Sum of the parts."""
        return self.table + self.slots + self.workspace + self.margin

    @property
    def fits(self) -> bool:
        """Whether the sum is available."""
        return self.available is None or self.total <= self.available

    def describe(self) -> str:
        """Write the sum as a table.

        >>> print(MemoryEstimate("gpu:0", 4096, 8192, 1024, 0, 16384).describe())
        table           4.0 KiB
        slots           8.0 KiB
        work space      1.0 KiB
        margin              0 B
        sum            13.0 KiB
        available      16.0 KiB on gpu:0
        """
        parts = (self.table, self.slots, self.workspace, self.margin, self.total)
        lines = zip(("table", "slots", "work space", "margin", "sum"), map(format_bytes, parts), strict=True)
        available = "unknown" if self.available is None else format_bytes(self.available)
        return "\n".join(
            [f"{name:<11}{text:>12}" for name, text in lines] + [f"{'available':<11}{available:>12} on {self.device}"]
        )

    def __str__(self) -> str:
        parts = f"table {format_bytes(self.table)} + slots {format_bytes(self.slots)}"
        parts += f" + work space {format_bytes(self.workspace)} + margin {format_bytes(self.margin)}"
        known = "" if self.available is None else f", and {format_bytes(self.available)} are available on {self.device}"
        return f"{parts} = {format_bytes(self.total)}{known}"


def estimate_memory(
    shape: tuple[int, int], dtype: Any, device: str, slot_bytes: int = 0, is_there: bool = False
) -> MemoryEstimate:
    """Add up what a table needs on a device; nothing is allocated.

    Parameters
    ----------
    shape : tuple of int
        ``(input_dim, output_dim)``.
    dtype : dtype
        Type of the table.
    device : str
        Plain spelling, such as ``"gpu:0"``.
    slot_bytes : int
        What an optimizer will keep of it there.
    is_there : bool
        Whether the table lives there already.

    Notes
    -----
    The work space is that of a batch of 262,144 ids: for each its row, the gradient of the row, and 32 bytes. The
    margin on a GPU is 5 % of the rest, at least 256 MiB; no measurement on a GPU stands behind these two numbers.
    """
    row = shape[1] * np.dtype(dtype).itemsize
    table = 0 if is_there else shape[0] * row
    workspace = BATCH_IDS * (2 * row + BYTES_PER_ID)
    margin = 0 if device == CPU else max(SMALLEST_MARGIN, int(MARGIN_SHARE * (table + slot_bytes + workspace)))
    available = backend_for(device).available_memory(device_number(device))
    return MemoryEstimate(device, table, slot_bytes, workspace, margin, available)


def allocate_table(
    shape: tuple[int, int], dtype: Any, layer_name: str, choice: DeviceChoice = ON_CPU, fill: float | None = None
) -> Array:
    """Return memory for a table, uninitialised or filled, where it is to go or, if that was not chosen, on the CPU.

    Raises
    ------
    MemoryError
        If the machine, or the device that was chosen, does not have it; the message holds the estimate. Without this
        check a system that overcommits memory would end the process while the table is filled.
    """
    if choice.device == CPU:
        return _allocate_on_host(shape, np.dtype(dtype), layer_name, fill)
    estimate = estimate_memory(shape, dtype, choice.device)
    try:
        if not estimate.fits:
            raise MemoryError
        return allocate(shape, dtype, choice.device, fill)
    except MemoryError as error:
        refuse_or_warn(describe_lack(f"the layer {layer_name!r}", estimate), choice, error)
    return _allocate_on_host(shape, np.dtype(dtype), layer_name, fill)


def describe_lack(owner: str, estimate: MemoryEstimate) -> str:
    """Write that a table does not fit, with the sum and the remedy."""
    return (
        f"The table of {owner} does not fit on {estimate.device}: {estimate}. "
        "Place it on the CPU with `device='cpu:0'` or `with device('cpu:0'):` around its construction; training costs "
        "what the touched rows cost there, too. Fewer rows or columns, or an optimizer with fewer slots, need less."
    )


def refuse_or_warn(text: str, choice: DeviceChoice, error: MemoryError | None = None) -> None:
    """Raise where the caller has chosen the device; else warn that the table goes to the CPU."""
    if choice.is_chosen:
        raise MemoryError(text) from error
    warnings.warn(f"{text} It goes to cpu:0 now.", stacklevel=2)


def _allocate_on_host(shape: tuple[int, int], dtype: np.dtype[Any], layer_name: str, fill: float | None) -> Array:
    needed = math.prod(shape) * dtype.itemsize
    available = backend_for(CPU).available_memory()
    try:
        if available is not None and needed > available:
            raise MemoryError
        return allocate(shape, dtype, CPU, fill)
    except (MemoryError, ValueError, OverflowError) as error:
        known = "" if available is None else f", and {format_bytes(available)} are available"
        raise MemoryError(
            f"The table of the layer {layer_name!r} needs {format_bytes(needed)} "
            f"({shape[0]} rows x {shape[1]} columns of {dtype}){known}. "
            "Fewer rows (hash or drop rare ids) or fewer columns need less."
        ) from error
