"""`Sequential`: a stack of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from fastembed_layer.layers.embedding import Embedding
from fastembed_layer.layers.embedding_group import EmbeddingGroup
from fastembed_layer.layers.input_layer import InputLayer
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import Input, Shape, SymbolicTensor, check_shape, require_first
from fastembed_layer.models.configs import MODELS, read_layer
from fastembed_layer.models.model import Model, fit_rank

_graphs: WeakKeyDictionary[Sequential, Model] = WeakKeyDictionary()
STARTS = (Embedding, EmbeddingGroup)  # layers that take ids, and so have to come first


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
        self._declared_shape: Shape | None = None
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
        layer = layer.output if isinstance(layer, InputLayer) else layer
        if isinstance(layer, SymbolicTensor) and layer.is_input and not self._layers:
            self._input_shape = self._declared_shape = layer.shape
            return
        if isinstance(layer, SymbolicTensor):
            raise ValueError(
                f"An input can only be the first of a Sequential model. Received: {layer.name!r} behind "
                f"{[known.name for known in self._layers]}."
            )
        if not isinstance(layer, Layer):
            raise TypeError(f"`layer` must be an instance of Layer. Received: {layer!r} ({type(layer).__name__}).")
        if self._layers and _starts_with_ids(layer):
            require_first(layer.name)
        if any(layer is known for known in self._layers):
            raise ValueError(f"All layers of a Sequential model need unique names. Received: {layer.name!r} twice.")
        self._layers.append(layer)
        try:
            self._build_known_shapes()
        except Exception:
            self._layers.pop()  # a stack that cannot be is not left behind
            raise

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

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic input of the stack, from which further functional models can start."""
        return self._as_graph().inputs

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic output of the stack."""
        return self._as_graph().outputs

    def _as_graph(self) -> Model:
        """The same layers as a functional model; the same one until a layer is added or removed."""
        known = _graphs.get(self)
        if known is not None and known.layers == self._layers:
            return known
        first = self._layers[0] if self._layers else None
        tensor = inputs = Input(batch_shape=self.input_shape, dtype="int64" if isinstance(first, STARTS) else None)
        for layer in self._layers:
            tensor = layer(tensor)
        _graphs[self] = Model(inputs, tensor)
        return _graphs[self]

    @property
    def has_one_output(self) -> bool:
        """Whether it is known that the model has a single output: it always has."""
        return True

    def column_names(self) -> list[str] | None:
        """Return the names of the features, if the first layer is an `EmbeddingGroup` that names them."""
        first = self._layers[0] if self._layers else None
        if isinstance(first, Sequential):
            return first.column_names()
        is_named = isinstance(first, EmbeddingGroup) and isinstance(first.features[0], str)
        return [str(feature) for feature in first.features] if is_named else None  # type: ignore[union-attr]

    def prepare(self, inputs: Any) -> Any:
        """Leave the inputs to the first layer; ``(n,)`` becomes ``(n, 1)`` where that was declared."""
        return fit_rank(super().prepare(inputs), self._shape_declared())

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
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

    def shape_of(self, arrays: Any) -> Any:
        """Return the shape to build for: of ids that come with weights that of the ids; a group of features has one."""
        first = self._layers[0] if self._layers else None
        if isinstance(first, EmbeddingGroup | Sequential):
            return first.shape_of(arrays)
        return super().shape_of(arrays[0] if isinstance(arrays, list | tuple) else arrays)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the last layer's output."""
        for layer in self._layers:
            input_shape = layer.compute_output_shape(input_shape)
        return tuple(input_shape)

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Tell whether the last layer's output carries a mask."""
        for layer in self._layers:
            input_is_masked = layer.output_is_masked(input_is_masked)
        return input_is_masked

    def get_config(self) -> dict[str, Any]:
        """Return the name and the configs of the layers, behind that of the input where its shape was given."""
        configs = [{"class_name": type(layer).__name__, "config": layer.get_config()} for layer in self._layers]
        if self._input_shape is not None:
            configs.insert(0, {"class_name": "InputLayer", "config": {"batch_input_shape": self._input_shape}})
        return {"name": self.name, "layers": configs}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Sequential:
        """Make an untrained model of the layers of this package that a config, also one of Keras, lists.

        Raises
        ------
        ValueError
            If it names a layer that the package does not have.
        """
        return cls([read_layer(entry, custom_objects) for entry in config["layers"]], name=config.get("name"))

    def _shape_declared(self) -> Any:
        """The shape of the input as the caller declared it, by an `Input` or an argument of the first layer."""
        if self._declared_shape is not None or not self._layers:
            return self._declared_shape
        first = self._layers[0]
        return first._shape_declared() if isinstance(first, Sequential) else first.batch_input_shape

    def _first_shape(self) -> Any:
        if not self._layers:
            return None
        first = self._layers[0]
        if isinstance(first, Sequential):
            return first._input_shape or first._first_shape()
        return first.input_shape if isinstance(first, STARTS) else first.batch_input_shape

    def _build_known_shapes(self) -> None:
        """Build every layer as soon as the shape of its input is known, so that impossible stacks fail early."""
        shape: Any = self._input_shape or self._first_shape()
        if shape is None:
            return
        masked = False
        for layer in self._layers:
            if masked:
                layer.refuse_unsupported_mask(f"a mask of shape {shape[:-1]}")
            layer.ensure_built(shape)
            shape, masked = layer.compute_output_shape(shape), layer.output_is_masked(masked)


def _starts_with_ids(layer: Layer) -> bool:
    """Tell whether a layer, or the stack it is, takes ids."""
    if isinstance(layer, Sequential) and layer.layers:
        return _starts_with_ids(layer.layers[0])
    return isinstance(layer, STARTS)


MODELS["Sequential"] = Sequential
