"""The tape: records the calls of layers and losses, and walks them back to gradients.

A recorded call is the arrays that went in, the array that came out and a *pullback*: a function from the gradient
of the output to the gradients of the inputs and of the parameters. There is no other autodiff in the package.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.arrays import as_array
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.tables.penalised_gradient import Gradient
from fastembed_layer.tables.table import Parameter

Array = np.ndarray[Any, Any]


class Cotangents(NamedTuple):
    """What a pullback returns: gradients of the inputs (None where there is none) and of the parameters.

    A gradient that is costly and often not wanted may be a function, which is called when somebody does want it.
    """

    inputs: Sequence[Array | Callable[[], Array] | None]
    parameters: Sequence[tuple[Parameter, Gradient]] = ()


Pullback = Callable[[Array], Cotangents]


class RecordedCall(NamedTuple):
    """One entry of a tape."""

    inputs: Sequence[Array]
    output: Array
    pullback: Pullback


class _OpenTapes(threading.local):
    """The tapes that record calls of this thread, outermost first."""

    def __init__(self) -> None:
        self.stack: list[GradientTape] = []


_open_tapes = _OpenTapes()


def is_recording() -> bool:
    """Tell whether a tape is open in this thread, so that layers need to prepare a pullback."""
    return bool(_open_tapes.stack)


def record(inputs: Sequence[Array], output: Array, pullback: Pullback) -> None:
    """Write one call on every open tape of this thread; without an open tape nothing happens."""
    for tape in _open_tapes.stack:
        tape.calls.append(RecordedCall(inputs, output, pullback))


def record_penalty(owner: object, inputs: Sequence[Array], value: Array, pullback: Pullback) -> None:
    """Write a term of the loss that the call of a layer produced, such as an activity regularizer's."""
    record(inputs, value, pullback)
    for tape in _open_tapes.stack:
        tape.penalties.append((owner, value))


def current_penalties() -> list[tuple[object, Array]] | None:
    """Return the penalties on the innermost open tape with their layers; None without an open tape."""
    return _open_tapes.stack[-1].penalties if _open_tapes.stack else None


class GradientTape:
    """Records layer calls inside a ``with`` block, for training loops written by hand.

    Layers and losses called inside the block are recorded; array arithmetic between them is not, so the target has
    to be what a loss (or a layer) returned. A tape may be asked for gradients more than once.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Embedding, GradientTape, losses
    >>> layer = Embedding(10, 4)
    >>> with GradientTape() as tape:
    ...     loss = losses.MeanSquaredError()(np.ones((2, 4), "float32"), layer(np.array([3, 3])))
    >>> [gradient] = tape.gradient(loss, layer.trainable_weights)
    >>> gradient.ids
    array([3, 3])
    """

    def __init__(self) -> None:
        self.calls: list[RecordedCall] = []
        self.penalties: list[tuple[object, Array]] = []

    def __enter__(self) -> GradientTape:
        _open_tapes.stack.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _open_tapes.stack.remove(self)

    def gradient(self, target: Array | Sequence[Array], sources: Any) -> Any:
        """Return the gradient of the sum of `target` with respect to each of `sources`.

        Parameters
        ----------
        target : ndarray or sequence of ndarray
            What recorded calls returned, usually the loss.
        sources : Parameter, ndarray, Ragged, or a sequence of them
            Weights of layers, or arrays that went into recorded calls.

        Returns
        -------
        gradient : ndarray, RowGradient, PenalisedGradient or None, or a list of them
            A `RowGradient` for a table that was only looked up, a `PenalisedGradient` where there is an L2 penalty on
            the whole table; None for what the target does not depend on.

        Raises
        ------
        ValueError
            If no recorded call returned one of the targets.
        """
        targets: list[Array] = [target] if hasattr(target, "dtype") else list(target)  # type: ignore[list-item]
        single = isinstance(sources, Parameter | Ragged) or hasattr(sources, "dtype")
        wanted = [sources] if single else list(sources)
        found = self._walk_back(targets, {id(source) for source in wanted})
        gradients = [found.get(id(source)) for source in wanted]
        return gradients[0] if single else gradients

    def _walk_back(self, targets: list[Array], wanted: set[int]) -> dict[int, Gradient]:
        recorded = {id(call.output) for call in self.calls}
        wanted = recorded | wanted
        found: dict[int, Gradient] = {}
        for target in targets:
            if id(target) not in recorded:
                raise ValueError(
                    "`target` must be what a layer or a loss returned inside the tape's block; array arithmetic is "
                    f"not recorded. Received: an array of shape {np.shape(target)} that no recorded call returned."
                )
            _add(found, target, np.ones_like(target))
        for call in reversed(self.calls):
            gradient = found.get(id(call.output))
            if gradient is not None:
                self._pull_back(call, as_array(gradient), found, wanted)
        return found

    @staticmethod
    def _pull_back(call: RecordedCall, gradient: Array, found: dict[int, Gradient], wanted: set[int]) -> None:
        cotangents = call.pullback(gradient)
        for array, d_array in zip(call.inputs, cotangents.inputs, strict=True):
            if callable(d_array):
                d_array = d_array() if id(array) in wanted else None
            if d_array is not None:
                _add(found, array, d_array)
        for parameter, part in cotangents.parameters:
            _add(found, parameter, part)


def _add(found: dict[int, Gradient], thing: Array | Parameter, part: Gradient) -> None:
    """Add `part` to what is known of the gradient of `thing`; never in place, a pullback may have kept the array."""
    known = found.get(id(thing))
    found[id(thing)] = part if known is None else known + part
