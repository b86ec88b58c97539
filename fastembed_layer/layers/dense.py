"""`Dense`: a matrix product, a bias and an activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer import constraints, regularizers
from fastembed_layer.checks import check_dimension, check_flag
from fastembed_layer.layers import activations
from fastembed_layer.layers.configs import read_initializer
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.penalties import penalise_weight
from fastembed_layer.layers.symbolic import Shape
from fastembed_layer.named import serialize
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class Dense(Layer):
    """``activation(inputs @ kernel + bias)`` over the last axis.

    Parameters
    ----------
    units : int
        Size of the output's last axis.
    activation : str or callable, optional
        ``"linear"``, ``"relu"``, ``"sigmoid"``, ``"tanh"``, ``"softmax"``, or a function that returns the output
        and its pullback.
    use_bias : bool
        Whether a bias is added.
    kernel_initializer, bias_initializer : optional
        First values of the weights.
    kernel_regularizer : optional
        Penalty on the kernel.
    kernel_constraint : optional
        Projection of the kernel after each update.
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Dense
    >>> Dense(3, activation="relu")(np.ones((2, 4), "float32")).shape
    (2, 3)
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        **keywords: Any,
    ):
        super().__init__(**keywords)
        self.units = check_dimension(units, "units")
        self.activation = activations.get(activation)
        self.use_bias = check_flag(use_bias, "use_bias")
        self.kernel_initializer = read_initializer(kernel_initializer, "kernel_initializer")
        self.bias_initializer = read_initializer(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.kernel: Parameter | None = None
        self.bias: Parameter | None = None

    def build(self, input_shape: Any = None) -> None:
        """Create kernel and bias for the last axis of `input_shape`.

        Raises
        ------
        ValueError
            If that axis is not known.
        """
        if input_shape is None or input_shape[-1] is None:
            raise ValueError(
                "The last dimension of the inputs to a Dense layer should be defined. Found None. Full input shape "
                f"received: {input_shape}. Behind an Embedding and a Flatten, pass input_length= to the Embedding."
            )
        if self.kernel is not None:
            return
        kernel = self.kernel_initializer((int(input_shape[-1]), self.units), self.variable_dtype)
        self.kernel = Parameter(kernel, "kernel")
        self.kernel.constraint = self.kernel_constraint
        if self.use_bias:
            self.bias = Parameter(self.bias_initializer((self.units,), self.variable_dtype), "bias")
        super().build(input_shape)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Multiply, add, activate."""
        assert self.kernel is not None
        kernel, bias = self.kernel, self.bias
        inputs = inputs.astype(self.compute_dtype, copy=False)
        total = inputs @ kernel.value.astype(self.compute_dtype, copy=False)
        if bias is not None:
            total += bias.value
        output, pull_back_activation = self.activation(total)

        def pull_back(d_output: Array) -> Cotangents:
            d_total = pull_back_activation(d_output)
            d_rows = d_total.reshape(-1, self.units)
            parameters = [(kernel, inputs.reshape(len(d_rows), -1).T @ d_rows)]
            if bias is not None:
                parameters.append((bias, d_rows.sum(axis=0)))
            return Cotangents([d_total @ kernel.value.T], parameters)

        return output, pull_back

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the input's shape with `units` as its last axis."""
        return (*tuple(input_shape)[:-1], self.units)

    def weight_penalties(self) -> list[Array]:
        """Return the kernel's penalty."""
        return penalise_weight(self.kernel, self.kernel_regularizer)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        return super().get_config() | {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
            "kernel_regularizer": serialize(self.kernel_regularizer),
            "activity_regularizer": serialize(self.activity_regularizer),
            "kernel_constraint": serialize(self.kernel_constraint),
        }
