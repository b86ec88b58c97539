"""Cupy, imported here and nowhere else: whether it and a GPU are there, and modules compiled by it."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

INSUFFICIENT_DRIVER = 35  # CUDA's number of the error
NOT_INSTALLED = (
    "The GPU needs cupy, which is not installed. Install it with `pip install fastembed_layer[cuda12]`, or "
    "`fastembed_layer[cuda13]` where the driver knows CUDA 13."
)


def import_library() -> Any:
    """Return cupy, which nothing else in the package imports.

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra.
    """
    try:
        import cupy
    except ImportError as error:
        raise ImportError(f"{NOT_INSTALLED} ({error})") from error
    return cupy


@cache
def find_refusal() -> str | None:
    """Return why no GPU can be used, and the remedy; None where one can. Cupy is looked for before it is imported."""
    if find_spec("cupy") is None:
        return NOT_INSTALLED
    runtime = import_library().cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        driver, needed = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        if error.status == INSUFFICIENT_DRIVER and driver:
            return (
                f"The GPU's driver is too old: it knows CUDA {_version(driver)}, and cupy was built for "
                f"{_version(needed)}. A newer driver, or the extra of an older CUDA, helps."
            )
        return f"No GPU was found ({error}). A GPU of NVIDIA and its driver have to be there."
    return None if count else "No GPU was found: CUDA counts 0 devices."


def load_module(source: str, options: tuple[str, ...]) -> Any:
    """Compile a module for the current device.

    Raises
    ------
    RuntimeError
        If the compiler refuses it; the message holds its log.
    """
    cupy = import_library()
    module = cupy.RawModule(code=source, options=options)
    try:
        module.compile()
    except cupy.cuda.compiler.CompileException as error:
        raise RuntimeError(
            f"A CUDA kernel could not be compiled with {' '.join(options)}; the compiler said:\n{error}"
        ) from error
    return module


def _version(number: int) -> str:
    """Write a version of CUDA, which counts 12.4 as 12040."""
    return f"{number // 1000}.{number % 1000 // 10}"
