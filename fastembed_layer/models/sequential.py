"""`Sequential`: a stack of layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastembed_layer.embedding import Embedding, refuse_later_place
from fastembed_layer.models.layer import Layer
from fastembed_layer.models.model import Model
from fastembed_layer.models.symbolic import Shape, SymbolicTensor, check_shape


class Sequential(Model):
    """A model in which each layer's output is the next layer's input.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first layers; more are added by `add`.
    name : str, optional
        Name of the model.

    Examples
    --------
    >>> from fastembed_layer import Dense, Embedding, GlobalAveragePooling1D, Sequential
    >>> model = Sequential([Embedding(1000, 16), GlobalAveragePooling1D(), Dense(1)])
    >>> model.output_shape
    (None, 1)
    """

    def __init__(self, layers: Iterable[Any] | None = None, name: str | None = None):
        super().__init__(name=name)
        self._layers: list[Layer] = []
        self._input_shape: Shape | None = None
        for layer in layers or []:
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return list(self._layers)

    def add(self, layer: Any) -> None:
        """Put a layer, or first of all an `Input`, on top of the stack.

        Raises
        ------
        TypeError
            If `layer` is no layer.
        ValueError
            If it cannot stand at this place: an `Embedding` can only be the first layer.
        """
        if isinstance(layer, SymbolicTensor) and layer.is_input and not self._layers:
            self._input_shape = layer.shape
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"`layer` must be an instance of Layer. Received: {layer!r} ({type(layer).__name__}).")
        if self._layers and _starts_with_ids(layer):
            refuse_later_place(layer.name)
        if any(layer is known for known in self._layers):
            raise ValueError(f"All layers of a Sequential model need unique names. Received: {layer.name!r} twice.")
        self._layers.append(layer)
        self._build_known_shapes()

    def pop(self) -> Layer:
        """Remove the last layer and return it."""
        if not self._layers:
            raise TypeError("There are no layers in the model.")
        return self._layers.pop()

    def build(self, input_shape: Any = None) -> None:
        """Build the layers for an input shape, the batch size first."""
        if input_shape is not None:
            self._input_shape = check_shape(input_shape, "input_shape")
        self._build_known_shapes()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Call the layers one after the other."""
        for layer in self._layers:
            inputs = layer(inputs, training=training)
        return inputs

    @property
    def input_shape(self) -> Any:
        """Shape of the input, the batch size first."""
        shape = self._input_shape or self._first_shape() or self._built_shape
        if shape is None:
            raise AttributeError(f"The model {self.name!r} has never been called and so has no defined input shape.")
        return shape

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the last layer's output."""
        for layer in self._layers:
            input_shape = layer.compute_output_shape(input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the name and the configs of the layers."""
        configs = [{"class_name": type(layer).__name__, "config": layer.get_config()} for layer in self._layers]
        return {"name": self.name, "layers": configs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        """Make an untrained model of the layers of this package that a config lists."""
        from fastembed_layer import layers as known

        made = [getattr(known, entry["class_name"]).from_config(entry["config"]) for entry in config["layers"]]
        return cls(made, name=config.get("name"))

    def _first_shape(self) -> Any:
        if not self._layers:
            return None
        first = self._layers[0]
        return first.input_shape if isinstance(first, Embedding) else first.batch_input_shape

    def _build_known_shapes(self) -> None:
        """Build every layer as soon as the shape of its input is known, so that impossible stacks fail early."""
        shape: Any = self._input_shape or self._first_shape()
        if shape is None:
            return
        for layer in self._layers:
            layer.ensure_built(shape)
            shape = layer.compute_output_shape(shape)


def _starts_with_ids(layer: Layer) -> bool:
    """Tell whether a layer, or the stack it is, takes ids."""
    if isinstance(layer, Sequential) and layer.layers:
        return _starts_with_ids(layer.layers[0])
    return isinstance(layer, Embedding)
