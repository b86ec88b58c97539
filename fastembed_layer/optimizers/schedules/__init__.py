"""Learning-rate schedules, by Keras's names and formulas: from the number of finished steps to the rate."""

from __future__ import annotations

from fastembed_layer.optimizers.schedules.base import LearningRateSchedule, deserialize, get, serialize
from fastembed_layer.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from fastembed_layer.optimizers.schedules.decays import ExponentialDecay, InverseTimeDecay, PolynomialDecay
from fastembed_layer.optimizers.schedules.stages import LinearWarmup, PiecewiseConstantDecay

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "LinearWarmup",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "get",
    "serialize",
]
