"""Wide and deep: a table with columns of strings, whose values and pairs of values get weights and vectors.

The wide part has a number for each value of a column and for each pair of values; the deep part has a vector for each
value and a small network behind it. The table is made up: the answer depends on single values and on one pair.
"""

from __future__ import annotations

import argparse

import numpy as np

from fastembed_layer import Concatenate, Dense, EmbeddingGroup, Flatten, Input, Model, initializers, optimizers

VALUES = {
    "occupation": [f"occupation {number}" for number in range(40)],
    "education": ["school", "college", "bachelor", "master", "doctor"],
    "city": [f"city {number}" for number in range(300)],
    "weekday": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
}
CROSSED = ("occupation", "city")


def make_table(rows: int, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw columns of strings and the answers, yes or no, for each row."""
    random = np.random.default_rng(seed)
    codes = {name: random.integers(len(values), size=rows) for name, values in VALUES.items()}
    logits = sum(random.normal(0, 0.7, len(VALUES[name]))[codes[name]] for name in VALUES)
    pairs = random.normal(0, 1.5, [len(VALUES[name]) for name in CROSSED])
    logits += pairs[codes[CROSSED[0]], codes[CROSSED[1]]]
    answers = random.random(rows) < 1 / (1 + np.exp(-logits))
    return {name: np.array(VALUES[name])[codes[name]] for name in VALUES}, answers.astype("float32")


def number_columns(table: dict[str, np.ndarray]) -> tuple[np.ndarray, list[int]]:
    """Turn strings into ids, a column for each of the table's and one for the pairs; returns the vocabularies too."""
    columns = {**table, "pair": np.char.add(np.char.add(table[CROSSED[0]], "|"), table[CROSSED[1]])}
    numbered = [np.unique(column, return_inverse=True) for column in columns.values()]
    return np.stack([ids for _, ids in numbered], axis=1), [len(values) for values, _ in numbered]


def make_model(sizes: list[int]) -> Model:
    """Join both parts; the pair has a place in the wide part alone."""
    wide_ids, deep_ids = Input((len(sizes),), dtype="int64"), Input((len(sizes) - 1,), dtype="int64")
    wide = Flatten()(EmbeddingGroup(sizes, 1, "zeros")(wide_ids))
    deep = Flatten()(EmbeddingGroup(sizes[:-1], 8)(deep_ids))
    for units in (64, 32):
        deep = Dense(units, activation="relu")(deep)
    return Model([wide_ids, deep_ids], Dense(1, activation="sigmoid")(Concatenate()([wide, deep])))


def main() -> None:
    """Train, and compare the accuracy on rows held back with the share of the more frequent answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()

    initializers.set_seed(0)
    table, answers = make_table(options.rows)
    ids, sizes = number_columns(table)
    cut = options.rows * 9 // 10
    model = make_model(sizes)
    model.compile(optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy", "auc"])
    model.fit([ids[:cut], ids[:cut, :-1]], answers[:cut, None], batch_size=2048, epochs=options.epochs, verbose=2)

    found = model.evaluate([ids[cut:], ids[cut:, :-1]], answers[cut:, None], verbose=0, return_dict=True)
    share = answers[cut:].mean()
    print(f"accuracy of the more frequent answer: {max(share, 1 - share):.3f}")
    print(f"accuracy of the model:                {found['accuracy']:.3f}, area under its ROC curve {found['auc']:.3f}")


if __name__ == "__main__":
    main()
