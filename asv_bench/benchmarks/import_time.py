"""The import, the first result and the first training step of a fresh interpreter, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache

from .rivals import find_missing
from .timing import ONCE, Plan

PACKAGES = ("fastembed_layer", "numpy", "torch", "keras", "gensim")
MOST_TURNS = 7
MOST_COLD_TURNS = 3
TIMED_IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
FIRST_RESULT = """
import numpy, fastembed_layer
fastembed_layer.Embedding(1000, 64)(numpy.zeros((32, 10), int))
"""
FIRST_STEP = """
import time
start = time.perf_counter()
import numpy
from fastembed_layer import Dense, Embedding, GlobalAveragePooling1D, Sequential
model = Sequential([Embedding(1000, 64), GlobalAveragePooling1D(), Dense(1)])
model.compile("adam", "mse")
model.train_on_batch(numpy.zeros((32, 10), int), numpy.zeros((32, 1)))
print(time.perf_counter() - start)
"""


class Import:
    """``import NAME``."""

    params = PACKAGES
    param_names = ("implementation",)

    def setup(self, implementation: str) -> None:
        if find_missing((implementation,)):
            raise NotImplementedError(f"{implementation} is not installed")

    def timeraw_import(self, implementation: str) -> str:
        return f"import {implementation}"


def timeraw_first_lookup() -> str:
    """The import and a first lookup, which loads numba and the kernels it has cached."""
    return FIRST_RESULT


class FirstStep:
    """Seconds to the end of the first training step, with the kernels on disk as from the second process on, or not."""

    params = ("kernels on disk", "nothing on disk")
    param_names = ("cache",)
    unit = "seconds"
    timeout = 300

    def track_first_step(self, cache: str) -> float:
        return _measure_both_once()[cache][0]


def measure_imports(plan: Plan) -> dict[str, list[float]]:
    """Return the seconds that the imports of the installed packages take, in turns; numpy's is part of each."""
    packages = [package for package in PACKAGES if not find_missing((package,))]
    samples: dict[str, list[float]] = {package: [] for package in packages}
    for turn in range(min(plan.turns, MOST_TURNS) + 1):
        for package in packages:
            seconds = _time_import(package)
            if turn > 0:  # the first reads the files from the disk
                samples[package].append(seconds)
    return samples


def measure_first_steps(plan: Plan) -> dict[str, list[float]]:
    """Return the seconds to a first training step, import included: with kernels cached on disk, and without."""
    samples: dict[str, list[float]] = {"kernels on disk": [], "nothing on disk": []}
    for _ in range(min(plan.turns, MOST_COLD_TURNS)):
        with tempfile.TemporaryDirectory() as folder:
            for name in reversed(samples):
                samples[name].append(_time_script(FIRST_STEP, NUMBA_CACHE_DIR=folder))
    return samples


@cache
def _measure_both_once() -> dict[str, list[float]]:
    return measure_first_steps(ONCE)


def _time_import(package: str) -> float:
    return _time_script(TIMED_IMPORT.format(package), KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="2")


def _time_script(script: str, **variables: str) -> float:
    """Return the number that a script prints last, run in a process with some environment variables."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | variables)
    return float(done.stdout)
