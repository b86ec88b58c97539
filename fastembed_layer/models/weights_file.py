"""The weights of a model as a ``.npz`` file: written beside the old one, and judged as a whole before it is read."""

from __future__ import annotations

import os
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from fastembed_layer.backends.arrays import to_cpu
from fastembed_layer.checks import warn_caller
from fastembed_layer.tables.guard import hold
from fastembed_layer.tables.parameter import Parameter

Array = np.ndarray[Any, Any]

SUFFIX = ".npz"


class Entry(NamedTuple):
    """One array of a file: its name there, its shape and its type."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def write_weights(parameters: list[Parameter], path: Any, overwrite: bool = True) -> None:
    """Write weights, one after the other and each without a copy; an older file stays whole until the new one is.

    Raises
    ------
    ValueError
        If the path does not end in ``.npz``.
    FileExistsError
        If there is a file of that name, and it is not to be overwritten.
    """
    target = _checked_path(path)
    if not overwrite and os.path.exists(target):
        raise FileExistsError(f"`filepath` exists, and overwrite=False was given. Received: {target!r}.")
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex[:12]}")
    try:
        with open(temporary, "xb") as file:
            _write_entries(parameters, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def read_weights(parameters: list[Parameter], path: Any, model_name: str, skip_mismatch: bool = False) -> None:
    """Read weights back, in the order in which they were written; nothing is written unless all of them fit.

    Raises
    ------
    ValueError
        If the file is damaged, or its weights are not as many or of other shapes.
    """
    target = _checked_path(path)
    with _open(target) as archive:
        entries = _read_entries(archive, target)
        pairs = _match(parameters, entries, model_name, skip_mismatch)
        for parameter, entry in pairs:
            with archive.open(entry.name) as file:
                parameter.assign(npy.read_array(file, allow_pickle=False))


def _checked_path(path: Any) -> str:
    target = os.fspath(path)
    if not isinstance(target, str) or not target.endswith(SUFFIX):
        raise ValueError(f"`filepath` must end in {SUFFIX}, as in 'model.weights{SUFFIX}'. Received: {target!r}.")
    return target


def _write_entries(parameters: list[Parameter], file: Any) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for number, parameter in enumerate(parameters):
            with archive.open(f"{number}.{parameter.name}.npy", "w", force_zip64=True) as entry:
                hold([parameter.guard], lambda: npy.write_array(entry, to_cpu(parameter.value)))  # noqa: B023


@contextmanager
def _open(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path!r} is damaged, or no file of weights: {error}.") from error
    with archive:
        yield archive


def _read_entries(archive: zipfile.ZipFile, path: str) -> list[Entry]:
    """Read every byte once, against the checksums, and the headers of the arrays."""
    try:
        broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"the checksum of {broken!r} is another")
        return [_read_header(archive, name) for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path!r} is damaged, or no file of weights: {error}.") from error


def _read_header(archive: zipfile.ZipFile, name: str) -> Entry:
    with archive.open(name) as file:
        read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    if dtype.kind not in "biuf":
        raise ValueError(f"{name!r} holds no numbers but {dtype}")
    return Entry(name, shape, dtype)


def _match(
    parameters: list[Parameter], entries: list[Entry], model_name: str, skip_mismatch: bool
) -> list[tuple[Parameter, Entry]]:
    if not parameters:
        raise ValueError(f"The model {model_name!r} has no weights yet: build it, or call it once, before.")
    if len(parameters) != len(entries):
        raise ValueError(
            f"The file must hold the {len(parameters)} weights of the model {model_name!r}. Received: {len(entries)}."
        )
    pairs = list(zip(parameters, entries, strict=True))
    wrong = [(parameter, entry) for parameter, entry in pairs if parameter.shape != entry.shape]
    if wrong and not skip_mismatch:
        parameter, entry = wrong[0]
        raise ValueError(
            f"The weight {parameter.name!r} (number {pairs.index(wrong[0])}) of the model {model_name!r} has the shape "
            f"{parameter.shape}. Received: {entry.shape}. With skip_mismatch=True it stays as it is."
        )
    if wrong:
        names = [parameter.name for parameter, _ in wrong]
        warn_caller(f"Weights whose shapes differ stay as they are: {names}.")
    return [pair for pair in pairs if pair not in wrong]
