"""Initializers: the first values of weights, by Keras's names."""

from __future__ import annotations

from typing import Any

from fastembed_layer.initializers.base import FunctionInitializer, Initializer
from fastembed_layer.initializers.constant import Constant, FromArray, Identity, Ones, Zeros
from fastembed_layer.initializers.random import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from fastembed_layer.initializers.seeds import draw_seed, set_seed
from fastembed_layer.named import NamedObjects, serialize

__all__ = [
    "Constant",
    "FromArray",
    "FunctionInitializer",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "draw_seed",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "set_seed",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_uniform, random_normal, truncated_normal = RandomUniform, RandomNormal, TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal

_initializers: NamedObjects[Initializer] = NamedObjects("initializer", Initializer, wrap=FunctionInitializer)
_initializers.add(Zeros, "zero")
_initializers.add(Ones, "one")
_initializers.add(Constant)
_initializers.add(FromArray)
_initializers.add(Identity, "IdentityInitializer")
_initializers.add(RandomUniform, "uniform")
_initializers.add(RandomNormal, "normal")
_initializers.add(TruncatedNormal)
_initializers.add(VarianceScaling)
_initializers.add(Orthogonal, "OrthogonalInitializer")
for _class in (GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal):
    _initializers.add(_class)


def get(identifier: Any) -> Initializer | None:
    """Return the initializer that `identifier` names; None stays None.

    Parameters
    ----------
    identifier : str, dict, class, Initializer, callable, ndarray or None
        A name (``"uniform"``, ``"zeros"``, ``"glorot_uniform"``, a class name, ...), a config of tf.keras or
        Keras 3, a callable, see `FunctionInitializer`, or an array of the very values, see `FromArray`.

    Raises
    ------
    ValueError
        For an unknown name or a config whose arguments do not fit.
    TypeError
        For an identifier of another kind.

    Examples
    --------
    >>> get("ones")((2, 2))
    array([[1., 1.],
           [1., 1.]], dtype=float32)
    >>> get({"class_name": "RandomUniform", "config": {"minval": 0.0, "maxval": 1.0, "seed": 7}})
    RandomUniform(minval=0.0, maxval=1.0, seed=7)
    """
    if hasattr(identifier, "__array__") and not callable(identifier) and not isinstance(identifier, str):
        return FromArray(identifier)
    return _initializers.get(identifier)


deserialize = get
