"""CUDA kernels: which `.cu` files make up a module, how it is compiled, and how its kernels are launched."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, cast

import numpy as np

from fastembed_layer.kernels.dtypes import C_NAMES

Array = Any  # of the library of the GPU, or of whatever stands in for it

RULE = "rule"  # the place of a rule's family among the parts of a module
PARTS = {  # the files of a module, in the order in which they build on each other
    "gather": ("lanes", "gather"),
    "lookups": ("lanes", "gradient", "bags", "lookups"),
    "directory": ("lanes", "directory"),
    "offset": ("lanes", "offset"),
    "group": ("lanes", "group"),
    "sums": ("lanes", "gradient", "sums"),
    "steps": ("lanes", "gradient", "idle", RULE, "update", "exact", "exact_steps"),
    "idle_lookups": ("lanes", "gradient", "idle", RULE, "update", "exact", "bags", "exact_lookups"),
    "random": ("lanes", "random"),
}
OPTIONS = {"random": ("-fmad=false",)}  # its bits are those of the other backends

WIDE = "uint4"  # copied in one access
WIDE_BYTES = 16

WARP = 32
NULL = np.uint64(0)


class Module(NamedTuple):
    """What a module is compiled from: its kind, the types of its numbers, and the rule where it has one.

    Attributes
    ----------
    kind : str
        Key of `PARTS`.
    value, index : dtype
        Types of weights and of ids.
    rule : str
        Name of the rule, or nothing.
    is_wide : bool
        Whether rows are copied in chunks of 16 bytes.
    """

    kind: str
    value: Any = np.dtype(np.float32)
    index: Any = np.dtype(np.int64)
    rule: str = ""
    is_wide: bool = False

    def read_source(self) -> str:
        """Return the text of all its files, one after the other."""
        family = find_rule(self.rule).update_row.__module__.rpartition(".")[2] if self.rule else ""
        return "\n".join(_read_part(f"rules/{family}" if part == RULE else part) for part in PARTS[self.kind])

    def list_options(self) -> tuple[str, ...]:
        """Return the options of the compiler: the types, and the functions of the rule, named as those of numba are."""
        value = C_NAMES[np.dtype(self.value).name]
        names = {"Value": value, "Index": C_NAMES[np.dtype(self.index).name], "Chunk": WIDE if self.is_wide else value}
        if self.rule:
            for role, function in zip(("UPDATE_ROW", "MOVE_IDLE", "DECAY_SLOTS"), find_rule(self.rule), strict=True):
                names[role] = function.__name__
        return ("-std=c++17", *(f"-D{name}={text}" for name, text in names.items()), *OPTIONS.get(self.kind, ()))


class Shape(NamedTuple):
    """The threads of a launch: blocks of (lanes, rows)."""

    blocks: int
    lanes: int
    rows: int

    @property
    def rows_at_once(self) -> int:
        """Rows of lanes in the whole grid."""
        return self.blocks * self.rows


class Launcher:
    """Compiles modules when they are first needed, and launches their kernels.

    Parameters
    ----------
    load_module : callable
        ``load_module(source, options)`` compiles a module; its ``get_function(name)`` is called with grid, block and
        arguments, as raw kernels of the GPU library are.
    block_threads : int
        Threads of a block.
    most_blocks : int
        Of a launch; more rows than its threads are walked over in turns.
    """

    def __init__(
        self, load_module: Callable[[str, tuple[str, ...]], Any], block_threads: int = 256, most_blocks: int = 1 << 16
    ):
        self.block_threads = block_threads
        self.most_blocks = most_blocks
        self._load = cache(lambda module: load_module(module.read_source(), module.list_options()))

    def shape_for(self, rows: int, width: int, most_rows: int | None = None) -> Shape:
        """Return the threads for some rows: as many lanes as a row has columns, up to a warp."""
        lanes = min(WARP, self.block_threads, 1 << max(0, width - 1).bit_length())
        per_block = self.block_threads // lanes
        most = self.most_blocks if most_rows is None else min(self.most_blocks, max(1, most_rows // per_block))
        return Shape(min(-(-rows // per_block), most), lanes, per_block)

    def launch(self, module: Module, kernel: str, shape: Shape, arguments: tuple[Any, ...]) -> None:
        """Launch a kernel on the current stream of the device of its arrays; None becomes a null pointer.

        Raises
        ------
        ValueError
            If the arrays are on two devices.
        """
        if shape.blocks == 0:
            return
        with enter_device(*arguments):
            function = self._load(module).get_function(kernel)
            given = tuple(NULL if argument is None else argument for argument in arguments)
            function((shape.blocks,), (shape.lanes, shape.rows), given)


def enter_device(*arrays: Any) -> AbstractContextManager[Any]:
    """Return a context in which the device of some arrays is the current one; other objects are passed over.

    Raises
    ------
    ValueError
        If the arrays are on two devices.
    """
    devices = {str(array.device): array.device for array in arrays if getattr(array, "ndim", 0)}
    if len(devices) > 1:
        raise ValueError(
            "All arrays of one call must be on one device. "
            f"Received: arrays on {' and '.join(sorted(devices))}; `table.to(device)` moves a table."
        )
    device: Any = next(iter(devices.values()), None)
    return cast("AbstractContextManager[Any]", device) if hasattr(device, "__enter__") else nullcontext()


@cache
def find_rule(name: str) -> Any:
    """Return a rule by its name; its functions are named alike in both languages.

    Numba is loaded here and not by the import of this module, which is also imported just to ask for a GPU.
    """
    from fastembed_layer.kernels.rules import ROW_RULES

    return ROW_RULES[name]


@cache
def _read_part(name: str) -> str:
    return files("fastembed_layer.kernels").joinpath(f"{name}.cu").read_text(encoding="utf-8")
