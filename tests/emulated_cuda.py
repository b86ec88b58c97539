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
FLAGS = ("-std=c++20", "-O1", "-fPIC", "-shared", "-pthread", "-ffp-contract=off")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function")
KERNEL = re.compile(r"__global__ void (\w+)\(")
LETTERS = {"int32": "i", "int64": "l", "uint64": "u", "float32": "f", "float64": "d"}


def explain_absence() -> str | None:
    """Why kernels cannot be emulated here; None where they can."""
    return None if shutil.which(COMPILER) else f"needs the compiler {COMPILER}"


@cache
def make_folder() -> Path:
    """Make the folder of all that this process compiles."""
    folder = Path(tempfile.mkdtemp(prefix="emulated-cuda-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def compile_library(text: str, flags: tuple[str, ...]) -> str:
    """Compile a library, unless it has been compiled before; a failure shows what the compiler said."""
    path = make_folder() / hashlib.sha256(f"{flags}{text}".encode()).hexdigest()[:16]
    source, library = path.with_suffix(".cpp"), path.with_suffix(".so")
    if not library.exists():
        source.write_text(text, encoding="utf-8")
        command = [COMPILER, *FLAGS, *WARNINGS, *flags, str(source), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    return str(library)


@cache
def load_runtime(flags: tuple[str, ...]) -> ctypes.CDLL:
    """Load the library that starts the threads. There can be but one in a process: modules find it by its names."""
    text = (FOLDER / "emulator.cpp").read_text(encoding="utf-8")
    return ctypes.CDLL(compile_library(text, flags), mode=ctypes.RTLD_GLOBAL)


class Emulator:
    """Compiles and loads modules.

    Parameters
    ----------
    sanitizer : str
        What ``-fsanitize=`` understands, and the runtime has to be in the process; or nothing.
    planted : tuple of str
        A text of the kernels, and the mistake that is put in its place.
    """

    def __init__(self, sanitizer: str = "", planted: tuple[str, str] = ("", "")):
        self.planted = planted
        self.flags = (f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-g", "-O0") if sanitizer else ()

    def load_module(self, source: str, options: tuple[str, ...]) -> EmulatedModule:
        """Compile a module and load it."""
        source = source.replace(*self.planted) if self.planted[0] else source
        calls = "".join(
            f'extern "C" void run_{name}(void **arguments) {{ call({name}, arguments); }}\n'
            f'extern "C" const char *describe_{name}() {{ return describe({name}); }}\n'
            for name in KERNEL.findall(source)
        )
        text = f'#include "{FOLDER / "emulator.h"}"\n{source}\n{calls}'
        defines = tuple(option for option in options if option.startswith("-D"))
        return EmulatedModule(load_runtime(self.flags), ctypes.CDLL(compile_library(text, (*self.flags, *defines))))


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
            addresses = (ctypes.c_void_p * len(boxes))(*(box.ctypes.data for box in boxes))
            self.runtime.emulator_launch(self.library[f"run_{name}"], addresses, *grid, *block)

        return launch


def box_arguments(name: str, letters: str, arguments: tuple[Any, ...]) -> list[np.ndarray[Any, Any]]:
    """Return each argument, or its address, in memory of its own; checks that it is of the type of its parameter."""
    if len(letters) != len(arguments):
        raise TypeError(f"{name} takes {len(letters)} arguments. Received: {len(arguments)}.")
    pairs = enumerate(zip(letters, arguments, strict=True))
    return [box_argument(f"{name}, argument {index}", *pair) for index, pair in pairs]


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


def make_backend(
    sanitizer: str = "",
    planted: tuple[str, str] = ("", ""),
    block_threads: int = 8,
    most_blocks: int = 2,
    piece: int = 4,
) -> CudaBackend:
    """Return a CUDA backend whose kernels run here."""
    launcher = Launcher(Emulator(sanitizer, planted).load_module, 8, most_blocks)
    return CudaBackend(NumpyStandIn, launcher, lambda: None, piece)


BACKEND = make_backend()
