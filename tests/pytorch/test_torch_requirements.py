"""The PyTorch that the bridge asks for; these tests run without one."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys, types
{stand_in}
try:
    import fastembed_layer.torch
except ImportError as error:
    print(error)
"""


def message_of(stand_in: str) -> str:
    """What the import says where torch is another one."""
    done = subprocess.run([sys.executable, "-c", CODE.format(stand_in=stand_in)], capture_output=True, text=True)
    return done.stdout


def test_without_torch_the_import_names_the_extra() -> None:
    assert 'pip install "fastembed_layer[torch]"' in message_of("sys.modules['torch'] = None")


def test_an_old_torch_is_named_with_the_version_that_is_needed() -> None:
    message = message_of(
        "sys.modules['torch'] = types.ModuleType('torch'); sys.modules['torch'].__version__ = '1.13.1'"
    )
    assert "2.6 or newer" in message
    assert "Received: 1.13.1" in message
