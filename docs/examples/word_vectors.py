"""Word vectors of any text: skip-gram with negative sampling, made with the public names of fastembed_layer.

    python word_vectors.py                                # the source text of Python's own standard library
    python word_vectors.py book.txt --epochs 10
    python word_vectors.py ~/notes --pattern "*.md" --words tea,coffee --out notes

Prints the nearest neighbours of a few words and writes, into the folder given by --out, `vectors.txt` (word2vec's
text format, which gensim reads) and `words.png` (needs matplotlib). Ctrl-C ends the training, what has been learnt
so far is written all the same, and the exit code is 130; a second Ctrl-C ends the program at once.

The model is that of TensorFlow's word2vec tutorial: two `Embedding` layers and a `Dot`. What makes it fast is the
layout of a batch. Looking up a context vector for each neighbour and each negative sample of each word would move
36 vectors per word. Here the text is cut into blocks of consecutive words. Their neighbours lie in the block or next
to it, and they share their negative samples (Ji et al., "Parallelizing word2vec in shared and distributed memory",
2016), so that a block of 32 words needs 72 context vectors, and one product of two matrices gives all its scores.
Weights make its loss what word2vec's is on average. Subsampling of frequent words, windows of random size, the
distribution of negative samples and the falling learning rate are those of Mikolov et al., "Distributed
representations of words and phrases and their compositionality", 2013.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import sysconfig
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from tqdm import tqdm

from fastembed_layer import Dot, Embedding, Model, initializers, losses, optimizers, set_threads

WORD = re.compile(r"[^\W\d]\w*")  # a letter or underscore, then letters, digits and underscores
BLOCK = 32  # consecutive words that share their contexts
FREQUENT = 10_000  # neighbours are looked for among the words that are at least this frequent
LEARNING_RATES = {"adagrad": 0.5, "adam": 0.01, "rmsprop": 0.01, "sgd": 0.01}
SEEDS = "read max width monday thread sin encode keyerror socket true".split()
INTERRUPTED = 130


class Corpus(NamedTuple):
    """A text as numbers of words."""

    words: list[str]  # the vocabulary, most frequent first
    counts: np.ndarray  # how often each of them occurs
    ids: np.ndarray  # the text, rare words left out
    length: int  # how many words it has, the rare ones included


class SkipGram(Model):
    """Scores of target words with context words."""

    def __init__(self, n_words: int, dim: int, seed: int):
        super().__init__()
        small = initializers.RandomUniform(-0.5 / dim, 0.5 / dim, seed=seed)
        self.target = Embedding(n_words, dim, embeddings_initializer=small)
        self.context = Embedding(n_words, dim, embeddings_initializer="zeros")
        self.dot = Dot(axes=-1)

    def call(self, pair: Any) -> Any:
        """Score ids of shape (blocks, targets) with ids of shape (blocks, contexts)."""
        targets, contexts = pair
        return self.dot([self.target(targets), self.context(contexts)])


class NegativeSampling(losses.Loss):
    """Logistic loss of scores whose true sign is that of their weight; scores of weight 0 do not count."""

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each score, and its derivative."""
        right = 0.5 + 0.5 * np.tanh(0.5 * np.sign(y_true) * y_pred)  # the sigmoid of the score with the true sign
        return -np.abs(y_true) * np.log(np.maximum(right, 1e-7)), y_true * (right - 1)


def read_corpus(path: Path | None, pattern: str, min_count: int) -> Corpus:
    """Number the words of a file, or of the files in a folder, by their frequency."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    ids = [np.empty(0, np.int32)]
    for file in tqdm(find_files(path, pattern), "reading", unit=" files"):
        ids += [np.fromiter(map(numbers.__getitem__, words), np.int32) for words in read_words(file)]
    text = np.concatenate(ids)
    counts = np.bincount(text, minlength=len(numbers))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= min_count]
    rank = np.full(len(numbers), -1, np.int32)
    rank[order] = np.arange(len(order))
    names = list(numbers)
    kept = rank[text]
    return Corpus([names[number] for number in order], counts[order], kept[kept >= 0], len(text))


def find_files(path: Path | None, pattern: str) -> list[Path]:
    """List the files to read; without a path, the Python files of the standard library."""
    if path is not None and path.is_file():
        return [path]
    folder, pattern = (path, pattern) if path else (Path(sysconfig.get_path("stdlib")), "*.py")
    return [file for file in sorted(folder.rglob(pattern)) if file.is_file() and is_wanted(file.relative_to(folder))]


def is_wanted(path: Path) -> bool:
    """Tell whether a path in a folder is neither hidden nor an installed package."""
    return not any(part.startswith(".") or part in ("site-packages", "dist-packages") for part in path.parts)


def read_words(file: Path) -> Iterator[list[str]]:
    """Give the words of a file, some megabytes at a time; nothing for a file that is no text or cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="ignore") as lines:
            while piece := "".join(lines.readlines(1 << 24)):
                if "\0" in piece:
                    return
                yield WORD.findall(piece.lower())
    except OSError as error:
        tqdm.write(f"left out: {error}", file=sys.stderr)


