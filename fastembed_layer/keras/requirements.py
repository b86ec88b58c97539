"""The Keras that the bridge needs."""

from __future__ import annotations

from fastembed_layer.checks import is_older

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
    if is_older(str(keras.__version__), OLDEST):
        raise ImportError(
            f"fastembed_layer.keras needs Keras {oldest} or newer: {INSTALL}. Received: {keras.__version__}."
        )
    check_backend(keras.config.backend())


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
