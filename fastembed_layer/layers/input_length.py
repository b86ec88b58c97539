"""The argument `input_length` of embedding layers: how long sequences are where that is known."""

from __future__ import annotations

from typing import Any

from fastembed_layer.checks import check_dimension
from fastembed_layer.layers.symbolic import Shape


def check_input_length(value: Any) -> Shape | None:
    """Return the lengths as a tuple, None where one is open; None stays None."""
    if value is None:
        return None
    lengths = tuple(value) if isinstance(value, list | tuple) else (value,)
    return tuple(None if length is None else check_dimension(length, "input_length") for length in lengths)


def shown_length(lengths: Shape | None) -> Any:
    """Return the lengths as they are usually passed: a single one as a number."""
    return lengths[0] if lengths is not None and len(lengths) == 1 else lengths


def fill_in_lengths(shape: Shape, lengths: Shape | None) -> Shape:
    """Return an input's shape with its open lengths filled in; a ValueError if the two contradict each other."""
    if lengths is None:
        return shape
    agree = len(shape) - 1 == len(lengths) and all(
        have is None or want is None or have == want for have, want in zip(shape[1:], lengths, strict=True)
    )
    if not agree:
        raise ValueError(f'"input_length" is {shown_length(lengths)}, but received input has shape {shape}')
    filled = (want if have is None else have for have, want in zip(shape[1:], lengths, strict=True))
    return (shape[0], *filled)
