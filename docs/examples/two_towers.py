"""Two towers: users and items get vectors such that a user's own items are the nearest; negatives are in the batch.

Each batch is one sample of the model: its users times all of its items is a square of scores, and the right item of a
user is the one on the diagonal. Frequent items are frequent negatives too, so the scores of a trained model lack the
logarithm of an item's frequency, which is added when items are recommended (Bengio and Senecal 2008; Yi et al. 2019).
The clicks are made up, from users and items with tastes.
"""

from __future__ import annotations

import argparse

import numpy as np

from fastembed_layer import Dot, Embedding, Input, Model, initializers, losses, optimizers

BEST = 10  # items that are recommended


def make_clicks(n_users: int, n_items: int, per_user: int, seed: int = 0) -> np.ndarray:
    """Draw the items that each user clicks: those with the largest affinity, and popularity and chance beside it."""
    random = np.random.default_rng(seed)
    tastes, traits = random.normal(size=(n_users, 6)), random.normal(size=(n_items, 6))
    popularity = random.gumbel(0, 0.5, n_items)
    clicks = np.empty((n_users, per_user), np.int64)
    for user, taste in enumerate(tastes):
        affinity = traits @ taste + popularity + random.gumbel(0, 1, n_items)
        clicks[user] = random.permutation(np.argpartition(-affinity, per_user)[:per_user])
    return clicks


def make_model(n_users: int, n_items: int, dim: int) -> Model:
    """Score every user of a batch with every item of it."""
    users, items = Input((None,), dtype="int64", name="users"), Input((None,), dtype="int64", name="items")
    towers = [Embedding(n_users, dim, "random_normal", name="user_tower")(users)]
    towers.append(Embedding(n_items, dim, "random_normal", name="item_tower")(items))
    return Model([users, items], Dot(axes=2)(towers))


def make_batches(clicks: np.ndarray, size: int, random: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """Cut all clicks, shuffled, into batches: users and items of shape (batches, size), and the diagonal as labels."""
    users = np.repeat(np.arange(len(clicks)), clicks.shape[1])
    order = random.permutation(users.size)[: users.size // size * size]
    pairs = [column[order].reshape(-1, size) for column in (users, clicks.reshape(-1))]
    return pairs, np.tile(np.arange(size), (len(pairs[0]), 1))


def recall(scores: np.ndarray, seen: np.ndarray, held_back: np.ndarray) -> float:
    """Return how many of the items held back are among the best that a user has not seen."""
    scores = scores.copy()
    np.put_along_axis(scores, seen, -np.inf, axis=1)
    best = np.argpartition(-scores, BEST, axis=1)[:, :BEST]
    return float((best[:, :, None] == held_back[:, None, :]).any(axis=1).mean())


def main() -> None:
    """Train on all but two clicks of each user, and look for these two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()

    initializers.set_seed(0)
    clicks = make_clicks(options.users, options.items, 22)
    seen, held_back = clicks[:, :-2], clicks[:, -2:]
    model = make_model(options.users, options.items, 8)
    model.compile(optimizers.Adam(0.01), losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.default_rng(1)
    for epoch in range(options.epochs):
        pairs, labels = make_batches(seen, 256, random)
        loss = model.fit(pairs, labels, batch_size=1, verbose=0).history["loss"][0]
        print(f"epoch {epoch + 1}: loss {loss:.3f}")

    users, items = (tower.get_weights()[0] for tower in model.layers[:2])
    counts = np.bincount(seen.reshape(-1), minlength=options.items).astype("float64")
    popular, scores = np.tile(counts, (options.users, 1)), users @ items.T
    print(f"recall of 2 items among {BEST} recommended:")
    print(f"  the most popular items: {recall(popular, seen, held_back):.3f}")
    print(f"  the two towers:         {recall(scores + np.log(counts + 1), seen, held_back):.3f}")
    print(f"  without log frequency:  {recall(scores, seen, held_back):.3f}")


if __name__ == "__main__":
    main()
