"""The state of one table under one of torch's optimizers: its arrays are those of torch's state, shared."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np
import torch

from fastembed_layer.backends.arrays import CPU, allocate
from fastembed_layer.optimizers.pytorch import Formula, NAdamFormula
from fastembed_layer.tables.idle_rows import Clock
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.torch.gradients import read_gradient
from fastembed_layer.torch.shared_tables import SharedTable

Array = np.ndarray[Any, Any]
Tensor = Any
State = MutableMapping[str, Any]


class RowState:
    """A table, the formula that trains it, and torch's state of its parameter.

    Parameters
    ----------
    table : SharedTable
        On the memory of the parameter.
    formula : Formula
        Follows a group already.
    state : dict
        Torch's state of the parameter, filled where it is empty.
    """

    def __init__(self, table: SharedTable, formula: Formula, state: State):
        self.table = table
        self.formula = formula
        self.state = state
        self.kind = self._describe()
        is_fresh = all(state.get(name) is None for name in formula.slot_values())
        formula.own_slots[table] = {name: self._open_slot(name, value) for name, value in formula.slot_values().items()}
        self._open_counters()
        formula.iterations = self._read_steps(is_fresh)
        self._motion = self._find_motion()
        if not is_fresh:
            self._open_idle_rows(self._find_touched())

    def is_for(self, table: SharedTable, state: State) -> bool:
        """Tell whether this is still the table, the state and the rule of the next step."""
        return self.table is table and self.state is state and self._describe() == self.kind

    def check(self, optimizer_name: str) -> None:
        """Raise where the hyper-parameters or the layer cannot give what was asked for.

        Raises
        ------
        ValueError
            With the reason and the way out; nothing has been written.
        """
        reason = self.formula.refusal()
        if reason is not None:
            raise ValueError(f"{optimizer_name} cannot train the rows of a table like this: {reason}.")
        motion = self._find_motion()
        if motion is not None and not self.table.has_layer and (motion.moves_rows or self.formula.decay.is_active):
            raise ValueError(
                f"{optimizer_name}(update='exact') needs fastembed_layer.torch.Embedding or EmbeddingBag, whose "
                "lookups bring idle rows up to date. Received: a sparse gradient of another layer. "
                "`fastembed_layer.torch.convert(model)` replaces nn.Embedding and nn.EmbeddingBag; update='lazy' works "
                "with them as they are."
            )

    def step(self, weight: Tensor) -> None:
        """Train the rows of a sparse gradient."""
        formula = self.formula
        self._follow_motion()
        product = self._next_product()
        formula.apply_gradients([(self._complete(read_gradient(weight)), self.table)])
        if "step" in self.state:
            self.state["step"] += 1
        if product is not None:
            self.state["mu_product"].fill_(product)
        torch.autograd.graph.increment_version(weight)

    def rest(self) -> None:
        """Bring all rows and slots up to date and let the sums start afresh, as where a state is loaded."""
        self.formula.idle_book.rest()

    def leave(self) -> None:
        """Bring all rows and slots up to date; what follows is somebody else's."""
        self.table.finish()
        self.table.idle = None

    def _describe(self) -> tuple[Any, ...]:
        return self.formula.rule, tuple(self.formula.slot_values())

    def _open_slot(self, name: str, value: float) -> Array:
        """Return the memory of one tensor of the state, made where there is none."""
        known = self.state.get(name)
        if known is None:
            slot = allocate(self.table.shape, self.table.dtype, CPU, value)
            self.state[name] = torch.from_numpy(slot)
            return slot
        matching = known.detach().to(torch.from_numpy(self.table.array[:0]).dtype).contiguous()
        if matching.data_ptr() != known.data_ptr():
            self.state[name] = matching
        array: Array = matching.numpy()
        return array

    def _open_counters(self) -> None:
        if self.formula.counts_steps and "step" not in self.state:
            self.state["step"] = torch.tensor(0.0)
        if isinstance(self.formula, NAdamFormula) and "mu_product" not in self.state:
            self.state["mu_product"] = torch.tensor(1.0)

    def _read_steps(self, is_fresh: bool) -> int:
        """The number of finished steps; where torch does not count them, whether there has been one."""
        return int(self.state["step"]) if self.formula.counts_steps else int(not is_fresh)

    def _find_motion(self) -> Any:
        return self.formula.idle_motion() if self.formula.update == "exact" else None

    def _find_touched(self) -> Array:
        """Which rows have anything in their slots; others stay where they are."""
        touched = np.zeros(self.table.input_dim, bool)
        for slot in self.formula.own_slots[self.table].values():
            touched |= slot.any(axis=1)
        return touched

    def _open_idle_rows(self, touched: Array) -> None:
        """Begin to keep account of idle rows, all of which are up to date."""
        motion, formula = self._motion, self.formula
        if motion is not None:
            clock, decays = Clock(motion.weights, motion.running), formula.decay.is_active
            entry = formula.idle_book.make_entry(self.table, motion, formula.own_slots[self.table], clock, decays)
            entry.load_state(touched | decays, decays)

    def _follow_motion(self) -> None:
        """Start the sums afresh where other decays move idle rows from now on."""
        motion = self._find_motion()
        if self._motion is not None and motion is not None and motion.constants != self._motion.constants:
            self._motion = motion
            self.table.finish()
            known = self.formula.idle_book.state_of(self.table)
            if known:
                self._open_idle_rows(known["touched"])

    def _next_product(self) -> float | None:
        """The product of the momenta with that of the next step, rounded as torch's own."""
        if not isinstance(self.formula, NAdamFormula):
            return None
        momentum = self.formula.momentum(self.formula.iterations + 1)
        self.formula.product = float(self.state["mu_product"] * momentum)
        return self.formula.product

    def _complete(self, gradient: RowGradient) -> RowGradient:
        """Add to a gradient what the hyper-parameters say: the other direction, coupled decay of its rows."""
        if self.formula.maximizes:
            gradient = gradient * -1.0
        decay = self.formula.coupled_decay
        if not decay:
            return gradient
        summed = gradient.sum_duplicates()
        return RowGradient(summed.ids, summed.values + decay * self.table[summed.ids], summed.shape)