def make_batches(corpus: Corpus, options: argparse.Namespace, random: np.random.Generator) -> Iterator[Any]:
    """Give the batches of one pass over the text, blocks in random order.

    Each is a pair of ids (targets, contexts), the weights of their scores, and the share of the text that is done.
    """
    window, n_negatives = options.window, (options.window + 1) * options.negatives
    distance = np.abs(np.arange(BLOCK)[:, None] + window - np.arange(BLOCK + 2 * window))
    distance[distance == 0] = window + 1  # a word is no context of itself
    chances = np.cumsum(corpus.counts**0.75)
    windows = cut_blocks(corpus, options, random)
    order = random.permutation(len(windows))
    size = max(1, options.batch_size // BLOCK)
    for start in range(0, len(order), size):
        neighbours = windows[order[start : start + size]]
        count = len(neighbours)
        negatives = np.searchsorted(chances, random.random((count, n_negatives)) * chances[-1])
        reach = random.integers(1, window + 1, (count, BLOCK, 1))
        weights = np.empty((count, BLOCK, neighbours.shape[1] + n_negatives), np.float32)
        weights[..., : neighbours.shape[1]] = distance <= reach
        # A word with 2 * reach contexts has `negatives` for each of them; the block's count window + 1 times as many.
        weights[..., neighbours.shape[1] :] = -2 * reach / (window + 1)
        targets = neighbours[:, window : window + BLOCK]
        yield (targets, np.concatenate([neighbours, negatives], axis=1)), weights, (start + count) / len(order)


def cut_blocks(corpus: Corpus, options: argparse.Namespace, random: np.random.Generator) -> np.ndarray:
    """Leave out some of the frequent words, and view the text as blocks with a window's words on either side."""
    excess = corpus.counts / len(corpus.ids) / options.sample
    chances = (np.sqrt(excess) + 1) / excess
    text = corpus.ids[random.random(len(corpus.ids)) < chances[corpus.ids]]
    width = BLOCK + 2 * options.window
    if len(text) < width:
        raise SystemExit(f"The text is too short: {len(corpus.ids)} words that occur {options.min_count} times.")
    return sliding_window_view(text, width)[::BLOCK]


def train(model: SkipGram, corpus: Corpus, options: argparse.Namespace) -> bool:
    """Train for some passes over the text; returns False when Ctrl-C ended it."""
    random = np.random.default_rng(options.seed)
    rate = LEARNING_RATES[options.optimizer] if options.learning_rate is None else options.learning_rate
    model.compile(optimizers.get(options.optimizer), NegativeSampling(reduction="sum"))
    loss = None
    with CtrlC() as stop, tqdm(None, "training", options.epochs * corpus.length, unit=" words", unit_scale=True) as bar:
        bar.set_postfix_str("compiling kernels")
        for epoch in range(options.epochs):
            for pair, weights, share in make_batches(corpus, options, random):
                done = (epoch + share) / options.epochs
                model.optimizer.learning_rate = rate * max(1 - done, 1e-4)
                now = model.train_on_batch(pair, weights)["loss"] / np.count_nonzero(weights > 0)
                loss = now if loss is None else 0.98 * loss + 0.02 * now
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                bar.update(round(done * bar.total) - bar.n)
                if stop.asked:
                    return False
    return True


class CtrlC:
    """Remembers that Ctrl-C was pressed, so that a step is never cut in two; pressed again, it works as ever."""

    asked = False

    def __enter__(self) -> CtrlC:
        self.usual = signal.signal(signal.SIGINT, self.remember)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self.usual)

    def remember(self, *signal_and_frame: object) -> None:
        """Handle the first Ctrl-C."""
        self.asked = True
        signal.signal(signal.SIGINT, self.usual)


def find_neighbours(vectors: np.ndarray, number: int, count: int) -> np.ndarray:
    """Return the numbers of the words with the largest cosines to one word, out of the frequent ones."""
    units = vectors[:FREQUENT] / np.linalg.norm(vectors[:FREQUENT], axis=1, keepdims=True)
    cosines = units @ vectors[number]
    cosines[number : number + 1] = -np.inf
    return np.argsort(-cosines)[:count]


