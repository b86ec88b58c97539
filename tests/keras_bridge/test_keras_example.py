"""The example program, on small data, and the lines of the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bridged import BACKEND, QUIET

pytestmark = QUIET
ROOT = Path(__file__).resolve().parents[2]


def test_the_recommender_has_nearly_the_same_losses_with_both() -> None:
    options = ["--items", "2000", "--users", "64", "--steps", "30"]
    command = [sys.executable, str(ROOT / "docs" / "examples" / "keras_recommender.py"), *options]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    first, last = map(float, re.findall(r"loss ([\d.]+) to ([\d.]+)", output)[1])
    assert last < first
    # Keras on TensorFlow squares the gradients of repeated ids before it sums them, so its losses are others
    assert float(output.rsplit(" ", 1)[1]) < (0.05 if BACKEND == "tensorflow" else 1e-3)


@pytest.mark.parametrize("page", ["docs/keras.md", "README.md"])
def test_the_lines_of_the_page_run(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "keras" in block]
    assert blocks
    for block in blocks:
        exec(block, {})
