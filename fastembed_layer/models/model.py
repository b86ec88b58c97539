"""`Model`: layers joined to a whole that can be trained, from symbolic tensors or by a subclass."""

from __future__ import annotations

from typing import Any

from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import SymbolicTensor, as_list
from fastembed_layer.models.data import as_rows
from fastembed_layer.models.summary import print_summary
from fastembed_layer.models.training import Trainer


class Model(Trainer, Layer):
    """A model made from symbolic tensors, or by a subclass that implements ``call``.

    Parameters
    ----------
    inputs : SymbolicTensor or list of SymbolicTensor, optional
        What `Input` returned.
    outputs : SymbolicTensor or list of SymbolicTensor, optional
        What layers returned when they were called on symbolic tensors.
    name : str, optional
        Name of the model.

    Raises
    ------
    TypeError
        If only one of them is given, or something else than symbolic tensors.
    ValueError
        If an output needs an input that is not among `inputs`.

    Examples
    --------
    A functional model:

    >>> from fastembed_layer import Dense, Dot, Embedding, Flatten, Input, Model
    >>> ids = Input(shape=(10,), dtype="int64")
    >>> scores = Dense(1)(Flatten()(Embedding(1000, 16)(ids)))
    >>> Model(ids, scores).output_shape
    (None, 1)

    A subclassed one:

    >>> class Scorer(Model):
    ...     def __init__(self, users, items):
    ...         super().__init__()
    ...         self.users, self.items = Embedding(users, 8), Embedding(items, 8)
    ...         self.dot = Dot(axes=1)
    ...
    ...     def call(self, pair):
    ...         return self.dot([self.users(pair[0]), self.items(pair[1])])
    >>> import numpy as np
    >>> Scorer(100, 50)([np.array([1, 2]), np.array([3, 4])]).shape
    (2, 1)
    """

    supports_masking = True

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **keywords: Any):
        super().__init__(name=name, **keywords)
        self._inputs: Any = None
        self._outputs: Any = None
        self._nodes: list[SymbolicTensor] = []
        self._graph_layers: list[Layer] = []
        if inputs is not None or outputs is not None:
            self._define_graph(inputs, outputs)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order of the graph or of the attributes."""
        if self._nodes:
            return list(self._graph_layers)
        return [module for module in vars(self).values() if isinstance(module, Layer)]

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Compute the outputs of a functional model; subclasses override this."""
        if self._outputs is None:
            raise NotImplementedError(f"{type(self).__name__} must implement `call`, or be given inputs and outputs.")
        values = dict(zip(map(id, as_list(self._inputs)), self._as_input_list(inputs), strict=True))
        for node in self._nodes:
            arguments = [values[id(tensor)] for tensor in as_list(node.inputs)]
            assert node.layer is not None
            values[id(node)] = node.layer(_arranged_like(node.inputs, arguments), training=training)
        outputs = [values[id(tensor)] for tensor in as_list(self._outputs)]
        return outputs if isinstance(self._outputs, list | tuple) else outputs[0]

    @property
    def input_shape(self) -> Any:
        """Shape of the input, or a list of shapes."""
        if self._outputs is None:
            return super().input_shape
        return _shapes(self._inputs)

    @property
    def output_shape(self) -> Any:
        """Shape of the output, or a list of shapes."""
        return _shapes(self._outputs) if self._outputs is not None else super().output_shape

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shapes that the graph was defined with."""
        if self._outputs is None:
            raise NotImplementedError(f"{type(self).__name__} must implement `compute_output_shape`.")
        return _shapes(self._outputs)

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Tell whether an output carries a mask, as far as that is known before any call."""
        return self._outputs is not None and any(tensor.masked for tensor in as_list(self._outputs))

    def prepare(self, inputs: Any) -> Any:
        """Leave the inputs to the layers they go to; only lists of plain numbers become arrays here."""
        if isinstance(inputs, list | tuple) and all(isinstance(part, list | tuple | int | float) for part in inputs):
            return as_rows(inputs)
        return inputs

    def shape_of(self, arrays: Any) -> Any:
        """Return the shape, or the shapes, to build for."""
        several = isinstance(arrays, list | tuple)
        return [super(Model, self).shape_of(part) for part in arrays] if several else super().shape_of(arrays)

    def summary(self, print_fn: Any = print) -> None:
        """Print layers, output shapes and numbers of parameters.

        Parameters
        ----------
        print_fn : callable
            Called with each line.
        """
        print_summary(self, print_fn)

    def _define_graph(self, inputs: Any, outputs: Any) -> None:
        for argument, tensors in (("inputs", inputs), ("outputs", outputs)):
            if not all(isinstance(tensor, SymbolicTensor) for tensor in as_list(tensors)):
                raise TypeError(
                    f"`{argument}` must be symbolic tensors, which start at Input(). Received: {tensors!r}."
                )
        self._inputs, self._outputs = inputs, outputs
        known = {id(tensor) for tensor in as_list(inputs)}
        for tensor in as_list(outputs):
            _order_nodes(tensor, known, self._nodes)
        self._graph_layers = list(dict.fromkeys(node.layer for node in self._nodes if node.layer is not None))
        self.built = True

    def _as_input_list(self, inputs: Any) -> list[Any]:
        if not isinstance(self._inputs, list | tuple):
            return [inputs]
        if not isinstance(inputs, list | tuple) or len(inputs) != len(self._inputs):
            received = len(inputs) if isinstance(inputs, list | tuple) else type(inputs).__name__
            raise ValueError(f"The model {self.name!r} has {len(self._inputs)} inputs. Received: {received}.")
        return list(inputs)


def _order_nodes(tensor: SymbolicTensor, known: set[int], nodes: list[SymbolicTensor]) -> None:
    """Append `tensor` to `nodes` behind everything it needs."""
    if id(tensor) in known:
        return
    if tensor.is_input:
        raise ValueError(f"`outputs` need the input {tensor.name!r}, which is not among `inputs`.")
    for needed in as_list(tensor.inputs):
        _order_nodes(needed, known, nodes)
    known.add(id(tensor))
    nodes.append(tensor)


def _arranged_like(inputs: Any, arguments: list[Any]) -> Any:
    """Return the arguments of a call in the form of its symbolic ones: a single one, a list, or a named tuple."""
    if not isinstance(inputs, list | tuple):
        return arguments[0]
    return inputs._make(arguments) if hasattr(inputs, "_make") else arguments


def _shapes(tensors: Any) -> Any:
    return [tensor.shape for tensor in tensors] if isinstance(tensors, list | tuple) else tensors.shape
