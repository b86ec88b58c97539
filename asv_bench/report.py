"""Compare this package with the others, side by side in one process, and write the tables of `docs/benchmarks.md`.

    python asv_bench/report.py                       # compare with what is installed, and write the page
    python asv_bench/report.py --json torch.json     # compare, and write raw numbers only
    python asv_bench/report.py --merge torch.json keras.json    # write the page from the numbers of several runs
    python asv_bench/report.py --only lookup bags    # compare some sections, and print their tables

Libraries that cannot live in one environment are compared in one run each. Every run measures this package too, and
every ratio is of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import comparisons
import page
from benchmarks.common import THREADS, measure_copy_speed
from benchmarks.timing import ONCE, Plan
from comparisons import QUICK, Comparison, Scale
from gpu_comparisons import GPU_SECTIONS, GpuSection, describe_gpu, find_copy_speed

VERSIONS = ("numpy", "numba", "torch", "fbgemm_gpu-cpu", "tensorflow-cpu", "tensorflow", "keras", "gensim")


class Section(NamedTuple):
    """A table of the page."""

    name: str
    title: str
    text: str
    compare: Callable[[Scale], Iterator[Comparison]]
    unit: str = "seconds"


AnySection = Section | GpuSection

SECTIONS: tuple[AnySection, ...] = (
    Section(
        "lookup",
        "Lookup",
        "A fresh result for each batch of 4,096 x 50 ids, from a table of 4,000,000 x 64; tables of other widths are "
        "as large in bytes.",
        comparisons.compare_lookups,
    ),
    Section(
        "training_step",
        "Training step",
        "Lookup, the way back with a given gradient, and the update, on the same table. Exact is what the dense "
        "optimizer computes, which is what Keras and PyTorch's dense optimizers run; lazy leaves rows outside the "
        "batch alone, as PyTorch's `SparseAdam` does.",
        comparisons.compare_steps,
    ),
    Section(
        "parts",
        "Where the time of a step goes",
        "The three operations of a step of this package, each by itself: lookup, grouping of the ids, update.",
        comparisons.compare_parts,
    ),
    Section(
        "bags",
        "Bags",
        "Sums of 50 rows, 4,096 of them, and the training step behind such a sum.",
        comparisons.compare_bags,
    ),
    Section(
        "many_tables",
        "Many tables",
        "26 features with 10 to 1,000,000 rows of 16 columns, one uniform id per sample and feature, and one array as "
        "the result: `EmbeddingGroup`, an `Embedding` for each feature, a sparse `EmbeddingBag` for each in PyTorch, "
        "and FBGEMM's table-batched embeddings.",
        comparisons.compare_many_tables,
    ),
    Section(
        "public_case",
        "The public case",
        "A training step on a table of 793,471 x 512 with 128 x 20 uniform ids, the case of "
        "[Keras issue 4365](https://github.com/keras-team/keras/issues/4365).",
        comparisons.compare_public_case,
    ),
    Section(
        "few_ids",
        "Few ids",
        "Small batches on a table of 100,000 x 64: what a call costs before the first row is read.",
        comparisons.compare_few_ids,
    ),
    Section(
        "one_row",
        "One hot row",
        "204,800 times the same id, on the table of 4,000,000 x 64.",
        comparisons.compare_one_row,
    ),
    Section(
        "vocabulary",
        "Tables of different sizes",
        "A step of this package on tables of 16 columns, 204,800 ids a batch. Ids drawn from the whole table show "
        "the step with what caches do: the smaller tables fit into them. Ids drawn from the same 100,000 rows, side "
        "by side or far apart, show what the size of the table costs by itself.",
        comparisons.compare_vocabularies,
    ),
    Section(
        "threads",
        "Threads",
        "This package on one thread, on one for each core, and on far more than there are cores; the results have the "
        "same bits.",
        comparisons.compare_threads,
    ),
    Section(
        "scaling",
        "As many threads as cores",
        "This package on one thread and on more, up to the number of cores.",
        comparisons.compare_scaling,
    ),
    Section(
        "modes",
        "Exact and lazy",
        'The step of Adam with `update="exact"`, where every row of a batch first catches up with the steps it '
        'missed, against `update="lazy"`.',
        comparisons.compare_modes,
    ),
    Section(
        "ages",
        "After many steps",
        "Exact Adam on a table that has been trained for so many steps, its rows idle since any one of them.",
        comparisons.compare_ages,
    ),
    Section(
        "word_vectors",
        "Word vectors",
        "Skip-gram with negative sampling by `docs/examples/word_vectors.py`, a model built from public names, "
        "against gensim's compiled word2vec: same text, same words, window and negatives, 2 workers. Words of the "
        "text per second of training.",
        comparisons.compare_word_vectors,
        "seconds per word",
    ),
    Section(
        "neighbours",
        "How good these vectors are",
        "After three passes each: the share of words, among the 10,000 most frequent, for which the same word with or "
        "without an s is one of the ten nearest. In brackets: the share, in times of this package's.",
        comparisons.compare_neighbours,
        "share",
    ),
    Section(
        "memory",
        "Memory of a step",
        "What a step of this package allocates at its peak, the result of the lookup included and nothing kept from "
        "before, in sizes of the batch's rows (52 MB here; the table has 1 GB).",
        comparisons.compare_memory,
        "batches",
    ),
    Section("import", "Import", "In a fresh process, numpy's import included.", comparisons.compare_imports),
    Section(
        "first_step",
        "The first step",
        "From the start of the imports to the end of the first training step with Adam, in a fresh process: with the "
        "kernels on disk, as from the second process on, and without.",
        comparisons.compare_first_steps,
    ),
    *GPU_SECTIONS,
)


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says; the page is written from whole runs and from merged ones only."""
    options = _parse(arguments)
    if options.merge:
        write_page([json.loads(Path(path).read_text(encoding="utf-8")) for path in options.merge])
        return
    run = measure(options)
    if not (options.json or options.only or options.quick):
        write_page([run])


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the comparisons; with ``--json`` the file is written after each of them, so that none is lost."""
    run = describe_run() | {"quick": options.quick}
    scale, plan = (QUICK, ONCE) if options.quick else (Scale(), Plan())
    for section in SECTIONS:
        if options.only and section.name not in options.only:
            continue
        on_gpu = isinstance(section, GpuSection)
        if on_gpu and run["gpu"] is None:
            continue
        speed = (run["gpu"] if on_gpu else run)["copy_speed"]
        for comparison in section.compare(scale):
            run["results"].append(measure_line(section, comparison, plan, speed))
            if options.json is not None:
                Path(options.json).write_text(json.dumps(run, indent=1), encoding="utf-8")
    return run


def measure_line(section: AnySection, comparison: Comparison, plan: Plan, copy_speed: float) -> dict[str, Any]:
    """Measure one line of a table, and print it and how long that took."""
    start = time.perf_counter()
    result = {
        "section": section.name,
        "case": comparison.case,
        "limit": None if comparison.limit_bytes is None else comparison.limit_bytes / copy_speed,
        "samples": comparison.measure(plan),
    }
    [lines] = page.merge_runs([{"results": [result]}]).values()
    seconds = time.perf_counter() - start
    print(f"{section.title} ({seconds:.0f} s)\n{page.format_table(lines, section.unit)}\n", flush=True)
    return result


def describe_run() -> dict[str, Any]:
    """Return all that a run says about itself before its first result."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "threads": THREADS,
        "versions": find_versions(),
        "copy_speed": measure_copy_speed(),
        "gpu": None if (speed := find_copy_speed()) is None else {"name": describe_gpu(), "copy_speed": speed},
        "results": [],
    }


