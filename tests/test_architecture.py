"""The house of `docs/design.md`, enforced: who may import whom, and how long things may get.

The checks are functions of a module's name and its source text, so that each is also shown to fail on a
planted violation. A new folder or file at the top of the package needs a floor: put its name into `FLOORS`.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "fastembed_layer"
FOLDER = Path(__file__).resolve().parents[1] / PACKAGE

FLOORS = (  # rooms: the folders and files at the top of the package
    {"kernels", "named", "checks", "files", "_version"},
    {"backends"},
    {"placement", "inputs"},
    {"tables"},
    {"tape", "initializers", "regularizers", "constraints"},
    {"losses", "optimizers"},
    {"metrics", "layers", "callbacks"},
    {"models"},
    {"__init__", "torch", "keras"},
)
MOST_FLOORS = 9
MOST_FILES_AT_THE_TOP = 12
STRANGERS = {"backends.cpu": "backends.cuda", "backends.cuda": "backends.cpu"}
HOME_OF = {"numba": "kernels", "llvmlite": "kernels", "cupy": "backends.cuda.library", "torch": "torch"}
HOME_OF |= {"keras": "keras", "tensorflow": "keras.tensorflow_calls"}
ALSO_AT_HOME = {"torch": "keras.torch_calls"}
EVERYWHERE = {"numpy", "tqdm"} | sys.stdlib_module_names
NEVER_AT_IMPORT = {"numba", "llvmlite", "cupy", "tqdm", "torch", "tensorflow", "keras", "jax", "matplotlib"}
IMPORTERS = ("import_module", "__import__")

LONGEST_MODULE = 400
LONGEST_FUNCTION = 30
MEDIAN_FUNCTION = 10
MOST_ARGUMENTS = 7
KERAS_SIGNATURES = {"__init__", "compile", "fit", "evaluate", "binary_focal_crossentropy"}


class Module(NamedTuple):
    """A file of the package: its dotted name without the package, and its text."""

    name: str
    text: str


class Import(NamedTuple):
    """One import, by its absolute name."""

    target: str
    line: int


def read_package() -> dict[str, Module]:
    """All modules of the package by name; a folder's ``__init__.py`` has the folder's name."""
    modules = {}
    for path in sorted(FOLDER.rglob("*.py")):
        parts = path.relative_to(FOLDER).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        modules[name] = Module(name, path.read_text(encoding="utf-8"))
    return modules


MODULES = read_package()
FOLDERS = {str(path.parent.relative_to(FOLDER)).replace("/", ".") for path in FOLDER.glob("*/**/__init__.py")}


def find_imports(module: Module, *, deferred: bool = True, types: bool = False) -> Iterator[Import]:
    """Every import that can run, with or without those in functions, and on demand those for type checkers alone."""
    nodes: list[ast.AST] = [ast.parse(module.text)]
    while nodes:
        node = nodes.pop()
        if not deferred and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Constant):
            continue
        if not types and isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            nodes.extend(node.orelse)
            continue
        nodes.extend(ast.iter_child_nodes(node))
        yield from (Import(target, getattr(node, "lineno", 0)) for target in imported_names(module, node))


def imported_names(module: Module, node: ast.AST) -> list[str]:
    """The absolute names that one statement or call imports, down to names out of a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{absolute_source(module, node)}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in IMPORTERS:
        return [str(name.value) for name in node.args[:1] if isinstance(name, ast.Constant)]
    if isinstance(node, ast.Constant) and re.fullmatch(rf"{PACKAGE}(\.\w+)+", str(node.value)):
        return [str(node.value)]  # a name kept for a later import_module
    return []


def absolute_source(module: Module, node: ast.ImportFrom) -> str:
    """The module after ``from``, dots resolved."""
    if not node.level:
        return node.module or ""
    here = [PACKAGE, *(part for part in module.name.split(".") if part != "__init__")]
    is_folder = module.name == "__init__" or module.name in FOLDERS
    parents = here[: len(here) - node.level + is_folder]
    return ".".join([*parents, *filter(None, [node.module])])


def room_of(name: str) -> str:
    """The room that a module lies in; a public name of the package belongs to its top."""
    room = name.split(".")[0]
    return room if any(room in floor for floor in FLOORS) else "__init__"


def floor_of(room: str) -> int:
    """The number of the floor a room lies on."""
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


def is_within(name: str, home: str) -> bool:
    """Whether a module is another, or lies below it."""
    return f"{name}.".startswith(f"{home}.")


