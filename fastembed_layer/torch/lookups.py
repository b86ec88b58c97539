"""What the layers share: lookups as functions of autograd, and rows that are up to date whenever they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from fastembed_layer.backends.contract import IdsOutOfRangeError
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.inputs.positions import describe_position
from fastembed_layer.torch.gradients import make_gradient
from fastembed_layer.torch.shared_tables import SharedTable, check_weight, finish_rows, table_of

Array = np.ndarray[Any, Any]
Tensor = Any

ID_TYPES = (torch.int64, torch.int32)


class RowLookup(torch.autograd.Function):
    """Rows of a table by ids; the gradient of the table is sparse."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, table: SharedTable, padding_idx: int | None) -> Tensor:
        """Look the rows up."""
        ctx.save_for_backward(ids)
        ctx.shape, ctx.padding_idx = weight.shape, padding_idx
        return gather(table, ids)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_rows: Tensor) -> tuple[Tensor, None, None, None]:
        """Return ids and vectors, those of the padding left out."""
        ids = ctx.saved_tensors[0].reshape(-1).to(torch.int64)
        values = d_rows.reshape(-1, ctx.shape[1])
        if ctx.padding_idx is not None:
            kept = ids != ctx.padding_idx
            if not kept.all():
                ids, values = ids[kept], values[kept]
        return make_gradient(ids, values, ctx.shape), None, None, None


def look_up(weight: Tensor, ids: Tensor, padding_idx: int | None) -> Tensor:
    """Return the rows of ids of any shape, as they are after their idle steps.

    Raises
    ------
    IndexError
        If an id is not a row.
    """
    table = open_table(weight)
    ids = check_ids(ids, "input").contiguous()
    if torch.is_grad_enabled() and weight.requires_grad:
        return RowLookup.apply(weight, ids, table, padding_idx)
    return gather(table, ids)


def gather(table: SharedTable, ids: Tensor) -> Tensor:
    """Return the rows of contiguous ids."""
    try:
        rows = backend_of(table).gather_rows(table, ids.detach().numpy().reshape(-1))
    except IdsOutOfRangeError as error:
        raise explain(error, ids, table) from None
    return torch.from_numpy(rows).reshape(*ids.shape, table.output_dim)


def open_table(weight: Tensor) -> SharedTable:
    """Return the table of a layer's weight, whose idle rows lookups bring up to date."""
    table = table_of(weight)
    table.has_layer = True
    return table


def check_ids(ids: Tensor, argument: str) -> Tensor:
    """Raise unless ids are a tensor of int32 or int64 in main memory; return them."""
    if not isinstance(ids, torch.Tensor) or ids.dtype not in ID_TYPES:
        received = ids.dtype if isinstance(ids, torch.Tensor) else type(ids).__name__
        raise TypeError(f"`{argument}` must be a tensor of int64 or int32. Received: {received}.")
    if ids.device.type != "cpu":
        raise ValueError(f"`{argument}` must be on the CPU, as the weight is. Received: device {str(ids.device)!r}.")
    return ids


def explain(error: IdsOutOfRangeError, ids: Tensor, table: SharedTable) -> IndexError:
    """Name the id that is not a row by its index in the ids as the caller wrote them."""
    value = ids.reshape(-1)[error.position].item()
    where = describe_position(error.position, tuple(ids.shape))
    return IndexError(f"input{where} = {value} is not in [0, {table.input_dim}), the rows of the embedding.")


class ReadsRows(torch.nn.Module):
    """Brings idle rows up to date before a layer's weight is read as a whole: by name, by saving, copying, moving."""

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        if name == "weight":
            finish_rows(value)
        return value

    def __getstate__(self) -> dict[str, Any]:
        self._finish()
        return dict(self.__dict__)

    def _finish(self) -> None:
        weight = self._parameters.get("weight")
        if weight is not None:
            finish_rows(weight)

    def _save_to_state_dict(self, *arguments: Any) -> None:
        self._finish()
        super()._save_to_state_dict(*arguments)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        self._finish()
        super()._load_from_state_dict(*arguments)

    def _apply(self, *arguments: Any, **options: Any) -> Any:
        self._finish()
        return super()._apply(*arguments, **options)


def refuse_renorm(max_norm: float | None, scale_grad_by_freq: bool) -> None:
    """Raise for the arguments of torch's layers that are not offered.

    Raises
    ------
    ValueError
        With the way out.
    """
    if max_norm is not None:
        raise ValueError(
            f"`max_norm` must be None: lookups here never write the table. Received: {max_norm!r}. Keep this layer "
            "a torch.nn layer, or normalise the rows that you look up."
        )
    if scale_grad_by_freq:
        raise ValueError(
            "`scale_grad_by_freq` must be False: repeated ids add up. Received: True. Keep this layer a torch.nn layer."
        )


def check_new_weight(weight: Tensor) -> None:
    """Raise for a new weight that could not be looked up; one on the device "meta" may still become one that can."""
    if weight.device.type != "meta":
        check_weight(weight)
