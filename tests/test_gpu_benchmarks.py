"""The benchmarks of the GPU run: on a device that does not exist, and with the rivals on their CPUs."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_device import FakeDevice

SUITE = Path(__file__).resolve().parents[1] / "asv_bench"
OWN_MODULES = ("benchmarks", "comparisons", "gpu_comparisons", "page", "picture", "report")


class Event:
    """An event of CUDA, by the clock of the host."""

    def record(self) -> None:
        self.time = time.perf_counter()

    def synchronize(self) -> None: ...


class Cuda:
    """What `cupy.cuda` is asked for."""

    Event = Event

    def __init__(self) -> None:
        self.waits = 0
        self.runtime = SimpleNamespace(getDeviceProperties=lambda number: {"name": b"an abacus of NVIDIA"})

    def Device(self, number: int) -> Any:  # noqa: N802 - cupy's name
        return SimpleNamespace(synchronize=self._wait)

    def _wait(self) -> None:
        self.waits += 1

    @staticmethod
    def get_elapsed_time(start: Event, stop: Event) -> float:
        """Milliseconds, as CUDA counts."""
        return 1e3 * (stop.time - start.time)


@pytest.fixture
def load() -> Iterator[Callable[[str], ModuleType]]:
    """The import of a module of the suite from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SUITE))
        yield importlib.import_module
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN_MODULES]:
        del sys.modules[name]


