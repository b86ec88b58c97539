"""Weights that the caller hands over: copied, used as they are, or in nested lists."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastembed_layer import Dense, Embedding, RowGradient, optimizers
from fastembed_layer.layers import Layer

MATRIX = np.arange(8, dtype="float32").reshape(4, 2)


def test_a_mapped_file_is_looked_up_without_a_copy_and_not_trained(tmp_path: Path) -> None:
    path = tmp_path / "table.npy"
    np.save(path, MATRIX)
    layer = Embedding(4, 2, weights=[np.load(path, mmap_mode="r")], copy_weights=False)
    np.testing.assert_array_equal(layer(np.array([3, 0])), MATRIX[[3, 0]])
    assert not layer.embeddings.array.flags.owndata
    gradient = RowGradient(np.array([1]), np.ones((1, 2), "float32"), (4, 2))
    with pytest.raises(ValueError, match="read-only"):
        optimizers.SGD(1.0).apply_gradients([(gradient, layer.embeddings)])
    np.testing.assert_array_equal(np.load(path), MATRIX)


def test_memory_that_may_be_written_is_trained_in_place() -> None:
    matrix = MATRIX.copy()
    layer = Embedding(4, 2, weights=matrix, copy_weights=False)
    gradient = RowGradient(np.array([1]), np.ones((1, 2), "float32"), (4, 2))
    optimizers.SGD(1.0).apply_gradients([(gradient, layer.embeddings)])
    np.testing.assert_array_equal(matrix[1], MATRIX[1] - 1)
    twin = copy.deepcopy(layer)
    matrix[:] = 0
    np.testing.assert_array_equal(twin(np.array([3])), MATRIX[[3]])
    assert pickle.loads(pickle.dumps(layer)).get_weights()[0].shape == (4, 2)


@pytest.mark.parametrize(
    "weights",
    [None, [MATRIX.tolist()], [MATRIX.astype("float64")], [MATRIX.T], [np.asfortranarray(MATRIX)], [MATRIX[:3]]],
)
def test_what_cannot_be_used_as_it_is_is_refused(weights: Any) -> None:
    with pytest.raises(ValueError, match="copy_weights=False"):
        Embedding(4, 2, weights=weights, copy_weights=False)


@pytest.mark.parametrize("weights", [MATRIX.tolist(), [MATRIX.tolist()], MATRIX, [MATRIX]])
def test_a_matrix_may_be_given_bare_or_in_a_list(weights: Any) -> None:
    np.testing.assert_array_equal(Embedding(4, 2, weights=weights).embeddings.numpy(), MATRIX)


@pytest.mark.parametrize("weights", [[[1.0, 2.0]], [[[1.0, 2.0]]]])
def test_a_table_of_one_row_is_told_apart_by_the_shape(weights: Any) -> None:
    np.testing.assert_array_equal(Embedding(1, 2, weights=weights).embeddings.numpy(), [[1, 2]])


@pytest.mark.parametrize(
    ("cls", "arguments", "unknown", "nearest"),
    [
        (Embedding, (4, 2), {"mask_zeros": True}, "mask_zero"),
        (Embedding, (4, 2), {"embedding_initializer": "zeros"}, "embeddings_initializer"),
        (Dense, (4,), {"activasion": "relu"}, "activation"),
        (Layer, (), {"dtypes": "float32"}, "dtype"),
    ],
)
def test_an_unknown_argument_is_named_with_the_nearest(cls: Any, arguments: Any, unknown: Any, nearest: str) -> None:
    with pytest.raises(TypeError, match=f"passed to {cls.__name__}: .*Did you mean .*'{nearest}'"):
        cls(*arguments, **unknown)
