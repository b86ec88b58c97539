"""Activations of layers: each returns its output together with the pullback of that output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastembed_layer import losses
from fastembed_layer.named import nearest_names

Array = np.ndarray[Any, Any]
PullBack = Callable[[Array], Array]
Activation = Callable[[Array], tuple[Array, PullBack]]


def linear(inputs: Array) -> tuple[Array, PullBack]:
    """Return the inputs themselves."""
    return inputs, lambda d_output: d_output


def relu(inputs: Array) -> tuple[Array, PullBack]:
    """Return ``max(inputs, 0)``; the derivative at 0 is 0, as in Keras."""
    output = np.maximum(inputs, 0)
    return output, lambda d_output: d_output * (output > 0)


def sigmoid(inputs: Array) -> tuple[Array, PullBack]:
    """Return ``1 / (1 + exp(-inputs))``, without overflow."""
    output = losses.sigmoid(inputs)
    return output, lambda d_output: d_output * output * (1 - output)


def tanh(inputs: Array) -> tuple[Array, PullBack]:
    """Return the hyperbolic tangent."""
    output = np.tanh(inputs)
    return output, lambda d_output: d_output * (1 - output * output)


def softmax(inputs: Array) -> tuple[Array, PullBack]:
    """Return ``exp(inputs)`` divided by its sum along the last axis, without overflow."""
    exponentials = np.exp(inputs - np.max(inputs, axis=-1, keepdims=True, initial=-np.inf))
    output = exponentials / np.sum(exponentials, axis=-1, keepdims=True)

    def pull_back(d_output: Array) -> Array:
        weighted = d_output * output
        return np.asarray(weighted - output * np.sum(weighted, axis=-1, keepdims=True))

    return output, pull_back


_activations: dict[str, Activation] = {
    "linear": linear,
    "relu": relu,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "tanh": tanh,
}


def get(identifier: Any) -> Activation:
    """Return the activation that a name or a callable stands for; None is the linear one.

    Parameters
    ----------
    identifier : str, callable or None
        A callable takes the inputs and returns ``(output, pullback)``, where ``pullback(d_output)`` is the
        gradient of the inputs. Arbitrary array code is not differentiated.

    Raises
    ------
    ValueError
        For an unknown name.
    TypeError
        For anything else.

    Examples
    --------
    >>> import numpy as np
    >>> output, pullback = get("relu")(np.array([-1.0, 2.0]))
    >>> output, pullback(np.array([5.0, 5.0]))
    (array([0., 2.]), array([0., 5.]))
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        if identifier not in _activations:
            hint = nearest_names(identifier, list(_activations))
            raise ValueError(f"Unknown activation: {identifier!r}. {hint}")
        return _activations[identifier]
    if callable(identifier) and not isinstance(identifier, type):
        return identifier
    raise TypeError(
        "`activation` must be a name, None, or a function that returns (output, pullback). "
        f"Received: {identifier!r} (of type {type(identifier).__name__})."
    )


def serialize(activation: Activation) -> str:
    """Return the name under which `get` finds the activation; ValueError for a function of one's own."""
    for name, known in _activations.items():
        if known is activation:
            return name
    raise ValueError(
        f"`activation` has no name, so it cannot be written into a config. Received: {activation!r}. "
        f"Activations with names: {', '.join(_activations)}."
    )
