"""The Keras that the bridge asks for; these tests run without one."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys, types
{stand_in}
try:
    import fastembed_layer.keras
except ImportError as error:
    print(error)
"""
STAND_IN = """
keras = sys.modules['keras'] = types.ModuleType('keras')
keras.__version__, keras.config = {version!r}, types.SimpleNamespace(backend=lambda: {backend!r})
"""


def message_of(stand_in: str) -> str:
    """What the import says where Keras is another one."""
    done = subprocess.run([sys.executable, "-c", CODE.format(stand_in=stand_in)], capture_output=True, text=True)
    return done.stdout


def test_without_keras_the_import_names_the_extra() -> None:
    assert 'pip install "fastembed_layer[keras]"' in message_of("sys.modules['keras'] = None")


def test_an_old_keras_is_named_with_the_version_that_is_needed() -> None:
    message = message_of(STAND_IN.format(version="2.15.0", backend="tensorflow"))
    assert "3.10 or newer" in message
    assert "Received: 2.15.0" in message


def test_a_backend_that_cannot_be_served_is_named_with_the_way_out() -> None:
    message = message_of(STAND_IN.format(version="3.15.1", backend="jax"))
    assert "Received: the backend 'jax'. Set KERAS_BACKEND=tensorflow" in message
