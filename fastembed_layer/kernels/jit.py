"""How kernels are compiled: every numba option of the package stands in this file, once.

Kernels are serial loops that release the GIL. They run in parallel because `threads.run_parallel` hands each thread
its own range, so no numba threading layer is ever started and none can abort the process.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache
from numba.extending import register_jitable

Function = TypeVar("Function", bound=Callable[..., Any])

logger = logging.getLogger("fastembed_layer")

OPTIONS = {
    "error_model": "numpy",  # a division by zero gives inf, as in numpy, and keeps loops vectorisable
    "fastmath": {"contract"},  # fused multiply-add only: NaN, infinity and the order of sums are kept
}


@cache
def source_stamp() -> str:
    """Hash of all kernel sources: a cached kernel inlines functions of other files and must not outlive them."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class KernelCache(FunctionCache):  # type: ignore[misc]
    """Numba's on-disk cache, except that any kernel source invalidates it and that failing to write is no error."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__(function)
        self._cache_file._source_stamp = source_stamp()

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            super().save_overload(signature, data)
        except OSError as error:
            logger.info("The compiled kernel %s was not cached: %s", self._name, error)


def kernel(function: Function) -> Function:
    """Compile a kernel on its first call; cache it on disk where a writable place exists."""
    dispatcher = numba.njit(nogil=True, **OPTIONS)(function)
    try:
        dispatcher._cache = KernelCache(function)
    except (RuntimeError, OSError) as error:
        logger.info("Compiled kernels are not cached: %s", error)
    return dispatcher  # type: ignore[no-any-return]


def inlined(function: Function) -> Function:
    """Make a small function callable from kernels; it stays a plain Python function outside of them."""
    return register_jitable(**OPTIONS)(function)  # type: ignore[no-any-return]
