"""A text classifier over bags of n-grams: which package of Python's standard library is a docstring from?

Words and pairs of words are hashed to rows of a table, the vectors of a text are averaged, and one dense layer decides:
the model of fastText, on text that every Python brings along.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import sysconfig
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from fastembed_layer import Dense, EmbeddingBag, Ragged, Sequential, initializers, optimizers

ROWS = 1 << 18
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def read_docstrings(folder: Path) -> list[str]:
    """Return the docstrings of all modules, classes and functions below a folder."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # some test files are wrong on purpose
            continue
        texts = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
        found += [text for text in texts if text and len(text.split()) > 3]
    return found


def collect(n_packages: int) -> tuple[list[str], list[str], np.ndarray]:
    """Return the packages with the most docstrings, all their texts, and the number of the package of each."""
    library = Path(sysconfig.get_path("stdlib"))
    folders = [path.parent for path in library.glob("*/__init__.py") if path.parent.name not in ("test", "idlelib")]
    texts = {folder.name: sorted(set(read_docstrings(folder))) for folder in sorted(folders)}
    largest = [name for name, _ in Counter({name: len(each) for name, each in texts.items()}).most_common(n_packages)]
    labels = np.repeat(np.arange(len(largest)), [len(texts[name]) for name in largest])
    return largest, [text for name in largest for text in texts[name]], labels


def hash_ngrams(text: str) -> list[int]:
    """Return the rows of the words of a text and of its pairs of words."""
    words = re.findall(r"[a-z]+", text.lower())
    ngrams = words + [f"{first} {second}" for first, second in itertools.pairwise(words)]
    return [zlib.crc32(ngram.encode()) % ROWS for ngram in ngrams]


def main() -> None:
    """Train on four fifths of the docstrings, and name the package of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=25)
    options = parser.parse_args()

    initializers.set_seed(0)
    packages, texts, labels = collect(options.packages)
    order = np.random.default_rng(0).permutation(len(texts))
    rows, labels = [hash_ngrams(texts[index]) for index in order], labels[order]
    cut = len(rows) * 4 // 5

    model = Sequential([EmbeddingBag(ROWS, 32), Dense(len(packages), activation="softmax")])
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(Ragged.from_lists(rows[:cut]), labels[:cut], batch_size=64, epochs=options.epochs, verbose=0)

    found = model.evaluate(Ragged.from_lists(rows[cut:]), labels[cut:], verbose=0, return_dict=True)
    frequent = np.bincount(labels[cut:]).max() / len(labels[cut:])
    print(f"{len(rows)} docstrings of {', '.join(packages)}")
    print(f"accuracy of the most frequent package: {frequent:.3f}")
    print(f"accuracy of the model:                 {found['accuracy']:.3f}")


if __name__ == "__main__":
    main()
