"""The picture of `docs/benchmarks.md`: how many times longer others take, and steps on tables of different sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from page import NAMES, Line

Sections = Mapping[str, Mapping[str, Line]]

COMPARED = {"lookup": "lookup", "training_step": "step", "bags": "bags", "public_case": "public case"}
COLORS = {"numpy": "#7a7a7a", "torch": "#d1495b", "fbgemm": "#edae49", "keras": "#00798c"}
SIZES = ("SGD", "#30638e"), ("Adam", "#c05299")


def draw_picture(sections: Sections, path: Path) -> bool:
    """Draw the picture into a file; returns False where there is nothing to draw.

    Parameters
    ----------
    sections : mapping
        What `page.merge_runs` returned.
    path : Path
        The PNG file; its folder is created.
    """
    lines = {
        f"{short}: {case}": line for name, short in COMPARED.items() for case, line in sections.get(name, {}).items()
    }
    sizes = sections.get("vocabulary", {})
    if not lines and not sizes:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    height = max(4.0, 0.3 * len(lines) + 1.2)
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(12, height), width_ratios=(3, 2), layout="constrained", dpi=110
    )
    _draw_ratios(left, lines)
    _draw_sizes(right, sizes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)
    return True


def _draw_ratios(axes: Any, lines: Mapping[str, Line]) -> None:
    """One line of dots for each case, on a logarithmic axis; 1 is this package."""
    axes.axvline(1.0, color="black", linewidth=1)
    for name, color in COLORS.items():
        indices = [index for index, line in enumerate(lines.values()) if name in line.others]
        ratios = [line.others[name][1] for line in lines.values() if name in line.others]
        if ratios:
            axes.scatter(ratios, indices, color=color, s=42, label=NAMES.get(name, name), zorder=3)
    axes.set_yticks(range(len(lines)), list(lines))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(axis="both", color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.set_xlabel("time, in times of fastembed_layer's (right of the line: slower)")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", frameon=True)


def _draw_sizes(axes: Any, lines: Mapping[str, Line]) -> None:
    """Step time against the number of rows, one curve for each case."""
    styles = ("-", "--", ":")
    for index, (case, line) in enumerate(lines.items()):
        costs = {line.base: line.cost} | {name: cost for name, (cost, _) in line.others.items()}
        points = sorted((int(name.split()[0].replace(",", "")), 1e3 * cost) for name, cost in costs.items())
        color = next((color for name, color in SIZES if case.startswith(name)), "black")
        axes.plot(*zip(*points, strict=True), styles[index % 3], color=color, marker="o", markersize=4, label=case)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.grid(color="#e4e4e4")
    axes.set_xlabel("rows of the table (16 columns)")
    axes.set_ylabel("milliseconds for a step on 204,800 ids")
    if lines:
        axes.legend(loc="best", fontsize="small")
