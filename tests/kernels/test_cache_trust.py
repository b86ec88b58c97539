"""Compiled kernels are unpickled, so they are read only where nobody else can have written them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastembed_layer.kernels import jit

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="the system knows no owners of files")

USE = "import numpy as np; from fastembed_layer import Embedding; Embedding(4, 2)(np.array([1]))"
PLANTED = """
import os, pickle
class Evil:
    def __reduce__(self): return (print, ("PLANTED CODE RUNS",))
import fastembed_layer.kernels.jit as jit
def save(self, key, data):
    content = pickle.dumps(Evil())
    with self._open_for_write(self._path_of(key)) as file: file.write(self._seal(key, content) + content)
jit.KernelFile.save = save
"""


def use_kernels(cache: Path, code: str = USE) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def fake_stat(user: int, mode: int, group: int = 54321) -> os.stat_result:
    return SimpleNamespace(st_uid=user, st_mode=mode, st_gid=group)  # type: ignore[return-value]


def test_owner_and_rights_decide() -> None:
    own = os.geteuid()
    assert jit.find_distrust(fake_stat(own, 0o100644)) is None
    assert "belongs" in str(jit.find_distrust(fake_stat(own + 1, 0o100644)))
    assert "everybody" in str(jit.find_distrust(fake_stat(own, 0o100666)))
    assert "group" in str(jit.find_distrust(fake_stat(own, 0o100664)))


def test_a_system_without_owners_trusts_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "geteuid")
    assert jit.find_distrust(fake_stat(1, 0o777)) is None


def test_a_file_that_others_may_write_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "kernel.nbc"
    file.write_bytes(b"content")
    assert jit.read_own_file(str(file)) == b"content"
    file.chmod(0o666)
    with caplog.at_level(logging.WARNING, "fastembed_layer"):
        for _ in range(2):
            with pytest.raises(PermissionError, match="everybody"):
                jit.read_own_file(str(file))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("index", ["root", "folder"])
def test_a_planted_kernel_is_not_run(tmp_path: Path, index: str, request: pytest.FixtureRequest) -> None:
    if index == "root" and not request.config.getoption("--long"):
        pytest.skip("takes ten seconds, and the folder below it is judged in the same way: with --long")
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    assert use_kernels(cache, PLANTED + USE).returncode == 0
    assert "PLANTED" in use_kernels(cache).stdout  # the user's own files are trusted, whatever they hold
    for folder in [cache] if index == "root" else [path for path in cache.iterdir() if path.is_dir()]:
        folder.chmod(0o777)
    done = use_kernels(cache)
    assert (done.returncode, done.stdout) == (0, "")
    assert "everybody may write it" in done.stderr


def test_kernels_of_this_user_are_used_again(tmp_path: Path) -> None:
    assert use_kernels(tmp_path).returncode == 0
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert files
    assert use_kernels(tmp_path).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == files
