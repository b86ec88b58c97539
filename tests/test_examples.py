"""The scripts below `docs/examples`, run as their users run them, on small data."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"
PETS = ("cat", "dog", "hamster")
TOWNS = ("paris", "london", "rome")
COMMON = ("the", "a", "very", "one", "old", "new", "big", "small", "my", "your", "this", "that", "more", "less")
BESIDE = {
    PETS: ("fur", "tail", "paw", "bowl", "vet", "purr", "nap", "basket"),
    TOWNS: ("street", "tower", "bridge", "tram", "museum", "mayor", "square", "river"),
}


@pytest.fixture
def word_vectors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example as a module."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("word_vectors")


@pytest.fixture
def text_folder(tmp_path: Path) -> Path:
    """Two files of sentences in which pets stand beside one set of words, and towns beside another."""
    random = np.random.default_rng(0)
    sentences = []
    for _ in range(3000):
        names = (PETS, TOWNS)[random.integers(2)]
        sentences.append([*random.choice(BESIDE[names], 3), random.choice(names), *random.choice(COMMON, 2)])
    folder = tmp_path / "texts"
    (folder / "inner").mkdir(parents=True)
    lines = [" ".join(random.permutation(sentence)) + ".\n" for sentence in sentences]
    (folder / "one.txt").write_text("".join(lines[:1500]), encoding="utf-8")
    (folder / "inner" / "two.md").write_text("".join(lines[1500:]), encoding="utf-8")
    (folder / "picture.bin").write_bytes(b"\0\1\2cat cat cat")
    (folder / ".hidden.txt").write_text("secret " * 10, encoding="utf-8")
    return folder


def run_main(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> int:
    """Call the program with some arguments; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["word_vectors.py", *map(str, arguments)])
    code: int = module.main()
    return code


def read_vectors(file: Path) -> dict[str, np.ndarray]:
    """Read word2vec's text format, checking what its header says."""
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    vectors = {row.split(" ")[0]: np.array(row.split(" ")[1:], np.float64) for row in rows}
    shapes = {vector.shape for vector in vectors.values()}
    assert header == f"{len(rows)} {shapes.pop()[0]}"
    assert (shapes, len(vectors)) == (set(), len(rows))
    return vectors


def nearest(vectors: dict[str, np.ndarray], word: str, count: int) -> set[str]:
    """The words with the largest cosines."""
    cosines = {
        other: vector @ vectors[word] / np.linalg.norm(vector) for other, vector in vectors.items() if other != word
    }
    return set(sorted(cosines, key=lambda other: -cosines[other])[:count])


SMALL = ("--dim", 16, "--epochs", 8, "--window", 3, "--batch-size", 256, "--learning-rate", 0.2, "--sample", 0.1)


@pytest.mark.parametrize("threads", [1, 2])
def test_words_of_like_contexts_become_neighbours(
    word_vectors: ModuleType, text_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    out = tmp_path / "deep" / "results"
    options = ("--out", out, "--threads", threads, "--words", "cat,London")
    assert run_main(word_vectors, monkeypatch, text_folder, *SMALL, *options) == 0
    vectors = read_vectors(out / "vectors.txt")
    assert nearest(vectors, "cat", 2) == {"dog", "hamster"}
    assert nearest(vectors, "london", 2) == {"paris", "rome"}


def test_files_are_written_and_neighbours_printed(
    word_vectors: ModuleType,
    text_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_main(word_vectors, monkeypatch, text_folder, *SMALL, "--out", tmp_path, "--words", "cat,unicorn") == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "words.png").read_bytes().startswith(b"\x89PNG")
    assert len(read_vectors(tmp_path / "vectors.txt")) == len(PETS + TOWNS) + 16 + len(COMMON)
    assert "18,000 words" in printed
    assert "not in the vocabulary: unicorn" in printed
    assert "cat" in printed
    assert str(tmp_path / "vectors.txt") in printed


def test_the_same_seed_gives_the_same_file(
    word_vectors: ModuleType, text_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, threads in (("first", 1), ("second", 2)):
        options = ("--epochs", 1, "--seed", 7, "--threads", threads, "--out", tmp_path / name)
        assert run_main(word_vectors, monkeypatch, text_folder, *options) == 0
    assert (tmp_path / "first" / "vectors.txt").read_bytes() == (tmp_path / "second" / "vectors.txt").read_bytes()


@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "rmsprop", "sgd"])
def test_every_optimizer_lowers_the_loss(
    word_vectors: ModuleType,
    text_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    optimizer: str,
) -> None:
    options = ("--dim", 16, "--optimizer", optimizer, "--out", tmp_path)
    assert run_main(word_vectors, monkeypatch, text_folder, *options) == 0
    last = float(capsys.readouterr().err.rsplit("loss=", 1)[1].split("]")[0])
    assert last < 6 * np.log(2)  # the loss of a model that knows nothing


