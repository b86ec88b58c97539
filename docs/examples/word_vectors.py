"""Word vectors of any text: skip-gram with negative sampling, made with the public names of fastembed_layer.

    python word_vectors.py                                 # the source text of Python's own standard library
    python word_vectors.py book.txt --epochs 10
    python word_vectors.py ~/notes --pattern "*.md" --words tea,coffee --out notes

The nearest neighbours of a few words are printed; `vectors.txt` (word2vec's text format, which gensim reads) and
`words.png` (needs matplotlib) are written to the folder given by --out. Ctrl-C ends the training after the step
that is running, writes what has been learnt so far, and makes the exit code 130.

The model is that of TensorFlow's word2vec tutorial: two `Embedding` layers and a `Dot`. What makes it fast is the
layout of a batch. To look up a context vector for each neighbour and each negative sample of each word would move
36 vectors per word. Here the text is cut into blocks of 16 consecutive words. Their neighbours lie in the block or
next to it, and they share their negative samples (Ji et al., "Parallelizing word2vec in shared and distributed
memory", 2016). So a block needs 56 context vectors, a product of two matrices gives all its scores, and weights
make the loss equal to word2vec's on average. Subsampling of frequent words, windows of random size, the distribution
of negative samples and the falling learning rate are as in Mikolov et al., "Distributed representations of words and
phrases and their compositionality", 2013.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from tqdm import tqdm

from fastembed_layer import Dot, Embedding, Model, initializers, losses, optimizers, set_threads

Array = np.ndarray[Any, Any]

WORD = re.compile(r"[^\W\d]\w*")  # a letter or underscore, then letters, digits and underscores
BLOCK = 16  # consecutive words that share their contexts
LEARNING_RATES = {"adagrad": 0.5, "adam": 0.02, "rmsprop": 0.02, "sgd": 0.01}
FREQUENT = 10_000  # neighbours are looked for among this many words; vectors of rare words are vague
SEEDS = ("red", "read", "mkdir", "lock", "coroutine", "signal", "host", "html", "hour", "random", "mouse", "indexerror")
WORDS_PER_SECOND: dict[str, Any] = {"unit": " words", "unit_scale": True, "mininterval": 0.5}
INTERRUPTED = 130  # exit code of programs that Ctrl-C ended


class Corpus(NamedTuple):
    """A text whose words are numbered."""

    words: list[str]  # the vocabulary, most frequent first
    counts: Array  # how often each of them occurs
    ids: Array  # the text as numbers of words, without the rare ones
    length: int  # how many words the text has, with the rare ones


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
    """Logistic loss of scores that should have the sign of their weight; scores of weight 0 do not count."""

    def per_sample(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the loss of each score and its derivative."""
        right = 0.5 + 0.5 * np.tanh(0.5 * np.sign(y_true) * y_pred)  # the sigmoid; tanh does not overflow
        return -np.abs(y_true) * np.log(np.maximum(right, 1e-7)), y_true * (right - 1)


def find_files(path: Path | None, pattern: str) -> list[Path]:
    """List the files to read; without a path, the Python files of the standard library."""
    if path is not None and path.is_file():
        return [path]
    folder, pattern = (path, pattern) if path else (Path(sysconfig.get_path("stdlib")), "*.py")
    return [file for file in sorted(folder.rglob(pattern)) if file.is_file() and is_wanted(file.relative_to(folder))]


def is_wanted(path: Path) -> bool:
    """Tell whether a path inside a folder is neither hidden nor an installed package."""
    return not any(part.startswith(".") or part in ("site-packages", "dist-packages") for part in path.parts)


def read_words(file: Path) -> Iterator[list[str]]:
    """Give the words of a file, some megabytes at a time; none of a file that is not text or cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="ignore") as lines:
            while piece := "".join(lines.readlines(1 << 24)):
                if "\0" in piece:
                    return
                yield WORD.findall(piece.lower())
    except OSError as error:
        tqdm.write(f"left out: {error}", file=sys.stderr)


def read_corpus(files: list[Path], min_count: int) -> Corpus:
    """Number the words of some files in the order of their frequency."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    parts = [np.empty(0, np.int32)]
    for file in tqdm(files, "reading", unit=" files"):
        parts += [np.fromiter(map(numbers.__getitem__, words), np.int32) for words in read_words(file)]
    text = np.concatenate(parts)
    counts = np.bincount(text, minlength=len(numbers))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= min_count]
    ranks = np.full(len(numbers), -1, np.int32)
    ranks[order] = np.arange(len(order))
    names, ids = list(numbers), ranks[text]
    return Corpus([names[number] for number in order], counts[order], ids[ids >= 0], len(text))


