"""The PyTorch that the bridge needs."""

from __future__ import annotations

import re

OLDEST = (2, 6)
INSTALL = 'pip install "fastembed_layer[torch]"'


def check_torch() -> None:
    """Raise unless a PyTorch that is new enough can be imported.

    Raises
    ------
    ImportError
        With the extra to install.
    """
    oldest = ".".join(map(str, OLDEST))
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"fastembed_layer.torch needs PyTorch {oldest} or newer: {INSTALL}.") from error
    if read_version(str(torch.__version__)) < OLDEST:
        raise ImportError(
            f"fastembed_layer.torch needs PyTorch {oldest} or newer: {INSTALL}. Received: {torch.__version__}."
        )


def read_version(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version such as ``"2.13.0+cpu"``; of what is none, the oldest that will do."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else OLDEST
