"""The picture that `word_vectors.py` draws: words in the plane, close together where their vectors are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]

COLORS = (
    "#c1272d", "#0b6e99", "#2a7f3f", "#8e44ad", "#d35400", "#16747a",
    "#8a6d00", "#c2185b", "#3949ab", "#5d4037", "#00796b", "#6a7b00",
)  # fmt: skip


def draw_words(file: Path, words: list[str], vectors: Array, groups: Array, title: str) -> None:
    """Draw words in the colours of their groups, the first word of each group in bold."""
    figure = Figure(figsize=(12, 8.5), dpi=120, layout="tight")
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[], frame_on=False)
    axes.margins(0.06)
    axes.set_title(title, fontsize=15, color="#444444", pad=14)
    points = place_in_plane(vectors)
    colors = [COLORS[group % len(COLORS)] for group in groups]
    axes.scatter(points[:, 0], points[:, 1], s=2000, c=colors, alpha=0.08, linewidths=0)
    firsts = np.unique(groups, return_index=True)[1]
    fonts = [(16, "bold") if number in firsts else (10.5, "normal") for number in range(len(words))]
    labels = [
        axes.text(x, y, word, color=color, ha="center", va="center", fontsize=size, fontweight=weight)
        for (x, y), word, color, (size, weight) in zip(points, words, colors, fonts, strict=True)
    ]
    figure.draw_without_rendering()
    sizes = np.array([label.get_window_extent().padded(2).size for label in labels])
    positions = push_apart(axes.transData.transform(points), sizes)
    for label, position in zip(labels, axes.transData.inverted().transform(positions), strict=True):
        label.set_position(position)
    figure.savefig(file)


def place_in_plane(vectors: Array, steps: int = 800) -> Array:
    """Lay directions out so that similar ones lie together: t-SNE (van der Maaten and Hinton, 2008), from PCA on."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = units - units.mean(axis=0)
    points = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    similar = without_diagonal(np.exp(8 * units @ units.T))
    similar /= similar.sum(axis=1, keepdims=True)
    similar = (similar + similar.T) / (2 * len(similar))
    velocity = np.zeros_like(points)
    for step in range(steps):
        gaps = points[:, None] - points
        close = without_diagonal(1 / (1 + (gaps**2).sum(axis=-1)))
        pull = (similar * (6 if step < steps / 4 else 1) - close / close.sum()) * close
        velocity = 0.8 * velocity - 20 * (pull[..., None] * gaps).sum(axis=1)
        points = points + velocity
    return points


def without_diagonal(matrix: Array) -> Array:
    """Return a square matrix with zeros on its diagonal."""
    return np.asarray(matrix * (1 - np.eye(len(matrix))))


def push_apart(centres: Array, sizes: Array) -> Array:
    """Move boxes, given in pixels, until no two overlap, each pair along the axis on which it overlaps less."""
    reach = (sizes[:, None] + sizes) / 2
    for _ in range(1000):
        gaps = centres[:, None] - centres
        overlaps = reach - np.abs(gaps)
        touching = without_diagonal((overlaps > 0).all(axis=-1))
        if not touching.any():
            break
        shorter = overlaps == overlaps.min(axis=-1, keepdims=True)
        pushes = np.where(gaps < 0, -0.4, 0.4) * (overlaps + 1) * shorter * touching[..., None]
        centres = centres + pushes.sum(axis=1)
    return centres
