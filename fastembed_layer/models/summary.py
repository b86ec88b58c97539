"""`Model.summary`: a table of layers, shapes, numbers of parameters, and where tables are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fastembed_layer.placement.devices import format_bytes

if TYPE_CHECKING:
    from fastembed_layer.models.model import Model

HEADINGS: tuple[str, ...] = ("Layer (type)", "Output shape", "Parameters", "Placement", "Connected to")
GAP = 2  # blanks between columns


def print_summary(
    model: Model, print_fn: Callable[[str], Any], line_length: int | None = None, expand_nested: bool = False
) -> None:
    """Print one line per layer, then the totals."""
    trained = sum(parameter.size for parameter in model.trainable_weights)
    total = model.count_params()
    nbytes = sum(parameter.nbytes for parameter in model.weights)
    columns = len(HEADINGS) - (not model._nodes)  # what layers are connected to is known of a graph only
    rows = [HEADINGS, *_list_rows(model, expand_nested)]
    lines = _lay_out([row[:columns] for row in rows], line_length)
    print_fn(f'Model: "{model.name}"')
    print_fn(lines[0])
    print_fn("-" * max(map(len, lines)))
    for line in lines[1:]:
        print_fn(line)
    print_fn("-" * max(map(len, lines)))
    print_fn(f"Total parameters: {total:,} ({format_bytes(nbytes)})")
    print_fn(f"Trainable parameters: {trained:,}")
    print_fn(f"Non-trainable parameters: {total - trained:,}")


def _list_rows(model: Model, expand_nested: bool, depth: int = 0) -> Iterator[tuple[str, ...]]:
    for layer in model.layers:
        name = "  " * depth + f"{layer.name} ({type(layer).__name__})"
        yield name, _shown_shape(layer, model), f"{layer.count_params():,}", _placement(layer), _sources(layer, model)
        if expand_nested and hasattr(layer, "_nodes"):
            yield from _list_rows(layer, expand_nested, depth + 1)  # type: ignore[arg-type]


def _lay_out(rows: list[tuple[str, ...]], line_length: int | None) -> list[str]:
    widths = [max(map(len, column)) + GAP for column in zip(*rows, strict=True)]
    if line_length is not None:
        widths[0] = max(GAP, widths[0] + line_length - sum(widths))
    lines = [
        "".join(f"{cell[: width - GAP]:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
    return [line.rstrip() for line in lines]


def _placement(layer: Any) -> str:
    """Where the tables of a layer are, with their size; empty for a layer that has none."""
    if not hasattr(layer, "memory_estimate"):
        return ""
    nbytes = sum(parameter.nbytes for parameter in layer.weights)
    return f"{layer.placement}, {format_bytes(nbytes)}" if nbytes else str(layer.placement)


def _sources(layer: Any, model: Model) -> str:
    """The names of what a layer of a functional model is called on."""
    calls = [node for node in model._nodes if node.layer is layer]
    return "; ".join(", ".join(_source_name(tensor) for tensor in _tensors(node.inputs)) for node in calls)


def _tensors(inputs: Any) -> list[Any]:
    if isinstance(inputs, dict):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]


def _source_name(tensor: Any) -> str:
    return str(tensor.name if tensor.layer is None else tensor.layer.name)


def _shown_shape(layer: Any, model: Model) -> str:
    node = next((node for node in model._nodes if node.layer is layer), None)
    if node is not None:
        return str(node.shape)
    try:
        return str(layer.output_shape)
    except (AttributeError, NotImplementedError):
        return "not built"
