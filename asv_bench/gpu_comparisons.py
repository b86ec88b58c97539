"""What `report.py` compares on a GPU; nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from benchmarks import gpu_rivals, gpu_systems
from benchmarks.common import count_lookup_bytes, count_step_bytes
from benchmarks.gpu import COLUMNS, HOST_IDS, IDS, OPTIMIZERS, count_update_bytes
from benchmarks.timing import Plan
from comparisons import TITLES, Comparison, Samples, Scale


class GpuSection(NamedTuple):
    """A table of the page, measured on a GPU."""

    name: str
    title: str
    text: str
    compare: Callable[[Scale], Iterator[Comparison]]
    unit: str = "seconds"
    on_gpu: bool = True


def measure_one_by_one(names: Sequence[str], method: str, workload: Any, *arguments: str) -> Callable[[Plan], Samples]:
    """Return the measurement of those who can take part, one after the other: together they would not fit."""

    def measure(plan: Plan) -> Samples:
        samples: Samples = {}
        for name in names:
            found = _try(partial(_measure, name, method, workload, arguments, plan.turns), name)
            samples |= {} if found is None else {name: found}
        if names[0] not in samples:
            raise RuntimeError(f"{names[0]} could not be measured, and the others are compared with it")
        return samples

    return measure


def _try(measure: Callable[[], list[float]], name: str) -> list[float] | None:
    try:
        return measure()
    except NotImplementedError as reason:
        print(f"without {name}: {reason}", flush=True)
        return None


def _measure(name: str, method: str, workload: Any, arguments: Sequence[str], turns: int) -> list[float]:
    system = gpu_rivals.get_gpu_system(name)
    try:
        job = gpu_rivals.prepare_gpu_job(name, method, workload, *arguments)
        return gpu_systems.measure_on_gpu(job, system.finish, turns)
    except (MemoryError, RuntimeError) as error:  # of cupy, and what PyTorch and JAX say where memory runs out
        if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
            raise
        raise NotImplementedError(f"out of memory: {str(error).splitlines()[0]}") from error
    finally:
        job = None
        system.release()


def list_workloads(scale: Scale, all_ids: Sequence[str] = IDS) -> Iterator[tuple[str, Any]]:
    """Yield a workload for each number of columns and each distribution, and what it is called."""
    for columns in COLUMNS:
        for ids in all_ids:
            yield f"{ids}, {columns} columns", scale.gpu.change(columns=columns, ids=ids)


def compare_lookups(scale: Scale) -> Iterator[Comparison]:
    for case, workload in list_workloads(scale):
        yield _compare(case, "lookup", workload, limit=count_lookup_bytes(workload))


def compare_bags(scale: Scale) -> Iterator[Comparison]:
    for case, workload in list_workloads(scale):
        yield _compare(case, "bag_lookup", workload, limit=count_lookup_bytes(workload, bags=True))


def compare_updates(scale: Scale) -> Iterator[Comparison]:
    for optimizer in OPTIMIZERS:
        for case, workload in list_workloads(scale):
            limit = count_update_bytes(workload, optimizer)
            yield _compare(f"{TITLES[optimizer]}, {case}", "update", workload, optimizer, limit=limit)


def compare_steps(scale: Scale) -> Iterator[Comparison]:
    for optimizer in OPTIMIZERS:
        for case, workload in list_workloads(scale):
            limit = count_step_bytes(workload, optimizer)
            yield _compare(f"{TITLES[optimizer]}, {case}", "training_step", workload, optimizer, limit=limit)


def compare_host_tables(scale: Scale) -> Iterator[Comparison]:
    for case, workload in list_workloads(scale, HOST_IDS):
        yield Comparison(f"lookup, {case}", measure_one_by_one(gpu_rivals.FED, "lookup", workload))
        for optimizer in ("sgd", "adam_lazy"):
            measure = measure_one_by_one(gpu_rivals.FED, "training_step", workload, optimizer)
            yield Comparison(f"step, {TITLES[optimizer]}, {case}", measure)


def _compare(case: str, method: str, workload: Any, *arguments: str, limit: float) -> Comparison:
    measure = measure_one_by_one(gpu_rivals.IN_GPU, method, workload, *arguments)
    return Comparison(case, measure, limit)


def find_copy_speed() -> float | None:
    """Return the speed of a copy within the GPU; None where there is no GPU, and then nothing of it is measured."""
    try:
        gpu_systems.open_gpu()
    except NotImplementedError as reason:
        print(f"without a GPU: {reason}", flush=True)
        return None
    return gpu_systems.measure_device_copy_speed()


def describe_gpu() -> str:
    """Return the name of the first GPU."""
    name = gpu_systems.open_gpu().cuda.runtime.getDeviceProperties(0)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


GPU_SECTIONS = (
    GpuSection(
        "gpu_lookup",
        "On a GPU: lookup",
        "A table of 10,000,000 rows in the GPU, batches of 4,096 x 50 ids there too. PyTorch with sparse and dense "
        "gradients, JAX by `jnp.take`; the limit is the speed of a copy within the GPU.",
        compare_lookups,
    ),
    GpuSection("gpu_bags", "On a GPU: bags", "Sums of 50 rows.", compare_bags),
    GpuSection(
        "gpu_update",
        "On a GPU: update",
        "The optimizer's update by a given gradient of rows, summing of equal ids included. Lazy Adam is PyTorch's "
        "`SparseAdam`; JAX sums by a scatter and updates the whole table.",
        compare_updates,
    ),
    GpuSection(
        "gpu_step", "On a GPU: training step", "Lookup, way back with a given gradient, and update.", compare_steps
    ),
    GpuSection(
        "gpu_host_table",
        "A host table and a batch on the GPU",
        "The table is in the memory of the host, and only rows and gradients of rows cross the bus; beside it the "
        "table in the GPU, and the host table with a cache of a tenth of its rows there. Hot ids: 95 % of them from a "
        "twentieth of the rows.",
        compare_host_tables,
    ),
)
