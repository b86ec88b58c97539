"""Files that are whole or not there."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any


def write_beside(path: str, write: Callable[[str], Any]) -> None:
    """Let `write` make a file beside `path`, of the same ending, and give it the name when it is whole.

    Its bytes are on the disk before it takes the name, so an older file stays until then, also when the machine fails.
    """
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    temporary = os.path.join(folder, f".{stem}.{uuid.uuid4().hex[:12]}{suffix}")
    try:
        write(temporary)
        if os.path.isfile(temporary):
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