def choose_seeds(corpus: Corpus, asked: str | None) -> list[int]:
    """Return the numbers of the words to show: those asked for, those of SEEDS, or else ten frequent ones."""
    wanted = [word.strip().lower() for word in asked.split(",")] if asked else SEEDS
    found = [corpus.words.index(word) for word in wanted if word in corpus.words]
    if asked or len(found) > len(SEEDS) / 2:
        return found
    first = min(100, len(corpus.words) // 4)  # more frequent ones stand beside everything
    return list(range(first, len(corpus.words)))[: 40 * len(SEEDS) : 40]


def write_vectors(file: Path, words: list[str], vectors: np.ndarray) -> None:
    """Write word2vec's text format."""
    form = " ".join(["%.5g"] * vectors.shape[1])
    with file.open("w", encoding="utf-8") as lines:
        lines.write(f"{len(words)} {vectors.shape[1]}\n")
        lines.writelines(f"{word} {form % tuple(row)}\n" for word, row in zip(words, vectors.tolist(), strict=True))


def project(vectors: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Project to the plane in which the means of the groups differ most: PCA of the means."""
    means = np.stack([vectors[groups == group].mean(axis=0) for group in np.unique(groups)])
    axes = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:2]
    return (vectors - means.mean(axis=0)) @ axes.T


def push_apart(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Move boxes until no two overlap, each pair along the axis on which it overlaps less."""
    centres, reach = centres.copy(), (sizes[:, None] + sizes[None]) / 2
    for _ in range(1000):
        gaps = centres[:, None] - centres[None]
        overlaps = reach - np.abs(gaps)
        touching = (overlaps > 0).all(axis=-1) & ~np.eye(len(centres), dtype=bool)
        if not touching.any():
            break
        shorter = overlaps == overlaps.min(axis=-1, keepdims=True)
        centres += (np.where(gaps < 0, -0.3, 0.3) * overlaps * shorter * touching[..., None]).sum(axis=1)
    return centres


def draw_words(file: Path, words: list[str], points: np.ndarray, groups: np.ndarray, title: str) -> None:
    """Draw words in the plane, coloured by group, the first word of each group in bold."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(12, 9), dpi=120, layout="tight")
    axes.scatter(*points.T, s=14, c=groups, cmap="tab10", alpha=0.6, linewidths=0)
    axes.set(title=title, xticks=[], yticks=[])
    axes.set_frame_on(False)
    axes.margins(0.08)
    firsts = {int(np.flatnonzero(groups == group)[0]) for group in np.unique(groups)}
    labels = [
        axes.text(*point, word, color=f"C{group % 10}", ha="center", va="center",
                  fontsize=15 if number in firsts else 10, fontweight="bold" if number in firsts else "normal")
        for number, (word, point, group) in enumerate(zip(words, points, groups, strict=True))
    ]  # fmt: skip
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in labels]
    sizes = np.array([(box.width + 6, box.height + 2) for box in boxes])
    places = push_apart(axes.transData.transform(points), sizes)
    for label, point, place in zip(labels, points, axes.transData.inverted().transform(places), strict=True):
        label.set_position(place)
        axes.plot(*zip(point, place, strict=True), color=label.get_color(), alpha=0.25, linewidth=0.8)
    figure.savefig(file)
    pyplot.close(figure)


def show_results(corpus: Corpus, vectors: np.ndarray, options: argparse.Namespace) -> None:
    """Print neighbours; write the vectors and, where matplotlib is there, the picture."""
    options.out.mkdir(parents=True, exist_ok=True)
    write_vectors(options.out / "vectors.txt", corpus.words, vectors)
    seeds = choose_seeds(corpus, options.words)
    neighbours = {seed: find_neighbours(vectors, seed, 8) for seed in seeds}
    print("\nNearest neighbours" + f", of the {FREQUENT:,} most frequent words" * (len(corpus.words) > FREQUENT))
    for seed, numbers in neighbours.items():
        print(f"  {corpus.words[seed]:>12}  " + " ".join(corpus.words[number] for number in numbers))
    groups = {}
    for place, (seed, numbers) in enumerate(neighbours.items()):
        for number in (seed, *numbers):
            groups.setdefault(int(number), place)
    numbers, places = np.array(list(groups)), np.array(list(groups.values()))
    units = vectors[numbers] / np.linalg.norm(vectors[numbers], axis=1, keepdims=True)
    points = project(units, places)
    try:
        draw_words(options.out / "words.png", [corpus.words[n] for n in numbers], points, places, "Words")
    except ImportError:
        print("words.png needs matplotlib: python -m pip install matplotlib")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--pattern", default="*")
    parser.add_argument("--words")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--negatives", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--optimizer", choices=LEARNING_RATES, default="adagrad")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--sample", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, default=Path("word_vectors"))
    return parser.parse_args()


def main() -> int:
    options = parse_options()
    set_threads(options.threads)
    corpus = read_corpus(options.path, options.pattern, options.min_count)
    print(f"{corpus.length:,} words, {len(corpus.words):,} different ones occur at least {options.min_count} times")
    model = SkipGram(len(corpus.words), options.dim, options.seed)
    start = time.perf_counter()
    finished = train(model, corpus, options)
    print("seconds", time.perf_counter() - start)
    show_results(corpus, model.target.embeddings.numpy(), options)
    return 0 if finished else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
