"""The package's main job, `docs/examples/word_vectors.py`, and gensim's word2vec: words per second, and how good.

How good vectors are is told by pairs that nobody has chosen: a word and the same word with an s, where both are
frequent. The two are used alike, so each should be among the nearest neighbours of the other.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import sysconfig
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from .common import THREADS, use_threads
from .rivals import find_missing
from .timing import Plan

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "word_vectors.py"
LIBRARY = sysconfig.get_path("stdlib")
SENTENCE = 1_000  # words; gensim takes a text in pieces of up to 10,000
MOST_TURNS = 3
EPOCHS = 3  # passes of a training whose vectors are judged, the default of the example
FREQUENT = 10_000  # words among which neighbours are looked for, as in the example
NEAREST = 10
SHORTEST = 3  # letters of a word that is paired: "a" and "as" have nothing to do with each other

Array = np.ndarray[Any, Any]
Train = Callable[[], float]  # one pass over the text; returns its seconds


class Task(NamedTuple):
    """What is trained: a title, and the options that the example is run with."""

    title: str
    options: tuple[str, ...]


FULL = Task("the source text of Python's standard library, 128 columns", ("--dim", "128"))
QUICK = Task("some of that text, 16 columns", (LIBRARY, "--pattern", "[a-b]*.py", "--dim", "16"))


class Text(NamedTuple):
    """A text that both sides train on: the example's training and model, what it read, and its options."""

    train: Callable[[], object]
    model: Any
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


class WordVectorNeighbours:
    """Share of the pairs of a word and the same with an s that are near each other after three passes over the text."""

    params = ("fastembed_layer", "gensim")
    param_names = ("implementation",)
    unit = "share of pairs"

    def track_pairs_found(self, implementation: str) -> float:
        return find_share_of_pairs(read_text(QUICK).corpus.words, VECTORS[implementation](QUICK))


@cache
def read_text(task: Task, epochs: int = 1) -> Text:
    """Run the example up to its training of some passes, which is put off."""
    specification = importlib.util.spec_from_file_location("word_vectors_example", EXAMPLE)
    assert specification is not None
    assert specification.loader is not None
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    train, arguments = example.train, [EXAMPLE.name, *task.options, "--epochs", str(epochs), "--threads", str(THREADS)]

    def put_off(model: Any, corpus: Any, options: Any) -> None:
        raise Reached(Text(partial(train, model, corpus, options), model, corpus, options))

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


def prepare_gensim(task: Task) -> Train:
    """Return gensim's training on the words that the example keeps.

    Its way from a file, without Python's lock, took 1.06 times as long on two workers.
    """
    model, sentences = make_gensim(task)

    def train() -> float:
        start = time.perf_counter()
        model.train(sentences, total_examples=len(sentences), epochs=1)
        return time.perf_counter() - start

    return train


def make_gensim(task: Task) -> tuple[Any, list[list[str]]]:
    """Return gensim's model, untrained, and the words that the example keeps, in sentences."""
    if find_missing(("gensim",)):
        raise NotImplementedError("gensim is not installed")
    from gensim.models import Word2Vec

    text = read_text(task)
    corpus, options = text.corpus, text.options
    words = [corpus.words[number] for number in corpus.ids.tolist()]
    sentences = [words[start : start + SENTENCE] for start in range(0, len(words), SENTENCE)]
    model = Word2Vec(
        vector_size=options.dim, window=options.window, negative=options.negatives, sample=options.sample, sg=1,
        min_count=1, workers=THREADS,
    )  # fmt: skip
    model.build_vocab(sentences)
    return model, sentences


def train_our_vectors(task: Task) -> Array:
    """Return the vectors of the words after `EPOCHS` passes of the example, the most frequent word first."""
    text = read_text(task, EPOCHS)
    use_threads()
    with _quiet():
        text.train()
    vectors: Array = text.model.target.embeddings.numpy()
    return vectors


def train_gensim_vectors(task: Task) -> Array:
    """Return those of gensim, in the same order."""
    model, sentences = make_gensim(task)
    model.train(sentences, total_examples=len(sentences), epochs=EPOCHS)
    vectors: Array = model.wv[read_text(task).corpus.words]
    return vectors


def find_share_of_pairs(words: list[str], vectors: Array) -> float:
    """Return the share of the words with an s whose partner is among the nearest, in both directions."""
    frequent = words[:FREQUENT]
    numbers = {word: number for number, word in enumerate(frequent)}
    pairs = [
        (number, numbers[f"{word}s"])
        for word, number in numbers.items()
        if len(word) >= SHORTEST and f"{word}s" in numbers
    ]
    if not pairs:
        raise ValueError("The text has no word that occurs with and without an s.")
    units = vectors[: len(frequent)] / np.linalg.norm(vectors[: len(frequent)], axis=1, keepdims=True)
    sought = np.array(pairs + [pair[::-1] for pair in pairs])
    cosines = units[sought[:, 0]] @ units.T
    indices = np.arange(len(sought))
    cosines[indices, sought[:, 0]] = -np.inf
    closer = (cosines > cosines[indices, sought[:, 1]][:, None]).sum(axis=1)
    return float((closer < NEAREST).mean())


VECTORS: dict[str, Callable[[Task], Array]] = {"fastembed_layer": train_our_vectors, "gensim": train_gensim_vectors}
TRAINERS: dict[str, Callable[[Task], Train]] = {"fastembed_layer": prepare_ours, "gensim": prepare_gensim}


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


def measure_neighbours(task: Task) -> dict[str, list[float]]:
    """Return the share of pairs that are found, once: a training is long, and hundreds of pairs make it steady."""
    shares: dict[str, list[float]] = {}
    for name, train in VECTORS.items():
        with contextlib.suppress(NotImplementedError):
            shares[name] = [find_share_of_pairs(read_text(task).corpus.words, train(task))]
    return shares


@contextlib.contextmanager
def _quiet() -> Any:
    """Hide progress bars and messages."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        yield
