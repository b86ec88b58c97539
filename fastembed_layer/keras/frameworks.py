"""The backend that Keras runs on, by what this room asks of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import keras


def framework() -> Any:
    """Return the module with `look_up`, `call` and what else is asked for the backend of Keras."""
    return import_module(f"fastembed_layer.keras.{keras.config.backend()}_calls")
