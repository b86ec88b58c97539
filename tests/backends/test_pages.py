"""Zeros take up memory only where they are written; huge pages are a choice."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from fastembed_layer import Embedding, EmbeddingGroup, RowGradient, optimizers, set_huge_pages
from fastembed_layer.backends.aligned import MAPPED, zeros_aligned

ROWS, COLUMNS, TOUCHED = 4_000_000, 8, 100
STATM = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of this process in memory."""
    return int(STATM.read_text().split()[1]) * mmap.PAGESIZE


def touch(optimizer: optimizers.Optimizer, layer: Embedding) -> None:
    ids = np.linspace(0, ROWS - 1, TOUCHED).astype(np.int64)
    gradient = RowGradient(ids, np.ones((TOUCHED, COLUMNS), "float32"), (ROWS, COLUMNS))
    optimizer.apply_gradients([(gradient, layer.embeddings)])


@pytest.mark.skipif(not STATM.exists(), reason="the system does not say what is resident")
@pytest.mark.parametrize("update", ["lazy", "exact"])
def test_a_table_of_zeros_and_its_slots_are_resident_where_rows_are_trained(update: str) -> None:
    touch(optimizers.Adam(update=update), Embedding(ROWS, COLUMNS, "zeros"))  # compiles the kernels
    before = resident()
    layer = Embedding(ROWS, COLUMNS, "zeros")
    touch(optimizers.Adam(update=update), layer)
    taken = resident() - before
    last_steps = 4 * ROWS if update == "exact" else 0
    assert taken < 8_000_000 + last_steps < layer.embeddings.nbytes


@pytest.mark.skipif(not STATM.exists(), reason="the system does not say what is resident")
def test_zeros_that_are_written_would_be_noticed() -> None:
    before = resident()
    zeros = zeros_aligned((ROWS, COLUMNS), "float32")
    zeros[::16] = 0
    assert resident() - before > 0.9 * zeros.nbytes


def test_pages_can_be_chosen() -> None:
    assert set_huge_pages(True) is False
    array = zeros_aligned((MAPPED,), np.uint8)
    assert set_huge_pages(False) is True
    assert not array.any()
    array[-1] = 1
    with pytest.raises(TypeError, match="`use` must be a bool"):
        set_huge_pages(1)  # type: ignore[arg-type]


def test_a_system_without_memory_for_a_mapping_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.raises(MemoryError, match="could not be mapped"):
        zeros_aligned((MAPPED,), np.uint8)


def test_groups_begin_at_zero_all_the_same() -> None:
    assert not EmbeddingGroup([5, 7], 3, "zeros")(np.array([[1, 2]])).any()
