"""Lookups and steps as functions of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from fastembed_layer.keras.row_trainer import RowTrainer
from fastembed_layer.keras.ways import Way
from fastembed_layer.tables.parameter import Parameter

Array = np.ndarray[Any, Any]
Tensor = Any


class Lookup(torch.autograd.Function):
    """A lookup whose gradient goes to the trainer, and a count of it to the anchor."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, trainer: RowTrainer, way: Way, number: int, *inputs: Tensor) -> Tensor:
        """Look rows up."""
        output, *kept = trainer.look_up(way, *[each.detach().numpy() for each in (anchor, *inputs)])
        ctx.save_for_backward(*inputs)
        ctx.trainer, ctx.way, ctx.number, ctx.kept = trainer, way, number, kept
        return torch.from_numpy(output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_output: Tensor) -> tuple[Any, ...]:
        """Hand the gradient over."""
        inputs, way = ctx.saved_tensors, ctx.way
        arrays = [each.detach().numpy() for each in (d_output, *inputs)]
        token, *d_floats = ctx.trainer.receive(way, ctx.number, *arrays, *ctx.kept)
        found = dict(zip([place for place in range(len(inputs)) if place in way.weight_places], d_floats, strict=True))
        return (
            torch.tensor(float(token), dtype=torch.float64),
            None,
            None,
            None,
            *[_like(found.get(i), each) for i, each in enumerate(inputs)],
        )


def look_up(trainer: RowTrainer, way: Way, anchor: Any, inputs: Sequence[Tensor], number: int) -> Tensor:
    """Return what a layer makes of some inputs; its gradient goes to the trainer, and a count of it to the anchor."""
    if anchor.value.device.type == "meta":  # Keras asks for shapes
        shape = way.output_shape([tuple(each.shape) for each in inputs])
        return torch.empty(shape, dtype=getattr(torch, str(np.dtype(way.dtype))), device="meta")
    for tensor in inputs:
        if tensor.device.type != "cpu":
            raise ValueError(
                "The layers of fastembed_layer.keras work on the CPU. "
                f"Received: ids on the device {str(tensor.device)!r}. Set KERAS_TORCH_DEVICE=cpu."
            )
    return Lookup.apply(anchor.value, trainer, way, number, *[each.contiguous() for each in inputs])


def call(function: Callable[..., list[Array]], tensors: Sequence[Any], types: Sequence[Any]) -> list[Tensor]:
    """Call a function of arrays."""
    arrays = [each.detach().cpu().numpy() if isinstance(each, torch.Tensor) else np.asarray(each) for each in tensors]
    return [torch.as_tensor(array) for array in function(*arrays)]


def outside_graphs() -> Any:
    """Return a context that does nothing: there are no graphs."""
    return nullcontext()


def map_flat(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """Call a function of tensors."""
    return function(tensor)


def set_shape(tensor: Tensor, shape: Any) -> Tensor:
    """Return the tensor, which knows its shape."""
    return tensor


def numbers_of(gradient: Tensor) -> Tensor:
    """Return the numbers of a gradient."""
    return gradient


def scale(gradient: Tensor, factor: Tensor) -> Tensor:
    """Return a gradient times a number."""
    return gradient * factor


def read_table(table: Parameter) -> Tensor:
    """Return the values of a table as a parameter on the same memory."""
    return torch.nn.Parameter(torch.from_numpy(table.value), requires_grad=False)


def _like(gradient: Array | None, tensor: Tensor) -> Tensor | None:
    return None if gradient is None else torch.from_numpy(gradient).reshape(tensor.shape).to(tensor.dtype)
