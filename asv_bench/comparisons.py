"""What `report.py` compares: for each section of the page its cases, and who takes part in each of them."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from benchmarks import gpu, gpu_systems, import_time, peak_memory, vocabulary, word_vectors
from benchmarks.common import (
    CLICKS,
    PUBLIC_CASE,
    SIZES,
    Features,
    Job,
    Workload,
    count_lookup_bytes,
    count_step_bytes,
)
from benchmarks.rivals import find_installed, prepare_job
from benchmarks.timing import Plan, measure_in_turns

Samples = dict[str, list[float]]

OURS = "fastembed_layer"
A_LAYER_EACH = "a layer each"
MANY = (1, 2, 4, 8, 16)  # threads, as far as there are cores
TITLES = {
    "sgd": "SGD",
    "adagrad": "Adagrad",
    "rowwise_adagrad": "row-wise Adagrad",
    "rmsprop": "RMSprop, exact",
    "adam": "Adam, exact",
    "adam_lazy": "Adam, lazy",
}


class Scale(NamedTuple):
    """The workloads of a run."""

    peers: Workload = SIZES["peers"]
    public: Workload = PUBLIC_CASE
    few: Workload = SIZES["small"]
    clicks: Features = CLICKS
    rows: tuple[int, ...] = (*vocabulary.ROWS, 100_000_000)
    steps: tuple[int, ...] = (10, 1_000, 60_000, 1_000_000)
    texts: word_vectors.Task = word_vectors.FULL
    gpu: Workload = gpu.SIZE


QUICK = Scale(
    peers=Workload(20_000, 64, (64, 20)),
    public=Workload(2_000, 512, (16, 20)),
    few=Workload(2_000, 64),
    clicks=Features((10, 100, 1_000), 16, 64),
    rows=(1_000, 2_000),
    steps=(10, 100),
    texts=word_vectors.QUICK,
    gpu=gpu_systems.GpuWorkload(2_000, 64, (64, 20)),
)


class Comparison(NamedTuple):
    """One line of a table.

    Attributes
    ----------
    case : str
        What is done.
    measure : callable
        Returns, for each participant, samples of what it costs. The first participant is the one that the others
        are compared with.
    limit_bytes : float, optional
        Bytes that the work has to move.
    """

    case: str
    measure: Callable[[Plan], Samples]
    limit_bytes: float | None = None


def measure_jobs(makers: Mapping[str, Callable[[], Job]], plan: Plan) -> Samples:
    """Make the jobs of those who can take part, and time them in turns."""
    made = {name: _make_job(name, make) for name, make in makers.items()}
    samples = measure_in_turns({name: job for name, job in made.items() if job is not None}, plan)
    del made
    gc.collect()  # tables of a library may hang in a cycle
    return samples


def compare_systems(
    case: str, method: str, workload: Workload, *arguments: str, limit: float | None = None
) -> Comparison:
    """Compare all installed libraries at one of the methods of `benchmarks.systems.System`."""
    makers = {name: partial(prepare_job, name, method, workload, *arguments) for name in find_installed()}
    return Comparison(case, partial(measure_jobs, makers), limit)


def compare_lookups(scale: Scale) -> Iterator[Comparison]:
    for ids in ("uniform", "zipf"):
        yield _lookup(f"{ids}, {scale.peers.columns} columns", scale.peers.change(ids=ids))
    for columns in (16, 128, 512):
        rows = scale.peers.rows * scale.peers.columns // columns
        yield _lookup(f"uniform, {columns} columns", scale.peers.change(rows=rows, columns=columns))


def compare_steps(scale: Scale) -> Iterator[Comparison]:
    for optimizer in ("sgd", "adagrad", "adam_lazy", "adam", "rmsprop"):
        for ids in ("uniform", "zipf"):
            yield _step(f"{TITLES[optimizer]}, {ids}", scale.peers.change(ids=ids), optimizer)


def compare_parts(scale: Scale) -> Iterator[Comparison]:
    for optimizer in ("sgd", "adagrad", "adam_lazy"):
        for ids in ("uniform", "zipf"):
            workload = scale.peers.change(ids=ids)
            makers = {"whole step": partial(prepare_job, OURS, "training_step", workload, optimizer)}
            for part in ("lookup", "grouping", "update"):
                makers[part] = partial(prepare_job, OURS, "step_part", workload, optimizer, part)
            yield Comparison(f"{TITLES[optimizer]}, {ids}", partial(measure_jobs, makers))


def compare_bags(scale: Scale) -> Iterator[Comparison]:
    for ids in ("uniform", "zipf"):
        workload = scale.peers.change(ids=ids)
        yield compare_systems(f"sum, {ids}", "bag_lookup", workload, limit=count_lookup_bytes(workload, bags=True))
    for optimizer in ("sgd", "adagrad", "rowwise_adagrad"):
        for ids in ("uniform", "zipf"):
            workload = scale.peers.change(ids=ids)
            limit = count_step_bytes(workload, optimizer, bags=True)
            yield compare_systems(f"step, {TITLES[optimizer]}, {ids}", "bag_step", workload, optimizer, limit=limit)


def compare_many_tables(scale: Scale) -> Iterator[Comparison]:
    for batch_size in sorted({64, scale.clicks.batch_size}):
        clicks = replace(scale.clicks, batch_size=batch_size)
        yield _many_tables(f"lookup, {batch_size:,} samples", "lookup", clicks)
        for optimizer in ("sgd", "adagrad", "adam_lazy", "adam"):
            yield _many_tables(f"step, {TITLES[optimizer]}, {batch_size:,} samples", "step", clicks, optimizer)


def compare_public_case(scale: Scale) -> Iterator[Comparison]:
    for optimizer in ("sgd", "adagrad", "adam_lazy", "adam"):
        yield _step(TITLES[optimizer], scale.public, optimizer)


def compare_few_ids(scale: Scale) -> Iterator[Comparison]:
    for batch_size in (1, 32, 1024):
        workload = scale.few.change(shape=(batch_size, 1))
        name = f"{batch_size:,} id{'s' * (batch_size > 1)}"
        yield compare_systems(f"lookup of {name}", "lookup", workload)
        yield compare_systems(f"SGD step on {name}", "training_step", workload, "sgd")


def compare_one_row(scale: Scale) -> Iterator[Comparison]:
    workload = scale.peers.change(ids="one_row")
    yield _lookup("lookup", workload)
    for optimizer in ("sgd", "adagrad"):
        yield _step(f"step, {TITLES[optimizer]}", workload, optimizer)


def compare_vocabularies(scale: Scale) -> Iterator[Comparison]:
    reference = min(scale.rows, key=lambda rows: abs(rows - vocabulary.REACH))
    for optimizer in ("sgd", "adam"):
        fitting = vocabulary.choose_fitting(scale.rows, optimizer)
        ordered = sorted(fitting, key=lambda rows: (rows != reference, rows))
        for pattern in vocabulary.PATTERNS:
            makers = {
                f"{rows:,} rows": partial(
                    prepare_job, OURS, "training_step", vocabulary.make_workload(rows, pattern), optimizer
                )
                for rows in ordered
            }
            yield Comparison(f"{TITLES[optimizer]}, ids from {pattern}", partial(measure_jobs, makers))


def compare_modes(scale: Scale) -> Iterator[Comparison]:
    for ids in ("uniform", "zipf"):
        makers = {
            mode: partial(prepare_job, OURS, "training_step", scale.peers.change(ids=ids), optimizer)
            for mode, optimizer in (("lazy", "adam_lazy"), ("exact", "adam"))
        }
        yield Comparison(f"Adam step, {ids}", partial(measure_jobs, makers))


def compare_ages(scale: Scale) -> Iterator[Comparison]:
    makers = {
        f"after {steps:,} steps": partial(prepare_job, OURS, "aged_step", scale.peers, steps) for steps in scale.steps
    }
    yield Comparison("exact Adam step, uniform", partial(measure_jobs, makers))


def compare_threads(scale: Scale) -> Iterator[Comparison]:
    works = {"lookup": ("lookup",), "SGD step": ("training_step", "sgd"), "exact Adam step": ("training_step", "adam")}
    return _compare_counts(scale, works, (1, 2, 8))


def compare_scaling(scale: Scale) -> Iterator[Comparison]:
    works = {
        "lookup": ("lookup",),
        "bag sum": ("bag_lookup",),
        "SGD step": ("training_step", "sgd"),
        "lazy Adam step": ("training_step", "adam_lazy"),
        "exact Adam step": ("training_step", "adam"),
    }
    return _compare_counts(scale, works, [count for count in MANY if count <= max(2, os.cpu_count() or 1)])


def compare_memory(scale: Scale) -> Iterator[Comparison]:
    for optimizer in ("sgd", "adagrad", "adam"):
        case = f"step, {TITLES[optimizer]}, uniform"
        yield Comparison(case, lambda _, name=optimizer: {OURS: [peak_memory.measure_step(scale.peers, name)]})


def compare_imports(scale: Scale) -> Iterator[Comparison]:
    yield Comparison("import", import_time.measure_imports)


def compare_first_steps(scale: Scale) -> Iterator[Comparison]:
    yield Comparison("first step", import_time.measure_first_steps)


def compare_word_vectors(scale: Scale) -> Iterator[Comparison]:
    yield Comparison(scale.texts.title, partial(word_vectors.measure_training, scale.texts))


def compare_neighbours(scale: Scale) -> Iterator[Comparison]:
    yield Comparison(scale.texts.title, lambda _: word_vectors.measure_neighbours(scale.texts))


def _compare_counts(scale: Scale, works: Mapping[str, Sequence[str]], counts: Sequence[int]) -> Iterator[Comparison]:
    """Compare numbers of threads, each piece of work with uniform ids and with zipf ids."""
    for ids in ("uniform", "zipf"):
        workload = scale.peers.change(ids=ids)
        for title, (method, *arguments) in works.items():
            makers = {
                f"{count} thread{'s' * (count > 1)}": partial(
                    prepare_job, OURS, "on_threads", workload, count, method, *arguments
                )
                for count in counts
            }
            yield Comparison(f"{title}, {ids}", partial(measure_jobs, makers))


def _make_job(name: str, make: Callable[[], Job]) -> Job | None:
    try:
        return make()
    except NotImplementedError as reason:
        print(f"without {name}: {reason}", flush=True)
        return None


def _lookup(case: str, workload: Workload) -> Comparison:
    return compare_systems(case, "lookup", workload, limit=count_lookup_bytes(workload))


def _many_tables(case: str, work: str, clicks: Features, *arguments: str) -> Comparison:
    makers = {
        OURS: partial(prepare_job, OURS, f"features_{work}", clicks, *arguments),
        A_LAYER_EACH: partial(prepare_job, OURS, f"features_apart_{work}", clicks, *arguments),
    }
    for name in find_installed():
        makers.setdefault(name, partial(prepare_job, name, f"features_{work}", clicks, *arguments))
    return Comparison(case, partial(measure_jobs, makers))


def _step(case: str, workload: Workload, optimizer: str) -> Comparison:
    limit = count_step_bytes(workload, optimizer)
    return compare_systems(case, "training_step", workload, optimizer, limit=limit)
