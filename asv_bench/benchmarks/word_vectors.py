"""Words per second of the package's main job, `docs/examples/word_vectors.py`, and of gensim's word2vec."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from .common import THREADS, use_threads
from .rivals import find_missing
from .timing import Plan

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "word_vectors.py"
LIBRARY = sysconfig.get_path("stdlib")
SENTENCE = 1_000  # words; gensim takes a text in pieces of up to 10,000
MOST_TURNS = 3

Train = Callable[[], float]  # one pass over the text; returns its seconds


class Task(NamedTuple):
    """What is trained: a title, and the options that the example is run with."""

    title: str
    options: tuple[str, ...]


FULL = Task("the source text of Python's standard library, 128 columns", ("--dim", "128"))
QUICK = Task("some of that text, 16 columns", (LIBRARY, "--pattern", "[a-b]*.py", "--dim", "16"))


class Text(NamedTuple):
    """A text that both sides train on: the example's training, what it read, and its options."""

    train: Callable[[], object]
    corpus: Any
    options: Any


class Reached(Exception):  # noqa: N818  nothing went wrong
    """Leaves the example where its training would begin."""

    def __init__(self, text: Text):
        super().__init__()
        self.text = text


class WordVectors:
    """Words of the text for each second of training."""

    params = ("fastembed_layer", "gensim")
    param_names = ("implementation",)
    unit = "words/s"

    def setup(self, implementation: str) -> None:
        self.length = read_text(QUICK).corpus.length
        self.train = TRAINERS[implementation](QUICK)
        self.train()

    def track_words_per_second(self, implementation: str) -> float:
        return self.length / self.train()


@cache
def read_text(task: Task) -> Text:
    """Run the example up to its training, which is put off."""
    specification = importlib.util.spec_from_file_location("word_vectors_example", EXAMPLE)
    assert specification is not None
    assert specification.loader is not None
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    train, arguments = example.train, [EXAMPLE.name, *task.options, "--epochs", "1", "--threads", str(THREADS)]

    def put_off(model: Any, corpus: Any, options: Any) -> None:
        raise Reached(Text(partial(train, model, corpus, options), corpus, options))

    with _quiet(), mock.patch.object(example, "train", put_off), mock.patch.object(sys, "argv", arguments):
        try:
            example.main()
        except Reached as reached:
            return reached.text
    raise AssertionError("The example ended without training.")


def prepare_ours(task: Task) -> Train:
    """Return the training of the example."""
    text = read_text(task)

    def train() -> float:
        use_threads()
        start = time.perf_counter()
        with _quiet():
            text.train()
        return time.perf_counter() - start

    return train


def prepare_gensim(task: Task, from_file: bool = False) -> Train:
    """Return gensim's training on the words that the example keeps; from a file it works without Python's lock."""
    if find_missing(("gensim",)):
        raise NotImplementedError("gensim is not installed")
    from gensim.models import Word2Vec

    _, corpus, options = read_text(task)
    words = [corpus.words[number] for number in corpus.ids.tolist()]
    sentences = [words[start : start + SENTENCE] for start in range(0, len(words), SENTENCE)]
    model = Word2Vec(
        vector_size=options.dim, window=options.window, negative=options.negatives, sample=options.sample, sg=1,
        min_count=1, workers=THREADS,
    )  # fmt: skip
    model.build_vocab(sentences)
    source: dict[str, Any] = {"corpus_iterable": sentences, "total_examples": len(sentences)}
    if from_file:
        source = {"corpus_file": _write_sentences(sentences), "total_words": len(words)}

    def train() -> float:
        start = time.perf_counter()
        model.train(epochs=1, **source)
        return time.perf_counter() - start

    return train


TRAINERS: dict[str, Callable[[Task], Train]] = {
    "fastembed_layer": prepare_ours,
    "gensim": prepare_gensim,
    "gensim from a file": lambda task: prepare_gensim(task, from_file=True),
}


def measure_training(task: Task, plan: Plan) -> dict[str, list[float]]:
    """Return the seconds for each word of the text, in turns; reading and numbering the words is not part of them."""
    prepare_ours(QUICK)()  # compiles
    trainers = {}
    for name, prepare in TRAINERS.items():
        with contextlib.suppress(NotImplementedError):
            trainers[name] = prepare(task)
    samples: dict[str, list[float]] = {name: [] for name in trainers}
    for _ in range(min(plan.turns, MOST_TURNS)):
        for name, train in trainers.items():
            samples[name].append(train() / read_text(task).corpus.length)
    return samples


def _write_sentences(sentences: list[list[str]]) -> str:
    """Write a text file, a sentence to the line, that is removed at the end of the process."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", delete=False) as file:
        atexit.register(Path(file.name).unlink)
        file.writelines(" ".join(sentence) + "\n" for sentence in sentences)
    return file.name


@contextlib.contextmanager
def _quiet() -> Any:
    """Hide progress bars and messages."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        yield
