"""Torch's optimizers, with rows of sparse gradients trained by the kernels of this package.

Each is a subclass of torch's optimizer of the same name, with its arguments, groups, schedulers and state. A parameter
with a sparse gradient goes to the kernels, on its own memory; one with a dense gradient to torch's own step. So one
optimizer serves a whole model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch

from fastembed_layer.checks import check_choice
from fastembed_layer.optimizers.optimizer import UPDATE_MODES
from fastembed_layer.optimizers.pytorch import (
    AdagradFormula,
    AdamaxFormula,
    AdamFormula,
    Formula,
    NAdamFormula,
    RMSpropFormula,
    SGDFormula,
    SparseAdamFormula,
)
from fastembed_layer.torch.gradients import is_sparse, read_gradient
from fastembed_layer.torch.row_state import RowState
from fastembed_layer.torch.shared_tables import table_of

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RMSprop", "RowOptimizer", "SparseAdam"]

Tensor = Any


class RowOptimizer(torch.optim.Optimizer):
    """What the optimizers of this module have in common; each is also torch's optimizer of its name.

    Parameters
    ----------
    params : iterable of torch.nn.Parameter or dict
        As torch takes them.
    *arguments, **options
        Those of torch's optimizer of the same name, with its defaults.
    update : {"exact", "lazy"}
        What becomes of the rows of a table that a batch does not hold. Exact: what torch's dense optimizer would make
        of them, at the cost of the touched rows. Lazy: they and their state stay as they are, as under ``SparseAdam``.

    Notes
    -----
    `state_dict` has torch's layout and can be loaded by torch's optimizer of the same name, and the other way round.
    In exact mode idle rows are brought up to date by lookups, by `state_dict` of model and optimizer, and by reading
    ``layer.weight``; before you read the memory in another way, call `finish`.
    """

    formula: ClassVar[type[Formula]]
    stock: ClassVar[Any]

    def __init__(self, params: Any, *arguments: Any, update: str = "exact", **options: Any):
        self.update = check_choice(update, "update", UPDATE_MODES)
        self._rows: dict[Tensor, RowState] = {}
        super().__init__(params, *arguments, **options)
        self._step_supports_amp_scaling = False  # a scaler unscales by itself, sparse gradients too

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; see torch's optimizer of the same name.

        Raises
        ------
        ValueError
            If the hyper-parameters cannot train rows in this mode, or a stock layer is trained in exact mode.
        IndexError
            If an id of a sparse gradient is not a row. In all cases nothing has been written.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        tables, has_dense = self._prepare()
        for weight, rows in tables:
            rows.step(weight)
        if has_dense:
            with _hidden([weight for weight, _ in tables]):
                _unhooked(self.stock.step)(self)
        return loss

    def finish(self) -> None:
        """Bring all rows of all tables up to date, for whoever reads their memory directly."""
        for rows in self._rows.values():
            rows.table.finish()

    def state_dict(self) -> dict[str, Any]:
        """Return the state in torch's layout, all rows up to date."""
        self._rest()
        return super().state_dict()  # type: ignore[no-any-return]

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state of this optimizer or of torch's of the same name."""
        self._leave(list(self._rows))
        super().load_state_dict(state_dict)

    def __getstate__(self) -> dict[str, Any]:
        self._rest()
        return {**super().__getstate__(), "update": self.update}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._rows = {}
        self._step_supports_amp_scaling = False

    def _prepare(self) -> tuple[list[tuple[Tensor, RowState]], bool]:
        """Return the tables of a step, everything about them checked, and whether other weights take part."""
        found = [
            (group, weight) for group in self.param_groups for weight in group["params"] if weight.grad is not None
        ]
        sparse = [(group, weight) for group, weight in found if is_sparse(weight.grad)]
        tables = [(weight, self._open(group, weight)) for group, weight in sparse]
        if len(tables) > 1:
            for weight, _ in tables:
                _check_ids(weight)
        if len(sparse) < len(found):
            self._leave([weight for _, weight in found if weight in self._rows and not is_sparse(weight.grad)])
        return tables, len(sparse) < len(found)

    def _open(self, group: dict[str, Any], weight: Tensor) -> RowState:
        """Return the state of a table, checked for the next step."""
        table, state, rows = table_of(weight), self.state[weight], self._rows.get(weight)
        if rows is not None:
            rows.formula.follow(group)
        if rows is None or not rows.is_for(table, state):
            if rows is not None:
                rows.leave()
            formula = self.formula(self.update)
            formula.follow(group)
            rows = RowState(table, formula, state)
            self._rows[weight] = rows
        rows.check(type(self).__name__)
        return rows

    def _rest(self) -> None:
        for rows in self._rows.values():
            rows.rest()

    def _leave(self, weights: list[Tensor]) -> None:
        """Let go of some tables, all rows up to date."""
        for weight in weights:
            self._rows.pop(weight).leave()


