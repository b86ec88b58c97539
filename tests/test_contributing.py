"""What `CONTRIBUTING.md` says about adding an operation or an optimizer is where those that are there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`((?:fastembed_layer|tests|asv_bench)/[\w/.]*)`", TEXT)
BESIDE = (
    "fastembed_layer/layers/",
    "fastembed_layer/tables/",
    "fastembed_layer/torch/",
    "fastembed_layer/keras/",
    "tests/optimizers/",
    "tests/pytorch/",
    "tests/keras_bridge/",
    "tests/layers/",
    "tests/tables/",
    "tests/placement/",
)  # users


def files_with(word: str) -> list[str]:
    """The sources of the package and of its tests in which a word stands."""
    folders = (ROOT / folder for folder in ("fastembed_layer", "tests"))
    paths = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".cu")]
    paths.remove(Path(__file__).resolve())
    found = [path for path in paths if re.search(rf"\b{word}\b", path.read_text(encoding="utf-8"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def unnamed(word: str, beside: tuple[str, ...] = ()) -> list[str]:
    """Files in which a word stands and that the text does not lead to."""
    return [path for path in files_with(word) if not path.startswith((*NAMED, *beside))]


@pytest.mark.parametrize("path", NAMED)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("operation", ["dot_rows", "gather_max", "find_locations", "offset_ids", "sum_duplicates"])
def test_the_files_of_an_operation_are_named(operation: str) -> None:
    assert unnamed(operation, BESIDE) == []


@pytest.mark.parametrize("rule", ["adadelta", "adamax", "nadam", "lion", "ftrl"])
def test_the_files_of_an_optimizer_are_named(rule: str) -> None:
    assert unnamed(rule, BESIDE) == []


def test_a_file_that_is_not_named_would_be_found() -> None:
    assert unnamed("TableState") != []
