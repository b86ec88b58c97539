"""`Model`: layers joined to a whole that can be trained, from symbolic tensors or by a subclass."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from fastembed_layer.inputs.columns import is_table, read_columns
from fastembed_layer.layers.layer import Layer
from fastembed_layer.layers.symbolic import Shape, SymbolicTensor, as_list
from fastembed_layer.models.configs import MODELS, read_layer, to_json
from fastembed_layer.models.graph_config import describe_graph, rebuild_graph
from fastembed_layer.models.rows import as_rows
from fastembed_layer.models.summary import print_summary
from fastembed_layer.models.training import Trainer
from fastembed_layer.models.weights_file import read_weights, write_weights
from fastembed_layer.named import nearest_names


class Model(Trainer, Layer):
    """A model made from symbolic tensors, or by a subclass that implements ``call``.

    Parameters
    ----------
    inputs : SymbolicTensor, or list or dict of SymbolicTensor, optional
        What `Input` returned. The keys of a dict name the inputs.
    outputs : SymbolicTensor, or list or dict of SymbolicTensor, optional
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

    Inputs with names; `fit`, `predict` and calls then take arrays by these names, or the columns of a table:

    >>> user, item = Input((1,), dtype="int64"), Input((1,), dtype="int64")
    >>> vectors = [Flatten()(Embedding(1000, 8)(user)), Flatten()(Embedding(500, 8)(item))]
    >>> model = Model(inputs={"user": user, "item": item}, outputs=Dot(axes=1)(vectors))
    >>> import numpy as np
    >>> model.predict({"user": np.array([1, 2]), "item": np.array([3, 4])}).shape
    (2, 1)

    A subclassed one:

    >>> class Scorer(Model):
    ...     def __init__(self, users, items):
    ...         super().__init__()
    ...         self.users, self.items = Embedding(users, 8), Embedding(items, 8)
    ...         self.dot = Dot(axes=1)
    ...
    ...     def call(self, pair):
    ...         return self.dot([self.users(pair[0]), self.items(pair[1])])
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

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs of a functional model."""
        return as_list(self._defined("inputs", self._inputs))

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs of a functional model."""
        return as_list(self._defined("outputs", self._outputs))

    @property
    def input(self) -> Any:
        """The symbolic input, or the list or dict of them, as the model was defined with."""
        return self.inputs[0] if self._inputs is None else self._inputs

    @property
    def output(self) -> Any:
        """The symbolic output, or the list or dict of them, as the model was defined with."""
        return self.outputs[0] if self._outputs is None else self._outputs

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or by its number.

        Raises
        ------
        ValueError
            If both are given or none, or there is no such layer; the message lists those that there are.
        """
        names = [layer.name for layer in self.layers]
        if (name is None) == (index is None):
            raise ValueError(f"Pass either `name` or `index`. Received: name={name!r}, index={index!r}.")
        if index is not None:
            if not -len(names) <= index < len(names):
                raise ValueError(f"`index` must be one of the {len(names)} layers {names}. Received: {index}.")
            return self.layers[index]
        if name not in names:
            hint = nearest_names(str(name), names)
            raise ValueError(f"No such layer: {name!r}. The layers of {self.name!r} are {names}. {hint}")
        return self.layers[names.index(str(name))]

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write all weights, those that do not train included, to a ``.npz`` file.

        They are written to a file beside it that then takes its name, array by array and without a copy of a table.

        Parameters
        ----------
        filepath : str or path
            Ends in ``.npz``.
        overwrite : bool
            Whether an older file is replaced.

        Raises
        ------
        ValueError
            If the path has another ending, or the model is not built.
        FileExistsError
            If there is such a file and `overwrite` is False.
        """
        write_weights(self.weights, filepath, self.name, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Read back what `save_weights` wrote, into a model of the same layers that is built.

        Parameters
        ----------
        filepath : str or path
            The file.
        skip_mismatch : bool
            Whether weights of other shapes stay as they are, with a warning, instead of an error.

        Raises
        ------
        ValueError
            If the file is damaged, or its weights are not as many or of other names, shapes or kinds; nothing is
            written then.
        """
        read_weights(self.weights, filepath, self.name, skip_mismatch)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal, untrained functional model; a subclass writes its own.

        Raises
        ------
        NotImplementedError
            For a subclass with a `call` of its own.
        """
        if self._outputs is None:
            raise NotImplementedError(f"{type(self).__name__} must override `get_config(self)` to have a config.")
        own = {"name": self.name, "trainable": self._trainable}
        return own | describe_graph(self._inputs, self._outputs, self._nodes)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Make an untrained model from what `get_config` returned.

        Parameters
        ----------
        config : dict
            Of a functional model; of a subclass with its own `get_config` its arguments.
        custom_objects : dict of str to type, optional
            Layers of your own by the names of their classes.
        """
        if "calls" not in config:
            return cls(**config)
        model = cls(*rebuild_graph(config, partial(read_layer, custom_objects=custom_objects)), name=config["name"])
        if not config["trainable"]:
            model.trainable = False
        return model

    def to_json(self, **options: Any) -> str:
        """Return class and config as JSON, for `models.model_from_json`; `options` are those of ``json.dumps``."""
        return to_json(self, **options)

    def _defined(self, what: str, tensors: Any) -> Any:
        if tensors is None:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has no symbolic {what}: a subclassed model is defined by its "
                "`call`. Make it a functional model to have them."
            )
        return tensors

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Compute the outputs of a functional model; subclasses override this."""
        if self._outputs is None:
            raise NotImplementedError(f"{type(self).__name__} must implement `call`, or be given inputs and outputs.")
        values = dict(zip(map(id, as_list(self._inputs)), self._as_input_list(inputs), strict=True))
        for node in self._nodes:
            arguments = [values[id(tensor)] for tensor in as_list(node.inputs)]
            assert node.layer is not None
            values[id(node)] = node.layer(_arranged_like(node.inputs, arguments), training=training)
        return _arranged_like(self._outputs, [values[id(tensor)] for tensor in as_list(self._outputs)])

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

    @property
    def input_names(self) -> list[str] | None:
        """The names of the inputs of a functional model: the keys of a dict, else those that `Input` was given."""
        if isinstance(self._inputs, dict):
            return list(self._inputs)
        return None if self._outputs is None else [tensor.name for tensor in as_list(self._inputs)]

    @property
    def output_names(self) -> list[str] | None:  # type: ignore[override]
        """The names of the outputs of a functional model: the keys of a dict, else the names of their layers."""
        if isinstance(self._outputs, dict):
            return list(self._outputs)
        return None if self._outputs is None else _names_of(as_list(self._outputs))

    @property
    def has_one_output(self) -> bool:
        """Whether it is known that the model has a single output, which is in no list and no dict."""
        return isinstance(self._outputs, SymbolicTensor)

    def column_names(self) -> list[str] | None:
        """Return the names of several inputs, by which columns of a table are found; None for a single input."""
        return self.input_names if isinstance(self._inputs, dict | list | tuple) else None

    def prepare(self, inputs: Any) -> Any:
        """Leave the inputs to the layers they go to; only lists of plain numbers become arrays here.

        A functional model's are brought into the order of its inputs, and ``(n,)`` becomes ``(n, 1)`` where that is
        what an input was declared as, and the other way round.
        """
        if self._outputs is not None:
            parts = self._as_input_list(inputs)
            tensors = as_list(self._inputs)
            fitted = [fit_rank(part, tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
            return fitted[0] if isinstance(self._inputs, SymbolicTensor) else fitted
        if isinstance(inputs, list | tuple) and all(isinstance(part, list | tuple | int | float) for part in inputs):
            return as_rows(inputs)
        return inputs

    def shape_of(self, arrays: Any) -> Any:
        """Return the shape, or the shapes, to build for."""
        several = isinstance(arrays, list | tuple)
        return [super(Model, self).shape_of(part) for part in arrays] if several else super().shape_of(arrays)

    def summary(self, line_length: int | None = None, print_fn: Any = print, expand_nested: bool = False) -> None:
        """Print layers, output shapes, numbers of parameters, and where each table is.

        Parameters
        ----------
        line_length : int, optional
            Width of the lines; without it they are as long as they have to be.
        print_fn : callable
            Called with each line.
        expand_nested : bool
            Whether the layers of models in the model are listed, too.
        """
        print_summary(self, print_fn, line_length, expand_nested)

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
        if isinstance(self._inputs, SymbolicTensor):
            return [inputs[self._inputs.name] if _names_one(inputs, self._inputs.name) else inputs]
        if isinstance(inputs, Mapping):
            return self._inputs_by_name(inputs)
        if is_table(inputs):
            return list(read_columns(inputs, self.input_names or []).values())
        if isinstance(self._inputs, dict) and not isinstance(inputs, list):
            raise TypeError(
                f"The model {self.name!r} takes a dict with the inputs {self.input_names}. "
                f"Received: {type(inputs).__name__}."
            )
        if len(self._inputs) == 1 and not isinstance(inputs, list | tuple):
            return [inputs]  # a list of one input, as Keras takes it
        if not isinstance(inputs, list | tuple) or len(inputs) != len(self._inputs):
            received = len(inputs) if isinstance(inputs, list | tuple) else type(inputs).__name__
            raise ValueError(f"The model {self.name!r} has {len(self._inputs)} inputs. Received: {received}.")
        return list(inputs)

    def _inputs_by_name(self, inputs: Mapping[str, Any]) -> list[Any]:
        names = self.input_names or []
        unknown = [name for name in inputs if name not in names]
        missing = [name for name in names if name not in inputs]
        if missing or unknown:
            found = [f"none for {missing}"] * bool(missing) + [f"unknown names {unknown}"] * bool(unknown)
            hint = f" {nearest_names(str(unknown[0]), names)}" if unknown else ""
            raise ValueError(f"The model {self.name!r} has the inputs {names}. Received: {' and '.join(found)}.{hint}")
        return [inputs[name] for name in names]


def fit_rank(array: Any, shape: Shape | None) -> Any:
    """Return ``(n,)`` as ``(n, 1)`` where `shape` declares one number per sample, and the other way round, as Keras."""
    if shape is None or not isinstance(array, np.ndarray):
        return array
    if array.ndim == len(shape) - 1 and shape[-1] == 1:
        return array[..., None]
    return array[..., 0] if array.ndim == len(shape) + 1 and array.shape[-1] == 1 else array


def _names_one(inputs: Any, name: str) -> bool:
    return isinstance(inputs, Mapping) and list(inputs) == [name]


def _names_of(tensors: list[SymbolicTensor]) -> list[str]:
    """The names of the layers that tensors come from, with a number where one gives several."""
    names: list[str] = []
    for tensor in tensors:
        stem = tensor.name if tensor.layer is None else tensor.layer.name
        candidates = (stem, *(f"{stem}_{number}" for number in range(1, len(tensors))))
        names.append(next(name for name in candidates if name not in names))
    return names


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
    """Return values in the form of symbolic ones: a single one, a list, a dict, or a named tuple."""
    if isinstance(inputs, dict):
        return dict(zip(inputs, arguments, strict=True))
    if not isinstance(inputs, list | tuple):
        return arguments[0]
    return inputs._make(arguments) if hasattr(inputs, "_make") else arguments


def _shapes(tensors: Any) -> Any:
    if isinstance(tensors, dict):
        return {name: tensor.shape for name, tensor in tensors.items()}
    return [tensor.shape for tensor in tensors] if isinstance(tensors, list | tuple) else tensors.shape


MODELS["Model"] = Model