class SGD(RowOptimizer, torch.optim.SGD):
    """`torch.optim.SGD`, also with momentum, dampening and Nesterov's momentum.

    Weight decay in exact mode without momentum only: with it, it has no closed form for idle rows.
    """

    formula = SGDFormula
    stock = torch.optim.SGD


class Adagrad(RowOptimizer, torch.optim.Adagrad):
    """`torch.optim.Adagrad`; rows without a gradient stay, so both modes give the same."""

    formula = AdagradFormula
    stock = torch.optim.Adagrad


class RMSprop(RowOptimizer, torch.optim.RMSprop):
    """`torch.optim.RMSprop`, also with momentum and centered."""

    formula = RMSpropFormula
    stock = torch.optim.RMSprop


class Adam(RowOptimizer, torch.optim.Adam):
    """`torch.optim.Adam`; ``amsgrad`` and coupled weight decay in lazy mode only."""

    formula = AdamFormula
    stock = torch.optim.Adam


class AdamW(RowOptimizer, torch.optim.AdamW):
    """`torch.optim.AdamW`; ``amsgrad`` in lazy mode only."""

    formula = AdamFormula
    stock = torch.optim.AdamW


class Adamax(RowOptimizer, torch.optim.Adamax):
    """`torch.optim.Adamax`; weight decay, which is coupled, in lazy mode only."""

    formula = AdamaxFormula
    stock = torch.optim.Adamax


class NAdam(RowOptimizer, torch.optim.NAdam):
    """`torch.optim.NAdam`; weight decay in exact mode with ``decoupled_weight_decay=True`` only."""

    formula = NAdamFormula
    stock = torch.optim.NAdam


class SparseAdam(RowOptimizer, torch.optim.SparseAdam):
    """`torch.optim.SparseAdam`: lazy, with epsilon added before the bias correction, unlike lazy `Adam`."""

    formula = SparseAdamFormula
    stock = torch.optim.SparseAdam

    def __init__(self, params: Any, *arguments: Any, update: str = "lazy", **options: Any):
        if update != "lazy":
            raise ValueError(f"`update` of SparseAdam must be 'lazy'; Adam has both modes. Received: {update!r}.")
        super().__init__(params, *arguments, update=update, **options)


@contextmanager
def _hidden(weights: list[Tensor]) -> Iterator[None]:
    """Take the gradients of some parameters away for a while: torch's step leaves them out."""
    gradients = [weight.grad for weight in weights]
    try:
        for weight in weights:
            weight.grad = None
        yield
    finally:
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient


def _unhooked(step: Any) -> Any:
    """Torch's step without the hooks of steps, which this one has called."""
    return step.__wrapped__ if getattr(step, "hooked", False) else step


def _check_ids(weight: Tensor) -> None:
    """Raise for an id that is not a row, before any of several tables is written."""
    ids, input_dim = read_gradient(weight).ids, weight.shape[0]
    if len(ids) and (ids.min() < 0 or ids.max() >= input_dim):
        position = int(((ids < 0) | (ids >= input_dim)).argmax())
        raise IndexError(f"indices[{position}] = {ids[position]} is not in [0, {input_dim}).")
