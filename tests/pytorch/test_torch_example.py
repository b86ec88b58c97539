"""The example program, on small data."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'fastembed_layer[torch]'")

ROOT = Path(__file__).resolve().parents[2]


def test_the_recommender_has_the_same_losses_with_both() -> None:
    options = ["--items", "2000", "--users", "64", "--steps", "30"]
    command = [sys.executable, str(ROOT / "docs" / "examples" / "torch_recommender.py"), *options]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    first, last = map(float, re.findall(r"loss ([\d.]+) to ([\d.]+)", output)[0])
    assert last < first
    assert float(output.rsplit(" ", 1)[1]) < 1e-3


def test_the_lines_of_the_page_run() -> None:
    page = (ROOT / "docs" / "pytorch.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, {})