def test_without_matplotlib_only_the_picture_is_missing(text_folder: Path, tmp_path: Path) -> None:
    code = "import runpy, sys; sys.modules['matplotlib'] = None; sys.path.insert(0, sys.argv[1].rpartition('/')[0]); "
    code += "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    script = (EXAMPLES / "word_vectors.py").as_posix()
    command = [sys.executable, "-c", code, script, text_folder, "--epochs", "1", "--dim", "8", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "pip install matplotlib" in done.stdout
    assert (tmp_path / "vectors.txt").is_file()
    assert not (tmp_path / "words.png").exists()


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal of its own on Windows")
def test_ctrl_c_writes_what_has_been_learnt(text_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "word_vectors.py", text_folder, "--epochs", "100000", "--out", tmp_path]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = b""
        while b"loss=" not in seen:
            part = process.stderr.read1(1024)
            assert part, seen.decode()
            seen += part
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Ctrl-C" in printed
    assert "cat" in read_vectors(tmp_path / "vectors.txt")
    assert (tmp_path / "words.png").is_file()


def test_a_second_ctrl_c_ends_the_program(word_vectors: ModuleType) -> None:
    usual = signal.getsignal(signal.SIGINT)
    with word_vectors.CtrlC() as ctrl_c:
        assert not ctrl_c.pressed
        signal.raise_signal(signal.SIGINT)
        assert ctrl_c.pressed
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is usual


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("", (), "No word occurs 5 times"),
        ("one two three four five", ("--min-count", 1), "too short"),
        ("one two " * 500, ("--learning-rate", 1e30, "--optimizer", "sgd"), "smaller --learning-rate"),
    ],
)
def test_a_run_that_cannot_succeed_says_why(
    word_vectors: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    arguments: tuple[Any, ...],
    message: str,
) -> None:
    file = tmp_path / "text.txt"
    file.write_text(text, encoding="utf-8")
    with np.errstate(all="ignore"), pytest.raises(SystemExit, match=message):
        run_main(word_vectors, monkeypatch, file, *arguments, "--out", tmp_path)


@pytest.mark.parametrize("arguments", [("no/such/file",), ("--dim", "0"), ("--sample", "-1"), ("--epochs", "many")])
def test_a_bad_option_is_refused_before_anything_is_read(
    word_vectors: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_main(word_vectors, monkeypatch, *arguments)
    assert arguments[-1] in capsys.readouterr().err


def test_the_loss_is_the_logistic_loss_with_its_derivative(word_vectors: ModuleType) -> None:
    random = np.random.default_rng(0)
    scores, weights = random.normal(0, 3, (4, 5)), random.normal(0, 2, (4, 5)) * random.integers(0, 2, (4, 5))
    losses, gradient = word_vectors.NegativeSampling().per_sample(weights, scores)
    np.testing.assert_allclose(losses, np.abs(weights) * np.log1p(np.exp(-np.sign(weights) * scores)), atol=1e-12)
    step = 1e-6
    above, below = (word_vectors.NegativeSampling().per_sample(weights, scores + d)[0] for d in (step, -step))
    np.testing.assert_allclose(gradient, (above - below) / (2 * step), atol=1e-8)


def test_weights_of_a_batch_are_those_of_skip_gram_on_average(word_vectors: ModuleType) -> None:
    random = np.random.default_rng(0)
    ids = random.integers(1000, size=60_000)
    corpus = word_vectors.Corpus([""] * 1000, np.bincount(ids, minlength=1000), ids, len(ids))
    options = Namespace(window=4, negatives=3, sample=1.0, batch_size=640)
    positives = negatives = targets = 0.0
    for (words, contexts), weights, _ in word_vectors.make_batches(corpus, options, random):
        assert weights.shape == (*words.shape, contexts.shape[1])
        near = contexts[:, : word_vectors.BLOCK + 8]
        index = np.arange(word_vectors.BLOCK)
        assert (near[:, index + 4] == words).all()
        assert not weights[:, index, index + 4].any()
        positives += weights[weights > 0].sum()
        negatives -= weights[weights < 0].sum()
        targets += words.size
    assert positives / targets == pytest.approx(5, rel=0.02)  # windows of 1 to 4 words on either side
    assert negatives / positives == pytest.approx(3, rel=0.001)


def test_labels_of_a_picture_do_not_overlap(word_vectors: ModuleType) -> None:
    push_apart = importlib.import_module("word_picture").push_apart
    random = np.random.default_rng(0)
    centres, sizes = random.normal(0, 30, (60, 2)), random.uniform(5, 40, (60, 2))
    gaps = np.abs(push_apart(centres, sizes)[:, None] - push_apart(centres, sizes))
    overlaps = (gaps < (sizes[:, None] + sizes) / 2 - 1e-6).all(axis=-1)
    assert overlaps.sum() == len(centres)  # each with itself


def test_quickstart_classifies_texts_it_has_not_seen() -> None:
    done = subprocess.run([sys.executable, EXAMPLES / "quickstart.py"], capture_output=True, text=True, check=True)
    assert "(32, 10, 64)" in done.stdout
    accuracy = re.search(r"accuracy on texts it has not seen: ([\d.]+)%", done.stdout)
    assert accuracy is not None
    assert float(accuracy[1]) > 95


TUTORIALS = {
    "collaborative_filtering": ("--ratings 60000 --users 600 --items 400 --epochs 6", "RMSE of the"),
    "two_towers": ("--users 800 --items 300 --epochs 6", "the"),
    "wide_and_deep": ("--rows 60000 --epochs 3", "accuracy of the"),
    "text_classifier": ("--packages 3 --epochs 8", "accuracy of the"),
}


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_beats_its_baseline(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, prefix = TUTORIALS[name]
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments.split()])
    importlib.import_module(name).main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith(prefix)]
    baseline, model = (float(re.findall(r"\d\.\d+", line)[0]) for line in lines[:2])
    assert model < 0.85 * baseline if name == "collaborative_filtering" else model > 1.2 * baseline
