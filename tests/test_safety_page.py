"""The page about what happens when something goes wrong names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "what_happens_when.md"


def find_missing(text: str) -> list[str]:
    """Tests that a text names and that do not exist."""
    missing = []
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text):
        file = ROOT / path
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module([], [])
        if not file.exists() or (name and name not in {getattr(node, "name", None) for node in tree.body}):
            missing.append(f"{path}::{name}")
    return missing


def test_every_test_that_the_page_names_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("`tests/") > 20
    assert find_missing(text) == []


def test_a_test_that_is_gone_is_noticed() -> None:
    assert find_missing("`tests/test_safety_page.py::test_gone` `tests/gone.py` `tests/test_safety_page.py`") == [
        "tests/test_safety_page.py::test_gone",
        "tests/gone.py::",
    ]