def describe_machine() -> str:
    """Return the processor, the number of cores, the memory, the system and the version of Python."""
    processor = _read_facts("/proc/cpuinfo").get("model name") or platform.processor() or platform.machine()
    parts = [processor, f"{os.cpu_count()} cores"]
    memory = _read_facts("/proc/meminfo").get("MemTotal")
    if memory is not None:
        parts.append(f"{int(memory.split()[0]) / 2**20:.0f} GiB")
    return ", ".join([*parts, platform.system(), f"Python {platform.python_version()}"])


def find_versions() -> dict[str, str]:
    """Return the versions of this package and of the others that are installed."""
    import fastembed_layer

    others = {name: _find_version(name) for name in VERSIONS}
    found = {name: text for name, text in others.items() if text is not None}
    return {"fastembed_layer": fastembed_layer.__version__} | found


def write_page(runs: list[dict[str, Any]]) -> None:
    """Rewrite the generated part of the page, and draw its picture; numbers of ``--quick`` are refused."""
    if any(run["quick"] for run in runs):
        raise SystemExit("The page takes no numbers that were measured with --quick.")
    from picture import draw_picture

    drawn = draw_picture(page.merge_runs(runs), page.PICTURE)
    link = page.PICTURE.relative_to(page.PAGE.parent).as_posix() if drawn else None
    text = page.format_page(runs, SECTIONS, link)
    page.PAGE.write_text(page.replace_generated(page.PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(f"wrote {page.PAGE}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [section.name for section in SECTIONS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="SECTION", help=f"some of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="tiny tables, everything once: does it run?")
    parser.add_argument("--json", metavar="FILE", help="write raw numbers there, and leave the page alone")
    parser.add_argument("--merge", nargs="+", default=[], metavar="FILE", help="write the page from such files")
    return parser.parse_args(arguments)


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _read_facts(path: str) -> dict[str, str]:
    """Return the lines ``name : value`` of a file of Linux's /proc; none where there is no such file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


if __name__ == "__main__":
    main()
