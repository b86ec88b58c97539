"""The layers beside torch's own: values, gradients, arguments, errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'fastembed_layer[torch]'")
import fastembed_layer.torch as fast  # noqa: E402

ROWS, COLUMNS = 20, 5


def make_pair(kind: str, **options: Any) -> tuple[Any, Any]:
    """The same layer of torch and of this package, with the same weight."""
    layers = []
    for module in (torch.nn, fast):
        torch.manual_seed(0)
        layers.append(getattr(module, kind)(ROWS, COLUMNS, **options))
    return layers[0], layers[1]


def judge(pair: tuple[Any, Any], *inputs: Any) -> None:
    """Outputs and gradients of the table are torch's."""
    outputs = [layer(*inputs) for layer in pair]
    torch.testing.assert_close(outputs[1], outputs[0])
    factors = torch.linspace(-1, 1, outputs[0].numel(), dtype=outputs[0].dtype).reshape(outputs[0].shape)
    for output in outputs:
        (output * factors).sum().backward()
    stock, ours = (layer.weight.grad for layer in pair)
    assert ours.is_sparse
    torch.testing.assert_close(ours.to_dense(), stock.to_dense(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("id_type", [torch.int32, torch.int64], ids=str)
@pytest.mark.parametrize("shape", [(), (7,), (0,), (3, 4), (2, 3, 4)], ids=str)
def test_embedding_is_torchs(dtype: Any, id_type: Any, shape: tuple[int, ...]) -> None:
    judge(make_pair("Embedding", dtype=dtype), torch.randint(ROWS, shape, dtype=id_type))


@pytest.mark.parametrize("padding_idx", [0, 3, -1])
def test_the_padding_receives_no_gradient(padding_idx: int) -> None:
    pair = make_pair("Embedding", padding_idx=padding_idx)
    assert pair[0].padding_idx == pair[1].padding_idx
    judge(pair, torch.tensor([[0, 3, 19], [3, 3, 2]]))


def test_ids_that_are_not_contiguous_are_read_in_order() -> None:
    judge(make_pair("Embedding"), torch.arange(12).reshape(3, 4).t())
    judge(make_pair("Embedding"), torch.arange(20)[::3])


BAGS = {
    "matrix": (torch.tensor([[1, 2, 2], [3, 0, 19]]),),
    "offsets": (torch.tensor([1, 2, 2, 3, 0]), torch.tensor([0, 2, 2])),
    "int32": (torch.tensor([1, 2, 2, 3, 0], dtype=torch.int32), torch.tensor([0, 2, 2], dtype=torch.int32)),
    "an empty bag last": (torch.tensor([1, 2]), torch.tensor([0, 2])),
    "no bags": (torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)),
}


@pytest.mark.parametrize("case", BAGS)
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_embedding_bag_is_torchs(case: str, mode: str, padding_idx: int | None) -> None:
    judge(make_pair("EmbeddingBag", mode=mode, padding_idx=padding_idx, dtype=torch.float64), *BAGS[case])


def test_a_matrix_without_columns_is_bags_of_nothing() -> None:
    assert torch.equal(
        fast.EmbeddingBag(ROWS, COLUMNS)(torch.zeros((2, 0), dtype=torch.int64)), torch.zeros(2, COLUMNS)
    )


def test_the_last_offset_may_be_given() -> None:
    pair = make_pair("EmbeddingBag", mode="sum", include_last_offset=True)
    judge(pair, torch.tensor([1, 2, 2, 3]), torch.tensor([0, 2, 2, 4]))


@pytest.mark.parametrize("padding_idx", [None, 2])
def test_per_sample_weights_are_torchs_with_their_gradient(padding_idx: int | None) -> None:
    pair = make_pair("EmbeddingBag", mode="sum", padding_idx=padding_idx, dtype=torch.float64)
    ids, weights = torch.tensor([[1, 2, 2], [3, 0, 19]]), []
    for layer in pair:
        weights.append(torch.linspace(0.1, 2.0, 6, dtype=torch.float64).reshape(2, 3).requires_grad_())
        layer(ids, None, weights[-1]).square().sum().backward()
    torch.testing.assert_close(weights[1].grad, weights[0].grad)
    torch.testing.assert_close(pair[1].weight.grad.to_dense(), pair[0].weight.grad)


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
def test_layers_are_torchs_and_load_from_each_other(kind: str) -> None:
    stock, ours = make_pair(kind)
    assert isinstance(ours, getattr(torch.nn, kind))
    assert isinstance(ours.weight, torch.nn.Parameter)
    with torch.no_grad():
        stock.weight.mul_(2)
    ours.load_state_dict(stock.state_dict())
    judge((stock, ours), torch.tensor([[1, 2]]))
    stock.load_state_dict(ours.state_dict())


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
@pytest.mark.parametrize("freeze", [True, False])
def test_from_pretrained_shares_the_rows(kind: str, freeze: bool) -> None:
    rows = torch.randn(ROWS, COLUMNS)
    layer = getattr(fast, kind).from_pretrained(rows, freeze=freeze)
    assert layer.weight.data_ptr() == rows.data_ptr()
    assert layer.weight.requires_grad is not freeze
    assert layer.sparse
    assert layer(torch.tensor([[1, 2]])).requires_grad is not freeze
    assert not getattr(fast, kind).from_pretrained(rows, sparse=False).sparse


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
@pytest.mark.parametrize("copier", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_goes_its_own_way(kind: str, copier: Any) -> None:
    _, layer = make_pair(kind)
    layer(torch.tensor([[1, 2]])).sum().backward()
    twin = copier(layer)
    fast.optim.SGD(layer.parameters(), lr=1.0).step()
    assert (layer.weight != twin.weight).any()
    judge((make_pair(kind)[0], twin), torch.tensor([[1, 2]]))


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
@pytest.mark.parametrize("bad", [ROWS, -1])
def test_an_id_out_of_range_is_named(kind: str, bad: int) -> None:
    layer = make_pair(kind, padding_idx=2)[1]
    with pytest.raises(IndexError, match=rf"input\[1,2\] = {bad} is not in \[0, {ROWS}\)"):
        layer(torch.tensor([[1, 2, 3], [2, 4, bad]]))


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
def test_what_is_not_offered_is_refused_with_the_way_out(kind: str) -> None:
    make = getattr(fast, kind)
    with pytest.raises(ValueError, match=r"max_norm.*torch\.nn"):
        make(ROWS, COLUMNS, max_norm=1.0)
    with pytest.raises(ValueError, match=r"scale_grad_by_freq.*torch\.nn"):
        make(ROWS, COLUMNS, scale_grad_by_freq=True)
    with pytest.raises(TypeError, match=r"float32 or float64.*\.float\(\)"):
        make(ROWS, COLUMNS, dtype=torch.bfloat16)
    with pytest.raises(TypeError, match=r"float32 or float64.*\.float\(\)"):
        make(ROWS, COLUMNS).half()(torch.tensor([[1]]))
    with pytest.raises(ValueError, match="must be on the CPU"):
        make(ROWS, COLUMNS, device="meta")(torch.tensor([[1]]))
    with pytest.raises(TypeError, match="int64 or int32"):
        make(ROWS, COLUMNS)(torch.tensor([[1.0]]))
    with pytest.raises(TypeError, match=r"tensor of int64 or int32.*list"):
        make(ROWS, COLUMNS)([[1]]) if kind == "Embedding" else fast.Embedding(ROWS, COLUMNS)([[1]])


def test_bags_of_a_wrong_form_are_refused() -> None:
    layer = fast.EmbeddingBag(ROWS, COLUMNS)
    for inputs in (
        (torch.tensor([1, 2]),),
        (torch.tensor([[1, 2]]), torch.tensor([0])),
        (torch.tensor([1, 2]), torch.tensor([1])),
        (torch.tensor([1, 2]), torch.tensor([0, 2, 1])),
        (torch.tensor([1, 2]), torch.tensor([0, 3])),
    ):
        with pytest.raises(ValueError, match="offsets"):
            layer(*inputs)
    with pytest.raises(NotImplementedError, match="mode='sum'"):
        layer(torch.tensor([[1]]), None, torch.ones(1, 1))
    with pytest.raises(ValueError, match="shape of the ids"):
        fast.EmbeddingBag(ROWS, COLUMNS, mode="sum")(torch.tensor([[1]]), None, torch.ones(2, 1))


def test_convert_keeps_modules_weights_and_optimizers() -> None:
    model = torch.nn.ModuleDict(
        {"a": torch.nn.Embedding(ROWS, COLUMNS), "b": torch.nn.EmbeddingBag(ROWS, COLUMNS, mode="max")}
    )
    model["c"] = torch.nn.Embedding(ROWS, COLUMNS, _weight=model["a"].weight)
    weights = list(model.parameters())
    assert fast.convert(model) is model
    assert [type(layer) for layer in model.values()] == [fast.Embedding, fast.EmbeddingBag, fast.Embedding]
    assert all(one is other for one, other in zip(model.parameters(), weights, strict=True))
    optimizer = fast.optim.Adam(weights)
    (model["a"](torch.tensor([1])).sum() + model["b"](torch.tensor([[2]])).sum()).backward()
    optimizer.step()


def test_convert_changes_nothing_where_a_layer_cannot_be_converted() -> None:
    model = torch.nn.ModuleList([torch.nn.Embedding(ROWS, COLUMNS), torch.nn.Embedding(ROWS, COLUMNS, max_norm=1.0)])
    with pytest.raises(ValueError, match="max_norm"):
        fast.convert(model)
    assert type(model[0]) is torch.nn.Embedding


def test_a_layer_that_is_not_sparse_is_torchs() -> None:
    stock, ours = make_pair("Embedding", sparse=False)
    for layer in (stock, ours):
        layer(torch.tensor([1, 1, 2])).sum().backward()
    assert not ours.weight.grad.is_sparse
    torch.testing.assert_close(ours.weight.grad, stock.weight.grad)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_takes_sparse_and_dense_gradients_together(norm_type: float, max_norm: float) -> None:
    norms, gradients = [], []
    for nn, clip in ((torch.nn, torch.nn.utils.clip_grad_norm_), (fast, fast.clip_grad_norm_)):
        torch.manual_seed(0)
        model = torch.nn.Sequential(nn.Embedding(ROWS, COLUMNS), torch.nn.Linear(COLUMNS, 2))
        model(torch.tensor([1, 1, 2, 5, 1])).square().sum().backward()
        norms.append(clip(model.parameters(), max_norm, norm_type))
        gradients.append([weight.grad.to_dense() for weight in model.parameters()])
    torch.testing.assert_close(norms[1], norms[0])
    for ours, stock in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(ours, stock)


def test_clipping_without_gradients_and_with_infinite_ones() -> None:
    layer = fast.Embedding(ROWS, COLUMNS)
    assert fast.clip_grad_norm_(layer.parameters(), 1.0) == 0
    (layer(torch.tensor([1])) * np.inf).sum().backward()
    with pytest.raises(RuntimeError, match="error_if_nonfinite"):
        fast.clip_grad_norm_(layer.weight, 1.0, error_if_nonfinite=True)