def cut_blocks(corpus: Corpus, window: int, sample: float, random: np.random.Generator) -> Array:
    """Leave out some of the frequent words, then view the text as blocks with `window` more words on either side."""
    excess = corpus.counts / len(corpus.ids) / sample
    chances = (np.sqrt(excess) + 1) / excess
    text = corpus.ids[random.random(len(corpus.ids)) < chances[corpus.ids]]
    if len(text) < BLOCK + 2 * window:
        raise SystemExit(f"The text is too short: {len(text)} words are left without rare and frequent ones.")
    return sliding_window_view(text, BLOCK + 2 * window)[::BLOCK]


def make_batches(corpus: Corpus, options: argparse.Namespace, random: np.random.Generator) -> Iterator[Any]:
    """Give the batches of one pass over the text, blocks in random order.

    A batch is a pair of ids (targets, contexts), the weights of their scores, and the share of the pass that is done.
    """
    window, n_negatives = options.window, (options.window + 1) * options.negatives
    distances = np.abs(np.arange(BLOCK)[:, None] + window - np.arange(BLOCK + 2 * window))
    distances[distances == 0] = window + 1  # a word is no context of itself
    chances = np.cumsum(corpus.counts**0.75)
    blocks = cut_blocks(corpus, window, options.sample, random)
    order = random.permutation(len(blocks))
    for start in range(0, len(order), options.batch_size // BLOCK):
        near = blocks[order[start : start + options.batch_size // BLOCK]]
        negatives = np.searchsorted(chances, random.random((len(near), n_negatives)) * chances[-1])
        reach = random.integers(1, window + 1, (len(near), BLOCK, 1))
        # A word with 2 * reach contexts should have 2 * reach * negatives samples, which is n_negatives on average.
        against = np.broadcast_to(-2 * reach / (window + 1), (len(near), BLOCK, n_negatives))
        weights = np.concatenate([distances <= reach, against], axis=2, dtype=np.float32)
        pair = near[:, window : window + BLOCK], np.concatenate([near, negatives], axis=1)
        yield pair, weights, (start + len(near)) / len(order)


class CtrlC:
    """Notes the first Ctrl-C, so that no step is cut in two; the second one ends the program as usual."""

    pressed = False

    def __enter__(self) -> CtrlC:
        self.usual = signal.signal(signal.SIGINT, self.note)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self.usual)

    def note(self, *signal_and_frame: object) -> None:
        """Handle the signal."""
        self.pressed = True
        signal.signal(signal.SIGINT, self.usual)


def train(model: SkipGram, corpus: Corpus, options: argparse.Namespace) -> bool:
    """Pass over the text `epochs` times; returns False if Ctrl-C ended it earlier."""
    random, loss = np.random.default_rng(options.seed), None
    optimizer = optimizers.get(options.optimizer)
    model.compile(optimizer, NegativeSampling(reduction="sum"))
    with CtrlC() as ctrl_c, tqdm(desc="training", total=options.epochs * corpus.length, **WORDS_PER_SECOND) as bar:
        bar.set_postfix_str("compiling kernels")
        for epoch in range(options.epochs):
            for pair, weights, share in make_batches(corpus, options, random):
                done = (epoch + share) / options.epochs
                optimizer.learning_rate = options.learning_rate * max(1 - done, 1e-4)
                now = model.train_on_batch(pair, weights) / np.count_nonzero(weights > 0)
                if not np.isfinite(now):
                    raise SystemExit("The loss is not a number any more: try a smaller --learning-rate.")
                loss = now if loss is None else 0.98 * loss + 0.02 * now
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                bar.update(round(done * bar.total) - bar.n)
                if ctrl_c.pressed:
                    return False
    return True


def find_neighbours(vectors: Array, number: int, count: int = 8) -> Array:
    """Return the numbers of the words, frequent ones, whose vectors have the largest cosines with that of one word."""
    units = vectors[:FREQUENT] / np.linalg.norm(vectors[:FREQUENT], axis=1, keepdims=True)
    cosines = units @ vectors[number]
    cosines[number : number + 1] = -np.inf
    return np.argsort(-cosines)[:count]


def choose_seeds(words: list[str], asked: list[str]) -> list[int]:
    """Return the numbers of the words to show: those asked for, else SEEDS, else some of the frequent ones."""
    numbers = {word: number for number, word in enumerate(words)}
    found = [numbers[word] for word in asked or SEEDS if word in numbers]
    if asked and len(found) < len(asked):
        print("not in the vocabulary:", *(word for word in asked if word not in numbers))
    if asked or len(found) > len(SEEDS) / 2:
        return found
    start = min(100, len(words) // 4)  # the most frequent words stand beside every other
    return list(range(start, len(words), 1 + min(40, len(words) // 20)))[: len(SEEDS)]


def show_neighbours(words: list[str], vectors: Array, asked: list[str]) -> dict[int, int]:
    """Print the neighbours of some words; returns all words shown, each with the number of its group."""
    groups: dict[int, int] = {}
    print(f"\nNearest neighbours among the {min(FREQUENT, len(words)):,} most frequent words:")
    for group, seed in enumerate(choose_seeds(words, asked)):
        neighbours = find_neighbours(vectors, seed)
        print(f"  {words[seed]:<10} {' '.join(words[number] for number in neighbours)}")
        for number in (seed, *neighbours.tolist()):
            groups.setdefault(number, group)
    return groups


def write_vectors(file: Path, words: list[str], vectors: Array) -> None:
    """Write word2vec's text format."""
    row_format = " ".join(["%.5g"] * vectors.shape[1])
    with file.open("w", encoding="utf-8") as lines:
        lines.write(f"{len(words)} {vectors.shape[1]}\n")
        for word, row in zip(words, vectors.tolist(), strict=True):
            lines.write(f"{word} {row_format % tuple(row)}\n")


def write_results(corpus: Corpus, vectors: Array, options: argparse.Namespace) -> None:
    """Write the vectors and the picture, and print what a few words stand beside."""
    options.out.mkdir(parents=True, exist_ok=True)
    write_vectors(options.out / "vectors.txt", corpus.words, vectors)
    groups = show_neighbours(corpus.words, vectors, options.words)
    if groups:
        draw_picture(options.out / "words.png", corpus, vectors, groups, options.path)
    print("\nWritten:", *sorted(map(str, options.out.glob("*"))))


def draw_picture(file: Path, corpus: Corpus, vectors: Array, groups: dict[int, int], source: Path | None) -> None:
    """Draw the words that were shown; where matplotlib is missing, say how to get it."""
    try:
        from word_picture import draw_words
    except ImportError as error:
        print(f"\n{file.name} is left out ({error}). To get it: {sys.executable} -m pip install matplotlib")
        return
    words, colors = [corpus.words[number] for number in groups], np.array(list(groups.values()))
    title = f"Words of {source.name if source else 'the Python standard library'} beside their nearest neighbours"
    draw_words(file, words, vectors[list(groups)], colors, title)


def positive(kind: type[Any]) -> Callable[[str], Any]:
    """Return a reader of options that are positive numbers of one kind."""

    def read(text: str) -> Any:
        if not kind(text) > 0:
            raise ValueError
        return kind(text)

    read.__name__ = f"positive {kind.__name__}"  # what argparse calls it in error messages
    return read


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("path", nargs="?", type=Path, help="a text file or a folder; by default Python's standard library")
    add("--pattern", default="*", help="which files of the folder to read, such as *.txt")
    add("--out", type=Path, default=Path("word_vectors"), metavar="DIRECTORY", help="where results go")
    add("--words", default="", help="words to show, with commas between them")
    add("--dim", type=positive(int), default=128, help="size of a vector")
    add("--window", type=positive(int), default=5, help="a word's contexts stand at most this far from it")
    add("--negatives", type=positive(int), default=5, help="negative samples per context")
    add("--epochs", type=positive(int), default=3, help="passes over the text")
    add("--min-count", type=positive(int), default=5, help="leave out words that occur less often")
    add("--sample", type=positive(float), default=1e-3, help="thin out words above this share of the text")
    add("--optimizer", choices=LEARNING_RATES, default="adagrad")
    add("--learning-rate", type=positive(float), help="first rate, falling to 0; the default depends on the optimizer")
    add("--batch-size", type=positive(int), help="target words per step, by default 2048 or a hundredth of the text")
    add("--threads", type=positive(int), help="by default all processors")
    add("--seed", type=int, default=1, help="the same seed gives the same vectors")
    options = parser.parse_args()
    if options.path is not None and not options.path.exists():
        parser.error(f"there is no file or folder {options.path}")
    options.words = options.words.lower().replace(",", " ").split()
    options.learning_rate = options.learning_rate or LEARNING_RATES[options.optimizer]
    return options


def main() -> int:
    """Read, train and write; returns the exit code."""
    options = parse_options()
    set_threads(options.threads)
    corpus = read_corpus(find_files(options.path, options.pattern), options.min_count)
    if not corpus.words:
        raise SystemExit(f"No word occurs {options.min_count} times in {options.path or 'the standard library'}.")
    print(f"{corpus.length:,} words; {len(corpus.words):,} of them different and at least {options.min_count} times")
    options.batch_size = max(BLOCK, options.batch_size or min(2048, len(corpus.ids) // 100))
    model = SkipGram(len(corpus.words), options.dim, options.seed)
    is_complete = train(model, corpus, options)
    if not is_complete:
        print("Ctrl-C: the training ends here, the results so far are written.")
    write_results(corpus, model.target.embeddings.numpy(), options)
    return 0 if is_complete else INTERRUPTED


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
