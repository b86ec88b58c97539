"""The weights of a model as a ``.npz`` file: written beside the old one, and judged as a whole before it is read."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from fastembed_layer.backends.arrays import CPU, to_cpu
from fastembed_layer.checks import warn_caller
from fastembed_layer.files import write_beside
from fastembed_layer.tables.guard import change, hold
from fastembed_layer.tables.parameter import Parameter

Array = np.ndarray[Any, Any]

SUFFIX = ".npz"
BLOCK_BYTES = 1 << 24  # read at a time


class Entry(NamedTuple):
    """One array of a file: where it is there, the number and the name of its weight, its shape and its type."""

    file: str
    number: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def write_weights(parameters: list[Parameter], path: Any, model_name: str, overwrite: bool = True) -> None:
    """Write weights, one after the other and each without a copy; an older file stays whole until the new one is.

    Raises
    ------
    ValueError
        If the path does not end in ``.npz``, or there are no weights yet.
    FileExistsError
        If there is a file of that name, and it is not to be overwritten.
    """
    target = _checked_path(path)
    _check_built(parameters, model_name)
    if not overwrite and os.path.exists(target):
        raise FileExistsError(f"`filepath` exists, and overwrite=False was given. Received: {target!r}.")
    write_beside(target, lambda temporary: _write_entries(parameters, temporary))


def read_weights(parameters: list[Parameter], path: Any, model_name: str, skip_mismatch: bool = False) -> None:
    """Read weights back by their numbers and names, block by block; nothing is written unless all of them fit.

    Raises
    ------
    ValueError
        If the file is damaged, or its weights are not as many or of other names, shapes or kinds.
    """
    target = _checked_path(path)
    _check_built(parameters, model_name)
    with _open(target) as archive:
        entries = _read_entries(archive, target)
        pairs = _match(parameters, entries, model_name, skip_mismatch)
        for parameter, entry in pairs:
            with archive.open(entry.file) as file:
                _read_into(parameter, file)


def _checked_path(path: Any) -> str:
    target = os.fspath(path)
    if not isinstance(target, str) or not target.endswith(SUFFIX):
        keras = " Files of Keras cannot be read or written." if str(target).endswith((".h5", ".keras")) else ""
        raise ValueError(
            f"`filepath` must end in {SUFFIX}, as in 'model.weights{SUFFIX}'. Received: {target!r}.{keras}"
        )
    return target


def _check_built(parameters: list[Parameter], model_name: str) -> None:
    if not parameters:
        raise ValueError(f"The model {model_name!r} has no weights yet: build it, or call it once, before.")


def _write_entries(parameters: list[Parameter], path: str) -> None:
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
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
        return sorted((_read_entry(archive, name) for name in archive.namelist()), key=lambda entry: entry.number)
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path!r} is damaged, or no file of weights: {error}.") from error


def _read_entry(archive: zipfile.ZipFile, path: str) -> Entry:
    with archive.open(path) as file:
        shape, _, dtype = _read_header(file)
        left = archive.getinfo(path).file_size - file.tell()
    number, _, name = path.removesuffix(".npy").partition(".")
    if not number.isdecimal():
        raise ValueError(f"{path!r} is no number and name of a weight, as in '0.embeddings.npy'")
    if dtype.kind not in "biuf":
        raise ValueError(f"{path!r} holds no numbers but {dtype}")
    if left != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{path!r} holds {left} bytes and not an array of {dtype} of the shape {shape}")
    return Entry(path, int(number), name, shape, dtype)


def _read_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
    return read(file)


def _read_into(parameter: Parameter, file: Any) -> None:
    """Overwrite a weight with the array of a file; rows of a table in main memory are read in blocks."""
    shape, is_fortran, dtype = _read_header(file)
    if is_fortran or len(shape) < 2 or parameter.placement != CPU:
        flat = np.frombuffer(file.read(), dtype, count=math.prod(shape))
        parameter.assign(flat.reshape(shape, order="F" if is_fortran else "C"))
    else:
        change(parameter.guard, lambda: _read_rows(parameter.value, file, dtype))


def _read_rows(value: Array, file: Any, dtype: np.dtype[Any]) -> None:
    row = math.prod(value.shape[1:])
    rows = max(1, BLOCK_BYTES // max(1, row * dtype.itemsize))
    for begin in range(0, len(value), rows):
        block = value[begin : begin + rows]
        block[...] = np.frombuffer(file.read(block.size * dtype.itemsize), dtype).reshape(block.shape)


def _match(
    parameters: list[Parameter], entries: list[Entry], model_name: str, skip_mismatch: bool
) -> list[tuple[Parameter, Entry]]:
    if [entry.number for entry in entries] != list(range(len(parameters))):
        raise ValueError(
            f"The file must hold the {len(parameters)} weights of the model {model_name!r}. Received: {len(entries)}, "
            f"with the numbers {[entry.number for entry in entries][:10]}."
        )
    pairs = list(zip(parameters, entries, strict=True))
    wrong = [pair for pair in pairs if _describe_mismatch(*pair)]
    if wrong and not skip_mismatch:
        parameter, entry = wrong[0]
        raise ValueError(
            f"The weight {parameter.name!r} (number {entry.number}) of the model {model_name!r} "
            f"{_describe_mismatch(parameter, entry)}. With skip_mismatch=True it stays as it is."
        )
    if wrong:
        names = [parameter.name for parameter, _ in wrong]
        warn_caller(f"Weights that differ from those of the file stay as they are: {names}.")
    return [pair for pair in pairs if pair not in wrong]


def _describe_mismatch(parameter: Parameter, entry: Entry) -> str:
    """Say in what an array of a file differs from a weight; nothing where it fits."""
    if entry.name != parameter.name:
        return f"must be called so in the file. Received: {entry.name!r}"
    if entry.shape != parameter.shape:
        return f"has the shape {parameter.shape}. Received: {entry.shape}"
    if entry.dtype.kind != parameter.dtype.kind:
        return f"holds {parameter.dtype}. Received: {entry.dtype}"
    return ""
