"""NVIDIA's run-time compiler, which needs no GPU: the library of the wheel ``nvidia-cuda-nvrtc``, called by ctypes."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from typing import Any

WHEELS = ("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-nvrtc")


class CompilationError(Exception):
    """What the compiler said."""


def find_library() -> str | None:
    """Where the compiler is installed; None where it is not."""
    for wheel in WHEELS:
        try:
            found = [path for path in files(wheel) or [] if path.name.startswith("libnvrtc.so")]
        except PackageNotFoundError:
            continue
        if found:
            return str(found[0].locate())
    return None


@cache
def load_library() -> Any:
    """Load the compiler."""
    path = find_library()
    assert path is not None
    return ctypes.CDLL(path)


def list_architectures() -> list[int]:
    """The architectures that the compiler knows, such as 90 for compute capability 9.0."""
    library, count = load_library(), ctypes.c_int()
    check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    found = (ctypes.c_int * count.value)()
    check(library.nvrtcGetSupportedArchs(found))
    return list(found)


def compile_source(source: str, options: tuple[str, ...]) -> str:
    """Compile a module; returns the compiler's log, which holds its warnings."""
    library, program, size = load_library(), ctypes.c_void_p(), ctypes.c_size_t()
    check(library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None))
    texts = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    status = library.nvrtcCompileProgram(program, len(options), texts)
    check(library.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
    log = ctypes.create_string_buffer(size.value)
    check(library.nvrtcGetProgramLog(program, log))
    check(library.nvrtcDestroyProgram(ctypes.byref(program)))
    if status:
        raise CompilationError(log.value.decode())
    return log.value.decode()


def check(status: int) -> None:
    """Raise what a failed call has returned."""
    if status:
        raise CompilationError(f"the compiler's library returned the error {status}")
