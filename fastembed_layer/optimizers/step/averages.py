"""Exponential moving averages of weights, at the cost of the touched rows where idle rows stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import allocate, move_array
from fastembed_layer.backends.dispatch import backend_of
from fastembed_layer.checks import check_dimension, check_flag, check_number
from fastembed_layer.optimizers.step.gradients import Pairs
from fastembed_layer.optimizers.step.reasons import Reason, warn_of_all_rows
from fastembed_layer.optimizers.step.trained_rows import write_trained
from fastembed_layer.tables.parameter import Parameter
from fastembed_layer.tables.penalised_gradient import Gradient
from fastembed_layer.tables.row_gradient import RowGradient
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

BLOCK = 1 << 16  # rows worked on at a time, so that no temporary has the size of a table


class MovingAverage:
    """The average of one parameter: ``average = momentum * average + (1 - momentum) * weight`` after each step.

    It starts as the weight after the first step, as in Keras. Over k steps in which a row of the weight does not
    change, its average changes in closed form, ``average += (1 - momentum^k) (weight - average)``, so only touched
    rows are visited. Where the optimizer moves idle rows, every row is visited at every step.

    Parameters
    ----------
    parameter : Parameter
        The weight.
    momentum : float
        In ``[0, 1]``.
    reasons : list of Reason
        Why rows outside a batch do not stay where they are; empty where they do.
    """

    def __init__(self, parameter: Parameter, momentum: float, reasons: list[Reason]):
        self.parameter = parameter
        self.momentum = momentum
        self.row_wise = not reasons and isinstance(parameter, Table)
        self.steps = 0
        self.average: Array = allocate((0,), parameter.dtype, parameter.placement)
        self.last_steps = allocate((len(parameter) if self.row_wise else 0,), np.int64, parameter.placement, 0)
        if isinstance(parameter, Table) and not self.row_wise:
            what = f"`use_ema` for the weight {parameter.name!r} visits"
            warn_of_all_rows(what, 3 * parameter.nbytes, reasons)

    def prepare(self, gradient: Gradient) -> None:
        """Bring the average of the rows that are about to change up to date."""
        self._follow_placement()
        if self.steps > 0 and self.row_wise:
            self._catch_up(_touched(gradient, self.parameter))

    def follow(self, gradient: Gradient) -> None:
        """Average the weight after a step."""
        self.steps += 1
        if self.steps == 1:
            self.average = self.parameter.value.copy()
            self.last_steps[:] = 1
            return
        rows = _touched(gradient, self.parameter) if self.row_wise else slice(None)
        for block in _blocks(rows, len(self.parameter) if self.parameter.ndim else 0):
            self.average[block] += (1 - self.momentum) * (self._weights_of(block) - self.average[block])
        if self.row_wise:
            self.last_steps[rows] = self.steps

    def finish(self) -> Array:
        """Return the average, up to date, where the weight lives."""
        self._follow_placement()
        if self.row_wise and self.steps > 0:
            self._catch_up(slice(None))
        return self.average

    def _catch_up(self, rows: Any) -> None:
        for block in _blocks(rows, len(self.parameter)):
            idle = self.steps - self.last_steps[block]
            share = (1 - self.momentum**idle).astype(self.parameter.dtype)[:, None]
            self.average[block] += share * (self._weights_of(block) - self.average[block])
            self.last_steps[block] = self.steps

    def _weights_of(self, block: Any) -> Array:
        """The weights of a block; rows that were touched are looked up, which leaves a cache of them as it is."""
        if not self.row_wise:
            return self.parameter.value[block]
        if isinstance(block, slice):
            return self.parameter.write_back()[block]
        assert isinstance(self.parameter, Table)
        return backend_of(self.parameter, block).gather_rows(self.parameter, block)

    def _follow_placement(self) -> None:
        placement = self.parameter.placement
        self.average, self.last_steps = (move_array(array, placement) for array in (self.average, self.last_steps))


def _touched(gradient: Gradient, parameter: Parameter) -> Any:
    if not isinstance(gradient, RowGradient):
        return slice(None)
    return move_array(gradient.distinct_ids(), parameter.placement)


def _blocks(rows: Any, count: int) -> list[Any]:
    """Cut rows, an index array or all of them, into blocks; a weight without rows is one block."""
    if isinstance(rows, slice):
        return [slice(begin, begin + BLOCK) for begin in range(0, count, BLOCK)] or [...]
    return [rows[begin : begin + BLOCK] for begin in range(0, len(rows), BLOCK)]


class MovingAverages:
    """The averages of all weights of one optimizer; without ``use_ema`` nothing is kept."""

    def __init__(self, use_ema: bool, momentum: float, overwrite_frequency: int | None):
        self.use_ema = check_flag(use_ema, "use_ema")
        self.momentum = check_number(momentum, "ema_momentum", 0.0, 1.0)
        frequency = overwrite_frequency
        self.overwrite_frequency = None if frequency is None else check_dimension(frequency, "ema_overwrite_frequency")
        self._averages: dict[Parameter, MovingAverage] = {}
        self.steps = 0

    def prepare(self, pairs: Pairs, find: Callable[[Parameter], list[Reason]]) -> None:
        """Before a step: bring the averages of the rows that are about to change up to date."""
        if not self.use_ema:
            return
        for parameter, gradient in pairs:
            if parameter not in self._averages:
                self._averages[parameter] = MovingAverage(parameter, self.momentum, find(parameter))
            self._averages[parameter].prepare(gradient)

    def follow(self, pairs: Pairs) -> None:
        """After a step: average the weights, and overwrite them when it is time."""
        if not self.use_ema:
            return
        self.steps += 1
        for parameter, gradient in pairs:
            self._averages[parameter].follow(gradient)
        if self.overwrite_frequency is not None and self.steps % self.overwrite_frequency == 0:
            self.overwrite([parameter for parameter, _ in pairs])

    def prepare_undo(self) -> Callable[[], None]:
        """Return what goes back to the averages of this moment."""
        steps, known = self.steps, {one: copy(vars(average)) for one, average in self._averages.items()}
        arrays = [(fields["average"], fields["average"].copy()) for fields in known.values()]
        arrays += [(fields["last_steps"], fields["last_steps"].copy()) for fields in known.values()]

        def undo() -> None:
            self.steps = steps
            for average, fields in zip(self._averages.values(), known.values(), strict=True):
                vars(average).update(fields)
            for array, kept in arrays:
                array[...] = kept

        return undo

    def state_of(self, parameter: Parameter) -> dict[str, Array]:
        """Return what has to be kept of the average of a weight."""
        average = self._averages.get(parameter)
        if average is None:
            return {}
        return {"average": average.finish(), "average_steps": np.array(average.steps)}

    def load_state(
        self, states: Mapping[Parameter, Mapping[str, Array]], steps: int, find: Callable[[Parameter], list[Reason]]
    ) -> None:
        """Go on from what `state_of` returned for some weights."""
        self.steps = steps
        self._averages = {}
        for parameter, state in states.items():
            if "average" in state:
                average = MovingAverage(parameter, self.momentum, find(parameter))
                average.steps = int(state["average_steps"])
                average.average = move_array(state["average"].astype(parameter.dtype), parameter.placement)
                average.last_steps[:] = average.steps
                self._averages[parameter] = average

    def of(self, parameter: Parameter) -> Array:
        """Return the average of a weight."""
        if parameter not in self._averages:
            raise ValueError(
                f"`parameter` must be a weight that this optimizer has trained with use_ema=True. "
                f"Received: {parameter!r}."
            )
        return self._averages[parameter].finish()

    def overwrite(self, parameters: Iterable[Parameter]) -> None:
        """Overwrite weights with their averages; rows that do not train keep their bits."""
        for parameter in parameters:
            if parameter in self._averages:
                write_trained(parameter, self._averages[parameter].finish())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, where averages are kept."""
        if not self.use_ema:
            return {}
        own = {"use_ema": True, "ema_momentum": self.momentum}
        return own | {"ema_overwrite_frequency": self.overwrite_frequency}