def find_wrong_directions(module: Module) -> list[str]:
    """Imports from a higher floor, or from another room of the same floor; a reader follows those of types, too."""
    room, found = room_of(module.name), []
    if module.name.split(".")[0] != room:
        return [f"{module.name} has no floor: give it one in FLOORS and in docs/design.md"]
    stranger = next((other for name, other in STRANGERS.items() if is_within(module.name, name)), "nobody")
    for target, line in find_imports(module, types=True):
        if target.split(".")[0] != PACKAGE:
            continue
        inner = target.removeprefix(PACKAGE).removeprefix(".") or "__init__"
        allowed = room_of(inner) == room or floor_of(room_of(inner)) < floor_of(room)
        if not allowed or is_within(inner, stranger):
            found.append(f"{module.name}:{line} imports {target}")
    return found


def find_cycle(modules: dict[str, Module]) -> list[str]:
    """Modules that import each other in a circle while they are being loaded; empty where there is none."""
    try:
        TopologicalSorter(make_graph(modules, deferred=False)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def make_graph(modules: dict[str, Module], **kinds: bool) -> dict[str, set[str]]:
    """The modules that each module imports."""
    graph = {}
    for name, module in modules.items():
        targets = [found.target for found in find_imports(module, **kinds)]
        targets = [target.removeprefix(PACKAGE + ".") for target in targets if target.startswith(PACKAGE + ".")]
        graph[name] = {full if full in modules else full.rpartition(".")[0] for full in targets} & modules.keys()
    return graph


def reachable(graph: dict[str, set[str]], name: str) -> set[str]:
    """All modules that one leads to."""
    found: set[str] = set()
    rest = [name]
    while rest:
        new = graph[rest.pop()] - found
        found |= new
        rest += new
    return found


def find_knots(modules: dict[str, Module]) -> list[list[str]]:
    """Modules that know each other, imports of types included: more than two, or in several rooms."""
    graph = make_graph(modules, types=True)
    for name in graph:  # a folder's namespace is not what its files are about
        graph[name] = {other for other in graph[name] if other not in FOLDERS}
    leads = {name: reachable(graph, name) for name in graph}
    knots = {tuple(sorted(other for other in leads[name] if name in leads[other])) for name in graph}
    return [list(knot) for knot in sorted(knots) if len(knot) > 2 or len({room_of(name) for name in knot}) > 1]


def find_foreign_imports(module: Module) -> list[str]:
    """Imports of other distributions where they do not belong."""
    found = []
    for target, line in find_imports(module):
        root = target.split(".")[0]
        home = HOME_OF.get(root)
        at_home = home is not None and is_within(module.name, home)
        at_home |= module.name == ALSO_AT_HOME.get(root)
        if root not in EVERYWHERE and root != PACKAGE and not at_home:
            found.append(f"{module.name}:{line} imports {target}")
    return found


def find_numba_threads(module: Module) -> list[str]:
    """Uses of numba's own threading, which can end the process."""
    found = []
    for node in ast.walk(ast.parse(module.text)):
        name = getattr(node, "attr", getattr(node, "id", getattr(node, "arg", None)))
        if name in ("prange", "parallel"):
            found.append(f"{module.name} uses {name}")
    return found


def find_functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module, methods and inner functions included."""
    for node in ast.walk(ast.parse(module.text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement behind the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


def find_long_functions(module: Module) -> list[str]:
    """Functions whose body is longer than allowed."""
    return [
        f"{module.name}.{function.name} has {body_length(function)} lines"
        for function in find_functions(module)
        if body_length(function) > LONGEST_FUNCTION
    ]


def find_long_modules(module: Module) -> list[str]:
    """The module itself when it is longer than allowed."""
    length = len(module.text.splitlines())
    return [f"{module.name} has {length} lines"] if length > LONGEST_MODULE else []


def find_many_arguments(module: Module) -> list[str]:
    """Functions with too many arguments; kernels and what follows Keras are exempt."""
    if module.name.startswith("kernels."):
        return []
    found = []
    for function in find_functions(module):
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        count = sum(argument.arg not in ("self", "cls") for argument in arguments)
        if count > MOST_ARGUMENTS and function.name not in KERAS_SIGNATURES:
            found.append(f"{module.name}.{function.name} has {count} arguments")
    return found


CHECKS = {
    find_wrong_directions: (
        Module("tables.table", "from fastembed_layer.optimizers import SGD"),
        Module("tables.table", "import fastembed_layer"),
        Module("tables.table", "from fastembed_layer import Embedding"),
        Module("backends.dispatch", "def pick():\n    from fastembed_layer.tables.table import Table"),
        Module("backends.dispatch", "PLACES = {'gpu': 'fastembed_layer.tables.table'}"),
        Module("losses.base", "from .. import layers"),
        Module("losses.base", "from ..optimizers import SGD"),
        Module("tape", "from fastembed_layer import metrics"),
        Module("layers.dense", "from ..models.model import Model"),
        Module("backends.cpu", "from fastembed_layer.backends import cuda"),
        Module("backends.cpu", "from fastembed_layer.backends.cuda import Cuda"),
        Module("backends.cuda.operations", "from fastembed_layer.backends.cpu import Cpu"),
        Module("nowhere", ""),
    ),
    find_foreign_imports: (
        Module("layers.embedding", "import numba"),
        Module("backends.cpu", "from numba import njit"),
        Module("backends.cpu", "import cupy"),
        Module("backends.cuda.operations", "import cupy"),
        Module("kernels.gather", "import cupy"),
        Module("models.summary", "def draw():\n    import matplotlib.pyplot"),
        Module("tape", "__import__('torch')"),
        Module("layers.embedding", "import keras"),
        Module("keras.embedding", "import torch"),
        Module("keras.embedding", "import tensorflow"),
    ),
    find_numba_threads: (
        Module("kernels.gather", "for row in numba.prange(9): ..."),
        Module("kernels.jit", "numba.njit(parallel=True)"),
    ),
    find_long_functions: (Module("tape", "def much():\n    '''Say much.'''\n" + "    pass\n" * 31),),
    find_long_modules: (Module("tape", "pass\n" * 401),),
    find_many_arguments: (Module("tape", "def take(a, b, c, d, *, e, f, g, h): ..."),),
}
HARMLESS = (
    Module("optimizers.adam", "from fastembed_layer.tables.table import Table\nfrom .optimizer import Optimizer"),
    Module(
        "tables.table",
        "if TYPE_CHECKING:\n    from fastembed_layer.backends.contract import Operations\n    import numba",
    ),
    Module("kernels.jit", "import numba\nfrom llvmlite import ir"),
    Module("backends.cuda.library", "def load():\n    import cupy"),
    Module("layers", "from fastembed_layer.layers.dense import Dense"),
    Module("tape", "def much():\n    '''Say\n    much.'''\n" + "    pass\n" * 30),
)

Check = Callable[[Module], list[str]]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_passes(check: Check) -> None:
    assert [problem for module in MODULES.values() for problem in check(module)] == []


@pytest.mark.parametrize(
    ("check", "planted"),
    [(check, planted) for check, cases in CHECKS.items() for planted in cases],
    ids=lambda thing: thing.name if isinstance(thing, Module) else thing.__name__,
)
def test_a_planted_violation_is_found(check: Check, planted: Module) -> None:
    assert len(check(planted)) == 1


@pytest.mark.parametrize("module", HARMLESS, ids=lambda module: module.name)
def test_what_is_allowed_is_not_reported(module: Module) -> None:
    assert [problem for check in CHECKS for problem in check(module)] == []


def test_no_modules_import_each_other() -> None:
    assert find_cycle(MODULES) == []


def test_no_more_than_two_files_of_a_room_know_each_other() -> None:
    assert find_knots(MODULES) == []


def test_a_planted_knot_is_found() -> None:
    names = ("layers.dot", "layers.dense", "layers.rest")
    texts = [f"if TYPE_CHECKING:\n    from fastembed_layer.{name} import Name" for name in (*names[1:], names[0])]
    modules = {name: Module(name, text) for name, text in zip(names, texts, strict=True)}
    assert find_knots(modules) == [sorted(names)]


def test_a_planted_cycle_is_found() -> None:
    there = Module("losses", "from fastembed_layer.metrics import AUC")
    back = Module("metrics", "from fastembed_layer import losses")
    later = Module("metrics", "def judge():\n    from fastembed_layer import losses")
    assert set(find_cycle({"losses": there, "metrics": back})) == {"losses", "metrics"}
    assert find_cycle({"losses": there, "metrics": later}) == []


def test_every_room_that_has_a_floor_exists() -> None:
    assert {room for floor in FLOORS for room in floor} == {name.split(".")[0] for name in MODULES}


def test_the_house_has_few_floors_and_few_files_at_its_top() -> None:
    assert len(FLOORS) <= MOST_FLOORS
    assert len(list(FOLDER.glob("*.py"))) <= MOST_FILES_AT_THE_TOP


def test_the_design_page_draws_every_room_on_its_floor() -> None:
    page = (FOLDER.parent / "docs" / "design.md").read_text(encoding="utf-8")
    drawn = re.split("─+", page.split("```text")[1].split("```")[0])[::-1]
    assert len(drawn) == len(FLOORS)
    for floor, picture in zip(FLOORS, drawn, strict=True):
        assert [room for room in floor if not re.search(rf"(?<!\w){room}(?!\w)", picture)] == []


def test_most_functions_are_short() -> None:
    lengths = [body_length(function) for module in MODULES.values() for function in find_functions(module)]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that are loaded after one statement in a fresh interpreter."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_package_loads_neither_a_compiler_nor_a_framework() -> None:
    assert loaded_by(f"import {PACKAGE}") & NEVER_AT_IMPORT == set()


def test_a_heavy_import_would_be_noticed() -> None:
    assert "tqdm" in loaded_by("import tqdm")
