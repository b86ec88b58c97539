"""What goes wrong when layers and optimizers of others are replaced: each a fact about this package."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'fastembed_layer[torch]'")
import fastembed_layer.torch as fast  # noqa: E402

ROWS, COLUMNS = 12, 4
IDS = [torch.tensor(ids) for ids in ([1, 2, 2], [3, 1, 0], [7, 7, 2], [1, 9, 11], [4, 4, 4])]


class Net(torch.nn.Module):
    """A table and a dense layer."""

    def __init__(self, layer: Any, dtype: Any = torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.layer = layer(ROWS, COLUMNS, dtype=dtype)
        self.head = torch.nn.Linear(COLUMNS, 1, dtype=dtype)

    def forward(self, ids: Any) -> Any:
        """Return one number for each id."""
        return self.head(self.layer(ids)).square().sum()


class Trainer:
    """A model and its exact Adam, of torch or of this package."""

    def __init__(self, ours: bool, name: str = "Adam", dtype: Any = torch.float64):
        self.model = Net(fast.Embedding if ours else torch.nn.Embedding, dtype)
        self.optimizer = getattr(fast.optim if ours else torch.optim, name)(self.model.parameters(), lr=0.01)

    def run(self, batches: Any, make_loss: Any = None) -> Any:
        for ids in batches:
            self.optimizer.zero_grad()
            (self.model(ids) if make_loss is None else make_loss(self.model, ids)).backward()
            self.optimizer.step()
        return self

    @property
    def weights(self) -> list[Any]:
        return [weight.clone() for weight in self.model.state_dict().values()]


def judge(*arguments: Any) -> None:
    """The same training by torch and by this package ends with the same weights."""
    ours, stock = (Trainer(is_ours).run(*arguments).weights for is_ours in (True, False))
    assert_close(ours, stock)


def assert_close(ours: list[Any], stock: list[Any]) -> None:
    for one, other in zip(ours, stock, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def assert_same_bits(ours: list[Any], others: list[Any]) -> None:
    assert all(torch.equal(one, other) for one, other in zip(ours, others, strict=True))


def test_two_forwards_before_one_backward_add_up() -> None:
    judge(IDS, lambda model, ids: model(ids) + model(ids.flip(0)[:2]))


def test_both_terms_of_a_sum_keep_their_gradients() -> None:
    def add_rows(model: Any, ids: Any) -> Any:
        return model.head(model.layer(ids) + model.layer(ids.flip(0))).square().sum()

    judge(IDS, add_rows)


def test_a_table_in_two_modules_is_one_table() -> None:
    trainers = [Trainer(True), Trainer(False)]
    for trainer, kind in zip(trainers, (fast.Embedding, torch.nn.Embedding), strict=True):
        trainer.model.other = kind(ROWS, COLUMNS, _weight=trainer.model.layer.weight)
        trainer.model.other.weight = trainer.model.layer.weight
        trainer.run(IDS, lambda model, ids: model(ids) + model.other(ids + 0).sum())
    assert_close(*(trainer.weights for trainer in trainers))


def test_a_graph_that_is_kept_can_be_walked_twice() -> None:
    def twice(model: Any, ids: Any) -> Any:
        loss = model(ids)
        loss.backward(retain_graph=True)
        return loss

    judge(IDS, twice)


def test_gradients_of_several_backwards_accumulate() -> None:
    def accumulate(model: Any, ids: Any) -> Any:
        for part in IDS[:3]:
            model(part).backward()
        return model(ids)

    judge(IDS, accumulate)


def test_without_gradients_rows_are_looked_up_and_nothing_is_recorded() -> None:
    trainer = Trainer(True).run(IDS)
    expected = trainer.model.layer.weight.detach()[IDS[0]]
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            rows = trainer.model.layer(IDS[0])
        assert not rows.requires_grad
        torch.testing.assert_close(rows, expected)
    trainer.run(IDS)


def test_a_frozen_table_stays() -> None:
    trainer = Trainer(True)
    trainer.model.layer.weight.requires_grad_(False)
    before = trainer.weights
    trainer.run(IDS)
    assert torch.equal(trainer.weights[0], before[0])
    assert not torch.equal(trainer.weights[1], before[1])


def test_a_table_frozen_in_the_middle_of_a_training_stays_where_it_is() -> None:
    trainers = [Trainer(ours).run(IDS) for ours in (True, False)]
    for trainer in trainers:
        trainer.model.layer.weight.requires_grad_(False)
        trainer.run(IDS)
        trainer.model.layer.weight.requires_grad_(True)
        trainer.run(IDS)
    assert_close(*(trainer.weights for trainer in trainers))


def test_an_empty_batch_is_a_step_in_which_all_rows_are_idle() -> None:
    judge([IDS[0], torch.zeros(0, dtype=torch.int64), IDS[1]])


def test_autocast_leaves_tables_alone() -> None:
    model = torch.nn.Sequential(fast.Embedding(ROWS, COLUMNS), torch.nn.Linear(COLUMNS, 1))
    with torch.autocast("cpu", torch.bfloat16):
        rows = model[0](IDS[0])
        loss = model[1](rows).float().square().sum()
    assert rows.dtype == torch.float32
    loss.backward()
    assert model[0].weight.grad.dtype == torch.float32
    fast.optim.Adam(model.parameters()).step()


@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=str)
@pytest.mark.parametrize("bad", [False, True])
def test_a_scaler_unscales_sparse_gradients_and_skips_bad_steps(options: dict[str, Any], bad: bool) -> None:
    layer = fast.Embedding(ROWS, COLUMNS)
    before = layer.weight.detach().clone()
    optimizer, scaler = fast.optim.SGD(layer.parameters(), lr=1.0, **options), torch.amp.GradScaler("cpu", 1024.0)
    loss = layer(torch.tensor([1])).sum() * (np.inf if bad else 1)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    expected = before.clone()
    expected[1] -= 0 if bad else 1
    torch.testing.assert_close(layer.weight.detach(), expected)


def test_hooks_of_steps_are_called_once() -> None:
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # patches torch's own step
    trainer, calls = Trainer(True), []
    trainer.optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    trainer.optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    trainer.run(IDS[:1])
    assert calls == ["before", "after"]


def test_a_closure_is_called_with_gradients_on() -> None:
    trainer = Trainer(True)

    def closure() -> Any:
        trainer.optimizer.zero_grad()
        loss = trainer.model(IDS[0])
        loss.backward()
        return loss

    first, second = trainer.optimizer.step(closure), trainer.optimizer.step(closure)
    assert second < first


def test_training_between_forward_and_backward_is_noticed_where_rows_are_needed() -> None:
    layer = fast.EmbeddingBag(ROWS, COLUMNS, mode="sum")
    weights = torch.ones(1, 2, requires_grad=True)
    loss = layer(torch.tensor([[1, 2]]), None, weights).sum()
    loss.backward(retain_graph=True)
    fast.optim.SGD(layer.parameters(), lr=1.0).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "Adamax", "RMSprop", "SGD", "Adagrad"])
def test_a_checkpoint_in_the_middle_resumes_with_the_same_bits(name: str, tmp_path: Path) -> None:
    whole = Trainer(True, name, torch.float32).run(IDS * 4)  # in float64 torch changes the type of NAdam's product
    torch.save({"model": whole.model.state_dict(), "optimizer": whole.optimizer.state_dict()}, tmp_path / "saved.pt")
    saved = torch.load(tmp_path / "saved.pt")
    resumed = Trainer(True, name, torch.float32)
    resumed.model.load_state_dict(saved["model"])
    resumed.optimizer.load_state_dict(saved["optimizer"])
    assert_same_bits(resumed.run(IDS[::-1] * 3).weights, whole.run(IDS[::-1] * 3).weights)


def test_a_checkpoint_resumes_in_a_fresh_process_with_the_same_bits(tmp_path: Path) -> None:
    whole = Trainer(True).run(IDS)
    torch.save({"model": whole.model.state_dict(), "optimizer": whole.optimizer.state_dict()}, tmp_path / "saved.pt")
    code = (
        "import sys, torch; sys.path.insert(0, sys.argv[1]); from test_torch_traps import IDS, Trainer\n"
        "saved, resumed = torch.load(sys.argv[2] + '/saved.pt'), Trainer(True)\n"
        "resumed.model.load_state_dict(saved['model']); resumed.optimizer.load_state_dict(saved['optimizer'])\n"
        "torch.save(resumed.run(IDS * 3).weights, sys.argv[2] + '/resumed.pt')"
    )
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)], check=True)
    assert_same_bits(torch.load(tmp_path / "resumed.pt"), whole.run(IDS * 3).weights)


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_of_model_and_optimizer_goes_on_alike(copier: Any) -> None:
    trainer = Trainer(True).run(IDS)
    twin = Trainer(True)
    twin.model, twin.optimizer = copier((trainer.model, trainer.optimizer))
    assert twin.optimizer.update == "exact"
    assert_same_bits(twin.run(IDS * 2).weights, trainer.run(IDS * 2).weights)


def test_a_state_can_be_loaded_into_a_running_optimizer() -> None:
    trainer = Trainer(True).run(IDS)
    saved = copy.deepcopy((trainer.model.state_dict(), trainer.optimizer.state_dict()))
    first = trainer.run(IDS * 2).weights
    trainer.model.load_state_dict(saved[0])
    trainer.optimizer.load_state_dict(saved[1])
    assert_same_bits(trainer.run(IDS * 2).weights, first)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.float().double(),
        lambda model: (model.zero_grad(), model.share_memory()),
        lambda model: setattr(model.layer.weight, "data", model.layer.weight.detach().clone()),
        lambda model: model.load_state_dict(copy.deepcopy(model.state_dict())),
        lambda model: model.eval(),
        lambda model: list(model.layer.parameters()),
    ],
)
def test_memory_that_is_replaced_or_read_between_steps_is_up_to_date(change: Any) -> None:
    trainers = [Trainer(ours).run(IDS) for ours in (True, False)]
    for trainer in trainers:
        change(trainer.model)
        trainer.run(IDS * 2)
    for one, other in zip(*(trainer.weights for trainer in trainers), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_finish_brings_the_memory_itself_up_to_date() -> None:
    trainers = [Trainer(ours).run(IDS) for ours in (True, False)]
    trainers[0].optimizer.finish()
    assert_close(list(trainers[0].model.parameters()), list(trainers[1].model.parameters()))


def test_two_optimizers_take_turns_at_one_table() -> None:
    trainers = [Trainer(ours) for ours in (True, False)]
    for trainer, optim in zip(trainers, (fast.optim, torch.optim), strict=True):
        first, second = trainer.optimizer, optim.SGD(trainer.model.parameters(), lr=0.01, momentum=0.9)
        for optimizer in (first, second, first, second):
            trainer.optimizer = optimizer
            trainer.run(IDS)
    assert_close(*(trainer.weights for trainer in trainers))


def test_other_decays_after_another_optimizers_turn_are_followed() -> None:
    trainers = [Trainer(ours) for ours in (True, False)]
    for trainer, optim in zip(trainers, (fast.optim, torch.optim), strict=True):
        first, second = trainer.run(IDS).optimizer, optim.SGD(trainer.model.parameters(), lr=0.01, momentum=0.9)
        trainer.optimizer = second
        trainer.run(IDS[:1])
        trainer.optimizer = first
        first.param_groups[0]["betas"] = (0.8, 0.99)
        trainer.run(IDS * 2)
    assert_close(*(trainer.weights for trainer in trainers))


def test_a_state_whose_momentum_is_still_empty_begins_with_an_undamped_step() -> None:
    trainers = [Trainer(ours, "SGD") for ours in (True, False)]
    for trainer in trainers:
        group = trainer.optimizer.param_groups[0]
        group["dampening"] = 0.5
        trainer.run(IDS[:2])
        group["momentum"] = 0.9
        trainer.run(IDS)
    assert_close(*(trainer.weights for trainer in trainers))


class Pairs(torch.utils.data.Dataset):
    """Looks rows up where the data are made: in forked processes."""

    def __init__(self, layer: Any):
        self.layer = layer

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        with torch.no_grad():
            return self.layer(torch.tensor([index])).sum()


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_that_fork_may_look_rows_up() -> None:
    trainer = Trainer(True).run(IDS)
    data = torch.utils.data.DataLoader(Pairs(trainer.model.layer), 4, num_workers=2, multiprocessing_context="fork")
    found = torch.cat(list(data))
    torch.testing.assert_close(found, trainer.model.layer.weight.detach()[:8].sum(dim=1))


def test_threads_of_both_are_used_together() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    judge(IDS)
    torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_computes_the_same() -> None:
    trainer, compiled = Trainer(True).run(IDS), Trainer(True)
    compiled.model = torch.compile(compiled.model, backend="eager")
    compiled.run(IDS)
    assert_close([weight.clone() for weight in compiled.model._orig_mod.state_dict().values()], trainer.weights)


WORKER = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from test_torch_traps import IDS, Net, fast
rank, folder = int(sys.argv[2]), sys.argv[3]
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
model = Net(fast.Embedding)
parallel = torch.nn.parallel.DistributedDataParallel(model)
optimizer = fast.optim.Adam(model.parameters(), lr=0.01)
for ids in IDS:
    optimizer.zero_grad()
    parallel(ids if rank == 0 else ids.flip(0)[:2]).backward()
    optimizer.step()
torch.save(list(model.state_dict().values()), f"{folder}/{rank}.pt")
torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch has no torch.distributed")
def test_data_parallel_processes_train_alike(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", WORKER, str(Path(__file__).parent)]
    processes = [subprocess.Popen([*command, str(rank), str(tmp_path)]) for rank in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert_same_bits(first, second)
    stock = Trainer(False).run(IDS, lambda model, ids: (model(ids) + model(ids.flip(0)[:2])) / 2)
    assert_close(first, stock.weights)
