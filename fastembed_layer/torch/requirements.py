"""The PyTorch that the bridge needs."""

from __future__ import annotations

from fastembed_layer.checks import is_older

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
    if is_older(str(torch.__version__), OLDEST):
        raise ImportError(
            f"fastembed_layer.torch needs PyTorch {oldest} or newer: {INSTALL}. Received: {torch.__version__}."
        )
