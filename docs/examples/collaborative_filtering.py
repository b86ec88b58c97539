"""Collaborative filtering: a rating is a user's vector times an item's, plus a bias of each.

The ratings are made up, so the error that no model can beat is known: that of the noise.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np

from fastembed_layer import Dot, Embedding, Flatten, Input, Model, initializers, optimizers
from fastembed_layer.layers import Add


class Ratings(NamedTuple):
    """Ratings from half a star to five, and what they would be without noise."""

    users: np.ndarray
    items: np.ndarray
    stars: np.ndarray
    expected: np.ndarray

    def part(self, rows: slice) -> Ratings:
        """Return some of the ratings."""
        return Ratings(*(column[rows] for column in self))


def make_ratings(count: int, n_users: int, n_items: int, seed: int = 0) -> Ratings:
    """Draw ratings of users with tastes of eight dimensions; few items get most of them."""
    random = np.random.default_rng(seed)
    users = random.integers(n_users, size=count)
    items = (n_items * random.random(count) ** 3).astype(np.int64)
    tastes, traits = random.normal(0, 0.5, (n_users, 8)), random.normal(0, 0.5, (n_items, 8))
    biases = random.normal(0, 0.4, n_users)[users] + random.normal(0, 0.4, n_items)[items]
    expected = np.clip(3.5 + biases + (tastes[users] * traits[items]).sum(1), 0.5, 5)
    stars = np.clip(np.round(2 * (expected + random.normal(0, 0.4, count))) / 2, 0.5, 5)
    return Ratings(users, items, stars.astype("float32"), expected)


def make_model(n_users: int, n_items: int, dim: int, mean: float) -> Model:
    """Join two vectors by a dot product, and add two biases; users' biases begin at the mean rating."""
    user, item = Input((1,), dtype="int64", name="user"), Input((1,), dtype="int64", name="item")
    vectors = [Flatten()(Embedding(n, dim, "random_normal")(ids)) for n, ids in ((n_users, user), (n_items, item))]
    start = initializers.Constant(mean)
    biases = [Flatten()(Embedding(n_users, 1, start)(user)), Flatten()(Embedding(n_items, 1, "zeros")(item))]
    return Model([user, item], Add()([Dot(axes=1)(vectors), *biases]))


def root_mean_square(differences: np.ndarray) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(differences))))


def main() -> None:
    """Train, and compare the error on ratings held back with two baselines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=6_000)
    parser.add_argument("--items", type=int, default=4_000)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()

    initializers.set_seed(0)
    ratings = make_ratings(options.ratings, options.users, options.items)
    cut = options.ratings * 9 // 10
    seen, held_back = ratings.part(slice(cut)), ratings.part(slice(cut, None))
    mean = float(seen.stars.mean())
    model = make_model(options.users, options.items, 16, mean)
    model.compile(optimizers.Adam(0.01), "mse")
    pairs = [np.reshape(column, (-1, 1)) for column in (seen.users, seen.items)]
    model.fit(pairs, seen.stars[:, None], batch_size=4096, epochs=options.epochs, verbose=2)

    predicted = model.predict([held_back.users[:, None], held_back.items[:, None]], batch_size=8192)[:, 0]
    print(f"RMSE of the mean rating: {root_mean_square(held_back.stars - mean):.3f}")
    print(f"RMSE of the model:       {root_mean_square(held_back.stars - predicted):.3f}")
    print(f"RMSE of the noise:       {root_mean_square(held_back.stars - held_back.expected):.3f}")


if __name__ == "__main__":
    main()
