"""The CUDA backend on a CPU: g++ compiles the unchanged `.cu` files behind `cuda/emulator.h`, ctypes calls them.

`BACKEND` has numpy in the place of cupy and very small blocks, so that a launch starts few threads. A kernel is handed
only what its signature asks for: an array of another type, or a number for a pointer, is an error, where cupy would
hand it on.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fastembed_layer.backends.cuda import CudaBackend
from fastembed_layer.backends.cuda.modules import Launcher

FOLDER = Path(__file__).parent / "cuda"
COMPILER = os.environ.get("CXX", "g++")
# Sums are judged, and the generator's bits compared: nothing may be fused but what a kernel writes out.
FLAGS = ("-std=c++20", "-O1", "-fPIC", "-shared", "-pthread", "-mfma", "-ffp-contract=off")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function")
SANITIZERS = ("address", "undefined", "thread")
KERNEL = re.compile(r"__global__ void (\w+)\(")
LETTERS = {"int32": "i", "int64": "l", "uint64": "u", "float32": "f", "float64": "d"}


def explain_absence() -> str | None:
    """Why kernels cannot be emulated here; None where they can."""
    return None if shutil.which(COMPILER) else f"needs the compiler {COMPILER}"


class Emulator:
    """Compiles modules into one folder, and loads each once.

    Parameters
    ----------
    sanitizer : str
        One of `SANITIZERS`, whose runtime has to be in the process; or nothing.
    """

    def __init__(self, sanitizer: str = ""):
        self.folder = Path(tempfile.mkdtemp(prefix="emulated-cuda-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        sanitize = (f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-g") if sanitizer else ()
        self.flags = (*FLAGS, *WARNINGS, *sanitize)

    @property
    def runtime(self) -> ctypes.CDLL:
        """The library that starts the threads."""
        return self._load_runtime()

    def load_module(self, source: str, options: tuple[str, ...]) -> EmulatedModule:
        """Compile a module and load it."""
        names = KERNEL.findall(source)
        calls = "".join(
            f'extern "C" void run_{name}(void **arguments) {{ call({name}, arguments); }}\n'
            f'extern "C" const char *describe_{name}() {{ return describe({name}); }}\n'
            for name in names
        )
        text = f'#include "{FOLDER / "emulator.h"}"\n{source}\n{calls}'
        defines = tuple(option for option in options if option.startswith("-D"))
        path = self.folder / hashlib.sha256((text + str(defines)).encode()).hexdigest()[:16]
        path.with_suffix(".cpp").write_text(text, encoding="utf-8")
        self.compile(path.with_suffix(".cpp"), path.with_suffix(".so"), defines)
        return EmulatedModule(self.runtime, ctypes.CDLL(str(path.with_suffix(".so"))))

    def compile(self, source: Path, library: Path, defines: tuple[str, ...] = ()) -> None:
        """Run the compiler; a failure shows what it said."""
        command = [COMPILER, *self.flags, *defines, str(source), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")

    @cache  # noqa: B019 - one emulator lives as long as the process
    def _load_runtime(self) -> ctypes.CDLL:
        library = self.folder / "emulator.so"
        self.compile(FOLDER / "emulator.cpp", library)
        return ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


class EmulatedModule:
    """What ``cupy.RawModule`` is on a GPU."""

    def __init__(self, runtime: ctypes.CDLL, library: ctypes.CDLL):
        self.runtime = runtime
        self.library = library

    def get_function(self, name: str) -> Any:
        """Return a kernel, called with grid, block and arguments."""
        describe = self.library[f"describe_{name}"]
        describe.restype = ctypes.c_char_p
        letters = describe().decode()

        def launch(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            boxes = box_arguments(name, letters, arguments)
            places = (ctypes.c_void_p * len(boxes))(*(box.ctypes.data for box in boxes))
            self.runtime.emulator_launch(self.library[f"run_{name}"], places, *grid, *block)

        return launch


def box_arguments(name: str, letters: str, arguments: tuple[Any, ...]) -> list[np.ndarray[Any, Any]]:
    """Return each argument, or its address, in memory of its own; checks that it is of the type of its parameter."""
    if len(letters) != len(arguments):
        raise TypeError(f"{name} takes {len(letters)} arguments. Received: {len(arguments)}.")
    pairs = enumerate(zip(letters, arguments, strict=True))
    return [box_argument(f"{name}, argument {place}", *pair) for place, pair in pairs]


def box_argument(name: str, letter: str, argument: Any) -> np.ndarray[Any, Any]:
    """Return one argument in memory of its own."""
    is_null = isinstance(argument, np.uint64) and argument == 0 and letter.isupper()
    if is_null:
        return np.array([0], np.uint64)
    is_array = isinstance(argument, np.ndarray) and argument.ndim > 0
    if is_array and not argument.flags.c_contiguous:
        raise TypeError(f"{name} is not contiguous")
    found = LETTERS.get(getattr(getattr(argument, "dtype", None), "name", ""), "?")
    found = found.upper() if is_array else found
    if found != letter and not (is_array and letter == "C" and argument.ctypes.data % 16 == 0):
        raise TypeError(f"{name} must be {letter!r}. Received: {found!r}, {type(argument).__name__}.")
    return np.array([argument.ctypes.data], np.uint64) if is_array else np.array([argument])


class NumpyStandIn:
    """Numpy, with the one function that only cupy has."""

    ndarray = np.ndarray

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def asnumpy(array: Any) -> Any:
        """Bring an array to the host."""
        return np.asarray(array)


def make_backend(sanitizer: str = "", block_threads: int = 8, most_blocks: int = 2, piece: int = 4) -> CudaBackend:
    """Return a CUDA backend whose kernels run here."""
    emulator = Emulator(sanitizer)
    launcher = Launcher(emulator.load_module, block_threads, most_blocks)
    return CudaBackend(NumpyStandIn, launcher, lambda: None, piece)


BACKEND = make_backend()
