"""`Layer`: a module that is called on arrays, is built on its first call, and records itself on the tape."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any

import numpy as np

from fastembed_layer import regularizers
from fastembed_layer.backends.arrays import as_array
from fastembed_layer.layers.configs import read_config
from fastembed_layer.layers.dtypes import DTypes, resolve_dtypes
from fastembed_layer.layers.masks import attach_mask, mask_of
from fastembed_layer.layers.module import Module, unique_name
from fastembed_layer.layers.penalties import penalise_output
from fastembed_layer.layers.symbolic import LISTS, Shape, SymbolicTensor, as_list, declared_shape, is_symbolic
from fastembed_layer.named import argument_names, nearest_names
from fastembed_layer.tables.guard import Guard, hold
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tape import Pullback, current_penalties, is_recording, record, record_penalty

Array = np.ndarray[Any, Any]

BASE_KEYWORDS = (
    "dynamic",
    "input_shape",
    "batch_input_shape",
    "batch_size",
    "weights",
    "autocast",
    "activity_regularizer",
    "compute_dtype",
)


_building = Guard()


class Layer(Module):
    """Base of all layers.

    A layer with its own arithmetic implements `forward`, which returns the output and its pullback. A layer made of
    other layers implements `call`, as in Keras, and needs no pullback: the inner layers record themselves.

    Parameters
    ----------
    name : str, optional
        Unique name; by default the class name in snake case with a number.
    dtype : str, dtype or Keras dtype policy, optional
        Type of the weights (float32 or float64) and, unless `compute_dtype` is given, of the output.
    trainable : bool
        Whether the weights are trained.
    **keywords
        The keywords of ``tf.keras.layers.Layer``: ``input_shape``, ``batch_input_shape`` (wins over `input_shape`),
        ``batch_size``, ``weights`` (applied right after the layer is built), ``activity_regularizer``, ``dynamic``
        and ``autocast`` (both accepted and without effect), and ``compute_dtype``, the type of the output.

    Raises
    ------
    TypeError
        For any other keyword.
    """

    supports_masking = False
    takes_list = False

    def __init__(self, name: str | None = None, dtype: Any = None, trainable: bool = True, **keywords: Any):
        super().__init__(name)
        unknown = {keyword: value for keyword, value in keywords.items() if keyword not in BASE_KEYWORDS}
        if unknown:
            hints = [nearest_names(keyword, [*argument_names(type(self)), *BASE_KEYWORDS]) for keyword in unknown]
            raise TypeError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {unknown}. {' '.join(hints)}"
            )
        if not isinstance(trainable, bool | np.bool_):
            raise TypeError(f"`trainable` must be a bool. Received: {trainable!r}.")
        self._trainable = bool(trainable)
        self.dtypes: DTypes = resolve_dtypes(dtype, keywords.get("compute_dtype"))
        self.batch_input_shape = declared_shape(keywords)
        self.activity_regularizer = regularizers.get(keywords.get("activity_regularizer"))
        self._initial_weights = keywords.get("weights")
        self._built_shape: Any = None
        self._last_penalties: list[Array] = []
        self.built = False

    @property
    def dtype(self) -> str:
        """Name of the type of the weights."""
        return self.dtypes.variable

    variable_dtype = dtype

    @property
    def compute_dtype(self) -> str:
        """Name of the type of the output."""
        return self.dtypes.compute

    @property
    def input_shape(self) -> Any:
        """Shape of the input that the layer was built for, the batch size first."""
        if self._built_shape is None:
            raise AttributeError(f"The layer {self.name!r} has never been called and so has no defined input shape.")
        return self._built_shape

    @property
    def output_shape(self) -> Any:
        """Shape of the output for `input_shape`."""
        return self.compute_output_shape(self.input_shape)

    @property
    def losses(self) -> list[Array]:
        """Penalties of the regularizers: of the weights as they are now, of activities as in the last call.

        Inside a tape's block they are recorded, so they can be passed to its ``gradient`` beside the loss.
        """
        modules = [module for module in (self, *self.submodules) if isinstance(module, Layer)]
        recorded = current_penalties()
        penalties: list[Array] = []
        for module in modules:
            if recorded is None:
                penalties += module._last_penalties
            else:
                penalties += [value for owner, value in recorded if owner is module]
            penalties += module.weight_penalties()
        return penalties

    def weight_penalties(self) -> list[Array]:
        """Return (and record) the penalties of this layer's own weight regularizers."""
        return []

    def build(self, input_shape: Any = None) -> None:
        """Create the weights; called by the first call. A subclass's own `build` ends with ``super().build()``."""
        self.built = True
        self._set_initial_weights()

    def forward(self, inputs: Any, training: bool = False, mask: Any = None) -> tuple[Array, Pullback | None]:
        """Compute the output and its pullback; the pullback may be None while nothing is recorded."""
        raise NotImplementedError(f"{type(self).__name__} must implement `forward` or `call`.")

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Compute the output; subclasses that consist of other layers override this."""
        return self.forward(inputs, training=training, mask=mask)[0]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the output; by default the mask of the input."""
        return mask

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the output's shape for an input's, both with the batch size first and None where open."""
        return tuple(input_shape)

    def prepare(self, inputs: Any) -> Any:
        """Turn what the caller passed into arrays."""
        if self.takes_list:
            return [np.asarray(as_array(array)) for array in inputs]
        return inputs if self._is_composite else np.asarray(as_array(inputs))

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Call the layer on arrays, or on symbolic tensors to define a functional model."""
        if is_symbolic(inputs):
            return self._call_symbolically(inputs)
        arrays = self.prepare(inputs)
        masks = self._find_masks(arrays) if mask is None else mask
        self.refuse_unsupported_mask(masks)
        if not self.built or self._built_shape is None:
            self.ensure_built(self.shape_of(arrays))
        if self._is_composite:
            return self._call_composite(arrays, bool(training), masks)
        self._last_penalties = []
        output, pullback = self.forward(arrays, training=bool(training), mask=masks)
        if output is arrays or (isinstance(arrays, LISTS) and any(output is array for array in arrays)):
            output = output.view()  # the tape and the masks tell arrays apart by identity
        if pullback is not None and is_recording():
            record(as_list(arrays), output, pullback)
        attach_mask(output, self.compute_mask(arrays, masks))
        if self.activity_regularizer is not None:
            self.add_penalty([output], *penalise_output(output, self.activity_regularizer))
        return output

    def shape_of(self, arrays: Any) -> Any:
        """Return the shape to build for."""
        shapes = [(None, *np.shape(array)[1:]) for array in as_list(arrays)]
        return shapes if isinstance(arrays, list | tuple) else shapes[0]

    def ensure_built(self, input_shape: Any) -> None:
        """Build the layer unless that has been done, then apply the ``weights`` argument.

        Of threads that call a new layer at once, one builds it.
        """
        if not self.built or self._built_shape is None or self._initial_weights is not None:
            hold([_building], lambda: self._build_once(input_shape))

    def _build_once(self, input_shape: Any) -> None:
        if self._built_shape is None:
            self._built_shape = input_shape
        if not self.built:
            self.build(input_shape)
            self.built = True
        self._set_initial_weights()

    def shown_weights(self) -> list[Parameter]:
        """Return the weights as `get_weights` and `set_weights` show them."""
        return self.weights

    def get_weights(self) -> list[Array]:
        """Return copies of the weights."""
        return [parameter.numpy() for parameter in self.shown_weights()]

    def set_weights(self, weights: Any) -> None:
        """Overwrite the weights.

        Parameters
        ----------
        weights : sequence of array_like
            Arrays of the shapes that `get_weights` returns, in that order.

        Raises
        ------
        ValueError, TypeError
            If their number or a shape differs, or one does not hold numbers; nothing is written then.
        """
        weights = [as_array(value, is_weight=True) for value in weights]
        shapes = [parameter.shape for parameter in self.shown_weights()]
        if [value.shape for value in weights] != shapes:
            raise ValueError(
                f"`weights` of the layer {self.name!r} must be arrays of the shapes {shapes}. "
                f"Received: {[value.shape for value in weights]}."
            )
        if any(value.dtype.kind not in "biuf" for value in weights):
            raise TypeError(f"`weights` must hold numbers. Received: {[str(value.dtype) for value in weights]}.")
        for parameter, value in zip(self.shown_weights(), weights, strict=True):
            parameter.assign(value)
        self._initial_weights = None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal, untrained layer."""
        config = {"name": self.name, "trainable": self._trainable, "dtype": self.dtypes.to_config()}
        if self.batch_input_shape is not None:
            config["batch_input_shape"] = self.batch_input_shape
        if self.compute_dtype not in (self.variable_dtype, "float16"):
            config["compute_dtype"] = self.compute_dtype
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from what `get_config` returned, here or in Keras.

        Raises
        ------
        TypeError, ValueError
            If the config has keys, or asks for something, that the layer does not know.
        """
        return cls(**read_config(cls, config))

    def _set_initial_weights(self) -> None:
        """Apply the ``weights`` argument; `set_weights` forgets it."""
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)

    @cached_property
    def _is_composite(self) -> bool:
        return type(self).call is not Layer.call and type(self).forward is Layer.forward

    @cached_property
    def _call_options(self) -> frozenset[str]:
        parameters = inspect.signature(self.call).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return frozenset({"training", "mask"})
        return frozenset({"training", "mask"} & parameters.keys())

    def _call_composite(self, inputs: Any, training: bool, mask: Any) -> Any:
        options = {"training": training, "mask": mask}
        return self.call(inputs, **{name: options[name] for name in self._call_options})

    def _call_symbolically(self, inputs: Any) -> SymbolicTensor:
        tensors = as_list(inputs)
        self.refuse_unsupported_mask([tensor if tensor.masked else None for tensor in tensors])
        shapes = [tensor.shape for tensor in tensors]
        shape = shapes if isinstance(inputs, list | tuple | dict) else shapes[0]
        self.check_symbolic(tensors)
        self.ensure_built(shape)
        masked = self.output_is_masked(self.input_is_masked([tensor.masked for tensor in tensors]))
        return SymbolicTensor(
            self.compute_output_shape(shape), self.compute_dtype, unique_name(self.name), self, inputs, masked
        )

    def check_symbolic(self, tensors: list[SymbolicTensor]) -> None:
        """Refuse a place in a functional model that the layer cannot take."""

    def refuse_unsupported_mask(self, masks: Any) -> None:
        """Raise the error of a layer that a mask reaches and that does not know what to do with it."""
        if masks is None or self.supports_masking or self._is_composite:
            return
        if any(mask is not None for mask in (masks if isinstance(masks, list) else [masks])):
            raise TypeError(
                f"Layer {self.name} does not support masking, but was passed an input_mask: {masks}. "
                "Every layer behind an embedding with mask_zero=True has to support masking; "
                "GlobalAveragePooling1D uses the mask and ends it."
            )

    def input_is_masked(self, flags: list[bool]) -> bool:
        """Tell from which inputs carry a mask whether the input as a whole does."""
        return any(flags)

    def output_is_masked(self, input_is_masked: bool) -> bool:
        """Tell whether the output carries a mask."""
        return input_is_masked and type(self).compute_mask is Layer.compute_mask

    def _find_masks(self, arrays: Any) -> Any:
        if isinstance(arrays, LISTS):
            masks = [mask_of(array) for array in arrays]
            return masks if any(mask is not None for mask in masks) else None
        return mask_of(arrays)

    def add_penalty(self, inputs: list[Array], value: Array, pullback: Pullback) -> None:
        """Keep a term of the loss that this call produced, and record it."""
        self._last_penalties.append(value)
        record_penalty(self, inputs, value, pullback)
