"""How kernels are compiled: every numba option of the package stands in this file, once.

Kernels are serial loops that release the GIL. They run in parallel because `threads.run_parallel` hands each
thread its own range, so no numba threading layer is ever started and none can abort the process.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import stat
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import register_jitable

from fastembed_layer.kernels.forks import OF_COMPILER, hold_at_fork

Function = TypeVar("Function", bound=Callable[..., Any])

logger = logging.getLogger("fastembed_layer")

NOTABLE = 1.0  # seconds of compilation that are worth a line in the log
SEAL_BYTES = hashlib.sha256().digest_size

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",  # a division by zero gives inf, as in numpy, and keeps loops vectorisable
    "fastmath": {"contract"},  # fused multiply-add only: NaN, infinity and the order of sums are kept
    "forceinline": True,  # a call that hands on five arrays costs more than the work of a row
    "_nrt": False,  # no counting of references, which costs as much again; so kernels cannot allocate
}

hold_at_fork(OF_COMPILER, lambda: [global_compiler_lock])  # a child could not compile if another thread was compiling


@cache
def source_stamp() -> str:
    """Hash of all kernel sources: a cached kernel inlines functions of other files, and goes when they do."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class KernelFile(IndexDataCacheFile):  # type: ignore[misc]
    """The compiled forms of one kernel on disk, each in a file that is named and sealed by what it holds.

    Numba numbers its files and keeps an index. Processes that compile at once can leave an index that names
    the file of another kernel; as all rules share one index, another optimizer would run from then on.
    """

    def save(self, key: Any, data: Any) -> None:
        """Write one compiled form."""
        content = self._dump(data)
        with self._open_for_write(self._path_of(key)) as file:
            file.write(self._seal(key, content) + content)

    def load(self, key: Any) -> Any:
        """Return one compiled form; None if there is no file, or one that is stale, damaged or another's."""
        try:
            file = read_own_file(self._path_of(key))
        except OSError:
            return None
        seal, content = file[:SEAL_BYTES], file[SEAL_BYTES:]
        return pickle.loads(content) if seal == self._seal(key, content) else None

    def _path_of(self, key: Any) -> str:
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return str(self._data_path(self._index_name.removesuffix("nbi") + f"{name}.nbc"))

    def _seal(self, key: Any, content: bytes) -> bytes:
        return hashlib.sha256(f"{self._source_stamp}{key!r}".encode() + content).digest()


def read_own_file(path: str) -> bytes:
    """Return what a file holds.

    Raises
    ------
    PermissionError
        If somebody else may have written it: what is unpickled can run anything.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        reason = find_distrust(os.fstat(file.fileno()))
        if reason is not None:
            _report_distrust(path, reason)
            raise PermissionError(reason)
        return file.read()


def find_distrust(found: os.stat_result) -> str | None:
    """Return why others than this user may have written a file or a folder; None if nobody may."""
    if not hasattr(os, "geteuid"):
        return None
    if found.st_uid != os.geteuid():
        return f"it belongs to the user {found.st_uid}"
    if found.st_mode & stat.S_IWOTH:
        return "everybody may write it"
    if found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid):
        return f"the group {found.st_gid} may write it"
    return None


@cache
def _is_own_group(group_id: int) -> bool:
    """Tell whether a group is that of the user alone, as many systems make one for each user."""
    try:
        import grp
        import pwd

        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(group_id)
    except (ImportError, KeyError):
        return False
    return user.pw_gid == group_id and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def check_cache_folder(folder: str) -> None:
    """Raise unless this user alone may write a folder of kernels, and those above it up to ``NUMBA_CACHE_DIR``.

    Raises
    ------
    PermissionError
        With the reason.
    """
    path, root = Path(folder), os.environ.get("NUMBA_CACHE_DIR")
    above = [parent for parent in path.parents if root and parent.is_relative_to(Path(root))]
    for each in (path, *above):
        reason = find_distrust(each.stat()) if each.exists() else None
        if reason is not None:
            _report_distrust(str(each), reason)
            raise PermissionError(f"{each} is not used, since {reason}")


_reported: set[str] = set()


def _report_distrust(path: str, reason: str) -> None:
    if path not in _reported:
        _reported.add(path)
        logger.warning("Compiled kernels in %s are not used: %s. They are compiled anew.", path, reason)


class _TimedCache:
    """Between asking for a kernel and saving it numba compiles it; what takes long is logged."""

    _missed_at = 0.0

    def load_overload(self, signature: Any, target: Any) -> Any:
        found = super().load_overload(signature, target)  # type: ignore[misc]
        self._missed_at = time.perf_counter()
        return found

    def save_overload(self, signature: Any, data: Any) -> None:
        seconds = time.perf_counter() - self._missed_at
        if seconds > NOTABLE:
            logger.info(
                "Compiled the kernel %s in %.1f s; `warmup` does it ahead of time.", data.fndesc.qualname, seconds
            )
        super().save_overload(signature, data)  # type: ignore[misc]


class KernelCache(_TimedCache, FunctionCache):  # type: ignore[misc]
    """Numba's on-disk cache, but any kernel source invalidates it, and failing to write is no error."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__(function)
        check_cache_folder(self._cache_path)
        self._cache_file = KernelFile(self._cache_path, self._impl.filename_base, source_stamp())

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            super().save_overload(signature, data)
        except OSError as error:
            logger.info("The compiled kernel %s was not cached: %s", self._name, error)


class NoCache(_TimedCache, NullCache):  # type: ignore[misc]
    """Where there is no place to write to: nothing is kept."""


def kernel(function: Function) -> Function:
    """Compile a kernel on its first call; cache it on disk where a writable place exists."""
    return _compiled(function, OPTIONS)


def allocating_kernel(function: Function) -> Function:
    """Compile a kernel that makes arrays of its own, and so counts references."""
    return _compiled(function, OPTIONS | {"_nrt": True})


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    dispatcher = numba.njit(nogil=True, **options)(function)
    try:
        dispatcher._cache = KernelCache(function)
    except (RuntimeError, OSError) as error:
        dispatcher._cache = NoCache()
        logger.info("Compiled kernels are not cached: %s", error)
    return dispatcher  # type: ignore[no-any-return]


def inlined(function: Function) -> Function:
    """Make a small function callable from kernels; it stays a plain Python function outside of them."""
    return register_jitable(**OPTIONS)(function)  # type: ignore[no-any-return]
