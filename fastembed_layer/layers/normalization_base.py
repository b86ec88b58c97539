"""`Normalization`: the learnt scale and offset of layers that normalize, and the gradient of normalizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer import constraints, regularizers
from fastembed_layer.checks import check_flag, check_number
from fastembed_layer.layers.configs import read_initializer
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.penalties import penalise_weight
from fastembed_layer.layers.symbolic import Shape
from fastembed_layer.named import serialize
from fastembed_layer.tables.parameter import Parameter

Array = np.ndarray[Any, Any]
Axes = tuple[int, ...]


class Normalization(Layer):
    """Base of layers that normalize, then multiply by ``gamma`` and add ``beta``.

    Parameters
    ----------
    epsilon : float
        Added to the variance.
    center, scale : bool
        Whether there is a `beta`, and a `gamma`.
    beta_initializer, gamma_initializer : optional
        First values of the weights.
    beta_regularizer, gamma_regularizer : optional
        Penalties on them.
    beta_constraint, gamma_constraint : optional
        Projections of them after each update.
    **keywords
        Those of `Layer`.
    """

    supports_masking = True

    def __init__(
        self,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **keywords: Any,
    ):
        super().__init__(**keywords)
        self.epsilon = check_number(epsilon, "epsilon", low=0.0)
        self.center = check_flag(center, "center")
        self.scale = check_flag(scale, "scale")
        self.beta_initializer = read_initializer(beta_initializer, "beta_initializer")
        self.gamma_initializer = read_initializer(gamma_initializer, "gamma_initializer")
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Parameter | None = None
        self.beta: Parameter | None = None

    def make_scale_and_offset(self, shape: tuple[int, ...]) -> None:
        """Create those of ``gamma`` and ``beta`` that there are."""
        if self.scale:
            self.gamma = Parameter(self.gamma_initializer(shape, self.variable_dtype), "gamma")
            self.gamma.constraint = self.gamma_constraint
        if self.center:
            self.beta = Parameter(self.beta_initializer(shape, self.variable_dtype), "beta")
            self.beta.constraint = self.beta_constraint

    def as_computed(self, array: Array) -> Array:
        """Return an array in the type that is computed in: at least float32, as half precision overflows."""
        return array.astype(np.result_type(self.compute_dtype, np.float32), copy=False)

    def finish_output(self, normalized: Array, shape: tuple[int, ...]) -> Array:
        """Apply ``gamma`` and ``beta``, brought to a shape that can be broadcast."""
        if self.gamma is not None:
            normalized = normalized * self._spread(self.gamma, normalized, shape)
        if self.beta is not None:
            normalized = normalized + self._spread(self.beta, normalized, shape)
        return normalized.astype(self.compute_dtype, copy=False)

    def pull_output(
        self, d_output: Array, normalized: Array, shape: tuple[int, ...]
    ) -> tuple[Array, list[tuple[Parameter, Array]]]:
        """Return the gradient of what was normalized, and those of ``gamma`` and ``beta``."""
        d_output = self.as_computed(d_output)
        others = tuple(axis for axis, size in enumerate(shape) if size == 1)
        parameters: list[tuple[Parameter, Array]] = []
        d_normalized = d_output
        if self.gamma is not None:
            parameters.append((self.gamma, self._gathered(d_output * normalized, others, self.gamma)))
            d_normalized = d_output * self._spread(self.gamma, d_output, shape)
        if self.beta is not None:
            parameters.append((self.beta, self._gathered(d_output, others, self.beta)))
        return d_normalized, parameters

    def weight_penalties(self) -> list[Array]:
        """Return the penalties of ``gamma`` and ``beta``."""
        return [
            *penalise_weight(self.gamma, self.gamma_regularizer),
            *penalise_weight(self.beta, self.beta_regularizer),
        ]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        return super().get_config() | {
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": serialize(self.beta_initializer),
            "gamma_initializer": serialize(self.gamma_initializer),
            "beta_regularizer": serialize(self.beta_regularizer),
            "gamma_regularizer": serialize(self.gamma_regularizer),
            "beta_constraint": serialize(self.beta_constraint),
            "gamma_constraint": serialize(self.gamma_constraint),
        }

    def find_axes(self, axes: Axes, input_shape: Any) -> Axes:
        """Return axes counted from the front, ascending.

        Raises
        ------
        ValueError
            If the input has no such axis, or its size is not known.
        """
        rank = 0 if input_shape is None else len(input_shape)
        if any(not -rank <= axis < rank for axis in axes):
            raise ValueError(
                f"`axis` of the layer {self.name!r} must be axes of its input. "
                f"Received: axis={list(axes)} and input shape {input_shape}."
            )
        found = tuple(sorted({axis % rank for axis in axes}))
        if any(input_shape[axis] is None for axis in found):
            raise ValueError(
                f"The layer {self.name!r} needs inputs of a known size along axis={list(axes)}. "
                f"Received: input shape {input_shape}."
            )
        return found

    @staticmethod
    def _spread(parameter: Parameter, like: Array, shape: tuple[int, ...]) -> Array:
        return parameter.value.reshape(shape).astype(like.dtype, copy=False)

    @staticmethod
    def _gathered(gradient: Array, others: Axes, parameter: Parameter) -> Array:
        return gradient.sum(axis=others).reshape(parameter.shape).astype(parameter.dtype, copy=False)


def spread_shape(input_shape: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
    """Return the shape of weights along `axes`, with 1 for all other axes."""
    return tuple(size if axis in axes else 1 for axis, size in enumerate(input_shape))


def pull_standardized(d_normalized: Array, normalized: Array, axes: Axes, weights: Array | float) -> Array:
    """Return the gradient of ``x - mean`` over ``(x - mean) / deviation``, times the deviation.

    Mean and deviation are those of x itself along `axes`, in which each element has its weight; the weights add up to
    1 along the axes.
    """
    along_mean = np.sum(d_normalized, axis=axes, keepdims=True)
    along_deviation = np.sum(d_normalized * normalized, axis=axes, keepdims=True)
    return np.asarray(d_normalized - weights * (along_mean + normalized * along_deviation))
