"""Many categorical features, each with a table of its own, as in models of clicks: one call against many layers."""

from __future__ import annotations

from .common import CLICKS
from .rivals import IMPLEMENTATIONS, make_job

FEATURES = CLICKS
OPTIMIZERS = ("sgd", "adagrad", "adam", "adam_lazy")


class FeaturesLookup:
    """The vectors of all features of a batch."""

    params = IMPLEMENTATIONS
    param_names = ("implementation",)

    def setup(self, implementation: str) -> None:
        self.job = make_job(implementation, "features_lookup", FEATURES)

    def time_lookup(self, *_: object) -> None:
        self.job()


class FeaturesStep:
    """The lookup of all features, the way back with a given gradient, and the update."""

    params = (IMPLEMENTATIONS, OPTIMIZERS)
    param_names = ("implementation", "optimizer")

    def setup(self, implementation: str, optimizer: str) -> None:
        self.job = make_job(implementation, "features_step", FEATURES, optimizer)

    def time_step(self, *_: object) -> None:
        self.job()


class FeaturesApart:
    """The same by a layer of this package for each feature."""

    params = ("lookup", *OPTIMIZERS)
    param_names = ("work",)

    def setup(self, work: str) -> None:
        if work == "lookup":
            self.job = make_job("fastembed_layer", "features_apart_lookup", FEATURES)
        else:
            self.job = make_job("fastembed_layer", "features_apart_step", FEATURES, work)

    def time_work(self, *_: object) -> None:
        self.job()
