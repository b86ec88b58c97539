"""What is shipped beside the code: metadata, the README's commands, the pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import metadata
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

import fastembed_layer

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = {"cuda12", "cuda13", "examples", "test", "test-cuda", "docs", "bench", "lint", "torch", "keras"}
MODULES = ("layers", "optimizers", "initializers", "regularizers", "constraints", "losses", "metrics")
TEST_COMMAND = 'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/pytest'


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def find_command(text: str, name: str) -> str:
    """The content of the first fenced block behind the comment line ``<!-- name -->``."""
    found = re.search(rf"^<!-- {name} -->\n+```\w*\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the README has no fenced block behind <!-- {name} -->"
    return found[1]


def test_installed_version_is_the_version_of_the_package() -> None:
    assert metadata("fastembed_layer")["Version"] == fastembed_layer.__version__


def test_changelog_has_an_entry_for_this_version() -> None:
    heading = rf"^## {re.escape(fastembed_layer.__version__)}\b"
    assert re.search(heading, read("docs/changelog.md"), re.MULTILINE)


def test_type_hints_are_shipped() -> None:
    assert files("fastembed_layer").joinpath("py.typed").is_file()
    assert re.search(r'^fastembed_layer = \[.*"py\.typed"', read("pyproject.toml"), re.MULTILINE)


def test_every_extra_is_named() -> None:
    assert set(metadata("fastembed_layer").get_all("Provides-Extra") or []) == EXTRAS


def test_base_dependencies_are_numpy_numba_and_tqdm() -> None:
    requirements = metadata("fastembed_layer").get_all("Requires-Dist") or []
    base = [requirement for requirement in requirements if "extra ==" not in requirement]
    assert {re.split(r"[^\w-]", requirement)[0] for requirement in base} == {"numpy", "numba", "tqdm"}


def test_license_is_apache_2() -> None:
    assert metadata("fastembed_layer")["License-Expression"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0, January 2004" in read("LICENSE")


def test_readme_command_that_runs_the_tests_is_the_one_ci_runs() -> None:
    assert find_command(read("README.md"), "test-command") == TEST_COMMAND


def test_readme_command_that_runs_the_main_job_installs_and_runs_it() -> None:
    command = find_command(read("README.md"), "main-job-command")
    assert "pip install" in command
    assert "docs/examples/word_vectors.py" in command
    assert set(re.findall(r"\.\[([\w,]+)\]", command)) <= EXTRAS


def test_paths_in_the_readme_commands_exist() -> None:
    commands = [find_command(read("README.md"), name) for name in ("test-command", "main-job-command")]
    scripts = re.findall(r"[\w./]+\.py\b", " ".join(commands))
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_a_missing_command_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no fenced block"):
        find_command("# A README\n\n```bash\npytest\n```\n", "test-command")


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_page_says_that_this_is_not_the_other_fastembed(page: str) -> None:
    assert re.search(r"not\b.*\bQdrant.*`fastembed`", read(page), re.IGNORECASE)


def test_every_public_name_is_in_the_reference() -> None:
    reference = [page for page in (ROOT / "docs" / "reference").glob("*.md") if page.name != "names.md"]
    pages = " ".join(page.read_text(encoding="utf-8") for page in reference)
    listed = set(re.findall(r"^   (\w+)$", pages, re.MULTILINE))
    assert listed == {name for name in fastembed_layer.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("module", MODULES)
def test_public_module_lists_its_names(module: str) -> None:
    public = getattr(fastembed_layer, module)
    assert [name for name in public.__all__ if not hasattr(public, name)] == []


def test_every_page_is_in_a_table_of_contents() -> None:
    lists = read("docs/index.md") + read("docs/reference/index.md")
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")]
    assert {page.stem for page in pages} - {"index"} == set(re.findall(r"^(\w+)$", lists, re.MULTILINE))


def find_examples_that_do_not_run(text: str) -> list[str]:
    """The fenced blocks with a prompt that Sphinx's doctest builder passes over."""
    blocks = re.findall(r"^```([^\n`]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [body for kind, body in blocks if ">>>" in body and kind.strip() != "{doctest}"]


def test_every_example_with_a_prompt_on_a_page_is_run() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")]
    assert {page.name: find_examples_that_do_not_run(read(str(page))) for page in pages} == {
        page.name: [] for page in pages
    }


def test_an_example_that_is_passed_over_is_noticed() -> None:
    assert find_examples_that_do_not_run("```{doctest}\n>>> 1\n1\n```\n\n```python\n>>> 2\n3\n```") == [">>> 2\n3\n"]


def test_python_blocks_of_the_readme_run_in_their_order() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", read("README.md"), re.MULTILINE | re.DOTALL)
    missing = [f"import {name}" for name in ("torch", "keras") if not find_spec(name)]
    code = "\n".join(block for block in blocks if not any(line in block for line in missing))
    assert "fastembed_layer" in code
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.skipif(os.name != "posix", reason="the executable bit is a POSIX notion")
def test_ci_script_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
