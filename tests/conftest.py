"""Settings that all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from fastembed_layer import set_threads

# No deadlines: the first example of a kernel's new variant waits for the compiler.
settings.register_profile("local", deadline=None, max_examples=30)
settings.register_profile("ci", deadline=None, max_examples=30, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True)
def _default_threads_afterwards() -> Iterator[None]:
    yield
    set_threads(None)
