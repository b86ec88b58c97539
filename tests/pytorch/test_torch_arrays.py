"""Tensors in the place of numpy's arrays: what only PyTorch has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch", reason="needs PyTorch")

from fastembed_layer import Dense, Embedding, EmbeddingBag, losses, optimizers  # noqa: E402
from fastembed_layer.backends.arrays import as_array  # noqa: E402
from fastembed_layer.inputs.foreign import read_foreign  # noqa: E402
from fastembed_layer.tables.row_gradient import RowGradient  # noqa: E402


def test_a_parameter_becomes_a_weight() -> None:
    stock = torch.nn.Embedding(10, 3)
    layer = Embedding(10, 3, weights=[stock.weight])
    np.testing.assert_array_equal(layer.embeddings.numpy(), stock.weight.detach().numpy())
    layer.set_weights(stock.weight)
    layer.embeddings.assign(stock.weight)


def test_a_parameter_may_be_the_tables_memory() -> None:
    stock = torch.nn.Embedding(10, 3)
    layer = Embedding(10, 3, weights=[stock.weight], copy_weights=False)
    optimizers.SGD(1.0).apply_gradients([(RowGradient([4], np.ones((1, 3), "float32"), (10, 3)), layer.embeddings)])
    assert layer.embeddings.array.ctypes.data == stock.weight.data_ptr()
    np.testing.assert_array_equal(stock.weight[4].detach().numpy(), layer(np.array([4]))[0])


@pytest.mark.parametrize("call", [lambda x: Dense(2)(x), lambda x: losses.MeanSquaredError()(x, x), as_array])
def test_a_tensor_that_requires_a_gradient_is_refused_with_the_way_out(call: Any) -> None:
    with pytest.raises(ValueError, match=r"must not require a gradient.*tensor\.detach\(\)"):
        call(torch.ones(2, 3, requires_grad=True))


def test_a_sparse_tensor_and_one_elsewhere_are_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"tensor\.to_dense\(\)"):
        as_array(torch.eye(3).to_sparse())
    with pytest.raises(ValueError, match=r"tensor\.cpu\(\)"):
        as_array(torch.empty(3, device="meta"))


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_keeps_its_numbers(name: str) -> None:
    given = torch.tensor([1.5, -0.25]).to(getattr(torch, name))
    assert as_array(given).tolist() == [1.5, -0.25]
    gradient = RowGradient(torch.tensor([1]), given.reshape(1, 2), (3, 2))
    assert gradient.values.dtype == np.float32


def test_a_slice_is_read_where_it_lies() -> None:
    ids = torch.arange(12).reshape(3, 4).T[1:]
    assert as_array(ids).ctypes.data == ids.data_ptr()
    table = np.arange(24, dtype="float32").reshape(12, 2)
    np.testing.assert_array_equal(Embedding(12, 2, weights=[table])(ids), table[ids.numpy()])


def test_a_sparse_gradient_trains_rows() -> None:
    ids, values = torch.tensor([1, 3, 1]), torch.ones(3, 2)
    gradient = torch.sparse_coo_tensor(ids[None], values, (5, 2), check_invariants=False)
    layer = Embedding(5, 2, embeddings_initializer="zeros")
    optimizers.SGD(1.0).apply_gradients([(gradient, layer.embeddings)])
    assert layer.embeddings.numpy().tolist() == [[0, 0], [-2, -2], [0, 0], [-1, -1], [0, 0]]
    with pytest.raises(TypeError, match=r"gradient\.to_sparse\(1\)"):
        optimizers.SGD(1.0).apply_gradients([(torch.eye(2).to_sparse(), layer.embeddings)])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_nested_tensors_are_bags(layout: Any) -> None:
    nested = torch.nested.nested_tensor([torch.tensor([1, 2, 3]), torch.tensor([4])], layout=layout)
    layer = EmbeddingBag(5, 2)
    np.testing.assert_array_equal(layer(nested), layer([[1, 2, 3], [4]]))
    if layout == torch.jagged:
        assert read_foreign(nested).values.ctypes.data == nested.values().data_ptr()
