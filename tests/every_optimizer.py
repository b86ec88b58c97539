"""All optimizers of the package: tests that hold for each of them draw from here, so a new one is in them by itself."""

from __future__ import annotations

from fastembed_layer import optimizers
from fastembed_layer.optimizers import Optimizer

_PUBLIC = {name: getattr(optimizers, name) for name in optimizers.__all__}

EVERY: dict[str, type[Optimizer]] = {
    name: cls
    for name, cls in _PUBLIC.items()
    if isinstance(cls, type) and issubclass(cls, Optimizer) and cls is not Optimizer
}
