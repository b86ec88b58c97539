"""The Keras that the bridge needs."""

from __future__ import annotations

import re

OLDEST = (3, 10)
BACKENDS = ("tensorflow", "torch")
INSTALL = 'pip install "fastembed_layer[keras]"'


def check_keras() -> None:
    """Raise unless a Keras that is new enough can be imported, on a backend that can be served.

    Raises
    ------
    ImportError
        With the extra to install, or the backends.
    """
    oldest = ".".join(map(str, OLDEST))
    try:
        import keras
    except ImportError as error:
        raise ImportError(f"fastembed_layer.keras needs Keras {oldest} or newer: {INSTALL}.") from error
    if read_version(str(keras.__version__)) < OLDEST:
        raise ImportError(
            f"fastembed_layer.keras needs Keras {oldest} or newer: {INSTALL}. Received: {keras.__version__}."
        )
    check_backend(keras.config.backend())


def read_version(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version such as ``"3.15.1"``; of what is none, the oldest that will do."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else OLDEST


def check_backend(name: str) -> None:
    """Raise for a backend on which tables cannot be trained.

    Raises
    ------
    ImportError
        With the way out.
    """
    if name not in BACKENDS:
        raise ImportError(
            f"fastembed_layer.keras works on the backends {' and '.join(BACKENDS)}, where a step may write a table in "
            f"place. Received: the backend {name!r}. Set KERAS_BACKEND={BACKENDS[0]} before Keras is imported, or use "
            "keras.layers.Embedding here."
        )
