"""The optimizers beside torch's own: the dense ones in exact mode, `SparseAdam` in lazy mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'fastembed_layer[torch]'")
import fastembed_layer.torch as fast  # noqa: E402

ROWS, COLUMNS, STEPS = 40, 6, 300
EXACT: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd, decay": ("SGD", {"lr": 0.1, "weight_decay": 0.02}),
    "sgd, momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "sgd, dampening": ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3}),
    "sgd, nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd, maximize": ("SGD", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    "adagrad": ("Adagrad", {"lr": 0.1, "lr_decay": 0.01}),
    "adagrad, start": ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1}),
    "rmsprop": ("RMSprop", {"lr": 0.01}),
    "rmsprop, momentum": ("RMSprop", {"lr": 0.01, "momentum": 0.9, "alpha": 0.95}),
    "rmsprop, centered": ("RMSprop", {"lr": 0.01, "centered": True}),
    "rmsprop, both": ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.8}),
    "adam": ("Adam", {"lr": 0.01}),
    "adam, epsilon": ("Adam", {"lr": 0.01, "eps": 1e-3}),
    "adam, betas": ("Adam", {"lr": 0.01, "betas": (0.5, 0.95)}),
    "adam, decoupled": ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    "adamw": ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    "adamax": ("Adamax", {"lr": 0.01}),
    "adamax, epsilon": ("Adamax", {"lr": 0.01, "eps": 0.5}),
    "nadam": ("NAdam", {"lr": 0.01}),
    "nadam, decay": ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
}


def make_batches(steps: int = STEPS, seed: int = 0) -> list[tuple[Any, Any]]:
    """Repeated ids, of which many rows rest for long, and vectors of very different sizes."""
    random = np.random.default_rng(seed)
    batches = []
    for _ in range(steps):
        ids = np.minimum(random.zipf(1.3, size=5) - 1, ROWS - 1)
        sizes = 10.0 ** random.integers(-7, 1, size=(5, 1))
        batches.append((torch.from_numpy(ids), torch.from_numpy(random.normal(size=(5, COLUMNS)) * sizes)))
    return batches


def make_layer(kind: Any = None, dtype: Any = None) -> Any:
    torch.manual_seed(0)
    kind = fast.Embedding if kind is None else kind
    return kind(ROWS, COLUMNS, dtype=torch.float64 if dtype is None else dtype)


def train(
    layer: Any, optimizer: Any, batches: Any, scheduler: Any = None, read: Callable[[Any], Any] | None = None
) -> Any:
    for ids, vectors in batches:
        optimizer.zero_grad()
        (layer(ids) * vectors.to(layer(ids).dtype)).sum().backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if read is not None:
            read(layer)
    return layer


def schedule(optimizer: Any) -> Any:
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS, eta_min=1e-3)


@pytest.mark.parametrize("case", EXACT)
@pytest.mark.parametrize("reading", [False, True], ids=["", "read in between"])
def test_exact_is_torchs_dense_optimizer(case: str, reading: bool) -> None:
    name, options = EXACT[case]
    stock, ours = make_layer(torch.nn.Embedding), make_layer()
    start = stock.weight.detach().clone()
    for layer, module in ((stock, torch.optim), (ours, fast.optim)):
        optimizer = getattr(module, name)(layer.parameters(), **options)
        read = (lambda layer: layer.weight) if reading else None
        train(layer, optimizer, make_batches(), schedule(optimizer), read)
    movement = (stock.weight.detach() - start).abs().max()
    assert (ours.weight.detach() - stock.weight.detach()).abs().max() <= 1e-9 * movement


@pytest.mark.parametrize("case", EXACT)
def test_lookups_between_steps_see_what_the_dense_optimizer_would_have_made(case: str) -> None:
    name, options = EXACT[case]
    stock, ours = make_layer(torch.nn.Embedding), make_layer()
    optimizers = [
        getattr(module, name)(layer.parameters(), **options)
        for layer, module in ((stock, torch.optim), (ours, fast.optim))
    ]
    for ids, vectors in make_batches(60):
        for layer, optimizer in zip((stock, ours), optimizers, strict=True):
            train(layer, optimizer, [(ids, vectors)])
        with torch.no_grad():
            torch.testing.assert_close(ours(torch.arange(ROWS)), stock(torch.arange(ROWS)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", EXACT)
def test_float32_is_near_the_dense_optimizer(case: str) -> None:
    name, options = EXACT[case]
    stock, ours = make_layer(torch.nn.Embedding, torch.float32), make_layer(None, torch.float32)
    for layer, module in ((stock, torch.optim), (ours, fast.optim)):
        train(layer, getattr(module, name)(layer.parameters(), **options), make_batches(100))
    torch.testing.assert_close(ours.weight, stock.weight, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("kind", ["ours", "stock"])
def test_lazy_sparse_adam_is_torchs(kind: str) -> None:
    ours = make_layer(None if kind == "ours" else torch.nn.Embedding)
    stock = make_layer(torch.nn.Embedding)
    ours.sparse = stock.sparse = True
    for layer, module in ((stock, torch.optim), (ours, fast.optim)):
        train(layer, module.SparseAdam(layer.parameters(), lr=0.01), make_batches(200))
    torch.testing.assert_close(ours.weight, stock.weight, rtol=1e-6, atol=0)


LAZY = {
    "amsgrad": ("Adam", {"amsgrad": True}),
    "coupled": ("Adam", {"weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {}),
    "adamax": ("Adamax", {"weight_decay": 0.1}),
    "nadam": ("NAdam", {"weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    "sgd": ("SGD", {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    "adagrad": ("Adagrad", {"weight_decay": 0.1}),
}


@pytest.mark.parametrize("case", LAZY)
def test_lazy_steps_are_dense_steps_where_every_row_is_in_every_batch(case: str) -> None:
    name, options = LAZY[case]
    stock, ours = make_layer(torch.nn.Embedding), make_layer()
    random = np.random.default_rng(0)
    batches = [(torch.arange(ROWS), torch.from_numpy(random.normal(size=(ROWS, COLUMNS)))) for _ in range(20)]
    train(stock, getattr(torch.optim, name)(stock.parameters(), **options), batches)
    train(ours, getattr(fast.optim, name)(ours.parameters(), update="lazy", **options), batches)
    torch.testing.assert_close(ours.weight, stock.weight, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "SparseAdam"])
def test_lazy_leaves_other_rows_alone(name: str) -> None:
    layer = make_layer()
    before = layer.weight.detach().clone()
    train(
        layer,
        getattr(fast.optim, name)(layer.parameters(), update="lazy"),
        [(torch.tensor([1, 2]), torch.ones(2, COLUMNS))] * 3,
    )
    changed = (layer.weight != before).any(dim=1)
    assert changed.nonzero().flatten().tolist() == [1, 2]


@pytest.mark.parametrize("case", EXACT)
@pytest.mark.parametrize("forth", [True, False], ids=["from torch", "to torch"])
def test_states_are_exchanged_with_torch(case: str, forth: bool) -> None:
    name, options = EXACT[case]
    whole, first = make_layer(torch.nn.Embedding), make_layer(torch.nn.Embedding if forth else None)
    batches = make_batches(80)
    train(whole, getattr(torch.optim, name)(whole.parameters(), **options), batches)
    modules = (torch.optim, fast.optim) if forth else (fast.optim, torch.optim)
    optimizer = getattr(modules[0], name)(first.parameters(), **options)
    train(first, optimizer, batches[:40])
    second = make_layer(None if forth else torch.nn.Embedding)
    second.load_state_dict(first.state_dict())
    resumed = getattr(modules[1], name)(second.parameters(), lr=1.0)
    resumed.load_state_dict(optimizer.state_dict())
    train(second, resumed, batches[40:])
    torch.testing.assert_close(second.weight, whole.weight, rtol=1e-8, atol=1e-9)
    assert set(resumed.state_dict()["param_groups"][0]) == set(optimizer.state_dict()["param_groups"][0])


REFUSED = {
    "amsgrad": (lambda p: fast.optim.Adam(p, amsgrad=True), "amsgrad=False or update='lazy'"),
    "coupled": (lambda p: fast.optim.Adam(p, weight_decay=0.1), "AdamW"),
    "momentum": (lambda p: fast.optim.SGD(p, momentum=0.9, weight_decay=0.1), "update='lazy'"),
    "adagrad": (lambda p: fast.optim.Adagrad(p, weight_decay=0.1), "update='lazy'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_exact_mode_cannot_give_is_refused_before_anything_is_written(case: str) -> None:
    make, remedy = REFUSED[case]
    layer = make_layer()
    before = layer.weight.detach().clone()
    with pytest.raises(ValueError, match=remedy):
        train(layer, make(layer.parameters()), make_batches(1))
    assert (layer.weight == before).all()


def test_a_stock_layer_in_exact_mode_is_refused_with_the_way_out() -> None:
    layer = torch.nn.Embedding(ROWS, COLUMNS, sparse=True)
    optimizer = fast.optim.Adam(layer.parameters())
    with pytest.raises(ValueError, match=r"convert\(model\)"):
        train(layer, optimizer, [(torch.tensor([1]), torch.ones(1, COLUMNS))])
    fast.convert(layer)
    train(layer, optimizer, [(torch.tensor([1]), torch.ones(1, COLUMNS))])


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop"])
def test_a_stock_layer_works_in_exact_mode_where_idle_rows_do_not_move(name: str) -> None:
    dense, sparse = make_layer(torch.nn.Embedding), make_layer(torch.nn.Embedding)
    sparse.sparse = True
    for layer, module in ((dense, torch.optim), (sparse, fast.optim)):
        train(layer, getattr(module, name)(layer.parameters()), make_batches(50))
    torch.testing.assert_close(sparse.weight, dense.weight, rtol=1e-10, atol=1e-12)


def test_one_optimizer_trains_a_whole_model() -> None:
    results = []
    for nn, optim in ((torch.nn, torch.optim), (fast, fast.optim)):
        torch.manual_seed(0)
        model = torch.nn.Sequential(nn.Embedding(ROWS, COLUMNS), torch.nn.Flatten(), torch.nn.Linear(2 * COLUMNS, 1))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        for ids, _ in make_batches(30):
            optimizer.zero_grad()
            model(ids[:4].reshape(2, 2)).square().mean().backward()
            optimizer.step()
        results.append([weight.detach().clone() for weight in model.state_dict().values()])
    for ours, stock in zip(*results, strict=True):
        torch.testing.assert_close(ours, stock, rtol=1e-4, atol=1e-5)


def test_hyperparameters_that_change_between_steps_are_followed() -> None:
    results = []
    for kind, optim in ((torch.nn.Embedding, torch.optim), (fast.Embedding, fast.optim)):
        layer = make_layer(kind)
        optimizer = optim.Adam(layer.parameters(), lr=0.01)
        for betas in ((0.9, 0.999), (0.8, 0.99), (0.95, 0.999)):
            optimizer.param_groups[0]["betas"] = betas
            train(layer, optimizer, make_batches(20))
        results.append(layer.weight.detach())
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-10)


def test_a_dense_gradient_among_sparse_ones_is_stepped_by_torch() -> None:
    results = []
    for kind, optim in ((torch.nn.Embedding, torch.optim), (fast.Embedding, fast.optim)):
        layer = make_layer(kind)
        optimizer = optim.Adam(layer.parameters(), lr=0.01)
        for _ in range(3):
            train(layer, optimizer, make_batches(10))
            optimizer.zero_grad()
            layer.weight.square().sum().backward()
            optimizer.step()
        results.append(layer.weight.detach())
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-10)


def test_a_bad_id_of_one_table_leaves_all_tables_as_they_were() -> None:
    layers = [make_layer(), make_layer()]
    optimizer = fast.optim.SGD([layer.weight for layer in layers], lr=1.0)
    before = [layer.weight.detach().clone() for layer in layers]
    for layer, bad in zip(layers, (1, ROWS), strict=True):
        values = torch.ones(1, COLUMNS, dtype=torch.float64)
        layer.weight.grad = torch.sparse_coo_tensor([[bad]], values, layer.weight.shape, check_invariants=False)
    with pytest.raises(IndexError, match=rf"= {ROWS} is not in"):
        optimizer.step()
    assert all((layer.weight == old).all() for layer, old in zip(layers, before, strict=True))


def test_a_gradient_that_is_sparse_in_columns_is_refused() -> None:
    layer = make_layer()
    layer.weight.grad = torch.ones(ROWS, COLUMNS, dtype=torch.float64).to_sparse()
    with pytest.raises(ValueError, match=r"to_sparse\(1\)"):
        fast.optim.SGD(layer.parameters()).step()


def test_sparse_adam_is_lazy() -> None:
    with pytest.raises(ValueError, match="must be 'lazy'"):
        fast.optim.SparseAdam(make_layer().parameters(), update="exact")


def test_the_state_is_shared_with_torch() -> None:
    layer = make_layer()
    optimizer = fast.optim.Adam(layer.parameters())
    train(layer, optimizer, make_batches(3))
    state = optimizer.state[layer.weight]
    assert set(state) == {"step", "exp_avg", "exp_avg_sq"}
    assert state["step"] == 3
    assert state["exp_avg"].any()
