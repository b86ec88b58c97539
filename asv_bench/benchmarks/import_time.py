"""The import, and how long a fresh interpreter takes until its first result; each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from .rivals import find_missing
from .timing import Plan

PACKAGES = ("fastembed_layer", "numpy", "torch", "keras", "gensim")
MOST_TURNS = 7
TIMED_IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
FIRST_RESULT = """
import numpy, fastembed_layer
fastembed_layer.Embedding(1000, 64)(numpy.zeros((32, 10), int))
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


def _time_import(package: str) -> float:
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-c", TIMED_IMPORT.format(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)
