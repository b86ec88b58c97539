"""`GlobalPooling1D`: what pooling over all steps of a sequence has in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.checks import check_choice, check_flag
from fastembed_layer.inputs.ragged import Ragged
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import Shape
from fastembed_layer.tape import Cotangents, Pullback

Array = np.ndarray[Any, Any]


class GlobalPooling1D(Layer):
    """Reduces the steps of each sequence to one vector; subclasses implement `pool` and `pool_ragged`.

    Parameters
    ----------
    data_format : {"channels_last", "channels_first"}, optional
        Whether inputs are ``(batch, steps, features)``, the default, or ``(batch, features, steps)``.
    keepdims : bool
        Whether the axis of the steps stays, with size 1.
    **keywords
        Those of `Layer`.
    """

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **keywords: Any):
        super().__init__(**keywords)
        formats = ("channels_last", "channels_first")
        self.data_format: str = check_choice(data_format or "channels_last", "data_format", formats)
        self.keepdims = check_flag(keepdims, "keepdims")

    def pool(self, inputs: Array, mask: Any) -> tuple[Array, Pullback]:
        """Reduce axis 1 of an array."""
        raise NotImplementedError(f"{type(self).__name__} must implement `pool`.")

    def pool_ragged(self, rows: Ragged) -> tuple[Array, Pullback]:
        """Reduce each sequence of a ragged batch; the gradient is that of its values."""
        raise NotImplementedError(f"{type(self).__name__} must implement `pool_ragged`.")

    def prepare(self, inputs: Any) -> Any:
        """Accept ragged rows as they are."""
        return inputs if isinstance(inputs, Ragged) else super().prepare(inputs)

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Pool, with the steps on axis 1, and bring the axes back into order."""
        if isinstance(inputs, Ragged):
            output, pull_pooled = self.pool_ragged(inputs)
        elif inputs.ndim != 3:
            raise ValueError(
                f"The layer {self.name!r} needs inputs of three axes: batch, steps and features. "
                f"Received: an array of shape {inputs.shape}."
            )
        else:
            output, pull_pooled = self.pool(self._steps_second(inputs), mask)

        def pull_back(d_output: Array) -> Cotangents:
            [d_inputs], _ = pull_pooled(d_output.reshape(output.shape))
            return Cotangents([d_inputs if isinstance(inputs, Ragged) else self._steps_second(d_inputs)])

        return (np.expand_dims(output, self._steps_axis) if self.keepdims else output), pull_back

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the steps are gone."""
        return

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return ``(batch_size, features)``, with an axis of size 1 for the steps where it is kept."""
        features = input_shape[-1 if self.data_format == "channels_last" else 1]
        shape = [input_shape[0], features]
        if self.keepdims:
            shape.insert(self._steps_axis, 1)
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return super().get_config() | {"data_format": self.data_format, "keepdims": self.keepdims}

    @property
    def _steps_axis(self) -> int:
        return 1 if self.data_format == "channels_last" else 2

    def _steps_second(self, array: Any) -> Array:
        return np.asarray(array) if self._steps_axis == 1 else np.swapaxes(array, 1, 2)
