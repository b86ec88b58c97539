"""The part of `docs/benchmarks.md` that `report.py` writes: tables of ratios, the machine, and a picture."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
PICTURE = PAGE.parent / "images" / "benchmarks.png"
BEGIN = "<!-- asv_bench/report.py writes from here -->"
END = "<!-- asv_bench/report.py writes to here -->"
NAMES = {
    "numpy": "numpy",
    "torch": "PyTorch",
    "fbgemm": "FBGEMM",
    "keras": "Keras",
    "torch sparse": "PyTorch, sparse",
    "torch dense": "PyTorch, dense",
    "jax": "JAX",
    "torch host table": "PyTorch, host table",
}
NO_GPU = "Lookups, bags, updates, steps, and host tables that serve a GPU: not measured: no GPU was at hand."

Run = Mapping[str, Any]  # what `report.py` measured in one process
Result = Mapping[str, Any]  # one line of a table


class Line(NamedTuple):
    """One line of a table, from one run or more.

    Attributes
    ----------
    base : str
        The participant that the others are compared with.
    cost : float
        Its cost, in the first run that has the line.
    limit : float or None
        How many times the cost is of what the memory's speed allows.
    others : dict
        Cost of each other participant, and its ratio to what the base cost in the same run.
    """

    base: str
    cost: float
    limit: float | None
    others: dict[str, tuple[float, float]]


def format_seconds(seconds: float) -> str:
    """Write a time with three digits.

    >>> format_seconds(0.00412), format_seconds(1.5e-5)
    ('4.12 ms', '15.0 µs')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-6)} µs"


def format_speed(seconds: float) -> str:
    """Write the seconds that a word takes as words per second."""
    return f"{1 / seconds:,.0f} words/s"


def format_batches(size: float) -> str:
    """Write a size that was divided by the batch's."""
    return f"{size:.2f} batches"


def format_share(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:.1f} %"


FORMATS: dict[str, Callable[[float], str]] = {
    "seconds": format_seconds,
    "seconds per word": format_speed,
    "batches": format_batches,
    "share": format_share,
}


def merge_runs(runs: Sequence[Run]) -> dict[str, dict[str, Line]]:
    """Return the lines of each section by case; ratios are always of one run, and the first run that has one counts."""
    sections: dict[str, dict[str, Line]] = {}
    for run in runs:
        for result in run["results"]:
            lines = sections.setdefault(result["section"], {})
            line = _read_line(result)
            known = lines.get(result["case"])
            lines[result["case"]] = line if known is None else known._replace(others=line.others | known.others)
    return sections


def format_table(lines: Mapping[str, Line], unit: str) -> str:
    """Write the lines of one section as a markdown table.

    Times and ratios, such as ``5.90 ms (1.4)``: the participant of the column takes 1.4 times as long as the first.
    """
    show = FORMATS[unit]
    base = next(iter(lines.values())).base
    found = dict.fromkeys(name for line in lines.values() for name in line.others)
    columns = sorted(found, key=lambda name: list(NAMES).index(name) if name in NAMES else -1)
    limited = any(line.limit is not None for line in lines.values())
    head = ["", _name(base), *(["times the limit"] if limited else []), *map(_name, columns)]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for case, line in lines.items():
        limit = [] if not limited else ["" if line.limit is None else _format_ratio(line.limit)]
        cells = (line.others.get(name) for name in columns)
        shown = ["" if cell is None else f"{show(cell[0])} ({_format_ratio(cell[1])})" for cell in cells]
        rows.append([case, f"**{show(line.cost)}**", *limit, *shown])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def format_runs(runs: Iterable[Run]) -> str:
    """Say on which machine, when and with what the numbers were measured."""
    lines = []
    for run in runs:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        lines.append(
            f"- {run['date']}: {run['machine']}; {run['threads']} threads each; a copy moves "
            f"{run['copy_speed'] / 1e9:.1f} GB/s (read and written). {_describe_gpu(run)}{versions}."
        )
    return "\n".join(lines)


def replace_generated(page: str, text: str) -> str:
    """Return a page with the text between the two markers replaced.

    Raises
    ------
    ValueError
        If the page does not hold both markers, in their order.
    """
    begin, end = page.find(BEGIN), page.find(END)
    if begin < 0 or end < begin:
        raise ValueError(f"The page must hold the lines {BEGIN!r} and {END!r}, in this order.")
    return f"{page[: begin + len(BEGIN)]}\n\n{text.strip()}\n\n{page[end:]}"


def format_page(runs: Sequence[Run], sections: Sequence[Any], picture: str | None) -> str:
    """Write all that stands between the markers; `sections` have a `name`, a `title`, a `text` and a `unit`.

    Where nothing was measured on a GPU, the page says so.
    """
    measured = merge_runs(runs)
    parts = [f"![Times of the other libraries, and of tables of different sizes]({picture})"] if picture else []
    for section in sections:
        if section.name in measured:
            table = format_table(measured[section.name], section.unit)
            parts += [f"### {section.title}", section.text, *_name_machine(section.name, runs), table]
    if not any(getattr(section, "on_gpu", False) and section.name in measured for section in sections):
        parts += ["### On a GPU", NO_GPU]
    return "\n\n".join([*parts, "### Machine and versions", format_runs(runs)])


def _name_machine(section: str, runs: Sequence[Run]) -> list[str]:
    """Say where a section was measured, if the runs are of different machines."""
    own = [run["machine"] for run in runs if any(result["section"] == section for result in run["results"])]
    if len({run["machine"] for run in runs}) == 1:
        return []
    return [f"Measured on: {'; '.join(dict.fromkeys(own))}."]


def _read_line(result: Result) -> Line:
    costs = {name: statistics.median(samples) for name, samples in result["samples"].items()}
    base, cost = next(iter(costs.items()))
    others = {name: (other, other / cost) for name, other in costs.items() if name != base}
    limit = None if result["limit"] is None else cost / result["limit"]
    return Line(base, cost, limit, others)


def _describe_gpu(run: Run) -> str:
    gpu = run.get("gpu")
    return f"GPU: {gpu['name']}; a copy within it moves {gpu['copy_speed'] / 1e9:.0f} GB/s. " if gpu else ""


def _three_digits(value: float) -> str:
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}"


def _format_ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 1.995 else f"{ratio:.1f}" if ratio < 99.5 else f"{ratio:.0f}"


def _name(participant: str) -> str:
    return NAMES.get(participant, participant)