@pytest.fixture
def bench(load: Callable[[str], ModuleType], fake_gpu: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmarks with tiny tables on a GPU that does not exist, and one call for each sample."""
    gpu, systems, rivals = (load(f"benchmarks.{name}") for name in ("gpu", "gpu_systems", "gpu_rivals"))
    cuda = Cuda()
    library = SimpleNamespace(cuda=cuda, ones=np.ones, zeros=np.zeros)
    monkeypatch.setattr(type(fake_gpu), "xp", library, raising=False)
    monkeypatch.setattr(systems, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(systems.measure_device_copy_speed.__wrapped__, "__defaults__", (1 << 12,))
    monkeypatch.setattr(gpu, "SIZE", systems.GpuWorkload(50, 4, (3, 5)))
    return SimpleNamespace(gpu=gpu, systems=systems, rivals=rivals, cuda=cuda)


CLASSES = ("GpuLookup", "GpuBagSum", "GpuUpdate", "GpuTrainingStep", "GpuHostTable", "GpuLimit")
OURS = ("fastembed_layer", "host table", "cached host table")


def run_class(cls: Any, names: tuple[str, ...], columns: tuple[int, ...] = (4,)) -> list[float]:
    """Run the benchmark of a class for all its parameters, but those who take part and the columns."""
    own = {"implementation": names, "columns": columns}
    chosen = [own.get(name, values) for name, values in zip(cls.param_names, cls.params, strict=True)]
    [method] = [name for name in dir(cls) if name.startswith("track_")]
    found = []
    for parameters in product(*chosen):
        benchmark = cls()
        benchmark.setup(*parameters)
        found.append(getattr(benchmark, method)(*parameters))
    return found


def test_without_a_gpu_every_benchmark_is_skipped_with_the_reason(load: Callable[[str], ModuleType]) -> None:
    gpu, systems = load("benchmarks.gpu"), load("benchmarks.gpu_systems")
    if systems.backend_for(systems.GPU).refusal() is None:
        pytest.skip("there is a GPU")
    for name in CLASSES:
        cls = getattr(gpu, name)
        with pytest.raises(NotImplementedError, match="needs cupy and a GPU"):
            cls().setup(*(values[0] for values in cls.params))


def test_all_benchmarks_of_the_file_are_run_here(bench: Any) -> None:
    found = {name for name, cls in vars(bench.gpu).items() if any(key.startswith("track_") for key in dir(cls))}
    assert found == set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_every_benchmark_runs_on_a_device(bench: Any, name: str) -> None:
    cls = getattr(bench.gpu, name)
    found = run_class(cls, OURS if name == "GpuHostTable" else OURS[:1])
    assert all(value > 0 for value in found)
    assert bench.cuda.waits > len(found)


def test_a_batch_that_stayed_on_the_host_is_noticed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks measure what they say: with batches of numpy, no array of the device would come out."""
    workload = bench.gpu.SIZE
    result = bench.rivals.get_gpu_system("fastembed_layer").lookup(workload)()
    assert type(result).__name__ == "FakeArray"
    monkeypatch.setattr(bench.systems, "move_array", lambda array, placement: array)
    result = bench.rivals.get_gpu_system("fastembed_layer").lookup(workload)()
    assert type(result) is np.ndarray


@pytest.mark.parametrize(
    ("name", "where"), [("fastembed_layer", "gpu:0"), ("host table", "cpu:0"), ("cached host table", "cpu:0")]
)
def test_tables_live_where_the_benchmark_says(bench: Any, name: str, where: str) -> None:
    layer = bench.rivals.get_gpu_system(name)._layer("Embedding", bench.gpu.SIZE)
    assert layer.placement == where


def test_what_keeps_rows_of_a_host_table_on_the_gpu_can_be_put_in(bench: Any) -> None:
    prepared: list[Any] = []
    bench.systems.FastembedOnGpu("cpu:0", prepared.append).lookup(bench.gpu.SIZE)()
    assert [layer.placement for layer in prepared] == ["cpu:0"]


def test_hot_ids_hit_a_twentieth_of_the_rows(load: Callable[[str], ModuleType]) -> None:
    ids = load("benchmarks.common").Workload(10_000, 4, (100, 100), "hot").batches()[0]
    assert 0.94 < (ids < 500).mean() < 0.96
    assert ids.max() > 9_000


def test_bytes_of_an_update_are_those_of_a_step_without_its_lookup(load: Callable[[str], ModuleType]) -> None:
    workload = load("benchmarks.common").Workload(100, 4, (3, 5), "one_row")
    assert load("benchmarks.gpu").count_update_bytes(workload, "adam") == 15 * 16 + 15 * 8 + 2 * 3 * 16


# ---- The rivals, on their CPUs

RIVAL_WORK = [("lookup",), ("bag_lookup",)] + [
    (method, optimizer)
    for method in ("update", "training_step")
    for optimizer in ("sgd", "adagrad", "adam_lazy", "adam")
]


def make_rival(bench: Any, name: str) -> Any:
    """One of the rivals with everything on the CPU."""
    pytest.importorskip(name.partition(" ")[0])
    if name == "jax":
        return bench.rivals.JaxOnGpu()
    return bench.rivals.TorchOnGpu(name == "torch sparse", home="cpu", device="cpu")


@pytest.mark.parametrize("name", ["torch sparse", "torch dense", "jax"])
def test_a_rival_does_all_that_it_can(bench: Any, name: str) -> None:
    system, skipped = make_rival(bench, name), []
    for method, *arguments in RIVAL_WORK:
        try:
            job = getattr(system, method)(bench.gpu.SIZE, *arguments)
        except NotImplementedError:
            skipped.append((method, *arguments))
            continue
        assert bench.systems.measure_on_gpu(job, system.finish, 2)
    system.release()
    lazy = {("update", "adam_lazy"), ("training_step", "adam_lazy")}
    exact = {("update", "adam"), ("training_step", "adam")}
    dense = lazy | {(method, optimizer) for method, optimizer, *_ in (w for w in RIVAL_WORK if w[0] == "update")}
    assert set(skipped) == {"torch sparse": exact, "torch dense": dense, "jax": lazy}[name]


@pytest.mark.parametrize("name", ["torch sparse", "torch dense", "jax"])
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_a_rival_changes_the_rows_of_the_batch(bench: Any, name: str, optimizer: str) -> None:
    system, tables = make_rival(bench, name), []
    kind = "_table" if name == "jax" else "_make"
    make = getattr(system, kind)
    setattr(system, kind, lambda *given, **named: tables.append(make(*given, **named)) or tables[-1])
    job = system.training_step(bench.gpu.SIZE, optimizer)
    result = job()
    table = np.asarray(result[1]) if name == "jax" else tables[0].weight.detach().numpy()
    touched = np.unique(bench.systems.on_host(bench.gpu.SIZE).batches()[0])
    assert np.flatnonzero((table != np.float32(0.01)).any(axis=1)).tolist() == touched.tolist()


@pytest.mark.parametrize("name", ["torch sparse", "jax"])
def test_a_rival_that_finds_no_gpu_is_left_out(bench: Any, name: str) -> None:
    system = make_rival(bench, name)
    with pytest.raises(NotImplementedError, match="finds no GPU"):
        bench.rivals.check_reach(system)


# ---- The report


def test_the_report_measures_a_gpu_and_shows_its_tables(
    bench: Any,
    load: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    if not request.config.getoption("--long"):
        pytest.skip("takes a minute; `.ci/run` does the same by `.ci/gpu --dry-run`")
    page, report, compared = load("page"), load("report"), load("gpu_comparisons")
    quick = report.QUICK._replace(gpu=bench.gpu.SIZE)
    monkeypatch.setattr(report, "QUICK", quick)
    monkeypatch.setattr(report, "measure_copy_speed", lambda: 1e9)
    monkeypatch.setattr(compared, "COLUMNS", (4,))
    monkeypatch.setattr(bench.rivals, "find_missing", list)
    names = [section.name for section in compared.GPU_SECTIONS]
    run = report.measure(report._parse(["--quick", "--only", *names]))
    assert {result["section"] for result in run["results"]} == set(names)
    assert all(result["limit"] for result in run["results"] if result["section"] == "gpu_lookup")
    text = page.format_page([run], report.SECTIONS, None)
    assert "### On a GPU: lookup" in text
    assert "GPU: an abacus of NVIDIA" in text
    assert page.NO_GPU not in text
    assert "without torch sparse: torch is not installed" in capsys.readouterr().out


def test_without_a_gpu_the_page_says_that_nothing_was_measured(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, report = load("page"), load("report")

    def refuse() -> None:
        raise NotImplementedError("needs cupy and a GPU")

    monkeypatch.setattr(load("gpu_comparisons").gpu_systems, "open_gpu", refuse)
    monkeypatch.setattr(report, "measure_copy_speed", lambda: 1e9)
    run = report.measure(report._parse(["--quick", "--only", "gpu_lookup"]))
    assert (run["gpu"], run["results"]) == (None, [])
    assert page.NO_GPU in page.format_page([run], report.SECTIONS, None)
    measured_somewhere = page.NO_GPU in page.PAGE.read_text(
        encoding="utf-8"
    ) or "On a GPU: lookup" in page.PAGE.read_text(encoding="utf-8")
    assert measured_somewhere


def test_memory_that_runs_out_leaves_a_rival_out_and_other_errors_stop_the_report(
    bench: Any, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = load("gpu_comparisons")

    def fail(error: Exception) -> Any:
        def prepare(name: str, *_: Any) -> Any:
            if name == "fastembed_layer":
                return lambda: None
            raise error

        return prepare

    system = SimpleNamespace(finish=lambda result: None, release=lambda: None)
    monkeypatch.setattr(compared.gpu_rivals, "get_gpu_system", lambda name: system)
    measure = compared.measure_one_by_one(("fastembed_layer", "jax"), "lookup", bench.gpu.SIZE)
    plan = load("benchmarks.timing").ONCE
    monkeypatch.setattr(compared.gpu_rivals, "prepare_gpu_job", fail(RuntimeError("CUDA out of memory.")))
    assert set(measure(plan)) == {"fastembed_layer"}
    monkeypatch.setattr(compared.gpu_rivals, "prepare_gpu_job", fail(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        measure(plan)


def test_files_of_one_machine_are_joined_and_others_refused(tmp_path: Path, load: Callable[[str], ModuleType]) -> None:
    join_runs = load("join_runs").join_runs
    for number, machine in enumerate(("one", "one", "another")):
        run = {"machine": machine, "gpu": None, "results": [number]}
        (tmp_path / f"{number}.json").write_text(json.dumps(run), encoding="utf-8")
    paths = [tmp_path / f"{number}.json" for number in (0, 1, 7, 2)]
    assert join_runs(paths[:3])["results"] == [0, 1]
    with pytest.raises(ValueError, match="one machine"):
        join_runs(paths)


def test_a_page_of_two_machines_says_where_a_table_was_measured(load: Callable[[str], ModuleType]) -> None:
    page = load("page")
    run = {"machine": "small", "results": [{"section": "lookup"}]}
    assert page._name_machine("lookup", [run]) == []
    assert page._name_machine("lookup", [run, {"machine": "large", "results": []}]) == ["Measured on: small."]
