"""Tables on the memory of torch's parameters: one for each, shared by the layers and optimizers that use it."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from fastembed_layer.tables.table import Table

Tensor = Any  # torch.Tensor; Any, so that the types can be checked where torch is not installed

TYPES = (torch.float32, torch.float64)


class SharedTable(Table):
    """A table on the memory of a parameter.

    Attributes
    ----------
    pointer : int
        Where the memory is; a parameter whose ``data`` have been replaced has another one.
    has_layer : bool
        Whether a layer of this package looks it up, which brings idle rows up to date.
    """

    def __init__(self, weight: Tensor):
        super().__init__(weight.detach().numpy(), "weight")
        self.pointer = weight.data_ptr()
        self.has_layer = False

    def is_on(self, weight: Tensor) -> bool:
        """Tell whether this is still the memory of a parameter."""
        return bool(weight.data_ptr() == self.pointer) and self.shape == weight.shape


_tables: Any = WeakTensorKeyDictionary()


def table_of(weight: Tensor) -> SharedTable:
    """Return the table of a parameter, made at the first call and after its memory has been replaced.

    Raises
    ------
    ValueError, TypeError
        If the parameter cannot be shared with numpy: another device, layout or type.
    """
    table = _tables.get(weight)
    if table is not None and table.is_on(weight):
        return table  # type: ignore[no-any-return]
    check_weight(weight)
    fresh = SharedTable(weight)
    if table is not None:
        table.finish()
        fresh.has_layer = table.has_layer
    _tables[weight] = fresh
    return fresh


def finish_rows(weight: Tensor) -> None:
    """Bring the idle rows of a parameter up to date; without any nothing is done."""
    table = _tables.get(weight)
    if table is not None:
        table.finish()


def check_weight(weight: Tensor) -> None:
    """Raise unless a parameter is a matrix of float32 or float64 in main memory.

    Raises
    ------
    ValueError, TypeError
        With the way out.
    """
    if weight.device.type != "cpu":
        raise ValueError(
            "`weight` must be on the CPU, where fastembed_layer.torch works. "
            f"Received: device {str(weight.device)!r}. Keep this layer there, or use torch.nn and torch.optim for it."
        )
    if weight.dtype not in TYPES:
        raise TypeError(
            f"`weight` must be float32 or float64. Received: {weight.dtype}. Call `.float()` on the layer; "
            "what follows it may have another type."
        )
    if weight.layout != torch.strided or weight.dim() != 2 or not weight.is_contiguous():
        raise ValueError(
            "`weight` must be a contiguous matrix, a row for each id. "
            f"Received: layout {weight.layout}, shape {tuple(weight.shape)}. `weight.data = weight.data.contiguous()` "
            "makes a matrix contiguous."
        )
