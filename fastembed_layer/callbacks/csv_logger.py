"""`CSVLogger`: the numbers of each epoch as a line of a file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import Any

from fastembed_layer.callbacks.callback import Callback, Logs


class CSVLogger(Callback):
    """Writes the numbers of each epoch as a line of a CSV file.

    The file is closed after each line, so it can be read while the training runs, and is whole if it ends early.

    Parameters
    ----------
    filename : str or path
        The file.
    separator : str
        What stands between two numbers.
    append : bool
        Whether lines are added to a file that is there, or it is overwritten.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from fastembed_layer import callbacks
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.csv"
    >>> log = callbacks.CSVLogger(path)
    >>> log.on_train_begin()
    >>> log.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
    >>> print(path.read_text().strip())
    epoch,loss,val_loss
    0,0.5,0.75
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.append_header = True
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Make the file, or look whether it has a header."""
        self.keys = None
        self.append_header = not (self.append and os.path.exists(self.filename) and os.path.getsize(self.filename))
        with open(self.filename, "a" if self.append else "w", encoding="utf-8"):
            pass

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line; a number that is not there any more is "NA"."""
        logs = logs or {}
        is_first = self.keys is None
        keys = self.keys = _columns_for(logs) if self.keys is None else self.keys
        row = {"epoch": epoch} | {key: _shown(logs.get(key, "NA")) for key in keys}
        with open(self.filename, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["epoch", *keys], delimiter=self.sep)
            if is_first and self.append_header:
                writer.writeheader()
            writer.writerow(row)


def _columns_for(logs: Logs) -> list[str]:
    """The names of an epoch's numbers, with those of a validation that may come in a later epoch."""
    keys = sorted(logs)
    return keys if any(key.startswith("val_") for key in keys) else keys + [f"val_{key}" for key in keys]


def _shown(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
