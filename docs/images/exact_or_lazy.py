"""Draw `exact_or_lazy.png`: one element of a table under dense, exact and lazy Adam, and how far they part.

`python docs/images/exact_or_lazy.py` writes the picture beside this file.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot

from fastembed_layer import Embedding, RowGradient
from fastembed_layer.optimizers import Adam

Array = np.ndarray[Any, Any]

PICTURE = Path(__file__).with_suffix(".png")
STEPS = 240
RATE = 0.01
# Gradients of the row that is looked at; in all other steps it is idle.
GRADIENTS = {1: 1.0, 2: 0.8, 3: 1.1, 30: 0.9, 31: 0.7, 80: -0.6, 81: -0.9, 82: -0.5, 83: -0.7, 150: 0.4, 151: 0.6}
COLORS = {"dense": "#b9c4cc", "exact": "#00798c", "lazy": "#d1495b"}


class Run(NamedTuple):
    """The element before the first step and after each step."""

    name: str
    values: Array


def train_densely() -> Run:
    """Adam as it is written down, in float64, with a gradient of 0 in the idle steps."""
    weight = mean = variance = 0.0
    values = [weight]
    for step in range(1, STEPS + 1):
        gradient = GRADIENTS.get(step, 0.0)
        mean += (gradient - mean) * (1 - 0.9)
        variance += (gradient**2 - variance) * (1 - 0.999)
        rate = RATE * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight -= rate * mean / (math.sqrt(variance) + 1e-7)
        values.append(weight)
    return Run("dense", np.array(values))


def train_by_rows(update: str) -> Run:
    """The same by row gradients of a table in float32; its value is what a lookup gives."""
    layer = Embedding(2, 1, embeddings_initializer="zeros")
    optimizer = Adam(RATE, update=update)
    values = [0.0]
    for step in range(1, STEPS + 1):
        row_id = 0 if step in GRADIENTS else 1
        gradient = np.full((1, 1), GRADIENTS.get(step, 1.0), np.float32)
        optimizer.apply_gradients([(RowGradient(np.array([row_id]), gradient, (2, 1)), layer.embeddings)])
        values.append(float(layer(np.array([0]))[0, 0]))
    return Run(update, np.array(values))


def draw_picture(dense: Run, runs: list[Run]) -> None:
    """Draw the values above and the differences below."""
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(8, 6), sharex=True, height_ratios=(3, 2), layout="constrained", dpi=110
    )
    steps = np.arange(STEPS + 1)
    above.plot(steps, dense.values, color=COLORS["dense"], linewidth=6, label="dense Adam, as written down")
    for run in runs:
        style = "--" if run.name == "exact" else "-"
        above.plot(steps, run.values, style, color=COLORS[run.name], label=f'update="{run.name}"')
        below.plot(steps, np.abs(run.values - dense.values), color=COLORS[run.name])
    for axes in (above, below):
        mark_idle_steps(axes)
        axes.grid(color="#e4e4e4")
        axes.set_axisbelow(True)
    above.set_ylabel("the element")
    above.legend(loc="best")
    below.set_yscale("log")
    below.set_ylim(1e-11, 1)
    below.set_ylabel("difference from dense Adam")
    below.set_xlabel("step; shaded: the row is in no batch")
    below.set_xlim(0, STEPS)
    figure.savefig(PICTURE)


def mark_idle_steps(axes: Any) -> None:
    """Shade the steps between those with a gradient."""
    touched = [*GRADIENTS, STEPS + 1]
    for before, after in pairwise(touched):
        if after > before + 1:
            axes.axvspan(before, after - 1, color="#f4efe2", zorder=0)


if __name__ == "__main__":
    draw_picture(train_densely(), [train_by_rows("exact"), train_by_rows("lazy")])
    print(f"wrote {PICTURE}")
