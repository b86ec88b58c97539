"""`Model.summary`: a table of layers, shapes and numbers of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastembed_layer.placement.devices import format_bytes

if TYPE_CHECKING:
    from fastembed_layer.models.model import Model

WIDTHS = (52, 22, 14)


def print_summary(model: Model, print_fn: Callable[[str], Any]) -> None:
    """Print one line per layer, then the totals."""
    trained = sum(parameter.size for parameter in model.trainable_weights)
    total = model.count_params()
    nbytes = sum(parameter.nbytes for parameter in model.weights)
    print_fn(f'Model: "{model.name}"')
    print_fn(_row("Layer (type)", "Output shape", "Parameters"))
    print_fn("-" * sum(WIDTHS))
    for layer in model.layers:
        print_fn(
            _row(
                f"{layer.name} ({type(layer).__name__})",
                _shown_shape(layer, model),
                f"{layer.count_params():,}",
            )
        )
    print_fn("-" * sum(WIDTHS))
    print_fn(f"Total parameters: {total:,} ({format_bytes(nbytes)})")
    print_fn(f"Trainable parameters: {trained:,}")
    print_fn(f"Non-trainable parameters: {total - trained:,}")


def _row(*cells: str) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def _shown_shape(layer: Any, model: Model) -> str:
    node = next((node for node in model._nodes if node.layer is layer), None)
    if node is not None:
        return str(node.shape)
    try:
        return str(layer.output_shape)
    except (AttributeError, NotImplementedError):
        return "not built"
