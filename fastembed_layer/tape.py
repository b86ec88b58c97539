"""The tape: records the calls of layers and losses, and walks them back to gradients.

A recorded call is the arrays that went in, the array that came out and a *pullback*: a function from the gradient
of the output to the gradients of the inputs and of the parameters. There is no other autodiff in the package.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from fastembed_layer.backends.arrays import as_array, move_like, to_cpu
from fastembed_layer.checks import check_choice, check_flag
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient, no_rows
from fastembed_layer.tables.table import Table

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

    Layers and losses called inside the block are recorded; array arithmetic between them is not. So the target is what
    a loss (or a layer) returned. For a loss written in numpy, the target is what the layers returned, and
    `output_gradients` is the gradient of the loss with respect to it.

    Parameters
    ----------
    persistent : bool
        Whether `gradient` may be called more than once. If not, it drops what was recorded.
    watch_accessed_variables : bool
        If False, there are gradients only for what was passed to `watch`.

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

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = check_flag(persistent, "persistent")
        self.watches_all = check_flag(watch_accessed_variables, "watch_accessed_variables")
        self.reset()

    def __enter__(self) -> GradientTape:
        if self.is_used_up:
            self.reset()
        _open_tapes.stack.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _open_tapes.stack.remove(self)

    def reset(self) -> None:
        """Forget all that was recorded and watched; an open tape goes on recording."""
        self.calls: list[RecordedCall] = []
        self.penalties: list[tuple[object, Array]] = []
        self.watched: dict[int, object] = {}
        self.is_used_up = False

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Record nothing inside a ``with`` block within the tape's own.

        Raises
        ------
        RuntimeError
            If the tape is not recording in this thread.
        """
        stack = _open_tapes.stack
        if self not in stack:
            raise RuntimeError("`stop_recording` was called on a tape that is not recording.")
        index = stack.index(self)
        del stack[index]
        try:
            yield
        finally:
            stack.insert(index, self)

    def watch(self, tensor: Any) -> None:
        """Accept a weight, an array, or a list of them, as in TensorFlow.

        All that goes into recorded calls can be a source anyway, unless the tape was made with
        ``watch_accessed_variables=False``.
        """
        for source in _sources_as_list(tensor):
            self.watched[id(source)] = source

    def gradient(
        self,
        target: Array | Sequence[Array],
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = "none",
    ) -> Any:
        """Return the gradient of the sum of `target` with respect to each of `sources`.

        Parameters
        ----------
        target : ndarray or sequence of ndarray
            What recorded calls returned, usually the loss.
        sources : Parameter, ndarray, Ragged, or a sequence of them
            Weights of layers, or arrays that went into recorded calls.
        output_gradients : array_like, or a sequence of them, optional
            For each target the gradient of what is to be differentiated with respect to it, of its shape. Without it
            (or with None in its place) it is 1 everywhere, which makes the result the gradient of the target's sum.
        unconnected_gradients : {"none", "zero"}
            What stands for the gradient of a source that the target does not depend on: None, or zeros (for a table a
            `RowGradient` of no rows).

        Returns
        -------
        gradient : ndarray, RowGradient, PenalisedGradient or None, or a list of them
            A `RowGradient` for a table that was only looked up, a `PenalisedGradient` where there is an L2 penalty on
            the whole table; None for what the target does not depend on.

        Raises
        ------
        RuntimeError
            If the tape is not persistent and has been asked before.
        ValueError
            If no recorded call returned one of the targets, or an output gradient has not the shape of its target.

        Examples
        --------
        The gradient of ``sum((rows - 1) ** 2)``, which is written in numpy:

        >>> import numpy as np
        >>> from fastembed_layer import Embedding, GradientTape
        >>> layer = Embedding(3, 1, weights=[[[1.0], [2.0], [3.0]]])
        >>> with GradientTape() as tape:
        ...     rows = layer(np.array([1, 2]))
        >>> tape.gradient(rows, layer.embeddings, output_gradients=2 * (rows - 1)).values
        array([[2.],
               [4.]], dtype=float32)
        """
        choice = check_choice(
            getattr(unconnected_gradients, "value", unconnected_gradients), "unconnected_gradients", ("none", "zero")
        )
        if self.is_used_up:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients. "
                "Ask for all of them in one call, or pass persistent=True to the tape."
            )
        targets = _targets_as_list(target)
        starts = _starting_gradients(targets, output_gradients, isinstance(target, list | tuple))
        wanted = _sources_as_list(sources)
        found = self._walk_back(targets, starts, {id(source) for source in wanted})
        gradients = [self._gradient_of(source, found, choice) for source in wanted]
        if not self.persistent:
            self.calls, self.penalties, self.is_used_up = [], [], True
        return gradients[0] if _is_one_source(sources) else gradients

    def _gradient_of(self, source: Any, found: dict[int, Gradient], unconnected: str) -> Gradient | None:
        is_watched = self.watches_all or id(source) in self.watched
        gradient = found.get(id(source)) if is_watched else None
        return _zeros_for(source) if gradient is None and unconnected == "zero" else gradient

    def _walk_back(self, targets: list[Array], starts: list[Array], wanted: set[int]) -> dict[int, Gradient]:
        recorded = {id(call.output) for call in self.calls}
        wanted = recorded | wanted
        found: dict[int, Gradient] = {}
        for target, start in zip(targets, starts, strict=True):
            if id(target) not in recorded:
                raise ValueError(
                    "`target` must be what a layer or a loss returned inside the tape's block; array arithmetic is "
                    "not recorded (pass its gradient as `output_gradients`). "
                    f"Received: an array of shape {np.shape(target)} that no recorded call returned."
                )
            _add(found, target, start)
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


def _is_one_source(sources: Any) -> bool:
    return isinstance(sources, Parameter | Ragged) or hasattr(sources, "dtype")


def _sources_as_list(sources: Any) -> list[Any]:
    return [sources] if _is_one_source(sources) else list(sources)


def _targets_as_list(target: Any) -> list[Any]:
    return [target] if hasattr(target, "dtype") else list(target)


def _starting_gradients(targets: list[Any], given: Any, several: bool) -> list[Array]:
    """The gradient with respect to each target that the way back begins with."""
    parts = [None] * len(targets) if given is None else list(given) if several else [given]
    if len(parts) != len(targets):
        raise ValueError(
            f"`output_gradients` must hold one gradient per target. Received: {len(parts)} for {len(targets)} targets."
        )
    return [_starting_gradient(target, part) for target, part in zip(targets, parts, strict=True)]


def _starting_gradient(target: Any, given: Any) -> Array:
    values = target.values if isinstance(target, Ragged) else target
    if given is None:
        return np.ones_like(values)
    given = given.values if isinstance(given, Ragged) else as_array(given)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"`output_gradients` must hold numbers. Received: an array of dtype {given.dtype}.")
    if given.shape != np.shape(values):
        raise ValueError(
            "`output_gradients` must have the shape of the target. "
            f"Received: {given.shape} for a target of shape {np.shape(values)}."
        )
    return move_like(given.astype(values.dtype, copy=False), values)


def _zeros_for(source: Any) -> Gradient:
    if isinstance(source, Table):
        return no_rows(source)
    return np.zeros_like(source.values if isinstance(source, Ragged) else to_cpu(getattr(source, "value", source)))
