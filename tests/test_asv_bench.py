"""The benchmark suite: it imports, each benchmark runs, and the page's tables say what was measured."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "asv_bench"
FILES = sorted(path.stem for path in (SUITE / "benchmarks").glob("*.py") if path.stem != "__init__")
PREFIXES = ("time_", "track_", "peakmem_", "timeraw_")
OWN_MODULES = ("benchmarks", "comparisons", "gpu_comparisons", "page", "picture", "report")


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[[str], ModuleType]]:
    """The import of a module of the suite, as `report.py` and asv see it: from their own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SUITE))
        yield importlib.import_module
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN_MODULES]:
        del sys.modules[name]


@pytest.fixture
def tiny(load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Workloads so small that everything runs at once, and one call for each measurement."""
    common, timing = load("benchmarks.common"), load("benchmarks.timing")
    workload = common.Workload(50, 4, (3, 5))
    for size in common.SIZES:
        monkeypatch.setitem(common.SIZES, size, workload)
    monkeypatch.setattr(load("benchmarks.peak_memory"), "WORKLOAD", workload)
    monkeypatch.setattr(load("benchmarks.vocabulary"), "BATCH", workload.shape)
    monkeypatch.setattr(load("benchmarks.many_tables"), "FEATURES", common.Features((5, 50), 4, 3))
    for name in ("lookup", "training_step"):
        monkeypatch.setattr(load(f"benchmarks.{name}"), "Plan", lambda **_: timing.ONCE)
        monkeypatch.setattr(load(f"benchmarks.{name}"), "measure_copy_speed", lambda: 1e9)
    return workload


def find_benchmarks(module: ModuleType) -> list[Any]:
    """The classes and functions of a file that asv would run."""
    own = [thing for thing in vars(module).values() if getattr(thing, "__module__", None) == module.__name__]
    classes = [thing for thing in own if inspect.isclass(thing) and find_methods(thing)]
    return classes + [thing for thing in own if inspect.isfunction(thing) and thing.__name__.startswith(PREFIXES)]


def find_methods(cls: type) -> list[str]:
    """The names of the benchmarks of a class."""
    return [name for name in dir(cls) if name.startswith(PREFIXES)]


def find_parameters(cls: type) -> list[tuple[Any, ...]]:
    """The values of the parameters that run in any environment and at little cost: this package, small tables."""
    params = cls.params if isinstance(cls.params[0], list | tuple) else (cls.params,)
    cheap = [[value for value in values if value not in ("peers", 1_000_000, 10_000_000)] for values in params]
    ours = [["fastembed_layer"] if "fastembed_layer" in values else values for values in cheap]
    return list(product(*ours))


def run_class(cls: type, parameters: tuple[Any, ...]) -> list[Any]:
    """Run the benchmarks of a class once, as asv does; returns what they returned, and nothing where it skips."""
    benchmark = cls()
    try:
        getattr(benchmark, "setup", lambda *_: None)(*parameters)
    except NotImplementedError:
        return []
    return [getattr(benchmark, name)(*parameters) for name in find_methods(cls)]


def fake_run(**samples: dict[str, list[float]]) -> dict[str, Any]:
    """A run of `report.py` with made-up numbers: a section ``lookup`` with a line for each keyword."""
    return {
        "date": "2030-01-02",
        "quick": False,
        "machine": "an abacus, 2 cores",
        "threads": 2,
        "versions": {"fastembed_layer": "9.9", "torch": "8.8"},
        "copy_speed": 4e9,
        "results": [
            {"section": "lookup", "case": case, "limit": 0.002, "samples": costs} for case, costs in samples.items()
        ],
    }


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_suite_imports_without_any_rival(name: str, load: Callable[[str], ModuleType]) -> None:
    before = set(sys.modules)
    load(f"benchmarks.{name}")
    assert not {"torch", "tensorflow", "keras", "gensim"} & (sys.modules.keys() - before)


SLOW = ("import_time", "embedding_bag", "training_step")


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("word_vectors", "gpu")])
def test_every_benchmark_runs(
    name: str, load: Callable[[str], ModuleType], tiny: Any, request: pytest.FixtureRequest
) -> None:
    if name in SLOW and not request.config.getoption("--long"):
        pytest.skip("takes seconds; `.ci/run` runs every benchmark once by asv")
    for benchmark in find_benchmarks(load(f"benchmarks.{name}")):
        if inspect.isfunction(benchmark):
            assert benchmark()
            continue
        values = [value for parameters in find_parameters(benchmark) for value in run_class(benchmark, parameters)]
        assert values
        assert all(value is None or value for value in values)


def test_the_main_job_can_be_measured(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("the cat sat on the mat and the dog sat on the cat " * 100, encoding="utf-8")
    module = load("benchmarks.word_vectors")
    train = module.prepare_ours(module.Task("cats", (str(file), "--dim", "4", "--epochs", "1")))
    assert train() > 0


def test_pairs_of_words_are_found_by_hand(load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("benchmarks.word_vectors")
    monkeypatch.setattr(module, "NEAREST", 1)
    words = ["name", "names", "file", "files", "as", "a", "other"]
    vectors = np.array([[1, 0.0], [1, 0.1], [0, 1.0], [1, -0.05], [1, 9], [1, 9], [5, 9]])
    # "names" is nearest to neither: "files" is nearer to "name"; "name" is nearest to "names".
    assert module.find_share_of_pairs(words, vectors) == 1 / 4
    monkeypatch.setattr(module, "FREQUENT", 3)
    assert module.find_share_of_pairs(words, vectors) == 1
    with pytest.raises(ValueError, match="no word that occurs with and without an s"):
        module.find_share_of_pairs(["a", "as", "other"], vectors)


def test_most_files_hold_benchmarks(load: Callable[[str], ModuleType]) -> None:
    found = {name for name in FILES if find_benchmarks(load(f"benchmarks.{name}"))}
    assert found == set(FILES) - {"common", "rivals", "systems", "timing", "gpu_rivals", "gpu_systems"}


def test_the_suite_measures_this_checkout() -> None:
    config = json.loads((SUITE / "asv.conf.json").read_text(encoding="utf-8"))
    assert config["repo"] == ".."
    assert (SUITE / config["benchmark_dir"]).is_dir()


def test_a_library_that_is_not_installed_is_skipped_with_a_reason(
    load: Callable[[str], ModuleType], tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals = load("benchmarks.rivals")
    monkeypatch.setattr(rivals, "find_missing", lambda packages: list(packages))
    rivals.get_system.cache_clear()
    with pytest.raises(NotImplementedError, match="torch is not installed"):
        rivals.make_job("torch", "lookup", tiny)
    rivals.get_system.cache_clear()


@pytest.mark.parametrize(("ids", "distinct"), [("one_row", 1), ("zipf", 2_000), ("uniform", 9_900)])
def test_distributions_differ_in_their_number_of_rows(
    ids: str, distinct: int, load: Callable[[str], ModuleType]
) -> None:
    workload = load("benchmarks.common").Workload(1_000_000, 4, (100, 100), ids)
    assert distinct <= len(np.unique(workload.batches()[0])) <= 1.2 * distinct


@pytest.mark.parametrize("pattern", ["the first 100,000 rows", "100,000 rows far apart"])
def test_confined_ids_touch_the_same_number_of_rows_in_every_table(
    pattern: str, load: Callable[[str], ModuleType]
) -> None:
    module = load("benchmarks.vocabulary")
    small, large = (module.make_workload(rows, pattern) for rows in (100_000, 10_000_000))
    stride = 100 if pattern == "100,000 rows far apart" else 1
    np.testing.assert_array_equal(large.batches()[0], stride * small.batches()[0])
    assert max(batch.max() for batch in large.batches()) < large.rows


def test_bytes_of_a_step_are_counted_by_hand(load: Callable[[str], ModuleType]) -> None:
    common = load("benchmarks.common")
    workload = common.Workload(100, 4, (3, 5), "one_row")  # 15 ids, one row of 16 bytes
    assert common.count_lookup_bytes(workload) == 16 + 15 * 16 + 15 * 8
    assert common.count_lookup_bytes(workload, bags=True) == 16 + 3 * 16 + 15 * 8
    step = common.count_step_bytes(workload, "adam") - common.count_lookup_bytes(workload)
    assert step == 15 * 16 + 15 * 8 + 2 * 3 * 16


def test_jobs_take_turns(load: Callable[[str], ModuleType]) -> None:
    timing, called = load("benchmarks.timing"), []
    jobs = {name: lambda name=name: called.append(name) for name in "ab"}
    samples = timing.measure_in_turns(jobs, timing.Plan(turns=2, turn_seconds=0.0))
    assert "".join(called) == "ab" + "aabb" * 2  # how long does a call take; then one call untimed, one timed
    assert [len(times) for times in samples.values()] == [2, 2]


def test_a_slow_job_takes_the_fewest_turns_and_no_call_that_is_not_timed(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    timing, called = load("benchmarks.timing"), []
    monkeypatch.setattr(timing, "SLOW", 0.01)
    jobs = {"quick": lambda: called.append("q"), "slow": lambda: called.append("s") or time.sleep(0.02)}
    samples = timing.measure_in_turns(jobs, timing.Plan(turns=7, turn_seconds=0.0))
    assert {name: len(times) for name, times in samples.items()} == {"quick": 7, "slow": timing.FEWEST_TURNS}
    assert (called.count("q"), called.count("s")) == (1 + 2 * 7, 1 + timing.FEWEST_TURNS)


def test_the_faster_way_to_copy_counts(load: Callable[[str], ModuleType]) -> None:
    common = load("benchmarks.common")
    source, target = np.arange(1000, dtype="uint8"), np.zeros(1000, "uint8")
    common._copy_pieces(source, target, 7, 3, 990)
    assert (target[3:990] == source[3:990]).all()
    assert not target[:3].any()
    assert not target[990:].any()
    assert common.measure_copy_speed.__wrapped__(1 << 20, 1) > 1e6


def test_a_line_holds_medians_and_their_ratios(load: Callable[[str], ModuleType]) -> None:
    page = load("page")
    run = fake_run(uniform={"fastembed_layer": [0.009, 0.004, 0.001], "torch": [0.028]})
    table = page.format_table(page.merge_runs([run])["lookup"], "seconds")
    assert table.splitlines() == [
        "|  | fastembed_layer | times the limit | PyTorch |",
        "| --- | ---: | ---: | ---: |",
        "| uniform | **4.00 ms** | 2.0 | 28.0 ms (7.0) |",
    ]


def test_ratios_of_merged_runs_are_of_one_run(load: Callable[[str], ModuleType]) -> None:
    page = load("page")
    first = fake_run(uniform={"fastembed_layer": [0.004], "torch": [0.028]})
    costs = {"fastembed_layer": [0.002], "torch": [9.0], "keras": [0.020]}
    second = fake_run(uniform=costs, zipf={"fastembed_layer": [0.001]})
    lines = page.merge_runs([first, second])["lookup"]
    assert lines["uniform"].cost == 0.004
    assert lines["uniform"].others == {"torch": (0.028, 7.0), "keras": (0.020, 10.0)}
    assert page.format_table(lines, "seconds").splitlines()[-1] == "| zipf | **1.00 ms** | 0.50 |  |  |"


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("seconds", 1.5, "1.50 s"),
        ("seconds", 0.0123, "12.3 ms"),
        ("seconds", 0.5e-6, "0.50 µs"),
        ("seconds per word", 2e-6, "500,000 words/s"),
        ("batches", 1.25, "1.25 batches"),
        ("share", 0.4567, "45.7 %"),
    ],
)
def test_numbers_have_units(unit: str, value: float, text: str, load: Callable[[str], ModuleType]) -> None:
    assert load("page").FORMATS[unit](value) == text


def test_the_page_names_machine_versions_and_speed_of_a_copy(load: Callable[[str], ModuleType]) -> None:
    page, report = load("page"), load("report")
    text = page.format_page([fake_run(uniform={"fastembed_layer": [0.004]})], report.SECTIONS, None)
    assert "### Lookup" in text
    assert re.search(r"2030-01-02: an abacus, 2 cores; 2 threads each; a copy moves 4\.0 GB/s.*torch 8\.8", text)


def test_only_the_generated_part_of_the_page_is_replaced(load: Callable[[str], ModuleType]) -> None:
    page = load("page")
    before = page.PAGE.read_text(encoding="utf-8")
    once = page.replace_generated(before, "new numbers")
    assert once.split(page.BEGIN)[0] == before.split(page.BEGIN)[0]
    assert once.split(page.BEGIN)[1] == "\n\nnew numbers\n\n" + page.END + before.split(page.END)[1]
    assert page.replace_generated(once, "new numbers") == once
    with pytest.raises(ValueError, match="must hold the lines"):
        page.replace_generated("a page without markers", "new numbers")


def test_a_page_is_merged_from_files_and_gets_its_picture(
    load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    page, report = load("page"), load("report")
    monkeypatch.setattr(page, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(page, "PICTURE", tmp_path / "images" / "benchmarks.png")
    page.PAGE.write_text(f"# Title\n\n{page.BEGIN}\n{page.END}\n", encoding="utf-8")
    run = fake_run(uniform={"fastembed_layer": [0.004], "torch": [0.028]})
    sizes = {"1,000 rows": [0.001], "10,000 rows": [0.002]}
    run["results"].append({"section": "vocabulary", "case": "SGD, ids from all rows", "limit": None, "samples": sizes})
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    report.main(["--merge", str(tmp_path / "run.json")])
    text = page.PAGE.read_text(encoding="utf-8")
    assert "28.0 ms (7.0)" in text
    assert "](images/benchmarks.png)" in text
    assert page.PICTURE.stat().st_size > 5_000


def test_numbers_of_a_quick_run_do_not_get_into_the_page(load: Callable[[str], ModuleType]) -> None:
    with pytest.raises(SystemExit, match="--quick"):
        load("report").write_page([fake_run(uniform={"fastembed_layer": [0.004]}) | {"quick": True}])


def test_a_comparison_runs_from_end_to_end(
    load: Callable[[str], ModuleType], tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, comparisons = load("report"), load("comparisons")
    monkeypatch.setattr(
        report, "QUICK", comparisons.QUICK._replace(peers=tiny.change(rows=500), few=tiny, rows=(10, 50))
    )
    monkeypatch.setattr(report, "measure_copy_speed", lambda: 1e9)
    monkeypatch.setattr(comparisons, "find_installed", lambda: ["fastembed_layer", "numpy"])
    file = tmp_path / "run.json"
    sections = ["lookup", "modes", "memory"]
    report.main(["--quick", "--only", *sections, "--json", str(file)])
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    assert {result["section"] for result in results} == set(sections)
    assert all(sample > 0 for result in results for times in result["samples"].values() for sample in times)
    assert list(results[0]["samples"]) == ["fastembed_layer", "numpy"]


def test_every_section_has_a_name_of_its_own_and_a_known_unit(load: Callable[[str], ModuleType]) -> None:
    sections = load("report").SECTIONS
    assert len({section.name for section in sections}) == len(sections)
    assert {section.unit for section in sections} <= set(load("page").FORMATS)
